//! The state of a sign-in that is at another provider: a row, used once, and a cookie of the browser that began it.
//!
//! Row and cookie are Better Auth's. Under the Neon layout there is no way to read the cookie at the callback, since
//! it is kept in the partition of the application's site: there a session that was not begun in this browser is of no
//! use without the challenge cookie (see `session`'s verifier).

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use gatepost_protocol::{
    cookie::{Opened, SetCookie, open},
    random,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    app::{App, connection},
    error::{Error, Result},
    http::{Call, Layout},
    session::{
        TokenStorage,
        verifier::{Bound, Challenge},
    },
    verification::{self, OneTime, Purpose},
};

const LIFE: TimeDelta = TimeDelta::minutes(10);
const COOKIE_SECONDS: i64 = 300;

/// A verifier has this many random characters; with their seal it has 128, the most that RFC 7636 allows.
const VERIFIER: usize = 85;

/// What the row remembers, in Better Auth's names.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// What the application sent along; what stands below wins over it (OA-21).
    #[serde(flatten)]
    pub(super) additional: Map<String, Value>,
    #[serde(rename = "callbackURL")]
    pub(super) callback_url: String,
    pub(super) code_verifier: String,
    #[serde(rename = "errorURL", default, skip_serializing_if = "Option::is_none")]
    pub(super) error_url: Option<String>,
    #[serde(rename = "newUserURL", default, skip_serializing_if = "Option::is_none")]
    pub(super) new_user_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Link>,
    /// Milliseconds since the epoch.
    pub(super) expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_sign_up: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id_token_nonce: Option<String>,
    pub(super) oauth_state: String,
    /// Of the browser that began; under the Neon layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) challenge: Option<Bound>,
}

/// The user who is linking, and the session in which.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    pub(super) user_id: Uuid,
    pub(super) email: String,
    pub(super) session_id: Uuid,
}

/// The names that an application cannot set.
const OURS: [&str; 11] = [
    "callbackURL",
    "codeVerifier",
    "errorURL",
    "newUserURL",
    "link",
    "expiresAt",
    "requestSignUp",
    "idTokenNonce",
    "oauthState",
    "serverContext",
    "challenge",
];

/// What a request asks to be remembered.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) additional: Map<String, Value>,
    pub(super) callback_url: Option<String>,
    pub(super) error_url: Option<String>,
    pub(super) new_user_url: Option<String>,
    pub(super) request_sign_up: Option<bool>,
    pub(super) link: Option<Link>,
}

/// A flow that began.
pub(super) struct Begun {
    pub(super) state: String,
    pub(super) verifier: String,
    pub(super) nonce: Option<String>,
    pub(super) cookies: Vec<SetCookie>,
}

/// Remembers a flow at a provider.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn begin(
    app: &App,
    call: &Call,
    provider: &str,
    with_nonce: bool,
    remembered: Remembered,
) -> Result<Begun> {
    let state = random::token(32);
    let verifier = verifier(app, call, provider);
    let nonce = with_nonce.then(|| random::token(32));
    let challenge = Challenge::begin(call);
    let mut additional = remembered.additional;
    additional.retain(|name, _| !OURS.contains(&name.as_str()));
    let given = |url: Option<String>| url.filter(|url| !url.is_empty());
    let record = Record {
        additional,
        callback_url: given(remembered.callback_url)
            .unwrap_or_else(|| app.config.public_url.clone()),
        code_verifier: verifier.clone(),
        error_url: given(remembered.error_url),
        new_user_url: given(remembered.new_user_url),
        link: remembered.link,
        expires_at: (call.now + LIFE).timestamp_millis(),
        request_sign_up: remembered.request_sign_up,
        id_token_nonce: nonce.clone(),
        oauth_state: state.clone(),
        challenge: challenge.as_ref().map(Challenge::bound),
    };
    let text = serde_json::to_string(&record).map_err(|error| Error::Internal(error.into()))?;
    let text = match app.config.session.token_storage {
        TokenStorage::Plain => text,
        // The verifier is a secret.
        TokenStorage::Hashed => app.sealer.seal(text.as_bytes()),
    };
    let conn = connection(app).await?;
    verification::create(&conn, secret(app, &state), &text, call.now + LIFE, call.now).await?;
    let profile = &call.mount.cookies;
    let key = app.config.secret.as_bytes();
    let mut cookies =
        vec![profile.set_signed(&profile.names.state, &state, key, Some(COOKIE_SECONDS))];
    if let Some(challenge) = challenge {
        cookies.extend(challenge.cookies(call, LIFE));
    }
    Ok(Begun { state, verifier, nonce, cookies })
}

/// A state that is not taken.
pub(super) struct Mismatch {
    /// Where the flow wanted its errors, as far as that is known.
    pub(super) error_url: Option<String>,
}

/// The flow of a state, once (OA-03). A state of another browser is refused and stays good for its own (OA-02).
///
/// # Errors
/// Those of Postgres.
pub(super) async fn take(
    app: &App,
    call: &Call,
    state: &str,
) -> Result<std::result::Result<Record, Mismatch>> {
    let conn = connection(app).await?;
    let lost = |error_url| Ok(Err(Mismatch { error_url }));
    let secret = secret(app, state);
    let Some(text) = verification::find(&conn, secret, call.now).await? else { return lost(None) };
    let Some(record) = read(app, &text) else { return lost(None) };
    if record.oauth_state != state || !is_this_browser(app, call, state) {
        return lost(record.error_url);
    }
    // Of many at once, one gets past this line (OA-24).
    if verification::consume(&conn, secret, call.now).await?.is_none() {
        return lost(None);
    }
    if is_over(record.expires_at, call.now) {
        return lost(record.error_url);
    }
    Ok(Ok(record))
}

fn is_over(milliseconds: i64, now: DateTime<Utc>) -> bool {
    milliseconds < now.timestamp_millis()
}

fn secret<'a>(app: &App, state: &'a str) -> OneTime<'a> {
    let storage = app.config.session.token_storage;
    OneTime { purpose: Purpose::OauthState, secret: state, storage }
}

fn read(app: &App, text: &str) -> Option<Record> {
    if let Ok(record) = serde_json::from_str(text) {
        return Some(record);
    }
    serde_json::from_slice(&app.sealer.open(text).ok()?).ok()
}

/// Takes the cookie back.
pub(super) fn forget(call: &Call) -> SetCookie {
    let profile = &call.mount.cookies;
    profile.delete(&profile.names.state)
}

fn is_this_browser(app: &App, call: &Call, state: &str) -> bool {
    call.mount.layout == Layout::Neon || presents_state(app, call, state)
}

/// The browser shows the cookie of this flow.
pub(super) fn presents_state(app: &App, call: &Call, state: &str) -> bool {
    let cookies = call.cookies();
    let presented = cookies.get(&call.mount.cookies.names.state);
    app.config.secrets().any(
        |secret| matches!(open(secret.as_bytes(), &presented), Opened::Valid(value) if value == state),
    )
}

/// A code verifier that is good for one provider under one mount only (OA-04): its end is a seal of that.
fn verifier(app: &App, call: &Call, provider: &str) -> String {
    let head = random::token(VERIFIER);
    let tail = seal(app, call, provider, &head);
    format!("{head}{tail}")
}

fn seal(app: &App, call: &Call, provider: &str, head: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, app.config.secret.as_bytes());
    let text = format!("oauth-verifier\0{}\0{provider}\0{head}", call.mount.path);
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()))
}

/// Whether the flow was begun at this provider, under this mount.
pub(super) fn is_of(app: &App, call: &Call, provider: &str, verifier: &str) -> bool {
    verifier.split_at_checked(VERIFIER).is_some_and(|(head, tail)| {
        let expected = seal(app, call, provider, head);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), tail.as_bytes())
            .is_ok()
    })
}
