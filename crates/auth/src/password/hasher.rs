//! Hashing on threads of its own: a bounded number at a time, so that sign-ins neither fill the memory nor starve others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use gatepost_password::{self as formats, Verdict};
use tokio::sync::{mpsc, oneshot};

use super::{Config, Scheme};
use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Computes hashes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hasher {
    jobs: Arc<std::sync::Mutex<Option<mpsc::Sender<Job>>>>,
    threads: usize,
    scheme: formats::Scheme,
    runs: Arc<AtomicU64>,
}

/// Jobs that may wait per thread: about two seconds of work; more would only be answered too late (RL-15).
const WAITING_PER_THREAD: usize = 32;

impl Hasher {
    /// Threads are started with the first password.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = if config.hashes_at_once == 0 { cores } else { config.hashes_at_once };
        let scheme = match config.scheme {
            Scheme::Scrypt => formats::Scheme::Scrypt,
            Scheme::Argon2id => formats::Scheme::Argon2id,
        };
        Self { jobs: Arc::default(), threads, scheme, runs: Arc::default() }
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// Busy, when too many wait.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let (scheme, password) = (self.scheme, password.to_owned());
        let hash = self.run(move || formats::hash(&password, scheme)).await?;
        hash.map_err(|refused| Error::Internal(refused.into()))
    }

    /// Whether a password is that of a stored hash. For `None` the same work is done and the answer is no.
    ///
    /// # Errors
    /// Busy, when too many wait.
    pub async fn verify(&self, stored: Option<&str>, password: &str) -> Result<Verdict> {
        let (stored, password) = (stored.map(str::to_owned), password.to_owned());
        let scheme = self.scheme;
        self.run(move || {
            let Some(stored) = stored else {
                formats::dummy(&password, scheme);
                return Verdict::Mismatch;
            };
            formats::verify(&stored, &password).unwrap_or_else(|refused| {
                tracing::error!(cause = %refused, "a stored password hash cannot be used");
                formats::dummy(&password, scheme);
                Verdict::Mismatch
            })
        })
        .await
    }

    /// Hashes computed since the start, verifications and dummies included.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Does `work` on one of the threads.
    ///
    /// # Errors
    /// Busy, when too many wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, done) = oneshot::channel();
        let runs = Arc::clone(&self.runs);
        let job: Job = Box::new(move || {
            // Nobody is waiting any more: do not spend a core on it.
            if !answer.is_closed() {
                runs.fetch_add(1, Ordering::Relaxed);
                let _ = answer.send(work());
            }
        });
        self.sender()?.try_send(job).map_err(|_| Error::Busy(2))?;
        done.await.map_err(|_| Error::Internal(anyhow::anyhow!("a hashing thread stopped")))
    }

    fn sender(&self) -> Result<mpsc::Sender<Job>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(sender) = &*jobs {
            return Ok(sender.clone());
        }
        let (sender, receiver) = mpsc::channel(self.threads * WAITING_PER_THREAD);
        let receiver = Arc::new(std::sync::Mutex::new(receiver));
        for _ in 0..self.threads {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name("password".to_owned())
                .spawn(move || work(&receiver))
                .map_err(|error| Error::Internal(error.into()))?;
        }
        *jobs = Some(sender.clone());
        Ok(sender)
    }
}

fn work(receiver: &std::sync::Mutex<mpsc::Receiver<Job>>) {
    // Everything else goes first: a session look-up must not wait for a core that computes a hash.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
    loop {
        let next =
            receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).blocking_recv();
        let Some(job) = next else { return };
        job();
    }
}
