//! A guest becomes somebody: called wherever a session begins.

use deadpool_postgres::GenericClient;

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
    if !app.config.features.anonymous || user.is_anonymous == Some(true) {
        return Ok(());
    }
    let Ok(token) = session::presented(app, call) else { return Ok(()) };
    let token = token.stored(app.config.session.token_storage);
    let Some(guest) = store::find_guest(conn, &token, call.now).await? else { return Ok(()) };
    store::hand_over(conn, guest, user.id).await?;
    events::record(app, conn, call, Event::GuestLinked { guest }, Some(user.id)).await?;
    if !app.config.anonymous.keep {
        users::delete_user(conn, guest).await?;
    }
    Ok(())
}
