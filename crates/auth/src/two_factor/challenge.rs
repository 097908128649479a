//! Between the first factor and the second: a sign-in that waits, known by a signed cookie and a row.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::{
    cookie::{Opened, SetCookie, open},
    random,
};
use http::{HeaderName, header};
use serde_json::json;
use uuid::Uuid;

use super::{FirstFactors, store, trust};
use crate::{
    anonymous,
    app::App,
    error::Result,
    events::{self, Event},
    http::{Answer, Call, origin::Redirect},
    passkey,
    session::{self, Method, SignIn, Token},
    user::User,
    verification::{self, OneTime, Purpose},
};

const PREFIX: &str = "2fa-";
const SET_AUTH_TOKEN: HeaderName = HeaderName::from_static("set-auth-token");

/// A sign-in that waits for its second factor: how to answer it.
#[must_use = "whoever must prove a second factor gets this answer and no session"]
pub struct Pending {
    methods: Vec<&'static str>,
    cookies: Vec<SetCookie>,
}

/// The gate of sign-ins by password: `Some` is the answer, and no session may begin; `None`: go on.
///
/// Call it after everything else was judged, in the transaction that begins the session.
///
/// # Errors
/// Those of Postgres.
pub async fn challenge(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    dont_remember: bool,
) -> Result<Option<Answer>> {
    let sign_in = SignIn { user, method: Method::Password, dont_remember };
    let pending = challenge_after(app, call, conn, &sign_in).await?;
    pending.map(|pending| pending.answer(app, call)).transpose()
}

/// The gate of every sign-in: `Some` is to be answered, and no session may begin; `None`: go on. The caller commits.
///
/// # Errors
/// Those of Postgres.
pub async fn challenge_after(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: &SignIn<'_>,
) -> Result<Option<Pending>> {
    let Some(methods) = demanded(app, call, conn, sign_in).await? else { return Ok(None) };
    // Looked for before its session ends.
    let guest = anonymous::brought(app, call, conn, sign_in.user).await?;
    session::end_replaced(app, call, conn).await?;
    let secret = begin(app, call, conn, sign_in.user).await?;
    if let Some(guest) = guest {
        let (row, guest) = (guest_of(app, &secret), guest.to_string());
        verification::create(conn, row, &guest, expires_at(app, call), call.now).await?;
    }
    Ok(Some(Pending { methods, cookies: cookies(app, call, &secret, sign_in.dont_remember) }))
}

/// By what a second factor may be proven before this sign-in goes on; `None`: none is asked for, or the browser is trusted.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn demanded(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: &SignIn<'_>,
) -> Result<Option<Vec<&'static str>>> {
    if !is_asked(app, sign_in) {
        return Ok(None);
    }
    let methods = methods(app, conn, sign_in.user, &sign_in.method).await?;
    // A mailed code after a mailed link proves nothing more.
    if methods.is_empty() && by_mail(&sign_in.method) {
        return Ok(None);
    }
    let trusted = trust::renew(app, call, conn, sign_in.user).await?;
    Ok((!trusted).then_some(methods))
}

/// Writes down that a sign-in of this user waits; its secret.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn begin(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<String> {
    let secret = random::token(20);
    let (owner, until) = (user.id.to_string(), expires_at(app, call));
    verification::create(conn, one_time(app, &secret), &owner, until, call.now).await?;
    verification::create(conn, attempts(app, &secret), "0", until, call.now).await?;
    events::record(app, conn, call, Event::TwoFactorAsked, Some(user.id)).await?;
    Ok(secret)
}

/// When a sign-in that begins to wait now has waited too long.
pub(super) fn expires_at(app: &App, call: &Call) -> DateTime<Utc> {
    call.now + TimeDelta::seconds(i64::from(app.config.two_factor.challenge_expires_in))
}

/// Whether a second factor is asked for after this first one. For what proves an address beside its purpose and may sign
/// in by the way: it does not then.
#[must_use]
pub fn is_asked(app: &App, sign_in: &SignIn<'_>) -> bool {
    let config = &app.config.two_factor;
    config.enabled
        && sign_in.user.two_factor_enabled == Some(true)
        && is_asked_after(config.first_factors, &sign_in.method)
}

/// Signing in anew for what a session may do already is no sign-in; a passkey is asked for its own proof elsewhere.
fn is_asked_after(first_factors: FirstFactors, method: &Method) -> bool {
    match method {
        Method::Password | Method::Username | Method::PhoneNumber => true,
        Method::Session
        | Method::OneTimeToken
        | Method::TwoFactor
        | Method::Device
        | Method::Impersonation(_)
        | Method::Anonymous => false,
        Method::EmailOtp
        | Method::PhoneOtp
        | Method::MagicLink
        | Method::EmailVerification
        | Method::Social(_)
        | Method::Passkey => first_factors == FirstFactors::Every,
    }
}

fn by_mail(method: &Method) -> bool {
    matches!(method, Method::EmailOtp | Method::MagicLink | Method::EmailVerification)
}

async fn methods(
    app: &App,
    conn: &impl GenericClient,
    user: &User,
    first: &Method,
) -> Result<Vec<&'static str>> {
    let mut methods = Vec::new();
    if store::find(conn, user.id).await?.is_some_and(|row| row.is_set_up()) {
        methods.push("totp");
    }
    if app.config.two_factor.otp.enabled && !by_mail(first) {
        methods.push("otp");
    }
    if *first != Method::Passkey && passkey::is_second_factor(app, conn, user.id).await? {
        methods.push("passkey");
    }
    Ok(methods)
}

fn cookies(app: &App, call: &Call, secret: &str, dont_remember: bool) -> Vec<SetCookie> {
    let (profile, key) = (&call.mount.cookies, app.config.secret.as_bytes());
    let names = &profile.names;
    let mut cookies = Vec::new();
    if dont_remember {
        cookies.push(profile.set_signed(&names.dont_remember, "true", key, None));
    }
    cookies.push(profile.delete(&names.session_token));
    cookies.push(profile.delete(&names.session_data));
    let max_age = i64::from(app.config.two_factor.challenge_expires_in);
    let value = format!("{PREFIX}{secret}");
    cookies.push(profile.set_signed(&names.two_factor, &value, key, Some(max_age)));
    cookies
}

impl Pending {
    /// What Better Auth's clients look for: `twoFactorRedirect`, and the ways to go on.
    ///
    /// # Errors
    /// Internal, when the answer cannot be written.
    pub fn answer(self, app: &App, call: &Call) -> Result<Answer> {
        let body = json!({ "twoFactorRedirect": true, "twoFactorMethods": self.methods });
        let answer = Answer::json(&body)?.with_cookies(self.cookies);
        if app.config.two_factor.recorded_challenge {
            dead_session(app, call, answer)
        } else {
            Ok(answer)
        }
    }

    /// The same for a browser on its way: the page that was to be shown gets `twoFactorRedirect=true` and the ways to go on.
    ///
    /// # Errors
    /// Internal, when the target cannot stand in a header.
    pub fn redirect(self, target: &Redirect) -> Result<Answer> {
        let target = target
            .with_parameter("twoFactorRedirect", "true")
            .with_parameter("twoFactorMethods", &self.methods.join(","));
        Ok(Answer::redirect(&target.absolute())?.with_cookies(self.cookies))
    }
}

/// Better Auth begins a session, ends it and tells its token all the same.
fn dead_session(app: &App, call: &Call, answer: Answer) -> Result<Answer> {
    let (profile, key) = (&call.mount.cookies, app.config.secret.as_bytes());
    let token = Token::generate();
    let name = &profile.names.multi_session(token.reveal());
    let max_age = Some(i64::from(app.config.session.expires_in));
    let cookie = profile.set_signed(name, token.reveal(), key, max_age);
    let answer = answer.with_cookies(app.config.features.multi_session.then_some(cookie));
    if !app.config.features.bearer {
        return Ok(answer);
    }
    answer
        .with_header(SET_AUTH_TOKEN, &gatepost_protocol::cookie::sign_plain(key, token.reveal()))?
        .with_header(header::ACCESS_CONTROL_EXPOSE_HEADERS, SET_AUTH_TOKEN.as_str())
}

pub(super) fn one_time<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::TwoFactor, secret, storage: app.config.session.token_storage }
}

pub(super) fn attempts<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::TwoFactorAttempts, ..one_time(app, secret) }
}

fn guest_of<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::TwoFactorGuest, ..one_time(app, secret) }
}

/// The secret of the sign-in that waits in this browser; not yet looked up.
pub(super) fn presented(app: &App, call: &Call) -> Option<String> {
    presented_as(app, call, PREFIX)
}

/// The same for a cookie whose value begins so.
pub(super) fn presented_as(app: &App, call: &Call, prefix: &str) -> Option<String> {
    let cookies = call.cookies();
    let value = cookies.get(&call.mount.cookies.names.two_factor);
    app.config.secrets().find_map(|secret| match open(secret.as_bytes(), &value) {
        Opened::Valid(value) => value.strip_prefix(prefix).map(str::to_owned),
        _ => None,
    })
}

/// Takes the cookie of the waiting sign-in back.
pub(super) fn forget(call: &Call) -> SetCookie {
    call.mount.cookies.delete(&call.mount.cookies.names.two_factor)
}

/// The waiting sign-in is over: whose it was. Of any number of callers at once, one gets an answer.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn consume(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    secret: &str,
) -> Result<Option<Uuid>> {
    verification::consume(conn, attempts(app, secret), call.now).await?;
    let owner = verification::consume(conn, one_time(app, secret), call.now).await?;
    Ok(owner.and_then(|owner| Uuid::parse_str(&owner).ok()))
}

/// The waiting sign-in of this user is over, and a session is to begin: the guest who signed in by it becomes the user.
/// `false`: it was another user's, or somebody else finished it first.
///
/// # Errors
/// Those of Postgres, and of the function that hands over what the guest owned.
pub(super) async fn finish(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    secret: &str,
    user: &User,
) -> Result<bool> {
    if consume(app, call, conn, secret).await? != Some(user.id) {
        return Ok(false);
    }
    if app.config.features.anonymous {
        let guest = verification::consume(conn, guest_of(app, secret), call.now).await?;
        if let Some(guest) = guest.and_then(|guest| Uuid::parse_str(&guest).ok()) {
            anonymous::link_guest(app, call, conn, guest, user).await?;
        }
    }
    Ok(true)
}

/// Whose sign-in waits in this browser.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn waiting(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
) -> Result<Option<Uuid>> {
    let Some(secret) = presented(app, call) else { return Ok(None) };
    let owner = verification::find(conn, one_time(app, &secret), call.now).await?;
    Ok(owner.and_then(|owner| Uuid::parse_str(&owner).ok()))
}

/// Ends the sign-in that waits in this browser, as its user proved a second factor of another kind. `false`: none of this
/// user does.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn complete(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<bool> {
    let Some(secret) = presented(app, call) else { return Ok(false) };
    let finished = finish(app, call, conn, &secret, user).await?;
    call.aside.cookies([forget(call)]);
    Ok(finished)
}
