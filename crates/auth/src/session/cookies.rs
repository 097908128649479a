//! The cookies of a session: set at sign-in, taken back when it is over.

use gatepost_protocol::cookie::{Cookies, Opened, SetCookie, open, verify};
use http::{HeaderMap, header};

use super::Token;
use crate::{
    app::App,
    http::{Call, Mount},
};

/// The cookies of a new or renewed session.
#[must_use]
pub fn remember(app: &App, call: &Call, token: &Token, dont_remember: bool) -> Vec<SetCookie> {
    let profile = &call.mount.cookies;
    let secret = app.config.secret.as_bytes();
    let max_age = (!dont_remember).then(|| i64::from(app.config.session.expires_in));
    let mut cookies =
        vec![profile.set_signed(&profile.names.session_token, token.reveal(), secret, max_age)];
    if dont_remember {
        cookies.push(profile.set_signed(&profile.names.dont_remember, "true", secret, None));
    }
    cookies
}

/// Takes all cookies of the session back.
#[must_use]
pub fn forget(call: &Call) -> Vec<SetCookie> {
    let profile = &call.mount.cookies;
    let names = &profile.names;
    [&names.session_token, &names.session_data, &names.dont_remember]
        .map(|name| profile.delete(name))
        .into()
}

/// The user asked not to be remembered.
#[must_use]
pub fn dont_remember(app: &App, call: &Call) -> bool {
    let presented = call.cookies();
    let presented = presented.get(&call.mount.cookies.names.dont_remember);
    matches!(open(app.config.secret.as_bytes(), &presented), Opened::Valid(flag) if flag == "true")
}

/// Sessions of other accounts in the same browser, one cookie each, proven by their signatures.
pub fn other_sessions<'a>(app: &App, call: &'a Call) -> Vec<(&'a str, Token)> {
    let prefix = format!("{}_multi-", call.mount.cookies.names.session_token);
    call.cookies()
        .iter()
        .filter(|(name, _)| name.starts_with(&prefix))
        .filter_map(|(name, value)| {
            let token = verify(app.config.secret.as_bytes(), value)
                .and_then(|token| Token::parse(&token))?;
            Some((name, token))
        })
        .collect()
}

/// Adds the cookie by which this browser keeps a session beside those of other accounts, whenever a session is set that
/// it does not keep yet.
pub(crate) fn multi_session(
    app: &App,
    mount: &Mount,
    request: &HeaderMap,
    cookies: &mut Vec<SetCookie>,
) {
    if !app.config.features.multi_session {
        return;
    }
    let names = &mount.cookies.names;
    let secret = app.config.secret.as_bytes();
    let session = cookies.iter().rev().find(|cookie| cookie.name == names.session_token);
    let Some(token) = session.and_then(|cookie| verify(secret, &cookie.value)) else { return };
    let name = names.multi_session(&token);
    let headers = request.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let presented = Cookies::parse(headers);
    let ended =
        |name: &str| cookies.iter().any(|cookie| cookie.name == name && cookie.value.is_empty());
    let kept = presented
        .iter()
        .filter(|(name, _)| name.starts_with(&names.multi_session("")) && !ended(name))
        .count();
    if kept >= app.config.session.accounts_per_browser
        || presented.iter().any(|(other, _)| other == name)
    {
        return;
    }
    let max_age = Some(i64::from(app.config.session.expires_in));
    cookies.push(mount.cookies.set_signed(&name, &token, secret, max_age));
}
