//! A guess at a second factor: who makes it, how it is counted, what follows when it is right.

use chrono::TimeDelta;
use deadpool_postgres::{GenericClient, Transaction};
use gatepost_protocol::body::Shown;
use serde::Serialize;
use uuid::Uuid;

use super::{INVALID_COOKIE, LOCKED, TOO_MANY_ATTEMPTS, challenge, store, trust};
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Event, Refused},
    http::{Answer, Call},
    session::{self, Current, Method, SignIn, cookies, store as sessions},
    user::{self, User, store as users},
    verification, wire,
};

/// Who guesses.
pub(super) enum Asker {
    /// Somebody with a session: to set the factor up, or to prove to be the same.
    SignedIn(Box<Current>),
    /// Somebody who proved a first factor and waits.
    Waiting { secret: String, user: Box<User> },
}

impl Asker {
    /// The caller's session, or the sign-in that waits in this browser.
    ///
    /// # Errors
    /// `INVALID_TWO_FACTOR_COOKIE`.
    pub(super) async fn of(app: &App, call: &Call) -> Result<Self> {
        if let Some(caller) = session::current(app, call).await? {
            return Ok(Self::SignedIn(Box::new(caller)));
        }
        Self::waiting(app, call, challenge::presented(app, call)).await
    }

    /// Who waits by this secret.
    ///
    /// # Errors
    /// `INVALID_TWO_FACTOR_COOKIE`, `BANNED_USER`.
    pub(super) async fn waiting(app: &App, call: &Call, secret: Option<String>) -> Result<Self> {
        let secret = secret.ok_or(INVALID_COOKIE)?;
        let conn = connection(app).await?;
        let owner = verification::find(&conn, challenge::one_time(app, &secret), call.now).await?;
        let owner = owner.and_then(|owner| Uuid::parse_str(&owner).ok()).ok_or(INVALID_COOKIE)?;
        let user = users::find_user(&conn, owner).await?.ok_or(INVALID_COOKIE)?;
        if user::is_banned(&user, call.now) {
            return Err(wire::BANNED_USER.into());
        }
        Ok(Self::Waiting { secret, user: Box::new(user) })
    }

    pub(super) fn user(&self) -> &User {
        match self {
            Self::SignedIn(caller) => &caller.signed_in.user,
            Self::Waiting { user, .. } => user,
        }
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    /// What a mailed code is bound to.
    pub(super) fn key(&self, app: &App) -> String {
        match self {
            Self::SignedIn(caller) => {
                format!("{}!{}", caller.signed_in.user.id, caller.signed_in.session.id)
            }
            Self::Waiting { secret, .. } => challenge::one_time(app, secret).identifier(),
        }
    }
}

/// Counts a guess against the waiting sign-in and against the account, before anybody looks at it. A session that sets the
/// factor up guesses at a secret that it was just shown: nothing is counted.
///
/// # Errors
/// `TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE`, and the sign-in is over; `ACCOUNT_TEMPORARILY_LOCKED`.
pub(super) async fn count<'a>(
    app: &App,
    call: &Call,
    tx: Transaction<'a>,
    asker: &Asker,
    row: &store::Row,
) -> Result<Transaction<'a>> {
    if let Asker::Waiting { secret, .. } = asker {
        let allowed = i64::from(app.config.two_factor.challenge_attempts);
        let tries = verification::count(&tx, challenge::attempts(app, secret), call.now).await?;
        let Some(tries) = tries else { return Err(INVALID_COOKIE.into()) };
        // A locked account is told first: the try is not counted then.
        if row.is_locked(call.now) {
            return Err(LOCKED.into());
        }
        if i64::from(tries) > allowed {
            challenge::consume(app, call, &tx, secret).await?;
            call.aside.cookies([challenge::forget(call)]);
            return Err(refuse(app, call, tx, asker, TOO_MANY_ATTEMPTS).await);
        }
    } else if asker.user().two_factor_enabled != Some(true) {
        return Ok(tx);
    }
    if !count_failure(app, call, &tx, row).await? {
        return Err(LOCKED.into());
    }
    Ok(tx)
}

/// Counts a failure of the account; `false`: it is locked.
pub(super) async fn count_failure(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    row: &store::Row,
) -> Result<bool> {
    let config = &app.config.two_factor;
    let budget = i32::try_from(config.lockout_attempts).unwrap_or(i32::MAX);
    if budget == 0 {
        return Ok(true);
    }
    let until = call.now + TimeDelta::seconds(i64::from(config.lockout_duration));
    Ok(store::count_failure(conn, row.id, budget, until, call.now).await?.is_some())
}

/// Writes a refused guess down for good: the refusal, or why it could not be written.
pub(super) async fn refuse(
    app: &App,
    call: &Call,
    tx: Transaction<'_>,
    asker: &Asker,
    refusal: Refusal,
) -> Error {
    let user = asker.user();
    let event = Event::Refused {
        why: Refused::WrongSecondFactor,
        email: Some(user.email.clone()),
        detail: None,
    };
    let written = async {
        events::record(app, &tx, call, event, Some(user.id)).await?;
        Ok::<_, Error>(tx.commit().await?)
    };
    match written.await {
        Ok(()) => refusal.into(),
        Err(error) => error,
    }
}

#[derive(Serialize)]
struct ProvenBody<'a> {
    token: &'a str,
    user: Shown<'a, User>,
}

/// The answer that names a session.
///
/// # Errors
/// Internal, when it cannot be written.
pub(super) fn proven_body(app: &App, token: &session::Token, user: &User) -> Result<Answer> {
    Answer::json(&ProvenBody { token: token.reveal(), user: wire::user(app, user) })
}

/// The guess was right: begins the session that waited for it, or notes that the user of the present one is the same.
///
/// # Errors
/// `INVALID_TWO_FACTOR_COOKIE`, when somebody else finished the same sign-in first.
pub(super) async fn admit(
    app: &App,
    call: &Call,
    tx: Transaction<'_>,
    asker: &Asker,
    trust_device: bool,
) -> Result<Answer> {
    let (secret, user) = match asker {
        Asker::SignedIn(caller) => {
            sessions::prove_session(&tx, caller.signed_in.session.id, call.now).await?;
            tx.commit().await?;
            return proven_body(app, &caller.token, &caller.signed_in.user);
        }
        Asker::Waiting { secret, user } => (secret, user),
    };
    let finished = challenge::finish(app, call, &tx, secret, user).await?;
    call.aside.cookies([challenge::forget(call)]);
    if !finished {
        return Err(INVALID_COOKIE.into());
    }
    let sign_in = SignIn {
        user,
        method: Method::TwoFactor,
        dont_remember: cookies::dont_remember(app, call),
    };
    let started = session::start_in(app, call, &tx, sign_in).await?;
    let trusted = trust::trust_if(app, call, &tx, user, trust_device).await?;
    tx.commit().await?;
    let answer = proven_body(app, &started.token, user)?.signed_in(app, call, &started);
    // A trusted browser remembers, whatever was said before; Better Auth takes the mark back, too.
    let mark = call.mount.cookies.delete(&call.mount.cookies.names.dont_remember);
    Ok(answer.with_cookies(trusted.into_iter().flat_map(|cookie| [cookie, mark.clone()])))
}
