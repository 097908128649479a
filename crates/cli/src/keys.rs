//! `gatepost keys`.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use gatepost_auth::{
    app::App,
    keys::{
        self,
        store::{self, KeyRow},
    },
};
use serde_json::json;

use crate::{
    args::KeysCommand,
    config::{self, Environment},
    database, output,
    user::refusal,
};

/// Runs a key command.
///
/// # Errors
/// What is wrong, for the operator.
pub(crate) fn run(
    command: KeysCommand,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let settings = config::load_for_production(path, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = database::app(&settings).await?;
        match command {
            KeysCommand::List { json } => list(&app, json).await,
            KeysCommand::Rotate => rotate(&app).await,
        }
    })
}

async fn list(app: &App, json: bool) -> anyhow::Result<()> {
    // The key that signs is chosen when the keys are read; without one, the first is made.
    let ring = keys::routes::ring(app).await.map_err(|error| refusal(&error))?;
    let rows = store::list_keys(&app.db.get().await?).await.map_err(|error| refusal(&error))?;
    let mut text = String::new();
    for row in &rows {
        let use_ = usage(row, ring.signing.kid(), app.clock.now());
        let algorithm = row.algorithm.as_deref().unwrap_or("EdDSA");
        let end = row.expires_at.map(instant);
        if json {
            let line = json!({
                "kid": row.id, "alg": algorithm, "use": use_, "createdAt": instant(row.created_at), "expiresAt": end,
            });
            text.push_str(&format!("{line}\n"));
        } else {
            let until = end.map(|end| format!(", until {end}")).unwrap_or_default();
            let (id, since) = (row.id, instant(row.created_at));
            text.push_str(&format!("{id}  {algorithm}  {use_}  since {since}{until}\n"));
        }
    }
    output::print(&text)
}

/// What a key is good for at a moment.
fn usage(row: &KeyRow, signing: &str, now: DateTime<Utc>) -> &'static str {
    if row.id.to_string() == signing {
        "signs"
    } else if row.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else if row.expires_at.is_some() {
        "verifies"
    } else {
        "published"
    }
}

async fn rotate(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut conn = app.db.get().await?;
    let tx = conn.transaction().await?;
    store::lock_keys(&tx).await.map_err(|error| refusal(&error))?;
    let kid = keys::rotate(&tx, &app.sealer, &app.config.jwt, now)
        .await
        .map_err(|error| refusal(&error))?;
    tx.commit().await?;
    let from = now + TimeDelta::seconds(i64::from(app.config.jwt.publish_ahead));
    output::print(&format!(
        "key {kid} is published now and signs from {}; the others verify until their tokens have expired\n",
        instant(from)
    ))
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
