//! The other providers of the servers under test.

use toml::{Table, Value, toml};

use super::put;

/// Google and GitHub by name only; the others are one server under several ids.
pub(super) fn social(provider: &str) -> Table {
    let mut config = toml! {
        [social]
        trusted_providers = ["faketrusted"]
        unproven_users = "refused"

        [outbound]
        private_networks = true

        [social.providers.google]
        client_id = "google-client"
        client_secret = "google-secret"
        nonce = false

        [social.providers.github]
        client_id = "github-client"
        client_secret = "github-secret"

        [social.providers.fake]
        scopes = ["openid", "email", "profile"]

        [social.providers.faketrusted]
        scopes = ["openid", "email", "profile"]

        [social.providers.fakenosignup]
        scopes = ["openid", "email"]
        sign_up = "requested"

        [social.providers.fakedisabled]
        scopes = ["openid", "email"]
        sign_up = "never"

        [social.providers.fakeoverride]
        scopes = ["openid", "email"]
        override_user_info = true

        [social.providers.plainoauth]
        kind = "oauth2"
        scopes = ["profile"]
        pkce = false
        token_auth = "post"
        unverified_id_token = true
    };
    for (id, settings) in providers(&mut config) {
        if ["google", "github"].contains(&id.as_str()) {
            continue;
        }
        put(settings, "client_id", "fake-client");
        put(settings, "client_secret", "fake-secret");
        if id == "plainoauth" {
            put(settings, "authorization_url", format!("{provider}/authorize"));
            put(settings, "token_url", format!("{provider}/token"));
            put(settings, "userinfo_url", format!("{provider}/userinfo"));
        } else {
            put(settings, "kind", "oidc");
            put(settings, "issuer", provider);
        }
    }
    config
}

/// Both at their stand-in, which knows no nonce.
pub(super) fn google_and_github(provider: &str) -> Table {
    let mut config = toml! {
        [outbound]
        private_networks = true

        [social]
        // A flow looks for the password account after a sign-in at a provider, unless that was refused.
        unproven_users = "refused"

        [social.providers.google]
        client_id = "google-client"
        client_secret = "google-secret"
        nonce = false

        [social.providers.github]
        client_id = "github-client"
        client_secret = "github-secret"
    };
    for (id, settings) in providers(&mut config) {
        let at = |path: &str| format!("{provider}/{id}/{path}");
        put(settings, "token_url", at("token"));
        put(settings, "userinfo_url", at(if id == "github" { "user" } else { "userinfo" }));
        if id == "google" {
            put(settings, "jwks_url", at("certs"));
        }
    }
    config
}

fn providers(config: &mut Table) -> impl Iterator<Item = (String, &mut Table)> {
    let all = config.get_mut("social").and_then(|social| social.get_mut("providers"));
    let all = all.and_then(Value::as_table_mut).into_iter().flatten();
    all.filter_map(|(id, settings)| Some((id.clone(), settings.as_table_mut()?)))
}
