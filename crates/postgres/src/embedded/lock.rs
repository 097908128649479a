//! File locks: the kernel drops them however a process dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{ErrorKind, Result},
    path::Path,
};

/// The file, made if absent.
pub(crate) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)
}

fn retry(mut lock: impl FnMut() -> Result<()>) -> Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Waits until nobody else holds the file.
pub(crate) fn exclusive(path: &Path) -> Result<File> {
    let file = open(path)?;
    retry(|| file.lock())?;
    Ok(file)
}

/// Waits until nobody holds the file exclusively.
pub(crate) fn shared(path: &Path) -> Result<File> {
    let file = open(path)?;
    retry(|| file.lock_shared())?;
    Ok(file)
}

/// The file, if nobody else holds it.
pub(crate) fn try_exclusive(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
