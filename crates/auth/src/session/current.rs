//! Who is calling: from the presented credential to a live session.
//!
//! One credential, one verifier. A bearer token replaces the cookie and is never tried beside it.

use std::sync::Arc;

use gatepost_protocol::cookie::{self, Opened};
use http::{Method, StatusCode};

use super::{SignedIn, Token, cache, cookies, store};
use crate::{
    app::{App, connection},
    error::{Refusal, Result, UNAUTHORIZED},
    events::{self, Refused},
    http::{Call, Layout},
    two_factor,
    user::{self, User},
};

/// The session began too long ago for what is asked.
pub(crate) const SESSION_NOT_FRESH: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "SESSION_NOT_FRESH", "Session is not fresh");

const NOT_WHILE_IMPERSONATING: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "NOT_WHILE_IMPERSONATING",
    "Only the user may do this, not somebody acting as the user",
);

/// The caller's session.
#[derive(Clone, Debug)]
pub struct Current {
    /// Session, user, active organization.
    pub signed_in: Arc<SignedIn>,
    /// The token as presented.
    pub token: Token,
    /// The user asked not to be remembered: cookies end with the browser, the session is not renewed.
    pub dont_remember: bool,
}

/// Why nobody is signed in; sent as `x-auth-reason`, so that a `null` explains itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was presented.
    NoCookie,
    /// Not signed by this server.
    BadSignature,
    /// Two different sessions were presented (SE-05, SE-23).
    Ambiguous,
    /// Unknown: signed out, revoked, or never issued.
    Revoked,
    /// Past its end.
    Expired,
    /// The user is shut out.
    Banned,
    /// Somebody is signed in, and must set up a second factor before anything else.
    TwoFactorRequired,
}

impl Reason {
    /// As it stands in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCookie => "no-cookie",
            Self::BadSignature => "bad-signature",
            Self::Ambiguous => "ambiguous",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Banned => "banned",
            Self::TwoFactorRequired => "two-factor-required",
        }
    }
}

/// The caller's live session, read from the database now.
///
/// # Errors
/// Unavailable, when the database cannot be reached: never taken for "nobody"; `NOT_WHILE_IMPERSONATING`.
pub async fn current(app: &App, call: &Call) -> Result<Option<Current>> {
    let token = match presented(app, call) {
        Ok(token) => token,
        Err(reason) => {
            if reason == Reason::Ambiguous {
                events::refused(app, call, Refused::AmbiguousSession, None).await;
            }
            call.aside.reason(reason);
            return Ok(None);
        }
    };
    let found = app.sessions.find(token.stored(app.config.session.token_storage)).await?;
    let reason = match &found {
        None => Reason::Revoked,
        Some(found) if found.session.expires_at <= call.now => Reason::Expired,
        Some(found) if user::is_banned(&found.user, call.now) => Reason::Banned,
        Some(found) => {
            let signed_in = Arc::clone(found);
            let current =
                Current { signed_in, token, dont_remember: cookies::dont_remember(app, call) };
            call.aside.cookies(cache::write(app, call, &current));
            return current.if_the_user(app, call).await.map(Some);
        }
    };
    if let (Reason::Expired, Some(found)) = (reason, &found)
        && !(app.config.session.defer_refresh && call.method == Method::GET)
    {
        store::delete_session(&connection(app).await?, &found.session.token).await?;
    }
    call.aside.reason(reason);
    call.aside.cookies(cookies::forget(call));
    call.aside.cookies(cache::forget(call));
    Ok(None)
}

/// The caller's live session, read from the database now: for whatever acts on an account.
///
/// # Errors
/// `UNAUTHORIZED`, when there is none; `TWO_FACTOR_REQUIRED`, when its user must set one up first.
pub async fn required_now(app: &App, call: &Call) -> Result<Current> {
    let caller = current(app, call).await?.ok_or(UNAUTHORIZED)?;
    two_factor::demand(app, call, &caller.signed_in).await?;
    Ok(caller)
}

/// The caller's live session; or the browser's copy of it, where the configuration lets every endpoint read that; or what
/// an API key stands for.
///
/// # Errors
/// `UNAUTHORIZED`, when there is neither; `TWO_FACTOR_REQUIRED`.
pub async fn required(app: &App, call: &Call) -> Result<Current> {
    if let Some(by_key) = &call.api_key {
        return Ok(by_key.clone());
    }
    if app.config.session.cookie_cache.everywhere
        && let Some(cached) = cache::read(app, call)
    {
        two_factor::demand(app, call, &cached.signed_in).await?;
        return cached.if_the_user(app, call).await;
    }
    required_now(app, call).await
}

/// The caller's session, begun or proven not long ago. A renewal proves nothing (SE-20).
///
/// # Errors
/// `UNAUTHORIZED`, `SESSION_NOT_FRESH`.
pub async fn fresh(app: &App, call: &Call) -> Result<Current> {
    required(app, call).await?.if_fresh(app, call)
}

/// The same, read from the database now.
///
/// # Errors
/// `UNAUTHORIZED`, `SESSION_NOT_FRESH`.
pub async fn fresh_now(app: &App, call: &Call) -> Result<Current> {
    required_now(app, call).await?.if_fresh(app, call)
}

impl Current {
    /// The same session, after its user changed.
    #[must_use]
    pub fn with_user(&self, user: User) -> Self {
        let signed_in = SignedIn { user, ..(*self.signed_in).clone() };
        Self { signed_in: signed_in.into(), ..self.clone() }
    }

    /// Begun not long ago.
    #[must_use]
    pub fn is_fresh(&self, app: &App, call: &Call) -> bool {
        let age = app.config.session.fresh_age;
        let session = &self.signed_in.session;
        let proven = session.proven_at.unwrap_or(session.created_at).max(session.created_at);
        age == 0 || (call.now - proven).num_seconds() < i64::from(age)
    }

    /// Lets nobody past whose session began or was proven long ago.
    ///
    /// # Errors
    /// `SESSION_NOT_FRESH`.
    pub fn demand_fresh(&self, app: &App, call: &Call) -> Result<()> {
        if self.is_fresh(app, call) { Ok(()) } else { Err(SESSION_NOT_FRESH.into()) }
    }

    /// What only the person may do is withheld from an administrator who acts as the user (AD-07).
    async fn if_the_user(self, app: &App, call: &Call) -> Result<Self> {
        if call.personal && self.signed_in.session.impersonated_by.is_some() {
            events::refused(app, call, Refused::Impersonation, Some(&self.signed_in.user.email))
                .await;
            return Err(NOT_WHILE_IMPERSONATING.into());
        }
        Ok(self)
    }

    fn if_fresh(self, app: &App, call: &Call) -> Result<Self> {
        self.demand_fresh(app, call).map(|()| self)
    }
}

/// The token that the request carries; not yet looked up.
///
/// # Errors
/// The reason why there is none.
pub fn presented(app: &App, call: &Call) -> Result<Token, Reason> {
    let cookie = in_cookie(app, call);
    // The Neon service takes its signed cookie only; its proxies forward the header without meaning it.
    let bearer = match call.mount.layout {
        Layout::BetterAuth if app.config.features.bearer => bearer(call),
        _ => None,
    };
    let Some(bearer) = bearer else { return cookie };
    let token = if bearer.contains('.') {
        app.config
            .secrets()
            .find_map(|secret| cookie::verify(secret.as_bytes(), bearer))
            .and_then(|token| Token::parse(&token))
    } else {
        Token::parse(bearer)
    };
    let token = token.ok_or(Reason::BadSignature)?;
    match cookie {
        Ok(other) if other != token && !app.config.session.bearer_overrides_cookie => {
            Err(Reason::Ambiguous)
        }
        _ => Ok(token),
    }
}

/// The credentials of an `Authorization: Bearer` header (RFC 6750), scheme in any case.
fn bearer(call: &Call) -> Option<&str> {
    let mut headers = call.headers.get_all(http::header::AUTHORIZATION).iter();
    let value = headers.next()?.to_str().unwrap_or("Bearer ?");
    if headers.next().is_some() {
        return Some("?");
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token in the session cookie; not yet looked up.
pub(super) fn in_cookie(app: &App, call: &Call) -> Result<Token, Reason> {
    let cookies = call.cookies();
    let presented = cookies.get(&call.mount.cookies.names.session_token);
    let opened = app.config.secrets().map(|secret| cookie::open(secret.as_bytes(), &presented));
    // Signed under an earlier secret is signed; forged is what none of them signed.
    match opened
        .reduce(|known, earlier| if known == Opened::Forged { earlier } else { known })
        .unwrap_or(Opened::Forged)
    {
        Opened::Absent => Err(Reason::NoCookie),
        Opened::Forged => Err(Reason::BadSignature),
        Opened::Ambiguous => Err(Reason::Ambiguous),
        Opened::Valid(token) => Token::parse(&token).ok_or(Reason::BadSignature),
    }
}
