//! Which origins and redirect targets are trusted: one parser and one matcher for both.
//!
//! An address is read once, by the WHATWG parser that browsers use, and refused where another parser could read
//! something else. Entries are checked at start, so that no request ever meets a pattern that trusts strangers.

mod csrf;
mod entry;
mod redirect;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use url::Url;

use self::entry::Entry;

pub use self::{
    csrf::{CsrfInput, OriginRefusal, PathKind},
    entry::BadEntry,
    redirect::{Redirect, RedirectField, RedirectRefusal, Redirects},
};

/// What kind of installation the list is for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Refuse plain http (except on loopback addresses) and wild ports.
    pub production: bool,
    /// Trust `http(s)://localhost` with any port, as Neon's `allow_localhost`. `127.0.0.1` is not covered.
    pub allow_localhost: bool,
    /// What happens to redirect targets that parsers disagree about.
    pub ambiguous_redirects: AmbiguousRedirects,
}

/// Redirect targets that stay on a trusted origin for browsers but not for every other parser: a backslash in an
/// absolute URL, or dot segments in front of `//`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AmbiguousRedirects {
    /// Refused (RD-01).
    #[default]
    Refused,
    /// Accepted as Better Auth 1.7 does, and rewritten so that no parser can leave the trusted origin.
    Rewritten,
}

/// The origins that requests may come from and redirects may lead to.
#[derive(Clone, Debug)]
pub struct TrustedOrigins {
    own: Url,
    own_entry: Entry,
    entries: Vec<(Entry, String)>,
    rules: Rules,
}

impl TrustedOrigins {
    /// Reads the configured entries: `https://app.test`, `https://*.example.com`, `*.example.com` (https),
    /// `http://localhost:*` (development), `myapp://`, `myapp://host/path`. The server's own origin is always trusted.
    ///
    /// # Errors
    /// The first entry that is malformed or would trust strangers (CS-06).
    pub fn parse(own_origin: &Url, entries: &[String], rules: Rules) -> Result<Self, BadEntry> {
        let bad_own = |why| BadEntry { entry: own_origin.to_string(), why };
        let own = Url::parse(&own_origin.origin().ascii_serialization())
            .map_err(|_| bad_own("the public URL needs a scheme and a host"))?;
        let own_entry =
            Entry::exact(&own).ok_or_else(|| bad_own("the public URL is http or https"))?;
        let entries = entries
            .iter()
            .map(|text| Ok((Entry::parse(text, rules)?, text.clone())))
            .collect::<Result<_, BadEntry>>()?;
        Ok(Self { own, own_entry, entries, rules })
    }

    /// Whether the value of an `Origin` or `Referer` header names a trusted origin. Values that are not plain ASCII
    /// addresses, hold user information, escapes or several origins are not trusted (CS-05).
    #[must_use]
    pub fn allows_origin(&self, value: &str) -> bool {
        !value.contains('\\') && Address::parse(value).is_some_and(|address| self.trusts(&address))
    }

    /// The trusted origins as configured, for logs and the development error.
    pub fn describe(&self) -> String {
        let mut all = vec![self.own.origin().ascii_serialization()];
        all.extend(self.entries.iter().map(|(_, text)| text.clone()));
        if self.rules.allow_localhost {
            all.push("http(s)://localhost:*".to_owned());
        }
        all.join(", ")
    }

    fn trusts(&self, address: &Address<'_>) -> bool {
        let localhost = || match address {
            Address::Web(url) => self.rules.allow_localhost && url.host_str() == Some("localhost"),
            Address::App(_) => false,
        };
        self.own_entry.matches(address)
            || self.entries.iter().any(|(entry, _)| entry.matches(address))
            || localhost()
    }
}

/// An absolute address that every parser reads alike up to its host.
#[derive(Debug)]
enum Address<'a> {
    Web(Url),
    App(AppAddress<'a>),
}

/// An address of an application's own scheme, split by plain text operations: only the operating system that
/// registered the scheme knows more.
#[derive(Debug)]
struct AppAddress<'a> {
    scheme: String,
    authority: String,
    path: &'a str,
}

impl<'a> Address<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if text.chars().any(char::is_control) || text.trim() != text {
            return None;
        }
        let (scheme, rest) = split_scheme(text)?;
        if scheme == "http" || scheme == "https" {
            web(text, rest).map(Self::Web)
        } else {
            app(text, scheme, rest)
        }
    }
}

/// The lower-cased scheme and what follows its colon.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let valid = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    valid.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn web(text: &str, rest: &str) -> Option<Url> {
    let authority = rest.strip_prefix("//")?.split(['/', '?', '#', '\\']).next()?;
    // `https://app.test#@evil.com`: some parsers look for the `@` first (RD-01).
    let before_path = rest.strip_prefix("//")?.split(['/', '\\']).next()?;
    if !authority.is_ascii() || authority.contains('%') || before_path.contains('@') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    // A host that the parser rewrote (full-width letters, `0x7f.1`) is one that other parsers read otherwise (RD-04).
    let same_host = url.host_str() == Some(host_of(&authority.to_ascii_lowercase()));
    (same_host && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// The host of `host[:port]`, brackets of an IPv6 address included.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

fn app<'a>(text: &str, scheme: String, rest: &'a str) -> Option<Address<'a>> {
    Url::parse(text).ok()?;
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains('\\') {
        return None;
    }
    let before_query = rest.split(['?', '#']).next()?;
    let (authority, path) = match before_query.strip_prefix("//") {
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", before_query),
    };
    if authority.contains('@') {
        return None;
    }
    Some(Address::App(AppAddress { scheme, authority: authority.to_ascii_lowercase(), path }))
}
