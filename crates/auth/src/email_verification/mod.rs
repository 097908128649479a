//! Proof that somebody reads mail at an address.
//!
//! The link carries a signed statement, not a row: it may be opened twice, on any device, and proves nothing but the
//! address it was sent to. A link that changes an address has a row beside it, which dies with the way in of whoever
//! asked for the change.

use serde::{Deserialize, Serialize};

mod confirm;
mod routes;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use confirm::remember_sign_up;
pub(crate) use routes::endpoints;
pub(crate) use token::{Statement, challenge, link, permit, send, sign};

use crate::password;

/// Proof of addresses by mail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Mail such links at all.
    pub enabled: bool,
    /// What is mailed: a link, or a code for `/email-otp/verify-email`.
    pub method: Method,
    /// At sign-up; unset: when verification is required.
    pub send_on_sign_up: Option<bool>,
    /// When somebody signs in whose address is not proven.
    pub send_on_sign_in: bool,
    /// Opening the link signs in.
    pub auto_sign_in: bool,
    /// A link that is opened in a browser which neither signed up nor is signed in asks who signed up. A reader who did not
    /// keeps the address, and whoever signed up with it is shut out.
    pub confirm: bool,
    /// Seconds a link is good for.
    pub expires_in: u32,
}

/// What is mailed to prove an address.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A link to `/verify-email`.
    #[default]
    Link,
    /// Digits for `/email-otp/verify-email`, as Neon Auth does.
    Code,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            method: Method::Link,
            send_on_sign_up: None,
            send_on_sign_in: false,
            auto_sign_in: false,
            confirm: true,
            expires_in: 60 * 60,
        }
    }
}

impl Config {
    /// Mail a link at sign-up.
    #[must_use]
    pub fn sends_on_sign_up(&self, password: &password::Config) -> bool {
        self.enabled && self.send_on_sign_up.unwrap_or(password.require_verification)
    }
}
