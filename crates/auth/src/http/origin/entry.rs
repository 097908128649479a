//! One configured entry: what it says and what it trusts.

use url::Url;

use super::{Address, AppAddress, Rules, host_of, split_scheme};

/// An entry of the trusted origins that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trusted origin {entry:?} is refused: {why}")]
pub struct BadEntry {
    /// The entry as configured.
    pub entry: String,
    /// What is wrong with it.
    pub why: &'static str,
}

#[derive(Clone, Debug)]
pub(super) enum Entry {
    Exact {
        scheme: String,
        host: String,
        port: u16,
    },
    /// Every name below `parent`, at any depth, but not `parent` itself.
    Below {
        scheme: String,
        parent: String,
        port: u16,
    },
    AnyPort {
        scheme: String,
        host: String,
    },
    App {
        scheme: String,
        authority: String,
        path: String,
    },
}

/// Schemes that run code, read files or stay inside the browser: never a way back into an application.
const BROWSER_SCHEMES: [&str; 15] = [
    "about",
    "blob",
    "chrome",
    "data",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

const NO_SCHEME: &str = "it needs a scheme: https://app.example.com or myapp://";

impl Entry {
    pub(super) fn exact(url: &Url) -> Option<Self> {
        let (scheme, host) = (url.scheme().to_owned(), url.host_str()?.to_owned());
        matches!(url.scheme(), "http" | "https").then_some(Self::Exact {
            scheme,
            host,
            port: url.port_or_known_default()?,
        })
    }

    pub(super) fn parse(text: &str, rules: Rules) -> Result<Self, BadEntry> {
        read(text, rules).map_err(|why| BadEntry { entry: text.to_owned(), why })
    }

    pub(super) fn matches(&self, address: &Address<'_>) -> bool {
        match (self, address) {
            (Self::App { scheme, authority, path }, Address::App(app)) => {
                *scheme == app.scheme
                    && (authority.is_empty() || *authority == app.authority)
                    && (path.is_empty() || path_is_below(app, path))
            }
            (Self::Exact { scheme, host, port }, Address::Web(url)) => {
                url.scheme() == scheme
                    && url.host_str() == Some(host)
                    && url.port_or_known_default() == Some(*port)
            }
            (Self::AnyPort { scheme, host }, Address::Web(url)) => {
                url.scheme() == scheme && url.host_str() == Some(host)
            }
            (Self::Below { scheme, parent, port }, Address::Web(url)) => {
                url.scheme() == scheme
                    && url.port_or_known_default() == Some(*port)
                    && url.host_str().is_some_and(|host| host_is_below(host, parent))
            }
            _ => false,
        }
    }
}

fn host_is_below(host: &str, parent: &str) -> bool {
    host.strip_suffix(parent)
        .and_then(|labels| labels.strip_suffix('.'))
        .is_some_and(|labels| labels.split('.').all(is_label))
}

/// The parser lets characters such as `*` into a host, which no registered name has.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A pinned path covers itself and what is below it. Dot segments, escapes and path parameters are refused rather
/// than resolved: the application may resolve them otherwise (RD-05, RD-06).
fn path_is_below(address: &AppAddress<'_>, pinned: &str) -> bool {
    let plain = !address.path.contains(['%', ';'])
        && !address.path.contains("//")
        && address.path.split('/').all(|segment| segment != "." && segment != "..");
    plain
        && address
            .path
            .strip_prefix(pinned)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn read(text: &str, rules: Rules) -> Result<Entry, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "it holds spaces, control or non-ASCII characters; write international names in punycode",
        );
    }
    if text.contains(['\\', '^', '$', '(', ')', '{', '}', '|', '?', '#', '@', '%', ',']) {
        return Err(
            "only letters, digits, `.`, `-`, `:`, `/` and a leading `*.` have a meaning here",
        );
    }
    if matches!(
        text.trim_end_matches('/'),
        "*" | "**" | "http://*" | "http://**" | "https://*" | "https://**"
    ) {
        return Err("it trusts every site");
    }
    if text.starts_with("*.") {
        return web("https", text, rules);
    }
    let (scheme, rest) = split_scheme(text).ok_or(NO_SCHEME)?;
    match (scheme.as_str(), rest.strip_prefix("//")) {
        ("http" | "https", Some(authority)) => web(&scheme, authority, rules),
        _ => app(scheme, rest),
    }
}

fn web(scheme: &str, rest: &str, rules: Rules) -> Result<Entry, &'static str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
    if authority.contains('/') {
        return Err("an origin has no path");
    }
    if let Some(host) = authority.strip_suffix(":*") {
        return any_port(scheme, host, rules);
    }
    let (parent, wildcard) = match authority.strip_prefix("*.") {
        Some(parent) => (parent, true),
        None => (authority.as_str(), false),
    };
    if parent.contains(['*', '+']) {
        return Err("a wildcard stands for whole labels in front of a name: https://*.example.com");
    }
    let url = Url::parse(&format!("{scheme}://{parent}")).map_err(|_| "it is not an origin")?;
    let host = url.host_str().ok_or("it is not an origin")?.to_owned();
    if host != host_of(parent) {
        return Err("its host is not in canonical form");
    }
    if scheme == "http" && rules.production && !is_loopback(&url) {
        return Err("plain http is for loopback addresses in production");
    }
    let port = url.port_or_known_default().ok_or("it is not an origin")?;
    if !wildcard {
        return Ok(Entry::Exact { scheme: scheme.to_owned(), host, port });
    }
    may_be_wild(&url, &host)?;
    Ok(Entry::Below { scheme: scheme.to_owned(), parent: host, port })
}

fn any_port(scheme: &str, host: &str, rules: Rules) -> Result<Entry, &'static str> {
    if rules.production {
        return Err("a wild port is for development");
    }
    if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return Err("a wild port is for localhost, 127.0.0.1 and [::1]");
    }
    Ok(Entry::AnyPort { scheme: scheme.to_owned(), host: host.to_owned() })
}

/// Refuses names under which strangers can register: `*.com`, `*.co.uk`, `*.vercel.app`.
fn may_be_wild(url: &Url, host: &str) -> Result<(), &'static str> {
    if !matches!(url.host(), Some(url::Host::Domain(_))) {
        return Err("an address has no subdomains");
    }
    if host == "localhost" {
        return Ok(());
    }
    match psl::domain(host.as_bytes()) {
        Some(_) => Ok(()),
        None => Err("anybody can register a name below this public suffix"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn app(scheme: String, rest: &str) -> Result<Entry, &'static str> {
    if BROWSER_SCHEMES.contains(&scheme.as_str()) || scheme == "http" || scheme == "https" {
        return Err("this scheme cannot be trusted");
    }
    let Some(rest) = rest.strip_prefix("//") else {
        // `localhost:3000` reads as a scheme, and means a host.
        return if rest == "/" { Ok(any_app(scheme)) } else { Err(NO_SCHEME) };
    };
    if matches!(rest, "" | "*" | "**") {
        return Ok(any_app(scheme));
    }
    if rest.contains(['*', '[', ']', '+']) {
        return Err(
            "an application's scheme takes no wildcard inside: myapp:// or myapp://host/path",
        );
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = path.trim_end_matches('/');
    if path.contains(';')
        || path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err("its path is not in canonical form");
    }
    Ok(Entry::App { scheme, authority: authority.to_ascii_lowercase(), path: path.to_owned() })
}

fn any_app(scheme: String) -> Entry {
    Entry::App { scheme, authority: String::new(), path: String::new() }
}
