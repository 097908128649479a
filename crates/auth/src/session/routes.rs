//! The endpoints of sessions.

use gatepost_protocol::body::{self, Shown};
use http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Current, Reason, Token, cache, cookies, current, fresh, required, required_now, store, verifier,
};
use crate::{
    api_key,
    app::{App, connection},
    error::{Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint, Layout,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    keys, two_factor, wire,
};

const POST_NEEDS_DEFERRED_REFRESH: Refusal = Refusal::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED",
    "POST method requires deferSessionRefresh to be enabled in session config",
);
const NO_FIELDS: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "No fields to update");

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let revoke_others = Endpoint::post::<Nothing, _>(
        "/revoke-other-sessions",
        "revoke_other_sessions",
        Access::Session,
        revoke_other_sessions,
    )
    .about("End all own sessions but this one.");
    vec![
        Endpoint::get("/get-session", "get_session", Access::Optional, get_session)
            .about("Who is signed in; `null` when nobody is, with the reason in `x-auth-reason`."),
        Endpoint::post::<Nothing, _>("/get-session", "post_session", Access::Optional, get_session)
            .about("The same; renews the session where renewal is deferred."),
        Endpoint::post::<Nothing, _>("/sign-out", "sign_out", Access::Optional, sign_out)
            .about("End this session. Succeeds for the signed-out too."),
        Endpoint::get("/list-sessions", "list_sessions", Access::Fresh, list_sessions)
            .about("The own live sessions. `token` is a handle for /revoke-session."),
        Endpoint::post::<RevokeSession, _>(
            "/revoke-session",
            "revoke_session",
            Access::Session,
            revoke_session,
        )
        .about("End one of the own sessions."),
        Endpoint::post::<Nothing, _>(
            "/revoke-sessions",
            "revoke_sessions",
            Access::Session,
            revoke_sessions,
        )
        .about("End all own sessions, this one too."),
        // The server SDK of Neon knows it by another name.
        revoke_others.also(Method::POST, "/revoke-all-sessions"),
        revoke_others,
        Endpoint::post::<AnyRecord, _>(
            "/update-session",
            "update_session",
            Access::Session,
            update_session,
        )
        .about("Set additional session fields; none are configured."),
    ]
}

/// A body that need not be sent.
#[derive(Debug)]
pub(crate) struct Nothing;

impl FromFields for Nothing {
    const FORM: Form = Form::OptionalObject;

    fn read(_: &mut Fields) -> Self {
        Self
    }
}

/// A body of any members.
#[derive(Debug)]
pub(crate) struct AnyRecord(pub serde_json::Map<String, serde_json::Value>);

impl FromFields for AnyRecord {
    const FORM: Form = Form::Record;

    fn read(fields: &mut Fields) -> Self {
        Self(fields.all())
    }
}

#[derive(Serialize)]
struct SessionAndUser<'a> {
    session: Shown<'a, body::Session>,
    user: Shown<'a, body::User>,
    #[serde(rename = "needsRefresh", skip_serializing_if = "Option::is_none")]
    needs_refresh: Option<bool>,
}

async fn get_session(app: App, call: Call) -> Result<Answer> {
    if let Some(by_key) = &call.api_key {
        return api_key::session::shown(&app, &call, by_key);
    }
    let posted = call.method == Method::POST;
    let deferred = app.config.session.defer_refresh;
    if posted && !deferred && call.mount.layout == Layout::BetterAuth {
        return Err(POST_NEEDS_DEFERRED_REFRESH.into());
    }
    if let Some(caller) = verifier::exchange(&app, &call).await? {
        let answer = answer(&app, &caller, None)?;
        return with_token(&app, &call, &caller, answer).await;
    }
    // A token outlives the copy, so none is made from it (JW-23); and Neon's clients need one with every answer.
    let everywhere = app.config.session.cookie_cache.everywhere;
    if (everywhere || call.mount.layout == Layout::BetterAuth)
        && let Some(cached) = cache::read(&app, &call)
    {
        let answer = answer(&app, &cached, None)?;
        return never_stored(if everywhere {
            keys::with_session_token(&app, &call, &cached, answer).await?
        } else {
            answer
        });
    }
    let Some(mut caller) = current(&app, &call).await? else {
        return never_stored(Answer::json(&())?);
    };
    let due = is_due(&app, &call, &caller);
    let mut renewed = Vec::new();
    if due && (posted || !deferred) && call.flag("disableRefresh") != Some(true) {
        caller = renew(&app, &call, caller).await?;
        renewed = cookies::remember(&app, &call, &caller.token, caller.dont_remember);
    }
    let needs_refresh = (deferred && !posted).then_some(due);
    let answer = answer(&app, &caller, needs_refresh)?.with_cookies(renewed);
    with_token(&app, &call, &caller, answer).await
}

async fn with_token(app: &App, call: &Call, caller: &Current, answer: Answer) -> Result<Answer> {
    if two_factor::is_owed(app, &caller.signed_in).await? {
        // Who is signed in is told; a token for other services is not given.
        call.aside.reason(Reason::TwoFactorRequired);
        return never_stored(answer);
    }
    never_stored(keys::with_session_token(app, call, caller, answer).await?)
}

fn answer(app: &App, caller: &Current, needs_refresh: Option<bool>) -> Result<Answer> {
    Answer::json(&SessionAndUser {
        session: wire::session(&caller.signed_in.session, caller.token.reveal())
            .shown(app.features),
        user: wire::user(app, &caller.signed_in.user),
        needs_refresh,
    })
}

fn never_stored(answer: Answer) -> Result<Answer> {
    answer.with_header(header::CACHE_CONTROL, "no-store")?.with_header(header::PRAGMA, "no-cache")
}

/// A session that is older than `update_age` is renewed by its use, unless its user asked not to be remembered.
fn is_due(app: &App, call: &Call, caller: &Current) -> bool {
    let config = &app.config.session;
    let left = (caller.signed_in.session.expires_at - call.now).num_seconds();
    !caller.dont_remember && left <= i64::from(config.expires_in) - i64::from(config.update_age)
}

async fn renew(app: &App, call: &Call, caller: Current) -> Result<Current> {
    let expires_at = call.now + app.config.session.lifetime();
    store::renew_session(
        &connection(app).await?,
        caller.signed_in.session.id,
        expires_at,
        call.now,
    )
    .await?;
    let mut signed_in = (*caller.signed_in).clone();
    signed_in.session.expires_at = expires_at;
    signed_in.session.updated_at = call.now;
    Ok(Current { signed_in: signed_in.into(), ..caller })
}

async fn sign_out(app: App, call: Call) -> Result<Answer> {
    call.body::<Nothing>()?;
    // First of all, so that the browser forgets even when the database cannot be reached (SE-10).
    call.aside.cookies(cookies::forget(&call));
    call.aside.cookies(cache::forget(&call));
    let mut tokens: Vec<Token> = super::presented(&app, &call).ok().into_iter().collect();
    for (name, token) in cookies::other_sessions(&app, &call) {
        call.aside.cookies([call.mount.cookies.delete(name)]);
        tokens.push(token);
    }
    if !tokens.is_empty() {
        let conn = connection(&app).await?;
        for token in tokens {
            store::delete_session(&conn, &token.stored(app.config.session.token_storage)).await?;
        }
        events::record(&app, &conn, &call, Event::SignedOut, None).await?;
    }
    Answer::json(&json!({ "success": true }))
}

async fn list_sessions(app: App, call: Call) -> Result<Answer> {
    let caller = fresh(&app, &call).await?;
    let own = &caller.signed_in.session;
    let sessions = store::list_sessions(&connection(&app).await?, own.user_id, call.now).await?;
    let handles: Vec<String> = sessions
        .iter()
        .map(|session| match app.config.session.token_storage {
            _ if session.id == own.id => caller.token.reveal().to_owned(),
            super::TokenStorage::Plain => session.token.0.clone(),
            // A hash would do no harm, but an id invites nobody to try it as a token (SE-14).
            super::TokenStorage::Hashed => session.id.to_string(),
        })
        .collect();
    let bodies: Vec<body::Session> = sessions
        .iter()
        .zip(&handles)
        .map(|(session, handle)| wire::session(session, handle))
        .collect();
    let shown: Vec<Shown<'_, body::Session>> =
        bodies.iter().map(|body| body.shown(app.features)).collect();
    Answer::json(&shown)
}

struct RevokeSession {
    token: String,
}

impl FromFields for RevokeSession {
    fn read(fields: &mut Fields) -> Self {
        Self { token: fields.text("token") }
    }
}

async fn revoke_session(app: App, call: Call) -> Result<Answer> {
    let body: RevokeSession = call.body()?;
    let caller = required_now(&app, &call).await?;
    let own = &caller.signed_in.session;
    // What is no token is looked up as the hash of itself: nothing is found, and nothing tells that from a foreign one.
    let token =
        Token::parse(&body.token).map(|token| token.stored(app.config.session.token_storage));
    let id = Uuid::parse_str(&body.token).ok();
    let conn = connection(&app).await?;
    let revoked = match (token, id) {
        (None, None) => None,
        (token, id) => store::delete_own_session(&conn, own.user_id, token.as_ref(), id).await?,
    };
    if let Some(id) = revoked {
        events::record(
            &app,
            &conn,
            &call,
            Event::SessionRevoked { session: id },
            Some(own.user_id),
        )
        .await?;
    }
    let answer = Answer::json(&json!({ "status": true }))?;
    Ok(if revoked == Some(own.id) { answer.with_cookies(cookies::forget(&call)) } else { answer })
}

async fn revoke_sessions(app: App, call: Call) -> Result<Answer> {
    call.body::<Nothing>()?;
    let caller = required_now(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let conn = connection(&app).await?;
    store::delete_sessions(&conn, user).await?;
    events::record(&app, &conn, &call, Event::SessionsRevoked, Some(user)).await?;
    Answer::json(&json!({ "status": true }))
}

async fn revoke_other_sessions(app: App, call: Call) -> Result<Answer> {
    call.body::<Nothing>()?;
    let caller = required_now(&app, &call).await?;
    let own = &caller.signed_in.session;
    let conn = connection(&app).await?;
    store::delete_other_sessions(&conn, own.user_id, own.id).await?;
    events::record(&app, &conn, &call, Event::SessionsRevoked, Some(own.user_id)).await?;
    Answer::json(&json!({ "status": true }))
}

/// Fields of the session that belong to features; a user may not set them (SE-19).
const PROTECTED: &[&str] = &["impersonatedBy", "activeOrganizationId", "activeTeamId"];

async fn update_session(app: App, call: Call) -> Result<Answer> {
    let AnyRecord(fields) = call.body()?;
    required(&app, &call).await?;
    match PROTECTED.iter().find(|name| fields.contains_key(**name)) {
        Some(name) => Err(wire::field_not_allowed(name)),
        None => Err(NO_FIELDS.into()),
    }
}
