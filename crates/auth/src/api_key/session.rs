//! A key in the header `x-api-key` in place of a session: for reading and acting as its user, not for what asks for a
//! session of its own. Judged before the endpoint, as Better Auth's hook is.

use chrono::TimeDelta;
use gatepost_protocol::body::Timestamp;
use http::StatusCode;
use serde_json::json;

use super::verify::{Refused, verify};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    events,
    http::{Answer, Call},
    session::{Current, Session, SignedIn, StoredToken, Token},
    wire,
};

/// The header that carries a key.
pub const HEADER: &str = "x-api-key";
const TOO_SHORT: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "INVALID_API_KEY", "Invalid API key.");
/// The session that the request's key stands for; `None`: it brings no key, or keys are no sessions here. An answer: the
/// key is refused.
///
/// # Errors
/// Those of Postgres; `INVALID_API_KEY`, `INVALID_REFERENCE_ID_FROM_API_KEY`.
pub(crate) async fn begin(app: &App, call: &Call) -> Result<Option<Result<Current, Answer>>> {
    let config = &app.config.api_key;
    if !config.enabled || !config.sessions {
        return Ok(None);
    }
    let Some(key) = call.header(HEADER).filter(|key| !key.is_empty()) else { return Ok(None) };
    if key.encode_utf16().count() < config.length {
        return Err(TOO_SHORT.into());
    }
    let verified = match verify(config, &connection(app).await?, key, None, call.now).await? {
        Ok(verified) => verified,
        Err(refused) => {
            events::refused(app, call, events::Refused::ApiKey, None).await;
            return refusal(&refused).map(|answer| Some(Err(answer)));
        }
    };
    let key = verified.key;
    if key.is_organizations() {
        return Err(Refused::Ownerless.refusal().into());
    }
    let user = verified.holder;
    // Better Auth adds the seconds of a session as milliseconds; whoever renews by this time loses nothing.
    let short = TimeDelta::milliseconds(i64::from(app.config.session.expires_in));
    let session = Session {
        id: key.id,
        token: StoredToken(String::new()),
        user_id: user.id,
        expires_at: key.expires_at.unwrap_or(call.now + short),
        created_at: call.now,
        updated_at: call.now,
        ip_address: Some(call.client.stored.clone()),
        user_agent: call.header("user-agent").map(str::to_owned),
        impersonated_by: None,
        active_organization_id: None,
        active_team_id: None,
        proven_at: None,
    };
    let signed_in = SignedIn { session, user, organization: None };
    // A token that opens nothing: the key itself must not wander into cookies.
    let current =
        Current { signed_in: signed_in.into(), token: Token::generate(), dont_remember: true };
    Ok(Some(Ok(current)))
}

/// A refused key as the client reads it.
///
/// # Errors
/// Internal, when it cannot be written.
pub(super) fn refusal(refused: &Refused) -> Result<Answer> {
    let Refusal { status, code, message } = refused.refusal();
    let mut body = json!({ "message": message, "code": code });
    if let (Refused::RateLimited(wait), Some(body)) = (refused, body.as_object_mut()) {
        body.insert("details".to_owned(), json!({ "tryAgainIn": wait }));
    }
    let mut answer = Answer::json(&body)?;
    answer.status = status;
    Ok(answer)
}

/// What `/get-session` tells the holder of a key.
///
/// # Errors
/// Internal, when it cannot be written.
pub(crate) fn shown(app: &App, call: &Call, current: &Current) -> Result<Answer> {
    let SignedIn { session, user, .. } = &*current.signed_in;
    Answer::json(&json!({
        "user": wire::user(app, user),
        "session": {
            "id": session.id,
            "token": call.header(HEADER),
            "userId": session.user_id,
            "userAgent": session.user_agent,
            "ipAddress": session.ip_address,
            "createdAt": Timestamp(session.created_at),
            "updatedAt": Timestamp(session.updated_at),
            "expiresAt": Timestamp(session.expires_at),
        },
    }))
}
