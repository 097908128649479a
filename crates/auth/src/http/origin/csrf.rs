//! Whether a request may act on the cookies it carries: the `Origin` and Fetch Metadata rules of Better Auth 1.7.

use http::Method;

use super::TrustedOrigins;

/// How closely a path's origin is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Checked when the request carries a cookie.
    Ordinary,
    /// A first sign-in needs no cookie, so a foreign page could sign its visitor in to the attacker's account
    /// (CS-10): Fetch Metadata and `Origin` are checked without cookies too.
    FirstLogin,
    /// Sends mail or a text message to whomever the caller chooses: an `Origin` or `Referer`, when there is one, is checked
    /// without cookies too (CS-03). Better Auth does not check these.
    SendsMail,
}

impl PathKind {
    /// The kind of a path below the base path, as routed.
    #[must_use]
    pub fn of(path: &str) -> Self {
        match path {
            "/sign-in/email"
            | "/sign-up/email"
            | "/sign-in/magic-link"
            | "/magic-link/verify"
            | "/email-otp/send-verification-otp" => Self::FirstLogin,
            "/request-password-reset"
            | "/forget-password"
            | "/forget-password/email"
            | "/forget-password/email-otp"
            | "/send-verification-email"
            | "/email-otp/request-password-reset"
            | "/phone-number/send-otp"
            | "/phone-number/request-password-reset" => Self::SendsMail,
            _ => Self::Ordinary,
        }
    }
}

/// What the check looks at.
#[derive(Clone, Copy, Debug)]
pub struct CsrfInput<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The kind of the routed path.
    pub path: PathKind,
    /// The values of all `Origin` headers; several are never trusted.
    pub origins: &'a [&'a str],
    /// The `Referer` header, used when `Origin` is absent or empty.
    pub referer: Option<&'a str>,
    /// The `Host` header.
    pub host: Option<&'a str>,
    /// Whether there is a `Cookie` header with anything in it, whatever it is.
    pub has_cookie: bool,
    /// The `Sec-Fetch-Site` header.
    pub sec_fetch_site: Option<&'a str>,
    /// The `Sec-Fetch-Mode` header.
    pub sec_fetch_mode: Option<&'a str>,
    /// The `Sec-Fetch-Dest` header.
    pub sec_fetch_dest: Option<&'a str>,
}

/// A request refused for where it came from; always 403.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginRefusal {
    /// No `Origin` and no `Referer`, or an `Origin` of `null`.
    #[error("Missing or null Origin")]
    MissingOrNullOrigin,
    /// An origin that is not trusted.
    #[error("Invalid origin")]
    InvalidOrigin {
        /// Names the received and the trusted origins: for the log, and for the answer in development only.
        detail: String,
    },
    /// A sign-in started by a navigation from another site.
    #[error("Cross-site navigation login blocked. This request appears to be a CSRF attack.")]
    CrossSiteNavigationLoginBlocked,
}

impl OriginRefusal {
    /// The code on the wire; the message is the `Display` text.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingOrNullOrigin => "MISSING_OR_NULL_ORIGIN",
            Self::InvalidOrigin { .. } => "INVALID_ORIGIN",
            Self::CrossSiteNavigationLoginBlocked => "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED",
        }
    }

    /// What the log and the development answer say.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::MissingOrNullOrigin => {
                "a request with cookies or browser metadata needs an Origin header; send the Origin of a trusted page"
            }
            Self::InvalidOrigin { detail } => detail,
            Self::CrossSiteNavigationLoginBlocked => {
                "Sec-Fetch-Site is cross-site and Sec-Fetch-Mode is navigate"
            }
        }
    }
}

impl TrustedOrigins {
    /// Checks where a request comes from. GET, HEAD and OPTIONS are exempt.
    ///
    /// # Errors
    /// The refusal that Better Auth 1.7 gives.
    pub fn check_request(&self, input: &CsrfInput<'_>) -> Result<(), OriginRefusal> {
        if matches!(*input.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        if input.has_cookie {
            return self.check_origin(input);
        }
        match input.path {
            PathKind::Ordinary => Ok(()),
            PathKind::SendsMail if source(input).is_none() => Ok(()),
            PathKind::SendsMail => self.check_origin(input),
            PathKind::FirstLogin => self.check_first_login(input),
        }
    }

    fn check_first_login(&self, input: &CsrfInput<'_>) -> Result<(), OriginRefusal> {
        let metadata = [input.sec_fetch_site, input.sec_fetch_mode, input.sec_fetch_dest];
        let from_browser = metadata.into_iter().flatten().any(|value| !value.trim().is_empty());
        if input.sec_fetch_site == Some("cross-site") && input.sec_fetch_mode == Some("navigate") {
            return Err(OriginRefusal::CrossSiteNavigationLoginBlocked);
        }
        if from_browser || source(input).is_some() { self.check_origin(input) } else { Ok(()) }
    }

    fn check_origin(&self, input: &CsrfInput<'_>) -> Result<(), OriginRefusal> {
        let Some(source) = source(input) else { return Err(OriginRefusal::MissingOrNullOrigin) };
        if source == "null" {
            return self.check_null_origin(input);
        }
        let several = input.origins.iter().filter(|value| !value.is_empty()).count() > 1;
        if !several && self.allows_origin(source) { Ok(()) } else { Err(self.invalid(source)) }
    }

    /// A page with `Referrer-Policy: no-referrer` sends a null origin even to itself; the browser's own word that it is
    /// the same origin holds when the request was addressed to a trusted one.
    fn check_null_origin(&self, input: &CsrfInput<'_>) -> Result<(), OriginRefusal> {
        match (input.sec_fetch_site, input.host) {
            (Some("same-origin"), Some(host)) => {
                let addressed = format!("{}://{host}", self.own.scheme());
                if self.allows_origin(&addressed) { Ok(()) } else { Err(self.invalid(&addressed)) }
            }
            _ => Err(OriginRefusal::MissingOrNullOrigin),
        }
    }

    fn invalid(&self, received: &str) -> OriginRefusal {
        let shown: String = origin_part(received).chars().take(200).collect();
        OriginRefusal::InvalidOrigin {
            detail: format!("received {shown:?}; trusted are {}", self.describe()),
        }
    }
}

/// The path and query of a `Referer` may hold a token; they are nobody's business (LG-06).
fn origin_part(address: &str) -> &str {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.split(['/', '?', '#']).next().unwrap_or_default();
    };
    let authority = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    address.get(..scheme.len() + "://".len() + authority).unwrap_or_default()
}

fn source<'a>(input: &CsrfInput<'a>) -> Option<&'a str> {
    let origin = input.origins.iter().copied().find(|value| !value.is_empty());
    origin.or(input.referer.filter(|value| !value.is_empty()))
}
