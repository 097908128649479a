//! `GET /one-time-token/generate` and `POST /one-time-token/verify`.

use chrono::TimeDelta;
use gatepost_protocol::random;
use http::StatusCode;
use serde_json::json;

use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current, Token, TokenStorage, cookies},
    user,
    verification::{self, OneTime, Purpose},
    wire,
};

const INVALID_TOKEN: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "Invalid token");
const SESSION_NOT_FOUND: Refusal =
    Refusal::without_code(StatusCode::BAD_REQUEST, "Session not found");
const SESSION_EXPIRED: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "Session expired");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/one-time-token/generate",
            "generate_one_time_token",
            Access::Session,
            generate,
        )
        .about("A token by which this session can be taken over to another place, once."),
        Endpoint::post::<Verify, _>(
            "/one-time-token/verify",
            "verify_one_time_token",
            Access::Public,
            verify,
        )
        .about("The session that a one-time token stands for, with its cookie."),
    ]
}

fn one_time<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    let storage = app.config.one_time_token.storage(app);
    OneTime { purpose: Purpose::OneTimeToken, secret, storage }
}

async fn generate(app: App, call: Call) -> Result<Answer> {
    let caller = session::required_now(&app, &call).await?;
    let token = random::token(32);
    let session = caller.token.reveal();
    // In clear only where session tokens are: for a Better Auth process on the same database.
    let value = match app.config.session.token_storage {
        TokenStorage::Plain => session.to_owned(),
        TokenStorage::Hashed => app.sealer.seal(session.as_bytes()),
    };
    let expires_at = call.now + TimeDelta::seconds(i64::from(app.config.one_time_token.expires_in));
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    verification::create(&tx, one_time(&app, &token), &value, expires_at, call.now).await?;
    let signed_in = &caller.signed_in;
    let event = Event::OneTimeTokenMade { session: signed_in.session.id };
    events::record(&app, &tx, &call, event, Some(signed_in.user.id)).await?;
    tx.commit().await?;
    Answer::json(&json!({ "token": token }))
}

struct Verify {
    token: String,
}

impl FromFields for Verify {
    fn read(fields: &mut Fields) -> Self {
        Self { token: fields.text("token") }
    }
}

async fn verify(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let conn = connection(&app).await?;
    // One statement: of any number at once, one gets the session (OT-03).
    let value = verification::consume(&conn, one_time(&app, &body.token), call.now).await?;
    let Some(value) = value else {
        drop(conn);
        events::refused(&app, &call, Refused::WrongCode, None).await;
        return Err(INVALID_TOKEN.into());
    };
    drop(conn);
    let token = session_token(&app, &value).ok_or(SESSION_NOT_FOUND)?;
    let found = app.sessions.find(token.stored(app.config.session.token_storage)).await?;
    let signed_in = found.ok_or(SESSION_NOT_FOUND)?;
    if signed_in.session.expires_at <= call.now {
        return Err(SESSION_EXPIRED.into());
    }
    if user::is_banned(&signed_in.user, call.now) {
        events::refused(&app, &call, Refused::Banned, Some(&signed_in.user.email)).await;
        return Err(wire::BANNED_USER.into());
    }
    let current = Current { signed_in, token, dont_remember: cookies::dont_remember(&app, &call) };
    let signed_in = &current.signed_in;
    let event = Event::OneTimeTokenUsed { session: signed_in.session.id };
    let conn = connection(&app).await?;
    events::record(&app, &conn, &call, event, Some(signed_in.user.id)).await?;
    let answer = Answer::json(&json!({
        "session": wire::session(&signed_in.session, current.token.reveal()).shown(app.features),
        "user": wire::user(&app, &signed_in.user),
    }))?;
    if !app.config.one_time_token.set_cookie {
        return Ok(answer);
    }
    Ok(answer.with_session(&app, &call, &current))
}

/// The session's token, as it was written down.
fn session_token(app: &App, value: &str) -> Option<Token> {
    let text = match app.config.session.token_storage {
        TokenStorage::Plain => value.to_owned(),
        TokenStorage::Hashed => String::from_utf8(app.sealer.open(value).ok()?).ok()?,
    };
    Token::parse(&text)
}
