//! Where a client may be sent: `callbackURL`, `redirectTo`, `errorCallbackURL`, `newUserCallbackURL`.

use std::fmt;

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{Address, AmbiguousRedirects, TrustedOrigins};

/// Longer targets are refused: no browser follows them everywhere, and parsing them is work (RD-09).
const LONGEST_TARGET: usize = 8 * 1024;

/// A target that was found trusted. Always printable ASCII: fit for a `Location` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    text: String,
    own: Url,
}

impl Redirect {
    /// The target for a `Location` header; relative when the client gave a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The target with the server's own origin in front of a path, for mails and absolute redirects.
    #[must_use]
    pub fn absolute(&self) -> String {
        if self.text.starts_with('/') {
            format!("{}{}", self.own.origin().ascii_serialization(), self.text)
        } else {
            self.text.clone()
        }
    }

    /// The target with one more query parameter, before the fragment; parameters already there stay (RD-11).
    #[must_use]
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let (before, fragment) = match self.text.split_once('#') {
            Some((before, fragment)) => (before, Some(fragment)),
            None => (self.text.as_str(), None),
        };
        let glue = match before.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        let pair =
            form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        let fragment = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
        Self { text: format!("{before}{glue}{pair}{fragment}"), own: self.own.clone() }
    }
}

impl Redirect {
    /// The target without a query parameter, however often it stands there.
    #[must_use]
    pub fn without_parameter(&self, name: &str) -> Self {
        let (before, fragment) = match self.text.find('#') {
            Some(at) => self.text.split_at(at),
            None => (self.text.as_str(), ""),
        };
        let Some((path, query)) = before.split_once('?') else { return self.clone() };
        let is_other =
            |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(key, _)| key != name);
        let kept: Vec<&str> = query.split('&').filter(is_other).collect();
        let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        Self { text: format!("{path}{query}{fragment}"), own: self.own.clone() }
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// The request field that held a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectField {
    /// `callbackURL`, in the body or else in the query.
    Callback,
    /// `redirectTo`.
    RedirectTo,
    /// `errorCallbackURL`.
    ErrorCallback,
    /// `newUserCallbackURL`.
    NewUserCallback,
}

impl RedirectField {
    fn key(self) -> &'static str {
        match self {
            Self::Callback => "callbackURL",
            Self::RedirectTo => "redirectTo",
            Self::ErrorCallback => "errorCallbackURL",
            Self::NewUserCallback => "newUserCallbackURL",
        }
    }

    /// The name in messages, which calls `redirectTo` by another name.
    fn label(self) -> &'static str {
        if self == Self::RedirectTo { "redirectURL" } else { self.key() }
    }
}

/// A redirect target that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectRefusal {
    /// 400 without a code.
    NotAString(RedirectField),
    /// 403.
    Untrusted {
        /// Where it stood.
        field: RedirectField,
        /// Names the target and the trusted origins: for the log, and for the answer in development only.
        detail: String,
    },
}

impl RedirectRefusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::NotAString(_) => http::StatusCode::BAD_REQUEST,
            Self::Untrusted { .. } => http::StatusCode::FORBIDDEN,
        }
    }

    /// The code on the wire, where Better Auth sends one; the message is the `Display` text.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::NotAString(_) => None,
            Self::Untrusted { field, .. } => Some(match field {
                RedirectField::Callback => "INVALID_CALLBACK_URL",
                RedirectField::RedirectTo => "INVALID_REDIRECT_URL",
                RedirectField::ErrorCallback => "INVALID_ERROR_CALLBACK_URL",
                RedirectField::NewUserCallback => "INVALID_NEW_USER_CALLBACK_URL",
            }),
        }
    }
}

impl fmt::Display for RedirectRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAString(field) => write!(out, "Invalid {}: expected a string", field.label()),
            Self::Untrusted { field, .. } => write!(out, "Invalid {}", field.label()),
        }
    }
}

impl std::error::Error for RedirectRefusal {}

/// The targets of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    /// `callbackURL`.
    pub callback: Option<Redirect>,
    /// `redirectTo`.
    pub redirect_to: Option<Redirect>,
    /// `errorCallbackURL`.
    pub error_callback: Option<Redirect>,
    /// `newUserCallbackURL`.
    pub new_user_callback: Option<Redirect>,
}

impl TrustedOrigins {
    /// The target as it may be sent on, or nothing when it is not trusted. A path stays a path.
    #[must_use]
    pub fn allows_redirect(&self, target: &str) -> Option<Redirect> {
        if target.len() > LONGEST_TARGET || target.chars().any(char::is_control) {
            return None;
        }
        let text =
            if target.starts_with('/') { self.relative(target) } else { self.elsewhere(target) }?;
        Some(Redirect { text, own: self.own.clone() })
    }

    /// Checks one field: absent, `null`, `false`, `0` and `""` are no target, as in Better Auth.
    ///
    /// # Errors
    /// Not a string, or not trusted.
    pub fn check_redirect(
        &self,
        field: RedirectField,
        value: Option<&Value>,
    ) -> Result<Option<Redirect>, RedirectRefusal> {
        match value.filter(|value| is_given(value)) {
            None => Ok(None),
            Some(Value::String(target)) => match self.allows_redirect(target) {
                Some(redirect) => Ok(Some(redirect)),
                None => Err(self.untrusted(field, target)),
            },
            Some(_) => Err(RedirectRefusal::NotAString(field)),
        }
    }

    /// Checks every target of a request that is not a GET, used by its endpoint or not. `callbackURL` may also stand
    /// in the query, where the body has none.
    ///
    /// # Errors
    /// The first field that is refused.
    pub fn check_redirects(
        &self,
        body: Option<&Value>,
        query_callbacks: &[&str],
    ) -> Result<Redirects, RedirectRefusal> {
        let in_body = |field: RedirectField| {
            body.and_then(|body| body.get(field.key())).filter(|value| is_given(value))
        };
        let from_query = match query_callbacks {
            [] => None,
            [one] => Some(Value::from(*one)),
            several => Some(Value::from(several.to_vec())),
        };
        let callback = in_body(RedirectField::Callback).or(from_query.as_ref());
        let check = |field| self.check_redirect(field, in_body(field));
        Ok(Redirects {
            callback: self.check_redirect(RedirectField::Callback, callback)?,
            redirect_to: check(RedirectField::RedirectTo)?,
            error_callback: check(RedirectField::ErrorCallback)?,
            new_user_callback: check(RedirectField::NewUserCallback)?,
        })
    }

    fn untrusted(&self, field: RedirectField, target: &str) -> RedirectRefusal {
        let shown: String = target.chars().take(200).collect();
        RedirectRefusal::Untrusted {
            field,
            detail: format!("received {shown:?}; trusted are {}", self.describe()),
        }
    }

    fn relative(&self, target: &str) -> Option<String> {
        let raw_path = target.split(['?', '#']).next()?;
        if target.starts_with("//") || target.contains('\\') || hides_characters(raw_path) {
            return None;
        }
        let url = self.own.join(target).ok().filter(|url| url.origin() == self.own.origin())?;
        if url.path() == raw_path && is_plain(target) {
            return Some(target.to_owned());
        }
        // `/.//evil.com` has the path `//evil.com`, which alone would be another host (RD-01).
        let path = url.path().trim_start_matches('/');
        if url.path().starts_with("//")
            && self.rules.ambiguous_redirects == AmbiguousRedirects::Refused
        {
            return None;
        }
        Some(format!("/{path}{}", after_path(&url)))
    }

    fn elsewhere(&self, target: &str) -> Option<String> {
        let address = Address::parse(target).filter(|address| self.trusts(address))?;
        match address {
            Address::App(_) => Some(target.to_owned()),
            Address::Web(url) => {
                if target.contains('\\')
                    && self.rules.ambiguous_redirects == AmbiguousRedirects::Refused
                {
                    return None;
                }
                let before_query = target.split(['?', '#']).next()?;
                let had_path = before_query
                    .splitn(3, '/')
                    .nth(2)
                    .is_some_and(|rest| rest.contains(['/', '\\']));
                let path = if had_path { url.path() } else { "" };
                Some(format!("{}{path}{}", url.origin().ascii_serialization(), after_path(&url)))
            }
        }
    }
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

/// Escaped separators and control characters: what decodes the path later would see another one (RD-01, RD-02).
fn hides_characters(path: &str) -> bool {
    path.split('%').skip(1).any(|escape| {
        let code = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        code.is_some_and(|code| code.is_ascii_control() || code == b'/' || code == b'\\')
    })
}

/// Whether the parser leaves the text alone and it can stand in a header.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>`".contains(&byte))
}

fn after_path(url: &Url) -> String {
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    let fragment = url.fragment().map_or_else(String::new, |fragment| format!("#{fragment}"));
    format!("{query}{fragment}")
}
