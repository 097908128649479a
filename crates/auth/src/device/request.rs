//! `POST /device/code` (RFC 8628 section 3.1): a device asks for a pair of codes.

use chrono::TimeDelta;
use gatepost_protocol::random;
use http::StatusCode;
use serde_json::json;
use url::Url;

use super::{
    INVALID_CLIENT, as_invalid_request,
    store::{self, NewDevice},
    stored_device_code, uncached, user_code,
};
use crate::{
    app::{App, connection},
    error::{Error, OAuthRefusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::{Accepts, Access},
        fields::{Fields, FromFields},
    },
    limits::Limit,
};

/// Characters of the long code.
const DEVICE_CODE: usize = 40;
/// Pairs of codes for one client address, beside the limit of the path: each is a row until it expires.
const PAIRS: Limit = Limit { name: "device-code", window: 10 * 60, max: 100 };
/// Short codes are drawn this often, should one be taken.
const DRAWS: usize = 3;
/// The longest that a program may call itself, in bytes.
const LONGEST_CLIENT: usize = 255;
/// The longest list of scopes, in bytes.
const LONGEST_SCOPE: usize = 1024;

const CLIENT_MISSING: OAuthRefusal =
    OAuthRefusal::new(StatusCode::BAD_REQUEST, "invalid_request", "client_id is required");
const USER_UNREADABLE: OAuthRefusal =
    OAuthRefusal::new(StatusCode::BAD_REQUEST, "invalid_request", "user_id is not an id");
const INVALID_SCOPE: OAuthRefusal =
    OAuthRefusal::new(StatusCode::BAD_REQUEST, "invalid_scope", "The scope is too long");
const NO_CODE: OAuthRefusal = OAuthRefusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "server_error",
    "Failed to generate a unique device code",
);

pub(super) fn endpoint() -> Endpoint {
    let endpoint =
        Endpoint::post::<DeviceCode, _>("/device/code", "device_code", Access::Public, device_code)
            .about("Ask for a code that somebody signed in elsewhere can approve (RFC 8628).");
    Endpoint { accepts: Accepts::JsonOrForm, ..endpoint }
}

struct DeviceCode {
    client_id: String,
    user_id: Option<String>,
    scope: Option<String>,
}

impl FromFields for DeviceCode {
    fn read(fields: &mut Fields) -> Self {
        Self {
            client_id: fields.text("client_id"),
            user_id: fields.optional_text("user_id"),
            scope: fields.optional_text("scope"),
        }
    }
}

async fn device_code(app: App, call: Call) -> Result<Answer> {
    let body = call.body().map_err(as_invalid_request)?;
    uncached(issue(&app, &call, body).await)
}

/// An empty parameter is one that was not sent (RFC 6749 section 3.2), and none may be sent twice.
fn normalize(call: &Call, body: DeviceCode) -> Result<DeviceCode> {
    let read = |name: &'static str, value: Option<String>| {
        let mut sent = call.form.iter().filter(|(key, value)| key == name && !value.is_empty());
        let (first, second) = (sent.next(), sent.next());
        if second.is_some() {
            return Err(Error::from(OAuthRefusal {
                status: StatusCode::BAD_REQUEST,
                error: "invalid_request",
                description: format!("{name} must not be repeated").into(),
            }));
        }
        let value = first.map(|(_, value)| value.clone()).or(value);
        Ok(value.filter(|value| !value.is_empty()))
    };
    Ok(DeviceCode {
        client_id: read("client_id", Some(body.client_id))?.ok_or(CLIENT_MISSING)?,
        user_id: read("user_id", body.user_id)?,
        scope: read("scope", body.scope)?,
    })
}

async fn issue(app: &App, call: &Call, body: DeviceCode) -> Result<Answer> {
    let body = normalize(call, body)?;
    let config = &app.config.device;
    if body.client_id.len() > LONGEST_CLIENT || !config.admits(&body.client_id) {
        return Err(INVALID_CLIENT.into());
    }
    if body.user_id.as_ref().is_some_and(|id| id.len() > LONGEST_CLIENT) {
        return Err(USER_UNREADABLE.into());
    }
    if body.scope.as_ref().is_some_and(|scope| scope.len() > LONGEST_SCOPE) {
        return Err(INVALID_SCOPE.into());
    }
    app.limits.hit(PAIRS, &[&call.client.bucket], call.now).await?;
    let device_code = random::token(DEVICE_CODE);
    let user_code = create(app, call, &device_code, &body).await?;
    let uri = verification_uri(&call.mount.base, &config.verification_uri)?;
    let mut complete = uri.clone();
    complete.query_pairs_mut().append_pair("user_code", &user_code);
    Answer::json(&json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": uri.as_str(),
        "verification_uri_complete": complete.as_str(),
        "expires_in": config.expires_in,
        "interval": config.interval,
    }))
}

/// Writes the codes down; the short one comes back.
async fn create(app: &App, call: &Call, device_code: &str, body: &DeviceCode) -> Result<String> {
    let config = &app.config.device;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let event = Event::DeviceRequested { client: body.client_id.clone() };
    for _ in 0..DRAWS {
        let user_code = user_code::generate();
        let new = NewDevice {
            device_code: &stored_device_code(app, device_code),
            user_code: &user_code::stored(app, &user_code),
            user_id: body.user_id.as_deref(),
            expires_at: call.now + TimeDelta::seconds(i64::from(config.expires_in)),
            interval: i32::try_from(config.interval).unwrap_or(i32::MAX).saturating_mul(1000),
            client_id: &body.client_id,
            scope: body.scope.as_deref(),
        };
        if store::create_device(&tx, &new).await? {
            events::record(app, &tx, call, event, None).await?;
            tx.commit().await?;
            return Ok(user_code);
        }
    }
    Err(NO_CODE.into())
}

/// A URL, or a path on the host of the API; our own page when nothing is set.
fn verification_uri(base: &str, configured: &str) -> Result<Url> {
    let unreadable = |error: url::ParseError| Error::Internal(error.into());
    if configured.is_empty() {
        return Url::parse(&format!("{base}/device/page")).map_err(unreadable);
    }
    Url::parse(base).and_then(|base| base.join(configured)).map_err(unreadable)
}
