//! The cookie cache: a short-lived, signed copy of session and user in the browser.
//!
//! Off by default, because a revoked session lives on in it. Believed only beside the session cookie it was made for,
//! and only by endpoints that tell, never by those that act (D11).

use gatepost_protocol::{
    cookie::SetCookie,
    cookie_cache::{CookieCache, Strategy, chunk_names, join, split},
};

use super::{Config, Current, Session, SignedIn, StoredToken, Token, cookies, presented};
use crate::{app::App, config, http::Call, wire};

/// Writes and reads the copies of a configuration; `None`: the cache is off.
#[must_use]
pub fn cache(config: &config::Config) -> Option<CookieCache> {
    let Config { cookie_cache, .. } = &config.session;
    let strategy = match cookie_cache.strategy {
        super::Strategy::Compact => Strategy::Compact,
        super::Strategy::Jwt => Strategy::Jwt,
        super::Strategy::Jwe => Strategy::Jwe,
    };
    cookie_cache
        .enabled
        .then(|| CookieCache::new(strategy, "1", &config.secret, &config.previous_secrets))
}

/// The copy, if the browser sent one that is genuine, current and belongs to the token beside it. Whatever else it sent
/// under that name is taken back.
#[must_use]
pub fn read(app: &App, call: &Call) -> Option<Current> {
    let jar = call.cookies();
    let name = &call.mount.cookies.names.session_data;
    if chunk_names(&jar, name).is_empty() {
        return None;
    }
    let copy = app
        .cookie_cache
        .as_ref()
        .filter(|_| call.flag("disableCookieCache") != Some(true))
        .and_then(|cache| {
            let token = presented(app, call).ok()?;
            let cached = cache.read(&join(&jar, name)?, token.reveal(), call.now)?;
            Some((token, cached))
        });
    let Some((token, cached)) = copy else {
        let unasked = call.flag("disableCookieCache") != Some(true);
        if unasked && presented(app, call).is_ok() {
            call.aside.cookies(forget(call));
        }
        return None;
    };
    Some(current(app, call, token, cached))
}

fn current(
    app: &App,
    call: &Call,
    token: Token,
    cached: gatepost_protocol::cookie_cache::Cached,
) -> Current {
    let session = cached.session;
    let signed_in = SignedIn {
        session: Session {
            id: session.id,
            token: StoredToken(session.token),
            user_id: session.user_id,
            expires_at: session.expires_at,
            created_at: session.created_at,
            updated_at: session.updated_at,
            ip_address: session.ip_address,
            user_agent: session.user_agent,
            impersonated_by: session.impersonated_by,
            active_organization_id: session.active_organization_id,
            active_team_id: session.active_team_id,
            // A copy knows of the sign-in alone.
            proven_at: None,
        },
        user: cached.user,
        organization: None,
    };
    Current { signed_in: signed_in.into(), token, dont_remember: cookies::dont_remember(app, call) }
}

/// The cookies that carry a new copy; none when the cache is off.
#[must_use]
pub fn write(app: &App, call: &Call, caller: &Current) -> Vec<SetCookie> {
    let Some(cache) = &app.cookie_cache else { return Vec::new() };
    let max_age =
        (!caller.dont_remember).then(|| i64::from(app.config.session.cookie_cache.max_age));
    let session = wire::session(&caller.signed_in.session, caller.token.reveal());
    let user = wire::user(app, &caller.signed_in.user);
    let profile = &call.mount.cookies;
    cache
        .write(session.shown(app.features), user, call.now, max_age)
        .map(|value| split(profile.set(&profile.names.session_data, value, max_age)))
        .unwrap_or_default()
}

/// Takes back every copy, and part of one, that the browser sent.
#[must_use]
pub fn forget(call: &Call) -> Vec<SetCookie> {
    let profile = &call.mount.cookies;
    chunk_names(&call.cookies(), &profile.names.session_data)
        .iter()
        .map(|name| profile.delete(name))
        .collect()
}
