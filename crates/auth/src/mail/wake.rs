//! Word that there is new mail, from whichever process wrote it: `NOTIFY gatepost_mail`.

use std::time::Duration;

use tokio::sync::watch;

/// What [`super::store`] notifies.
const CHANNEL: &str = "gatepost_mail";
const RECONNECT: Duration = Duration::from_secs(2);

/// Tells that something may have changed since it was last asked. Clones are independent.
#[derive(Clone, Debug)]
pub struct Wakes(watch::Receiver<()>);

impl Wakes {
    /// Returns when there was a notification since the last call. Once listening has ended, it never returns.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// As [`Wakes::wait`]; `false` once listening has ended.
    pub(super) async fn wait_or_end(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }

    /// What was notified up to now is known.
    pub(super) fn forget(&mut self) {
        self.0.mark_unchanged();
    }
}

/// Listens on a connection of its own until `shutdown`, and reconnects as often as needed. Whoever waits is woken after a
/// reconnection too, as notifications may have been lost in between.
pub fn listen(database_url: String, shutdown: impl Future<Output = ()> + Send + 'static) -> Wakes {
    let (sender, receiver) = watch::channel(());
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown => {}
            () = listen_for_ever(&database_url, &sender) => {}
        }
    });
    Wakes(receiver)
}

async fn listen_for_ever(database_url: &str, sender: &watch::Sender<()>) {
    loop {
        match gatepost_postgres::listen(database_url, &[CHANNEL]).await {
            Ok((_client, mut notifications)) => {
                sender.send_replace(());
                while notifications.recv().await.is_some() {
                    sender.send_replace(());
                }
                tracing::warn!("listening for mail was interrupted; polling until it is back");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen for mail; polling");
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}
