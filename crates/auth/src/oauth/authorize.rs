//! The authorization request (RFC 6749, section 4.1.1).

use gatepost_protocol::digest;
use url::Url;

use super::{
    Failure,
    endpoints::Endpoints,
    known::{OAUTH2, OIDC},
    provider::Provider,
    state::Begun,
};

/// Parameters that nobody may set from outside (OA-22).
pub(super) const RESERVED: [&str; 8] = [
    "state",
    "client_id",
    "redirect_uri",
    "response_type",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "scope",
];

/// What the application wants beside the usual.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) scopes: Vec<String>,
    pub(super) login_hint: Option<String>,
    pub(super) parameters: Vec<(String, String)>,
}

/// Where the browser goes.
///
/// # Errors
/// The provider's address is not one.
pub(super) fn url(
    provider: &Provider,
    endpoints: &Endpoints,
    begun: &Begun,
    redirect_uri: &str,
    wishes: &Wishes,
) -> Result<String, Failure> {
    let settings = &provider.settings;
    let mut url = Url::parse(&endpoints.authorization)
        .map_err(|_| Failure::Odd(format!("{:?} is not a URL", endpoints.authorization)))?;
    if !["https", "http"].contains(&url.scheme()) {
        return Err(Failure::Odd(format!("{url} is not a page")));
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| {
        parameters.retain(|(other, _)| other != name);
        parameters.push((name.to_owned(), value.to_owned()));
    };
    for (name, value) in provider.kind.parameters {
        set(name, value);
    }
    for (name, value) in &settings.authorization_params {
        set(name, value);
    }
    for (name, value) in [("prompt", &settings.prompt), ("hd", &settings.hosted_domain)] {
        if !value.is_empty() {
            set(name, value);
        }
    }
    if let Some(hint) = &wishes.login_hint {
        set("login_hint", hint);
    }
    for (name, value) in &wishes.parameters {
        set(name, value);
    }
    set("response_type", "code");
    set("client_id", &settings.client_id);
    set("state", &begun.state);
    let scopes = scopes(provider, endpoints, &wishes.scopes);
    if !scopes.is_empty() {
        set("scope", &scopes.join(" "));
    }
    set("redirect_uri", redirect_uri);
    if let Some(nonce) = &begun.nonce {
        set("nonce", nonce);
    }
    if provider.pkce() {
        set("code_challenge_method", "S256");
        set("code_challenge", &digest::sha256_base64url(&begun.verifier));
    }
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url.into())
}

/// Those of the kind first; for a provider that is all settings, those of the request, as in Better Auth.
fn scopes<'a>(provider: &'a Provider, endpoints: &Endpoints, wished: &'a [String]) -> Vec<&'a str> {
    let own = provider.settings.scopes.iter().map(String::as_str);
    let wished = wished.iter().map(String::as_str);
    if [OIDC, OAUTH2].contains(&provider.kind.kind) {
        let mut all: Vec<&str> = wished.chain(own).collect();
        if endpoints.openid && !all.contains(&"openid") {
            all.insert(0, "openid");
        }
        return all;
    }
    let usual = provider.kind.scopes.iter().copied();
    let usual = usual.filter(|_| provider.settings.default_scopes);
    usual.chain(own).chain(wished).collect()
}
