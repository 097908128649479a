//! Somebody proved to read mail at an address, by a code or a link: who that is.
//!
//! A user who never proved the address may have been planted by a stranger. The owner of the mailbox takes it over
//! without anything that the stranger left: passwords, linked accounts and sessions go in the same transaction that
//! marks the address as proven (OT-14, PW-10).

use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use uuid::Uuid;

use super::{
    Email, User, is_banned,
    store::{self as users, NewUser},
};
use crate::{
    account::{identities, store as accounts},
    api_key,
    app::App,
    error::Result,
    events::{self, Event},
    http::Call,
    passkey,
    session::store as sessions,
    two_factor,
    verification::{self, Purpose},
};

/// What a user who does not exist yet would be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer<'a> {
    pub name: &'a str,
    pub image: Option<&'a str>,
}

/// Who proved an address.
#[derive(Clone, Debug)]
pub(crate) enum Proven {
    Known(User),
    New(User),
    /// Shut out.
    Banned(User),
    /// Nobody, and nobody is to be created.
    Nobody,
}

/// The user of a proven address, created when there is none and `newcomer` says what to create. The caller commits,
/// whatever the answer: the code or the link is used up.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn owner(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    email: &Email,
    newcomer: Option<Newcomer<'_>>,
) -> Result<Proven> {
    let mut user = users::find_user_by_email(conn, email).await?;
    if user.is_none() {
        let Some(newcomer) = newcomer else { return Ok(Proven::Nobody) };
        let new = NewUser {
            id: random::uuid(),
            name: newcomer.name,
            email,
            email_verified: true,
            image: newcomer.image,
        };
        if let Some(user) = users::create_user(conn, &new, &app.config.features, call.now).await? {
            let event = Event::SignedUp { email: user.email.clone() };
            events::record(app, conn, call, event, Some(user.id)).await?;
            return Ok(Proven::New(user));
        }
        // Created meanwhile.
        user = users::find_user_by_email(conn, email).await?;
    }
    let Some(user) = user else { return Ok(Proven::Nobody) };
    if is_banned(&user, call.now) {
        return Ok(Proven::Banned(user));
    }
    if user.email_verified {
        return Ok(Proven::Known(user));
    }
    adopt(app, call, conn, user).await.map(Proven::Known)
}

/// Marks the address as proven and removes every way in that came before the proof.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn adopt(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: User,
) -> Result<User> {
    adopt_keeping(app, call, conn, user, None).await
}

/// The same, except that the account by which the address was proven stays.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn adopt_keeping(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: User,
    account: Option<Uuid>,
) -> Result<User> {
    let Some(adopted) = users::verify_unproven(conn, user.id, &user.email, call.now).await? else {
        // Adopted meanwhile: that session is the owner's and stays.
        return Ok(users::find_user(conn, user.id).await?.unwrap_or(user));
    };
    match account {
        Some(account) => identities::delete_others(conn, adopted.id, account).await?,
        None => accounts::delete_accounts(conn, adopted.id).await?,
    };
    api_key::delete_owned(conn, adopted.id).await?;
    passkey::store::delete_all(conn, adopted.id).await?;
    two_factor::store::delete(conn, adopted.id).await?;
    two_factor::forget_devices(conn, adopted.id).await?;
    let adopted = match adopted.two_factor_enabled {
        Some(true) => {
            users::set_two_factor(conn, adopted.id, false, call.now).await?.unwrap_or(adopted)
        }
        _ => adopted,
    };
    sessions::delete_sessions(conn, adopted.id).await?;
    // A change of address that the stranger asked for would take the account away again (ML-15).
    verification::delete_all(conn, Purpose::ChangeEmail, &adopted.id.to_string()).await?;
    let event = Event::AccountAdopted { email: adopted.email.clone() };
    events::record(app, conn, call, event, Some(adopted.id)).await?;
    Ok(adopted)
}
