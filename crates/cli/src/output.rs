//! Standard output.

use std::io::{self, ErrorKind, Write};

/// Writes text as it is. A reader that has left (`| head`) is no error.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
