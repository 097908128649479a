use super::{SameSite, SetCookie, sign};

const SECURE: &str = "__Secure-";

/// The names of every cookie the server sets, under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
    /// The signed session token.
    pub session_token: String,
    /// The cached session.
    pub session_data: String,
    /// Signed `true` while the session ends with the browser.
    pub dont_remember: String,
    /// The administrator's own session during impersonation.
    pub admin_session: String,
    /// The state of a sign-in at another provider.
    pub state: String,
    /// The pending second factor.
    pub two_factor: String,
    /// The device that skips the second factor.
    pub trust_device: String,
    /// The cached account of another provider.
    pub account_data: String,
    /// Neon's challenge, in the spelling its clients use.
    pub session_challange: String,
    /// Neon's challenge.
    pub session_challenge: String,
}

impl Names {
    /// Names `prefix.session_token` and so on, with `__Secure-` in front when `secure`.
    #[must_use]
    pub fn new(prefix: &str, secure: bool) -> Self {
        let bare = prefix.strip_prefix(SECURE).unwrap_or(prefix);
        let prefix = format!("{}{bare}", if secure { SECURE } else { "" });
        let name = |cookie: &str| format!("{prefix}.{cookie}");
        Self {
            session_token: name("session_token"),
            session_data: name("session_data"),
            dont_remember: name("dont_remember"),
            admin_session: name("admin_session"),
            state: name("state"),
            two_factor: name("two_factor"),
            trust_device: name("trust_device"),
            account_data: name("account_data"),
            session_challange: name("session_challange"),
            session_challenge: name("session_challenge"),
            prefix,
        }
    }

    /// Any other cookie of this prefix.
    #[must_use]
    pub fn named(&self, cookie: &str) -> String {
        format!("{}.{cookie}", self.prefix)
    }

    /// The cookie that keeps one of several sessions of a browser.
    #[must_use]
    pub fn multi_session(&self, token: &str) -> String {
        format!("{}_multi-{}", self.session_token, token.to_lowercase())
    }
}

/// How a deployment's cookies are named and limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieProfile {
    /// The names.
    pub names: Names,
    /// The host and all below it; `None` is this host alone.
    pub domain: Option<String>,
    /// Where on the host.
    pub path: String,
    /// Sent over https only.
    pub secure: bool,
    /// Whether other sites' pages cause them to be sent.
    pub same_site: SameSite,
    /// A jar of its own under each embedding site.
    pub partitioned: bool,
}

impl CookieProfile {
    /// Better Auth's defaults: `SameSite=Lax`; `secure` adds the attribute and the `__Secure-` prefix.
    #[must_use]
    pub fn better_auth(prefix: &str, secure: bool) -> Self {
        Self {
            names: Names::new(prefix, secure),
            domain: None,
            path: "/".to_owned(),
            secure,
            same_site: SameSite::Lax,
            partitioned: false,
        }
    }

    /// Neon Auth's: always `Secure; SameSite=None; Partitioned`, on plain-http localhost too.
    #[must_use]
    pub fn neon(prefix: &str) -> Self {
        Self { same_site: SameSite::None, partitioned: true, ..Self::better_auth(prefix, true) }
    }

    /// A cookie whose `value` is already fit for the wire.
    #[must_use]
    pub fn set(&self, name: &str, value: String, max_age: Option<i64>) -> SetCookie {
        SetCookie {
            name: name.to_owned(),
            value,
            max_age,
            domain: self.domain.clone(),
            path: self.path.clone(),
            http_only: true,
            secure: self.secure,
            same_site: self.same_site,
            partitioned: self.partitioned,
        }
    }

    /// A cookie with a signed value.
    #[must_use]
    pub fn set_signed(
        &self,
        name: &str,
        value: &str,
        secret: &[u8],
        max_age: Option<i64>,
    ) -> SetCookie {
        self.set(name, sign(secret, value), max_age)
    }

    /// The same cookie, empty and expired: `Max-Age=0`, which clients look for.
    #[must_use]
    pub fn delete(&self, name: &str) -> SetCookie {
        self.set(name, String::new(), Some(0))
    }
}
