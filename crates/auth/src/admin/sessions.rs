//! `POST /admin/list-user-sessions`, `POST /admin/revoke-user-session`, `POST /admin/revoke-user-sessions`.

use gatepost_protocol::body::{Session, Shown};
use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::{
    access,
    deeds::{self, Deed},
    store,
    users::OneUser,
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint, Layout,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{Token, TokenStorage, store as sessions},
    wire,
};

const LIST: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS_SESSIONS",
    "You are not allowed to list users sessions",
);
const REVOKE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_REVOKE_USERS_SESSIONS",
    "You are not allowed to revoke users sessions",
);

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let list = Endpoint::post::<OneUser, _>(
        "/admin/list-user-sessions",
        "list_user_sessions",
        Access::Session,
        list_user_sessions,
    )
    .about("A user's live sessions. `token` is a handle for /admin/revoke-user-session.");
    vec![
        // The server SDK of Neon asks by GET.
        list.also(Method::GET, "/admin/list-user-sessions")
            .with_query::<OneUser>()
            .only(Layout::Neon),
        list,
        Endpoint::post::<RevokeSession, _>(
            "/admin/revoke-user-session",
            "revoke_user_session",
            Access::Session,
            revoke_user_session,
        )
        .about("End one session of a user. Succeeds when there is none."),
        Endpoint::post::<OneUser, _>(
            "/admin/revoke-user-sessions",
            "revoke_user_sessions",
            Access::Session,
            revoke_user_sessions,
        )
        .about("End all sessions of a user."),
    ]
}

async fn list_user_sessions(app: App, call: Call) -> Result<Answer> {
    let body: OneUser = if call.method == Method::GET { call.query()? } else { call.body()? };
    access::caller(&app, &call, ("session", "list"), LIST).await?;
    let id = access::user_id(&body.user_id)?;
    let sessions = store::list_sessions(&connection(&app).await?, id, call.now).await?;
    let bodies: Vec<Session> = sessions
        .iter()
        .map(|session| match app.config.session.token_storage {
            TokenStorage::Plain => wire::session(session, &session.token.0),
            // An id opens nothing (SE-14).
            TokenStorage::Hashed => wire::session(session, &session.id.to_string()),
        })
        .collect();
    let shown: Vec<Shown<'_, Session>> =
        bodies.iter().map(|body| body.shown(app.features)).collect();
    Answer::json(&json!({ "sessions": shown }))
}

struct RevokeSession {
    token: String,
}

impl FromFields for RevokeSession {
    fn read(fields: &mut Fields) -> Self {
        Self { token: fields.text("sessionToken") }
    }
}

async fn revoke_user_session(app: App, call: Call) -> Result<Answer> {
    let body: RevokeSession = call.body()?;
    let caller = access::caller(&app, &call, ("session", "revoke"), REVOKE).await?;
    let token =
        Token::parse(&body.token).map(|token| token.stored(app.config.session.token_storage));
    let id = Uuid::parse_str(&body.token).ok();
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    if let Some((session, user)) = store::revoke_session(&tx, token.as_ref(), id).await? {
        let deed = Deed::SessionRevoked { session };
        deeds::record(&app, &tx, &call, &caller, deed, user).await?;
    }
    tx.commit().await?;
    Answer::json(&json!({ "success": true }))
}

async fn revoke_user_sessions(app: App, call: Call) -> Result<Answer> {
    let body: OneUser = call.body()?;
    let caller = access::caller(&app, &call, ("session", "revoke"), REVOKE).await?;
    let id = access::user_id(&body.user_id)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    sessions::delete_sessions(&tx, id).await?;
    deeds::record(&app, &tx, &call, &caller, Deed::SessionsRevoked, id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "success": true }))
}
