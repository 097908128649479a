//! The people one can be.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use gatepost_protocol::digest;
use http::{StatusCode, header};

/// An account at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Address.
    pub email: String,
    /// Name.
    pub name: String,
    /// Whether the provider says that the address is proven.
    pub verified: bool,
}

impl Account {
    /// Four people: a test user of `gatepost dev`, two whom it does not know, and one with an unproven address.
    #[must_use]
    pub fn samples() -> Vec<Self> {
        let account = |name: &str, email: &str, verified| Self {
            email: email.to_owned(),
            name: name.to_owned(),
            verified,
        };
        vec![
            account("Ada Lovelace", "ada@example.com", true),
            account("Margaret Hamilton", "margaret@example.com", true),
            account("Katherine Johnson", "katherine@example.com", true),
            account("Tim Paterson", "tim@example.com", false),
        ]
    }

    /// The subject: a number, as GitHub's are, the same for an address each time, in any case.
    pub(crate) fn subject(&self) -> u64 {
        let hash = digest::sha256(self.email.to_lowercase().as_bytes());
        let number = hash.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte));
        // What JavaScript can count to, and never 0.
        (number >> 11) | 1
    }

    /// The part of the address before the `@`: a user name.
    pub(crate) fn login(&self) -> &str {
        self.email.split('@').next().unwrap_or_default()
    }

    pub(crate) fn given_name(&self) -> &str {
        self.name.split_whitespace().next().unwrap_or_default()
    }

    pub(crate) fn family_name(&self) -> &str {
        self.name.rsplit_once(' ').map(|(_, last)| last).unwrap_or_default()
    }

    /// One or two capital letters.
    pub(crate) fn initials(&self) -> String {
        let words = [self.given_name(), self.family_name()];
        let letters = words.iter().filter_map(|word| word.chars().next());
        letters.flat_map(char::to_uppercase).filter(|letter| letter.is_alphanumeric()).collect()
    }

    /// The picture's address below an issuer.
    pub(crate) fn picture(&self, issuer: &str) -> String {
        let mut url = format!("{issuer}/avatar/");
        url.extend(url::form_urlencoded::byte_serialize(self.initials().as_bytes()));
        url.push_str(".svg");
        url
    }
}

/// Somebody's initials on a disc.
pub(crate) async fn avatar(Path((_, name)): Path<(String, String)>) -> Response {
    let initials = name.strip_suffix(".svg").unwrap_or_default();
    let short = (1..=4).contains(&initials.chars().count());
    if !short || !initials.chars().all(char::is_alphanumeric) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><circle cx="48" cy="48" r="48" fill="#1b6655"/><text x="48" y="61" font-family="system-ui,sans-serif" font-size="36" font-weight="600" text-anchor="middle" fill="#fff">{initials}</text></svg>"##
    );
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, svg).into_response()
}
