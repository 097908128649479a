//! Which short names organizations may have (OR-14): those that nobody takes for another, nor for a part of the application.

use super::{Config, refusals as no};
use crate::error::Refusal;

/// The longest: that of a label of a host name (RFC 1035, 2.3.4).
const LONGEST: usize = 63;

/// Names of what applications have at the places where they show the short name of a tenant.
pub(super) const RESERVED: [&str; 40] = [
    "about",
    "account",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "auth",
    "billing",
    "blog",
    "callback",
    "console",
    "dashboard",
    "docs",
    "help",
    "invite",
    "legal",
    "login",
    "logout",
    "mail",
    "me",
    "new",
    "null",
    "oauth",
    "organization",
    "organizations",
    "public",
    "register",
    "root",
    "security",
    "settings",
    "sign-in",
    "sign-up",
    "static",
    "status",
    "support",
    "system",
    "undefined",
    "user",
    "www",
];

/// # Errors
/// `ORGANIZATION_SLUG_NOT_ALLOWED`.
pub(super) fn judge(config: &Config, slug: &str) -> Result<(), Refusal> {
    if config.any_slug || is_plain(slug) && !config.reserved_slugs.iter().any(|it| it == slug) {
        Ok(())
    } else {
        Err(no::SLUG_NOT_ALLOWED)
    }
}

/// No letter that looks like another: neither capitals nor what is not ASCII.
fn is_plain(slug: &str) -> bool {
    let is_mark = |byte: u8| byte == b'-' || byte == b'_';
    slug.len() <= LONGEST
        && slug
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || is_mark(byte))
        && slug.bytes().next().is_some_and(|first| !is_mark(first))
        && slug.bytes().last().is_some_and(|last| !is_mark(last))
}
