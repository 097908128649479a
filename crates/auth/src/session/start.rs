//! Beginning a session: the one place where somebody becomes signed in.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::{Current, SignedIn, Token, cache, cookies, current::in_cookie, store};
use crate::{
    anonymous,
    app::{App, connection},
    error::{Result, UNAUTHORIZED},
    events::{self, Event},
    http::{Answer, Call, origin::Redirect},
    last_login_method,
    user::{User, store as users},
    wire::BANNED_USER,
};

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Address and password, at sign-up too.
    Password,
    /// A code mailed to the address.
    EmailOtp,
    /// A mailed link that signs in.
    MagicLink,
    /// A mailed link that proves the address.
    EmailVerification,
    /// A session before this one, which it replaces: a changed password.
    Session,
    /// A user name and a password.
    Username,
    /// A telephone number and a password.
    PhoneNumber,
    /// A code texted to the telephone.
    PhoneOtp,
    /// Nothing: a guest.
    Anonymous,
    /// A one-time token of a live session.
    OneTimeToken,
    /// Another provider, by its id.
    Social(String),
    /// A passkey.
    Passkey,
    /// A second factor after a first one.
    TwoFactor,
    /// An approval given on another device.
    Device,
    /// An administrator acting as the user, by the administrator's id.
    Impersonation(Uuid),
}

/// Somebody about to be signed in.
#[derive(Clone, Debug)]
pub struct SignIn<'a> {
    /// Who.
    pub user: &'a User,
    /// By what proof.
    pub method: Method,
    /// The user asked not to be remembered.
    pub dont_remember: bool,
}

impl Method {
    /// As Better Auth's last-login-method plugin names it; `None` for what it does not name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Password => Some("email"),
            Self::EmailOtp => Some("email-otp"),
            Self::MagicLink => Some("magic-link"),
            Self::Social(provider) => Some(provider),
            Self::Passkey => Some("passkey"),
            Self::EmailVerification
            | Self::Session
            | Self::Username
            | Self::PhoneNumber
            | Self::PhoneOtp
            | Self::Anonymous
            | Self::OneTimeToken
            | Self::TwoFactor
            | Self::Device
            | Self::Impersonation(_) => None,
        }
    }
}

impl<'a> SignIn<'a> {
    /// Remembered, as most ways in are.
    #[must_use]
    pub const fn by(method: Method, user: &'a User) -> Self {
        Self { user, method, dont_remember: false }
    }
}

/// Begins a session in a transaction of its own.
///
/// # Errors
/// Those of Postgres.
pub async fn start(app: &App, call: &Call, sign_in: SignIn<'_>) -> Result<Current> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let started = start_in(app, call, &tx, sign_in).await?;
    tx.commit().await?;
    Ok(started)
}

/// Begins a session in the caller's transaction: always a new token, whatever the browser brought along (SE-03). Nobody
/// begins one who is shut out; a ban that has ended is lifted.
///
/// # Errors
/// `BANNED_USER`; those of Postgres.
pub async fn start_in(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: SignIn<'_>,
) -> Result<Current> {
    let user = match sign_in.method {
        // The administrator's own session waits behind it.
        Method::Impersonation(_) => sign_in.user.clone(),
        _ => take_the_place(app, call, conn, &sign_in).await?,
    };
    forget_stale_cookies(app, call).await?;
    start_elsewhere_in(app, call, conn, SignIn { user: &user, ..sign_in }).await
}

/// Ends what the new session takes the place of in this browser, and notes the way in: the user as of then.
async fn take_the_place(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: &SignIn<'_>,
) -> Result<User> {
    let user = sign_in.user;
    anonymous::link(app, call, conn, user).await?;
    end_replaced(app, call, conn).await?;
    end_same_account(app, call, conn, user).await?;
    last_login_method::note(app, call, conn, user, &sign_in.method).await
}

/// The oddity of `session.recorded_stale_cookie`.
async fn forget_stale_cookies(app: &App, call: &Call) -> Result<()> {
    let config = &app.config.session;
    if config.recorded_stale_cookie
        && app.config.features.anonymous
        && let Ok(stale) = in_cookie(app, call)
        && app.sessions.find(stale.stored(config.token_storage)).await?.is_none()
    {
        call.aside.cookies_instead(cookies::forget(call));
    }
    Ok(())
}

/// Begins a session that this browser does not get: whatever session it has lives on.
///
/// # Errors
/// `BANNED_USER`; those of Postgres.
pub(super) async fn start_elsewhere_in(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: SignIn<'_>,
) -> Result<Current> {
    let SignIn { user, method, dont_remember } = sign_in;
    let config = &app.config.session;
    let impersonated_by = match method {
        Method::Impersonation(by) => Some(by),
        _ => None,
    };
    let token = Token::generate();
    let new = store::NewSession {
        token: &token.stored(config.token_storage),
        user_id: user.id,
        client: store::Client { ip_address: &call.client.stored, user_agent: call.user_agent() },
        lifetime: match (impersonated_by, dont_remember) {
            (Some(_), _) => app.config.admin.impersonation(),
            (None, true) => config.short_lifetime(),
            (None, false) => config.lifetime(),
        },
        impersonated_by,
    };
    let session = store::create_session(conn, &new, call.now).await?.ok_or(BANNED_USER)?;
    if user.banned == Some(true) {
        users::lift_ban(conn, user.id, call.now).await?;
    }
    if impersonated_by.is_none() {
        let event = Event::SignedIn { email: user.email.clone(), session: session.id };
        events::record(app, conn, call, event, Some(user.id)).await?;
    }
    let signed_in = SignedIn { session, user: user.clone(), organization: None };
    Ok(Current { signed_in: signed_in.into(), token, dont_remember })
}

/// Where a browser may hold several accounts, ends the session that it holds of this one.
async fn end_same_account(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<()> {
    if !app.config.features.multi_session {
        return Ok(());
    }
    for (name, token) in cookies::other_sessions(app, call) {
        let stored = token.stored(app.config.session.token_storage);
        if store::delete_own_session(conn, user.id, Some(&stored), None).await?.is_some() {
            call.aside.cookies([call.mount.cookies.delete(name)]);
        }
    }
    Ok(())
}

/// Sends the browser on to where a sign-in was to end, with the cookies of the session.
///
/// # Errors
/// Internal, when the target cannot stand in a header.
pub fn redirect_signed_in(
    app: &App,
    call: &Call,
    started: &Current,
    target: &Redirect,
) -> Result<Answer> {
    Ok(Answer::redirect(&target.absolute())?.signed_in(app, call, started))
}

impl Answer {
    /// Adds every cookie of a session that has just begun.
    #[must_use]
    pub fn signed_in(self, app: &App, call: &Call, started: &Current) -> Self {
        self.with_session(app, call, started).with_cookies(app.limits.known_device(
            app,
            call,
            &started.signed_in.user,
        ))
    }

    /// Adds the cookies of a session again, so that neither they nor a cached user are outdated.
    #[must_use]
    pub fn with_session(self, app: &App, call: &Call, session: &Current) -> Self {
        // The holder of an API key has no session to remember.
        if call.api_key.is_some() {
            return self;
        }
        self.with_cookies(cookies::remember(app, call, &session.token, session.dont_remember))
            .with_cookies(cache::write(app, call, session))
    }
}

/// Ends the session that a browser brings along to a sign-in (SE-03).
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn end_replaced(app: &App, call: &Call, conn: &impl GenericClient) -> Result<()> {
    let config = &app.config.session;
    if !config.keep_replaced
        && !app.config.features.multi_session
        && let Ok(replaced) = in_cookie(app, call)
    {
        store::delete_session(conn, &replaced.stored(config.token_storage)).await?;
    }
    Ok(())
}

/// Gives a signed-in browser a new token, as its user may do more or less from now on than before. The old one is dead.
///
/// # Errors
/// `UNAUTHORIZED`, when the session ended meanwhile.
pub(crate) async fn rotate_in(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    caller: &Current,
    user: &User,
) -> Result<Current> {
    let config = &app.config.session;
    let token = Token::generate();
    let dont_remember = caller.dont_remember;
    let lifetime = if dont_remember { config.short_lifetime() } else { config.lifetime() };
    let old = &caller.signed_in.session;
    let stored = token.stored(config.token_storage);
    let session = store::rotate_session(conn, old.id, &stored, call.now, lifetime).await?;
    let session = session.ok_or(UNAUTHORIZED)?;
    store::delete_session(conn, &old.token).await?;
    let signed_in = SignedIn {
        session,
        user: user.clone(),
        organization: caller.signed_in.organization.clone(),
    };
    Ok(Current { signed_in: signed_in.into(), token, dont_remember })
}
