//! A handle and a password: the work that `/sign-in/email`, `/sign-in/username` and `/sign-in/phone-number` share.

use gatepost_password::Verdict;
use gatepost_protocol::body::Shown;
use http::{StatusCode, header};
use serde::Serialize;

use super::policy;
use crate::{
    account::{Credential, Handle, store as accounts},
    app::{App, connection},
    email_verification,
    error::{Refusal, Result},
    events::{self, Refused},
    http::{Answer, Call},
    session::{self, Current, SignIn},
    two_factor,
    user::{self, User},
    wire,
};

const EMAIL_NOT_VERIFIED: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED", "Email not verified");

/// The user whose password this is. Tries are counted before anything is looked up, and the same work is done for a handle
/// that nobody goes by.
///
/// # Errors
/// `wrong`; `PASSWORD_TOO_LONG`, Limited, Busy.
pub(crate) async fn prove(
    app: &App,
    call: &Call,
    handle: Handle<'_>,
    password: &str,
    wrong: Refusal,
) -> Result<User> {
    policy::check_presented(app, password)?;
    let attempt = app.limits.begin_attempt(app, call, handle.as_str()).await?;
    let found = accounts::find_user_with_credential(&connection(app).await?, handle).await?;
    let stored = found.as_ref().and_then(|(_, credential)| credential.as_ref()?.hash.as_deref());
    let verdict = app.hasher.verify(stored, password).await?;
    let owner = found.as_ref().map(|(user, _)| user.clone());
    let (Some((user, Some(credential))), Verdict::Match { rehash }) = (found, verdict) else {
        attempt.failed(app, call, owner.as_ref()).await;
        events::refused(app, call, Refused::WrongPassword, Some(handle.as_str())).await;
        return Err(wrong.into());
    };
    attempt.succeeded(app).await;
    if rehash {
        replace_hash(app, &credential, password).await?;
    }
    Ok(user)
}

async fn replace_hash(app: &App, credential: &Credential, password: &str) -> Result<()> {
    let new = app.hasher.hash(password).await?;
    let old = credential.hash.as_deref().unwrap_or_default();
    accounts::rehash(&connection(app).await?, credential.id, old, &new).await
}

/// Refuses who is shut out. To be told only after the right password (EN-01).
///
/// # Errors
/// `BANNED_USER`.
pub(crate) async fn admit(app: &App, call: &Call, user: &User) -> Result<()> {
    if app.config.features.admin && user::is_banned(user, call.now) {
        events::refused(app, call, Refused::Banned, Some(&user.email)).await;
        return Err(wire::BANNED_USER.into());
    }
    Ok(())
}

/// The same, and whose address is not proven where it must be.
///
/// # Errors
/// `BANNED_USER`, `EMAIL_NOT_VERIFIED`.
pub(crate) async fn admit_proven(
    app: &App,
    call: &Call,
    user: &User,
    callback_url: Option<&str>,
) -> Result<()> {
    admit(app, call, user).await?;
    if !app.config.email_password.require_verification || user.email_verified {
        return Ok(());
    }
    if app.config.email_verification.send_on_sign_in {
        let conn = connection(app).await?;
        email_verification::send(app, call, &conn, user, callback_url).await?;
    }
    events::refused(app, call, Refused::EmailNotVerified, Some(&user.email)).await;
    Err(EMAIL_NOT_VERIFIED.into())
}

/// What a right password leads to.
pub(crate) enum Begun {
    /// A session.
    Session(Current),
    /// The question for a second factor.
    SecondFactor(Answer),
}

/// Begins the session, unless a second factor must be proven first: the one gate of every sign-in by password.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn begin(app: &App, call: &Call, sign_in: SignIn<'_>) -> Result<Begun> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    if let Some(pending) = two_factor::challenge_after(app, call, &tx, &sign_in).await? {
        tx.commit().await?;
        return Ok(Begun::SecondFactor(pending.answer(app, call)?));
    }
    let started = session::start_in(app, call, &tx, sign_in).await?;
    tx.commit().await?;
    Ok(Begun::Session(started))
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    redirect: bool,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    user: Shown<'a, User>,
}

/// Begins the session, and answers as `/sign-in/email` and `/sign-in/username` do.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn signed_in(
    app: &App,
    call: &Call,
    sign_in: SignIn<'_>,
    callback_url: Option<&str>,
) -> Result<Answer> {
    let started = match begin(app, call, sign_in).await? {
        Begun::Session(started) => started,
        Begun::SecondFactor(answer) => return Ok(answer),
    };
    let redirect = callback_url.filter(|url| !url.is_empty());
    let answer = Answer::json(&SignedInBody {
        redirect: redirect.is_some(),
        token: started.token.reveal(),
        url: callback_url,
        user: wire::user(app, &started.signed_in.user),
    })?
    .signed_in(app, call, &started);
    match redirect {
        Some(url) => answer.with_header(header::LOCATION, url),
        None => Ok(answer),
    }
}
