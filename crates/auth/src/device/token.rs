//! `POST /device/token` (RFC 8628 sections 3.4 and 3.5): the device polls, and signs in once it is approved.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    INVALID_CLIENT,
    store::{self, Device, Status},
    stored_device_code, uncached,
};
use crate::{
    app::{App, connection},
    error::{OAuthRefusal, Result},
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current, Method, SignIn},
    user::{self, User, store as users},
    wire,
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

const fn refusal(error: &'static str, description: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(StatusCode::BAD_REQUEST, error, description)
}

const INVALID_CODE: OAuthRefusal = refusal("invalid_grant", "Invalid device code");
const OTHER_CLIENT: OAuthRefusal = refusal("invalid_grant", "Client ID mismatch");
const SLOW_DOWN: OAuthRefusal = refusal("slow_down", "Polling too frequently");
const EXPIRED: OAuthRefusal = refusal("expired_token", "Device code has expired");
const PENDING: OAuthRefusal = refusal("authorization_pending", "Authorization pending");
const DENIED: OAuthRefusal = refusal("access_denied", "Access denied");

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<Poll, _>("/device/token", "device_token", Access::Public, device_token)
        .about("Ask whether a device was approved; the answer that says so signs it in, once.")
}

struct Poll {
    device_code: String,
    client_id: String,
}

impl FromFields for Poll {
    fn read(fields: &mut Fields) -> Self {
        fields.literal("grant_type", GRANT_TYPE);
        Self { device_code: fields.text("device_code"), client_id: fields.text("client_id") }
    }
}

async fn device_token(app: App, call: Call) -> Result<Answer> {
    let poll: Poll = call.body()?;
    uncached(redeem(&app, &call, &poll).await)
}

async fn redeem(app: &App, call: &Call, poll: &Poll) -> Result<Answer> {
    if !app.config.device.admits(&poll.client_id) {
        return Err(INVALID_CLIENT.into());
    }
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let device = store::lock_device(&tx, &stored_device_code(app, &poll.device_code)).await?;
    let device = device.ok_or(INVALID_CODE)?;
    if device.client_id.as_ref().is_some_and(|client| *client != poll.client_id) {
        return Err(OTHER_CLIENT.into());
    }
    if device.last_polled_at.is_some_and(|last| call.now - last < device.interval) {
        return Err(SLOW_DOWN.into());
    }
    let refusal = match judge(&device, call.now) {
        Ok(owner) => match users::find_user(&tx, owner).await? {
            Some(user) => return sign_in(app, call, tx, &device, &user).await,
            // Deleted after the approval.
            None => DENIED,
        },
        Err(refusal) if refusal == PENDING => {
            store::note_poll(&tx, device.id, call.now).await?;
            tx.commit().await?;
            return Err(refusal.into());
        }
        Err(refusal) => refusal,
    };
    store::delete_device(&tx, device.id).await?;
    tx.commit().await?;
    Err(refusal.into())
}

/// Who approved.
fn judge(device: &Device, now: DateTime<Utc>) -> Result<Uuid, OAuthRefusal> {
    if device.expires_at < now {
        return Err(EXPIRED);
    }
    match device.status {
        Some(Status::Pending) => Err(PENDING),
        Some(Status::Approved) => {
            device.user_id.as_deref().and_then(|id| Uuid::parse_str(id).ok()).ok_or(DENIED)
        }
        Some(Status::Denied) | None => Err(DENIED),
    }
}

async fn sign_in(
    app: &App,
    call: &Call,
    tx: Transaction<'_>,
    device: &Device,
    user: &User,
) -> Result<Answer> {
    store::delete_device(&tx, device.id).await?;
    if app.config.features.admin && user::is_banned(user, call.now) {
        let email = Some(user.email.clone());
        let why = Event::Refused { why: Refused::Banned, email, detail: None };
        events::record(app, &tx, call, why, Some(user.id)).await?;
        tx.commit().await?;
        return Err(wire::BANNED_USER.into());
    }
    let started = session::start_in(app, call, &tx, SignIn::by(Method::Device, user)).await?;
    tx.commit().await?;
    answer(call, device, &started)
}

/// No cookies: the device keeps the token itself.
fn answer(call: &Call, device: &Device, started: &Current) -> Result<Answer> {
    let lifetime = started.signed_in.session.expires_at - call.now;
    Answer::json(&json!({
        "access_token": started.token.reveal(),
        "token_type": "Bearer",
        "expires_in": lifetime.num_seconds(),
        "scope": device.scope.as_deref().unwrap_or_default(),
    }))
}
