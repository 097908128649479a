//! What must not run in production.

use gatepost_auth::{
    http::origin::{Rules, TrustedOrigins},
    mail::Look,
    phone_number::Delivery,
};
use gatepost_protocol::secret::{Secret, Weakness};
use url::{Host, Url};

use super::{Auth, Settings};
use crate::log;

/// Everything that `serve` refuses, each with what to do.
pub(super) fn of_production(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(secret(&settings.auth.secret));
    if settings.process.database_url.is_empty() {
        found.push("no database: set DATABASE_URL, or `database_url` in gatepost.toml".to_owned());
    }
    let url = public_url(&settings.auth.public_url);
    match &url {
        Ok(url) => {
            found.extend(origins(&settings.auth, url));
        }
        Err(problem) => found.push(problem.clone()),
    }
    if let Err(error) = log::filter(&settings.process.log) {
        found.push(error.to_string());
    }
    if let Err(error) = Look::new(&settings.auth.mail) {
        found.push(format!("{error:#}"));
    }
    let loopback = settings.process.listen.ip().is_loopback();
    if settings.auth.inbox.enabled && !loopback {
        found.push(format!(
            "[inbox] enabled shows every code and link to whoever can reach {}: remove it, or listen on 127.0.0.1",
            settings.process.listen
        ));
    }
    found.extend(texts(&settings.auth));
    if !settings.auth.production && !loopback {
        found.push(format!(
            "production = false tells strangers too much, and {} can be reached by them: remove it, or use `gatepost dev`",
            settings.process.listen
        ));
    }
    found.extend(data_api(settings));
    found
}

fn data_api(settings: &Settings) -> Vec<String> {
    let data_api = &settings.process.data_api;
    let mut found = Vec::new();
    if !data_api.enabled {
        return found;
    }
    if data_api.database_url.is_empty() {
        found.push(
            "[data_api] has no database_url: give the login of the Data API (docs/database-roles.md says how to make it)"
                .to_owned(),
        );
    } else if data_api.database_url == settings.process.database_url {
        found.push(
            "[data_api] database_url is the server's: a request must never run as a login that reads schema neon_auth"
                .to_owned(),
        );
    }
    if !settings.auth.features.jwt {
        found.push("[data_api] takes tokens, and [features] jwt is off".to_owned());
    }
    found
}

/// Codes that nobody gets look to users like an outage.
fn texts(auth: &Auth) -> Option<String> {
    let nowhere = auth.phone_number.delivery == Delivery::Inbox && !auth.inbox.enabled;
    (auth.features.phone_number && nowhere).then(|| {
        "[phone_number] sends no messages: set delivery to \"gateway\" or \"webhook\", or features.phone_number to false"
            .to_owned()
    })
}

fn secret(secret: &Secret) -> Option<String> {
    let how = "set GATEPOST_SECRET to what `openssl rand -hex 32` prints";
    if secret.reveal().is_empty() {
        return Some(format!("no secret: {how}"));
    }
    match secret.check() {
        Ok(()) => None,
        Err(Weakness::Short) => Some(format!("secret: it has fewer than 32 characters; {how}")),
        Err(Weakness::Repetitive) => Some(format!("secret: it is easily guessed; {how}")),
        Err(Weakness::Known) => Some(format!(
            "secret: it is an example or a development secret that others know; {how}"
        )),
    }
}

/// Each entry by itself, so that all are named (CS-06).
fn origins(auth: &Auth, public_url: &Url) -> Vec<String> {
    let rules = Rules {
        production: true,
        allow_localhost: auth.allow_localhost,
        ambiguous_redirects: auth.ambiguous_redirects,
    };
    let bad = auth.trusted_origins.iter().filter_map(|entry| {
        TrustedOrigins::parse(public_url, std::slice::from_ref(entry), rules).err()
    });
    bad.map(|bad| format!("trusted_origins: {:?}: {}", bad.entry, bad.why)).collect()
}

fn public_url(text: &str) -> Result<Url, String> {
    if text.is_empty() {
        return Err("no public URL: set GATEPOST_PUBLIC_URL to what browsers see, such as https://auth.example.com".to_owned());
    }
    let url = Url::parse(text).map_err(|error| {
        format!(
            "public_url: {text:?} is not a URL ({error}); it looks like https://auth.example.com"
        )
    })?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(format!(
                "public_url: {text} sends passwords and cookies unprotected; give the https:// address (plain http is for localhost)"
            ));
        }
        _ => return Err(format!("public_url: {text} is neither https nor http")),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("public_url: {text} has a path; give scheme, host and port only"));
    }
    Ok(url)
}

/// Whether only this machine can be meant.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
