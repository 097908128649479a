//! Beginning a session: the one place where somebody becomes signed in.

use deadpool_postgres::GenericClient;

use super::{Current, SignedIn, Token, current::in_cookie, store};
use crate::{
    app::{App, connection},
    error::Result,
    events::{self, Event},
    http::Call,
    user::User,
};

/// Begins a session in a transaction of its own.
///
/// # Errors
/// Those of Postgres.
pub async fn start(app: &App, call: &Call, user: &User, dont_remember: bool) -> Result<Current> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let started = start_in(app, call, &tx, user, dont_remember).await?;
    tx.commit().await?;
    Ok(started)
}

/// Begins a session in the caller's transaction: always a new token, whatever the browser brought along (SE-03).
///
/// # Errors
/// Those of Postgres.
pub async fn start_in(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    dont_remember: bool,
) -> Result<Current> {
    let config = &app.config.session;
    if !config.keep_replaced
        && !app.config.features.multi_session
        && let Ok(replaced) = in_cookie(app, call)
    {
        store::delete_session(conn, &replaced.stored(config.token_storage)).await?;
    }
    let token = Token::generate();
    let lifetime = if dont_remember { config.short_lifetime() } else { config.lifetime() };
    let client = store::Client { ip_address: &call.client.stored, user_agent: call.user_agent() };
    let stored = token.stored(config.token_storage);
    let session = store::create_session(conn, &stored, user.id, client, call.now, lifetime).await?;
    events::record(
        app,
        conn,
        call,
        Event::SignedIn { email: user.email.clone(), session: session.id },
        Some(user.id),
    )
    .await?;
    let signed_in = SignedIn { session, user: user.clone(), organization: None };
    Ok(Current { signed_in: signed_in.into(), token, dont_remember })
}
