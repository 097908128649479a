//! `POST /users-sync/{source}`: webhooks of outside providers.

use http::StatusCode;
use serde_json::json;

use super::{
    profile::{self, Change},
    signature, store,
};
use crate::{
    app::{App, connection},
    error::{NOT_FOUND, Refusal, Result},
    http::{Answer, Call, Endpoint, endpoint::Access},
    session::routes::AnyRecord,
};

const UNREADABLE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "UNREADABLE_EVENT",
    "The event names no user where this source's provider puts one",
);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<AnyRecord, _>(
            "/users-sync/{source}",
            "users_sync_webhook",
            Access::Public,
            users_sync_webhook,
        )
        .about("Webhook of an outside provider: keeps `neon_auth.users_sync` in step. Signed by the provider."),
    ]
}

async fn users_sync_webhook(app: App, call: Call) -> Result<Answer> {
    let event: AnyRecord = call.body()?;
    let name = call.parameter.as_deref().unwrap_or_default();
    let source = app.config.users_sync.sources.get(name).ok_or(NOT_FOUND)?;
    let signed_at = signature::check(source, &call)?;
    let change = profile::change(source, &event.0.into()).ok_or(UNREADABLE)?;
    let at = match &change {
        Change::Written(profile) | Change::Deleted(profile) => profile.updated_at,
        Change::Nothing => return Answer::json(&json!({ "applied": false })),
    };
    // Without the provider's word the time of signing orders events, and without that their arrival does.
    let at = at.or(signed_at).unwrap_or(call.now);
    let applied = store::apply(&connection(&app).await?, name, &change, at, call.now).await?;
    Answer::json(&json!({ "applied": applied }))
}
