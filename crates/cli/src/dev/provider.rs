//! "Continue with Google" without an account at Google: a provider of our own stands in for those without credentials.

use std::{sync::Arc, time::Duration};

use axum::Router;
use gatepost_auth::{
    app::App,
    config::{Config as Auth, SocialProvider},
};
use gatepost_dev_provider::{Account, Brand, Client, Settings, router};
use gatepost_protocol::{random, secret::Secret};

use crate::health;

const PATH: &str = "/dev-provider";
const CLIENT_ID: &str = "gatepost-dev";
/// Those that a project of Neon Auth can use without further ado.
const USUAL: [(&str, &str); 3] = [("github", "GitHub"), ("google", "Google"), ("vercel", "Vercel")];
/// Long enough to be seen, shorter than the patience of the server.
const SLOW: Duration = Duration::from_secs(5);

/// The providers that are stood in for.
pub(super) struct StandIn {
    base: String,
    brands: Vec<Brand>,
    client_secret: String,
}

impl StandIn {
    /// Takes the place of the usual providers, and of those of the settings, as far as they have no credentials.
    pub(super) fn prepare(auth: &mut Auth, origin: &str) -> Self {
        let mut own = Self {
            base: format!("{origin}{PATH}"),
            brands: Vec::new(),
            client_secret: random::token(32),
        };
        for (id, _) in USUAL {
            auth.social.providers.entry(id.to_owned()).or_default();
        }
        let missing = auth.social.providers.iter_mut();
        for (id, provider) in missing.filter(|(_, provider)| provider.client_id.is_empty()) {
            let usual = USUAL.iter().find(|(usual, _)| usual == id).map(|(_, name)| *name);
            let name = match provider.name.as_str() {
                "" => usual.unwrap_or(id).to_owned(),
                name => name.to_owned(),
            };
            own.brands.push(Brand { id: id.clone(), name: name.clone() });
            *provider = own.pointed(id, name, provider);
        }
        own
    }

    /// What the settings say about users stays; where the provider is does not.
    fn pointed(&self, id: &str, name: String, given: &SocialProvider) -> SocialProvider {
        let issuer = format!("{}/{id}", self.base);
        let common = SocialProvider {
            name,
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(self.client_secret.as_str()),
            sign_up: given.sign_up,
            override_user_info: given.override_user_info,
            require_verified_email: given.require_verified_email,
            ..SocialProvider::default()
        };
        // GitHub is no OpenID provider, and the stand-in neither in its place.
        if id == "github" {
            return SocialProvider {
                authorization_url: format!("{issuer}/authorize"),
                token_url: format!("{issuer}/token"),
                userinfo_url: format!("{issuer}/user"),
                ..common
            };
        }
        let scopes = ["openid", "email", "profile"].map(str::to_owned).into();
        SocialProvider { kind: "oidc".to_owned(), issuer, scopes, ..common }
    }

    /// The names for people.
    pub(super) fn names(&self) -> Vec<&str> {
        self.brands.iter().map(|brand| brand.name.as_str()).collect()
    }

    /// The ids for programs.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.brands.iter().map(|brand| brand.id.as_str()).collect()
    }

    /// Its pages and endpoints.
    pub(super) fn router(self, app: &App) -> Router {
        let redirect_uris = self.brands.iter().flat_map(|brand| {
            app.mounts.iter().map(move |mount| format!("{}/callback/{}", mount.base, brand.id))
        });
        let client = Client {
            id: CLIENT_ID.to_owned(),
            secret: self.client_secret,
            name: app.config.app_name.clone(),
            redirect_uris: redirect_uris.collect(),
        };
        let clock = app.clone();
        let provider = router(Settings {
            base: self.base,
            brands: self.brands,
            clients: vec![client],
            accounts: Account::samples(),
            slow: SLOW,
            clock: Arc::new(move || clock.clock.now()),
        });
        health::on_known_hosts(app, Router::new().nest(PATH, provider))
    }
}
