//! A guest becomes somebody: called wherever a session begins.
//!
//! A sign-in that waits for its second factor keeps who the guest was, as the guest's session ends before it goes on.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    error::Result,
    events::{self, Event},
    http::Call,
    session,
    user::{User, store as users},
};

/// Ends the guest whose session the browser brings along, after handing over what the guest owns.
///
/// # Errors
/// Those of Postgres, and of the function that hands over: nobody is signed in then, and the guest stays.
pub(crate) async fn link(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<()> {
    match brought(app, call, conn, user).await? {
        Some(guest) => link_guest(app, call, conn, guest, user).await,
        None => Ok(()),
    }
}

/// The guest whose session the browser brings along to a sign-in of this user.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn brought(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<Option<Uuid>> {
    if !app.config.features.anonymous || user.is_anonymous == Some(true) {
        return Ok(None);
    }
    let Ok(token) = session::presented(app, call) else { return Ok(None) };
    let token = token.stored(app.config.session.token_storage);
    store::find_guest(conn, &token, call.now).await
}

/// Ends a guest, after handing over what the guest owns. One who is gone, or somebody by now, is left alone.
///
/// # Errors
/// As of [`link`].
pub(crate) async fn link_guest(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    guest: Uuid,
    user: &User,
) -> Result<()> {
    if !store::is_guest(conn, guest).await? {
        return Ok(());
    }
    store::hand_over(conn, guest, user.id).await?;
    events::record(app, conn, call, Event::GuestLinked { guest }, Some(user.id)).await?;
    if !app.config.anonymous.keep {
        users::delete_user(conn, guest).await?;
    }
    Ok(())
}
