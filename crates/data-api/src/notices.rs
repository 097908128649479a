//! Who asks for a reload: NOTIFY and signals.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_postgres::Notification;

use crate::config::{self, Config};
use crate::reload::{Reload, delays};
use crate::state::State;

/// Why a connection that listened is not used any more.
enum Ended {
    /// It broke.
    Lost,
    /// The configuration names another channel, or none.
    Changed,
    /// Nobody carries out wishes any more.
    Unheard,
}

/// Listens for NOTIFY, while `db-channel-enabled`; a broken connection is replaced, and what was missed is made up for by a
/// reload. With `missed` that begins with the first connection. `first` hears when the first attempt is over.
///
/// # Errors
/// The connection is lost, and `db-pool-automatic-recovery` is off.
pub(crate) async fn listen(
    state: State,
    wishes: mpsc::Sender<Reload>,
    mut missed: bool,
    first: Option<oneshot::Sender<()>>,
) -> Result<(), String> {
    let mut changes = state.config_changes();
    let mut first = first;
    let mut attempts_over = move || first.take().map(|first| first.send(()));
    let mut waits = delays();
    loop {
        let config = state.config();
        if !config.db_channel_enabled {
            attempts_over();
            if changes.changed().await.is_err() {
                return Ok(());
            }
            continue;
        }
        let url = config::for_writing(&config.db_uri);
        match gatepost_postgres::listen(&url, &[&config.db_channel]).await {
            Ok((_client, notices)) => {
                tracing::info!(channel = config.db_channel, "notifications are received");
                waits = delays();
                if missed && wishes.send(Reload::Schema).await.is_err() {
                    return Ok(());
                }
                attempts_over();
                match hear(&state, &config, notices, &mut changes, &wishes).await {
                    Ended::Lost => {}
                    Ended::Changed => continue,
                    Ended::Unheard => return Ok(()),
                }
                tracing::warn!(channel = config.db_channel, "notifications are no longer received");
            }
            Err(error) => {
                tracing::warn!(%error, channel = config.db_channel, "notifications cannot be received");
                attempts_over();
            }
        }
        if !state.config().db_pool_automatic_recovery {
            return Err("the listening connection was lost, and db-pool-automatic-recovery is off"
                .to_owned());
        }
        missed = true;
        tokio::time::sleep(Duration::from_secs(waits.next().unwrap_or_default())).await;
    }
}

async fn hear(
    state: &State,
    config: &Arc<Config>,
    mut notices: mpsc::UnboundedReceiver<Notification>,
    changes: &mut watch::Receiver<()>,
    wishes: &mpsc::Sender<Reload>,
) -> Ended {
    loop {
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            _ = changes.changed() => {
                let now = state.config();
                let same = now.db_channel_enabled && now.db_channel == config.db_channel;
                if same { continue } else { return Ended::Changed }
            }
        };
        let Some(notice) = notice else { return Ended::Lost };
        let wish = match notice.payload() {
            "" | "reload schema" => Reload::Schema,
            "reload config" => Reload::Config,
            _ => continue,
        };
        tracing::info!(channel = config.db_channel, ?wish, "a reload was asked for");
        if wishes.send(wish).await.is_err() {
            return Ended::Unheard;
        }
    }
}

/// SIGUSR1 and SIGUSR2.
pub(crate) async fn signals(wishes: mpsc::Sender<Reload>) -> Result<(), std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut schema = signal(SignalKind::user_defined1())?;
    let mut config = signal(SignalKind::user_defined2())?;
    loop {
        let wish = tokio::select! {
            _ = schema.recv() => Reload::Schema,
            _ = config.recv() => Reload::Config,
        };
        if wishes.send(wish).await.is_err() {
            return Ok(());
        }
    }
}
