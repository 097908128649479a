//! Browsers that skip the second factor: a signed cookie and a row, both new at every sign-in.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::{
    cookie::{Opened, SetCookie, open},
    digest, random,
};
use uuid::Uuid;

use crate::{
    app::App,
    error::Result,
    events::{self, Event},
    http::Call,
    user::User,
    verification::{self, OneTime, Purpose},
};

const PREFIX: &str = "trust-device-";

/// What the cookie holds, if this server signed it: HMAC and name of the row.
fn presented(app: &App, call: &Call) -> Option<String> {
    let cookies = call.cookies();
    let value = cookies.get(&call.mount.cookies.names.trust_device);
    app.config.secrets().find_map(|secret| match open(secret.as_bytes(), &value) {
        Opened::Valid(value) => Some(value),
        _ => None,
    })
}

fn one_time<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::TrustDevice, secret, storage: app.config.session.token_storage }
}

/// The secret of the row, if the cookie was made for this user.
fn secret_for(app: &App, value: &str, user: Uuid) -> Option<String> {
    let (_, id) = value.split_once('!')?;
    let user = user.to_string();
    let genuine = app.config.secrets().any(|secret| {
        let expected = digest::trust_device(secret.as_bytes(), &user, id);
        verify_slices_are_equal(expected.as_bytes(), value.as_bytes()).is_ok()
    });
    genuine.then(|| id.strip_prefix(PREFIX).map(str::to_owned)).flatten()
}

/// Whether the browser is trusted by this user; it gets a new cookie then, and the old one is worthless. A cookie that is
/// dead, or another user's, is taken back.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn renew(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<bool> {
    let Some(value) = presented(app, call) else { return Ok(false) };
    if app.config.two_factor.trust_device > 0
        && let Some(secret) = secret_for(app, &value, user.id)
    {
        let owner = verification::consume(conn, one_time(app, &secret), call.now).await?;
        if owner.is_some_and(|owner| owner == user.id.to_string()) {
            call.aside.cookies([trust(app, call, conn, user).await?]);
            return Ok(true);
        }
    }
    call.aside.cookies([forget(call)]);
    Ok(false)
}

/// Trusts the browser from now on: its cookie.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn trust(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
) -> Result<SetCookie> {
    let seconds = i64::from(app.config.two_factor.trust_device);
    let secret = random::token(32);
    let (owner, until) = (user.id.to_string(), call.now + TimeDelta::seconds(seconds));
    verification::create(conn, one_time(app, &secret), &owner, until, call.now).await?;
    events::record(app, conn, call, Event::DeviceTrusted, Some(user.id)).await?;
    let key = app.config.secret.as_bytes();
    let value = digest::trust_device(key, &owner, &format!("{PREFIX}{secret}"));
    let profile = &call.mount.cookies;
    Ok(profile.set_signed(&profile.names.trust_device, &value, key, Some(seconds)))
}

/// The same if the user wishes it and browsers may be trusted.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn trust_if(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    wished: bool,
) -> Result<Option<SetCookie>> {
    if wished && app.config.two_factor.trust_device > 0 {
        trust(app, call, conn, user).await.map(Some)
    } else {
        Ok(None)
    }
}

/// Takes the cookie back.
pub(super) fn forget(call: &Call) -> SetCookie {
    call.mount.cookies.delete(&call.mount.cookies.names.trust_device)
}

/// Whether the browser sent such a cookie.
pub(super) fn is_presented(app: &App, call: &Call) -> bool {
    presented(app, call).is_some()
}

/// No browser skips the second factor of this user any more.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn forget_devices(conn: &impl GenericClient, user: Uuid) -> Result<()> {
    verification::delete_all(conn, Purpose::TrustDevice, &user.to_string()).await
}
