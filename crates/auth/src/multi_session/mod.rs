//! Several accounts in one browser: which there are, which one acts, and ending one of them.
//!
//! The browser proves to hold a session by a signed cookie of its own for each; see `session::cookies`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use gatepost_protocol::body::{self, Shown, User};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::{
    app::{App, connection},
    config::Config,
    error::{Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current, SignedIn, Token, cache, cookies, store as sessions},
    user, wire,
};

const INVALID_SESSION_TOKEN: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "INVALID_SESSION_TOKEN", "Invalid session token");

/// The endpoints.
pub(crate) fn endpoints(config: &Config) -> Vec<Endpoint> {
    if !config.features.multi_session {
        return Vec::new();
    }
    vec![
        Endpoint::get(
            "/multi-session/list-device-sessions",
            "list_device_sessions",
            Access::Optional,
            list_device_sessions,
        )
        .about("The sessions that this browser holds, one for each account."),
        Endpoint::post::<SessionToken, _>(
            "/multi-session/set-active",
            "set_active_session",
            Access::Optional,
            set_active,
        )
        .about("Act with another of the sessions that this browser holds."),
        Endpoint::post::<SessionToken, _>(
            "/multi-session/revoke",
            "revoke_device_session",
            Access::Session,
            revoke,
        )
        .about("End one of the sessions that this browser holds; another one takes its place."),
    ]
}

struct SessionToken {
    token: String,
}

impl FromFields for SessionToken {
    fn read(fields: &mut Fields) -> Self {
        Self { token: fields.text("sessionToken") }
    }
}

#[derive(Serialize)]
struct SessionAndUser<'a> {
    session: Shown<'a, body::Session>,
    user: Shown<'a, User>,
}

/// A live session and the token that the browser holds for it.
struct Held {
    token: Token,
    signed_in: Arc<SignedIn>,
}

impl Held {
    fn session(&self) -> body::Session {
        wire::session(&self.signed_in.session, self.token.reveal())
    }
}

/// The live session of a token.
async fn live(app: &App, call: &Call, token: Token) -> Result<Option<Held>> {
    let found = app.sessions.find(token.stored(app.config.session.token_storage)).await?;
    let found = found.filter(|found| {
        found.session.expires_at > call.now && !user::is_banned(&found.user, call.now)
    });
    Ok(found.map(|signed_in| Held { token, signed_in }))
}

/// The live sessions that this browser holds, one for each account.
async fn held(app: &App, call: &Call) -> Result<Vec<Held>> {
    let mut held: Vec<Held> = Vec::new();
    for (_, token) in cookies::other_sessions(app, call) {
        let Some(found) = live(app, call, token).await? else { continue };
        let user = found.signed_in.user.id;
        if held.iter().all(|other| other.signed_in.user.id != user) {
            held.push(found);
        }
    }
    Ok(held)
}

async fn list_device_sessions(app: App, call: Call) -> Result<Answer> {
    let held = held(&app, &call).await?;
    let sessions: Vec<body::Session> = held.iter().map(Held::session).collect();
    let shown: Vec<SessionAndUser<'_>> = held
        .iter()
        .zip(&sessions)
        .map(|(held, session)| SessionAndUser {
            session: session.shown(app.features),
            user: wire::user(&app, &held.signed_in.user),
        })
        .collect();
    Answer::json(&shown)
}

/// The cookie by which this browser holds the session that a request names.
fn proof(app: &App, call: &Call, token: &str) -> Result<(String, Token)> {
    let name = call.mount.cookies.names.multi_session(token);
    let (_, token) = cookies::other_sessions(app, call)
        .into_iter()
        .find(|(other, _)| *other == name)
        .ok_or(INVALID_SESSION_TOKEN)?;
    Ok((name, token))
}

async fn set_active(app: App, call: Call) -> Result<Answer> {
    let body: SessionToken = call.body()?;
    let (name, token) = proof(&app, &call, &body.token)?;
    let Some(held) = live(&app, &call, token).await? else {
        call.aside.cookies([call.mount.cookies.delete(&name)]);
        return Err(INVALID_SESSION_TOKEN.into());
    };
    let (session, user) = (held.session(), &held.signed_in.user);
    let shown =
        SessionAndUser { session: session.shown(app.features), user: wire::user(&app, user) };
    let answer = Answer::json(&shown)?;
    Ok(answer.with_session(&app, &call, &current(&app, &call, &held)))
}

fn current(app: &App, call: &Call, held: &Held) -> Current {
    Current {
        signed_in: Arc::clone(&held.signed_in),
        token: held.token.clone(),
        dont_remember: cookies::dont_remember(app, call),
    }
}

async fn revoke(app: App, call: Call) -> Result<Answer> {
    let body: SessionToken = call.body()?;
    let caller = session::required(&app, &call).await?;
    let (name, token) = proof(&app, &call, &body.token)?;
    let active = token == caller.token;
    let stored = token.stored(app.config.session.token_storage);
    if let Some(ended) = live(&app, &call, token).await? {
        let mut conn = connection(&app).await?;
        let tx = conn.transaction().await?;
        sessions::delete_session(&tx, &stored).await?;
        let signed_in = &ended.signed_in;
        let event = Event::SessionRevoked { session: signed_in.session.id };
        events::record(&app, &tx, &call, event, Some(signed_in.user.id)).await?;
        tx.commit().await?;
    }
    let answer =
        Answer::json(&json!({ "status": true }))?.with_cookies([call.mount.cookies.delete(&name)]);
    if !active {
        return Ok(answer);
    }
    // Read after the deletion: the ended one is not among them.
    match held(&app, &call).await?.first() {
        Some(next) => Ok(answer.with_session(&app, &call, &current(&app, &call, next))),
        None => Ok(answer.with_cookies(cookies::forget(&call)).with_cookies(cache::forget(&call))),
    }
}
