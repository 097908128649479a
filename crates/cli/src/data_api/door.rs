//! The Data API within the server: what the auth server tells it, since neither crate sees the other.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use chrono::{DateTime, Utc};
use gatepost_auth::{
    app::App,
    keys,
    session::{Named, Standing},
};
use gatepost_data_api::{
    Administration, Check, Config, Door, KeySource, LoginError, NeonDoor, State, administration,
    keep_loaded, login, reload, router,
};
use gatepost_protocol::jwt::{Claims, Verifier};
use tokio::task::AbortHandle;

use crate::config::{DataApi, Refused};

/// The open door.
pub(crate) struct Opened {
    /// Everything below `/{project}/rest`.
    pub(crate) router: Router,
    /// Reloads the schema; ends with the server.
    pub(crate) loading: AbortHandle,
}

/// Opens it, unless it is switched off.
///
/// # Errors
/// [`Refused`] for a login that may do too much or too little, a schema that is never served; a database that cannot be
/// reached.
pub(crate) async fn open(app: &App, settings: &DataApi) -> anyhow::Result<Option<Opened>> {
    if !settings.enabled {
        return Ok(None);
    }
    let config = Config::door(&settings.door())
        .map_err(|error| Refused(vec![format!("[data_api] {error}")]))?;
    examine(&config).await?;
    let session = settings.live_sessions.then(|| check(app, |_| true));
    let verifier = Verifier::new(app.issuer.as_str(), app.audience.as_str());
    let door = NeonDoor::new(verifier, key_source(app), session);
    let state = State::with_door(config, Door::Neon(door))?;
    let administration = administration(
        state.clone(),
        Administration {
            administrator: check(app, Standing::is_administrator),
            database_url: settings.explain_database_url.as_ref().map(|url| url.reveal().to_owned()),
        },
    );
    // Served from the first request on; if it cannot be read yet, it is tried again.
    reload(&state).await;
    let loading = tokio::spawn(keep_loaded(state.clone())).abort_handle();
    let base = format!("/{}/rest", app.config.project);
    let router = Router::new()
        // As a service it is also found at `/v1/`, where its own description is.
        .nest_service(&format!("{base}/v1"), router(state))
        .nest(&format!("{base}/admin"), administration);
    Ok(Some(Opened { router, loading }))
}

/// DA-32: the login must be able to become the callers' roles, and nothing else.
async fn examine(config: &Config) -> anyhow::Result<()> {
    let login = match login(config).await {
        Ok(login) => login,
        Err(LoginError::Unreachable(reason)) => {
            return Err(anyhow::anyhow!(reason))
                .context("the database of the Data API cannot be reached");
        }
        Err(error) => return Err(error.into()),
    };
    let mut lines = Vec::new();
    if !login.powers.is_empty() {
        lines.push(format!(
            "[data_api] the login {} {}: every policy would hang by one role switch; use one made for it (docs/database-roles.md)",
            login.name,
            login.powers.join(", ")
        ));
    }
    lines.extend(login.callers.iter().map(|(role, powers)| {
        format!(
            "[data_api] the role {role} of callers {}: no policy would hold for them (docs/database-roles.md)",
            powers.join(", ")
        )
    }));
    if !login.missing.is_empty() {
        lines.push(format!(
            "[data_api] the login {name} cannot become {}: grant {} to {name};",
            login.missing.join(" or "),
            login.missing.join(", "),
            name = login.name,
        ));
    }
    if lines.is_empty() { Ok(()) } else { Err(Refused(lines).into()) }
}

/// The keys are in this process: finding them costs no call, and a rotation is known as soon as it is here.
fn key_source(app: &App) -> KeySource {
    let app = app.clone();
    Arc::new(move || {
        let app = app.clone();
        Box::pin(async move { keys::routes::published(&app).await.ok() })
    })
}

/// Asks the database about whom a token names, now.
fn check(app: &App, judge: fn(&Standing) -> bool) -> Check {
    let app = app.clone();
    Arc::new(move |claims: Claims, now: DateTime<Utc>| {
        let app = app.clone();
        Box::pin(async move {
            let Some(named) = Named::of(&claims) else { return Some(false) };
            match app.live.find(named, now).await {
                Ok(standing) => Some(standing.is_some_and(|standing| judge(&standing))),
                Err(error) => {
                    tracing::warn!(?error, "a session could not be looked up for the Data API");
                    None
                }
            }
        })
    })
}
