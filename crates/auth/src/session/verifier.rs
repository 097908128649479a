//! Neon's way back to an application on another site.
//!
//! The cookies of an embedded auth server are partitioned by the site that embeds it. What the last step of a sign-in
//! sets, a navigation to the auth server itself, lies in another partition than the one the application's calls use. So
//! the sign-in is carried over: the call that starts it sets a **challenge** cookie in the application's partition, the
//! redirect that ends it adds a **verifier** to the application's address, and `get-session` gives the session to whoever
//! presents both.
//!
//! The verifier stands in an address, so it is worth nothing alone (OA-32): good once and for a minute, kept as a hash,
//! and only with the challenge of the browser that started. Whoever presents it burns it.
//! Better Auth has no such thing; under its layout nothing here does anything.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::{
    cookie::{Presented, SetCookie},
    digest, random,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    Current, SignIn, Token, TokenStorage, cookies, current::in_cookie, redirect_signed_in, start,
};
use crate::{
    anonymous,
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Refused},
    http::{Answer, Call, Layout, origin::Redirect, targets::INVALID_CALLBACK_URL},
    two_factor, user,
    verification::{self, OneTime, Purpose},
};

/// The query parameter; its name is fixed by the clients.
pub const PARAMETER: &str = "neon_auth_session_verifier";

/// A page that loads needs a second; OA-32 allows a minute.
const LIFETIME: TimeDelta = TimeDelta::seconds(60);

const NOT_FOUND: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "VERIFICATION_NOT_FOUND", "Verification not found");

/// A secret of the browser that starts a sign-in. Never printed.
pub struct Challenge(String);

/// The hash of a [`Challenge`]: what the state of a sign-in keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Bound(String);

/// What the database keeps for a verifier.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    challenge: Bound,
    /// The session's token, sealed.
    token: String,
}

impl Challenge {
    /// A new one, in place of any that the browser has: a challenge that somebody else put there is worth nothing.
    /// `None` where the layout has no way back.
    #[must_use]
    pub fn begin(call: &Call) -> Option<Self> {
        (call.mount.layout == Layout::Neon).then(|| Self(random::token(32)))
    }

    /// For the state of the sign-in.
    #[must_use]
    pub fn bound(&self) -> Bound {
        Bound::of(&self.0)
    }

    /// The cookie, under both spellings: earlier clients know the misspelt one only.
    #[must_use]
    pub fn cookies(&self, call: &Call, lifetime: TimeDelta) -> Vec<SetCookie> {
        let profile = &call.mount.cookies;
        let set = |name: &String| profile.set(name, self.0.clone(), Some(lifetime.num_seconds()));
        names(call).map(set).into()
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(…)")
    }
}

impl Bound {
    fn of(challenge: &str) -> Self {
        Self(digest::sha256_base64url(challenge))
    }

    /// As the claim of a link.
    #[must_use]
    pub fn into_kept(self) -> String {
        self.0
    }

    /// The claim of a link that this server signed.
    #[must_use]
    pub const fn kept(hash: String) -> Self {
        Self(hash)
    }

    /// Whether the request comes from the browser, and the partition, in which the sign-in was started. Either spelling
    /// suffices; of two cookies with one name nobody can say which is ours (SE-05).
    #[must_use]
    pub fn is_of(&self, call: &Call) -> bool {
        let jar = call.cookies();
        let fits = |name: &String| match jar.get(name) {
            Presented::One(value) => {
                verify_slices_are_equal(Self::of(value).0.as_bytes(), self.0.as_bytes()).is_ok()
            }
            Presented::None | Presented::Ambiguous(_) => false,
        };
        names(call).into_iter().any(fits)
    }
}

fn names(call: &Call) -> [&String; 2] {
    let names = &call.mount.cookies.names;
    [&names.session_challenge, &names.session_challange]
}

/// Where a sign-in leads, with a verifier for the application. Belongs into the transaction that began the session.
///
/// # Errors
/// Those of Postgres.
pub async fn carry(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    started: &Current,
    challenge: Option<&Bound>,
    target: &Redirect,
) -> Result<Redirect> {
    let Some(challenge) = challenge.filter(|_| call.mount.layout == Layout::Neon) else {
        return Ok(target.clone());
    };
    let verifier = random::token(32);
    let token = app.sealer.seal(started.token.reveal().as_bytes());
    let record = serde_json::to_string(&Record { challenge: challenge.clone(), token })
        .map_err(|error| Error::Internal(error.into()))?;
    verification::create(conn, secret(&verifier), &record, call.now + LIFETIME, call.now).await?;
    // The address may be one that a verifier was left in.
    Ok(target.without_parameter(PARAMETER).with_parameter(PARAMETER, &verifier))
}

fn secret(verifier: &str) -> OneTime<'_> {
    OneTime { purpose: Purpose::SessionVerifier, secret: verifier, storage: TokenStorage::Hashed }
}

/// Signs in at the end of a redirect from elsewhere, and sends the browser back to the application.
///
/// Where the application is on another site, no cookie can tell whether this browser started the sign-in. If none does,
/// it gets no session of its own and keeps the one it has: a link that an attacker made signs nobody in (OA-02). The
/// application takes the session by the verifier, if it is the one that started.
///
/// # Errors
/// Those of Postgres.
pub async fn sign_in_and_return(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: SignIn<'_>,
    challenge: Option<&Bound>,
    target: &Redirect,
) -> Result<Answer> {
    let Some(challenge) = challenge.filter(|challenge| !challenge.is_of(call)) else {
        if let Some(pending) = two_factor::challenge_after(app, call, conn, &sign_in).await? {
            return pending.redirect(target);
        }
        return sign_in_here_and_return(app, call, conn, sign_in, challenge, target).await;
    };
    let back = Return::to(challenge, target, Here::Nobody);
    if let Some(asked) = two_factor::ask_here(app, call, conn, &sign_in, back, target).await? {
        return Ok(asked);
    }
    sign_in_elsewhere(app, call, conn, sign_in, challenge, target).await
}

async fn sign_in_elsewhere(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: SignIn<'_>,
    challenge: &Bound,
    target: &Redirect,
) -> Result<Answer> {
    let started = start::start_elsewhere_in(app, call, conn, sign_in).await?;
    let target = carry(app, call, conn, &started, Some(challenge), target).await?;
    Answer::redirect(&target.absolute())
}

/// Signs in this browser, whoever started, and sends it back to the application with a verifier for who did.
///
/// # Errors
/// Those of Postgres.
pub async fn sign_in_here_and_return(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: SignIn<'_>,
    challenge: Option<&Bound>,
    target: &Redirect,
) -> Result<Answer> {
    let started = start::start_in(app, call, conn, sign_in).await?;
    let target = carry(app, call, conn, &started, challenge, target).await?;
    redirect_signed_in(app, call, &started, &target)
}

/// Who is signed in in the browser in which a sign-in ends, beside the page that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Here {
    /// Nobody: any page may have led it here.
    Nobody,
    /// The user, who proved something by being here: by a mailed link, that they read the mail.
    TheUser,
}

/// How a sign-in that waits for its second factor goes back to the page that started it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    challenge: Bound,
    target: String,
    here: Here,
}

impl Return {
    /// To this target, for the browser with this challenge.
    #[must_use]
    pub fn to(challenge: &Bound, target: &Redirect, here: Here) -> Self {
        Self { challenge: challenge.clone(), target: target.as_str().to_owned(), here }
    }

    /// Begins the session and goes back. The target is checked anew, as the settings may have changed (RD-07).
    ///
    /// # Errors
    /// `INVALID_CALLBACK_URL`; those of Postgres.
    pub async fn sign_in(
        &self,
        app: &App,
        call: &Call,
        conn: &impl GenericClient,
        sign_in: SignIn<'_>,
    ) -> Result<Answer> {
        let target = call.redirect(app, &self.target, INVALID_CALLBACK_URL)?;
        let challenge = &self.challenge;
        match self.here {
            Here::Nobody => sign_in_elsewhere(app, call, conn, sign_in, challenge, &target).await,
            Here::TheUser => {
                sign_in_here_and_return(app, call, conn, sign_in, Some(challenge), &target).await
            }
        }
    }
}

/// The session that a request takes over by its verifier; its cookies are set beside the answer. `None`: there is no
/// verifier, or a stale one beside a session that the browser has already, as after a reload.
///
/// # Errors
/// `VERIFICATION_NOT_FOUND`: never issued, used, too old, or another browser's.
pub async fn exchange(app: &App, call: &Call) -> Result<Option<Current>> {
    let presented = match call.mount.layout {
        Layout::Neon => call.parameter_of_query(PARAMETER),
        Layout::BetterAuth => None,
    };
    let Some(verifier) = presented else { return Ok(None) };
    if let Some(taken) = take(app, call, verifier).await? {
        return Ok(Some(taken));
    }
    match super::current(app, call).await? {
        Some(_) => Ok(None),
        None => Err(NOT_FOUND.into()),
    }
}

async fn take(app: &App, call: &Call, verifier: &str) -> Result<Option<Current>> {
    // What is no verifier costs no query.
    if Token::parse(verifier).is_none() {
        return Ok(None);
    }
    // Whoever comes first gets it, fitting or not.
    let record = verification::consume(&connection(app).await?, secret(verifier), call.now).await?;
    let Some(record) = record.and_then(|record| serde_json::from_str::<Record>(&record).ok())
    else {
        return Ok(None);
    };
    if !record.challenge.is_of(call) {
        events::refused(app, call, Refused::ForeignVerifier, None).await;
        return Ok(None);
    }
    let token = app.sealer.open(&record.token).ok();
    let token = token.and_then(|token| Token::parse(&String::from_utf8(token).ok()?));
    let Some(token) = token else { return Ok(None) };
    let config = &app.config.session;
    // The session may have ended, and its user been shut out, since the redirect.
    let found = app.sessions.find(token.stored(config.token_storage)).await?;
    let live = found.filter(|found| {
        found.session.expires_at > call.now && !user::is_banned(&found.user, call.now)
    });
    let Some(signed_in) = live else { return Ok(None) };
    // What else happens at a sign-in to the session that this browser has could not happen at the redirect.
    if in_cookie(app, call).is_ok_and(|brought| brought != token) {
        let mut conn = connection(app).await?;
        let tx = conn.transaction().await?;
        anonymous::link(app, call, &tx, &signed_in.user).await?;
        start::end_replaced(app, call, &tx).await?;
        tx.commit().await?;
    }
    let current = Current { signed_in, token, dont_remember: false };
    call.aside.cookies(cookies::remember(app, call, &current.token, false));
    call.aside.cookies(super::cache::write(app, call, &current));
    call.aside.cookies(names(call).map(|name| call.mount.cookies.delete(name)));
    Ok(Some(current))
}

#[cfg(test)]
mod tests;
