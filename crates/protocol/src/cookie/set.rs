use std::fmt;

/// `SameSite` of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent only from pages of the same site.
    Strict,
    /// Sent also when a link from another site is followed.
    Lax,
    /// Sent always; browsers demand `Secure` with it.
    None,
}

/// A cookie to set. [`fmt::Display`] writes the header's value, in Better Auth's order of attributes.
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie {
    /// The full name, prefix included.
    pub name: String,
    /// The value as it goes on the wire: percent-encoded if it has to be.
    pub value: String,
    /// Seconds to live; `None` until the browser closes, 0 deletes.
    pub max_age: Option<i64>,
    /// The host and all below it; `None` is this host alone.
    pub domain: Option<String>,
    /// Where on the host.
    pub path: String,
    /// Hidden from scripts.
    pub http_only: bool,
    /// Sent over https only.
    pub secure: bool,
    /// Whether other sites' pages cause it to be sent.
    pub same_site: SameSite,
    /// A jar of its own under each embedding site (CHIPS).
    pub partitioned: bool,
}

impl fmt::Display for SetCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.value)?;
        if let Some(seconds) = self.max_age {
            write!(formatter, "; Max-Age={seconds}")?;
        }
        if let Some(domain) = &self.domain {
            write!(formatter, "; Domain={domain}")?;
        }
        write!(formatter, "; Path={}", self.path)?;
        if self.http_only {
            formatter.write_str("; HttpOnly")?;
        }
        if self.secure {
            formatter.write_str("; Secure")?;
        }
        formatter.write_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        })?;
        if self.partitioned {
            formatter.write_str("; Partitioned")?;
        }
        Ok(())
    }
}

/// The value is a credential: it does not show itself.
impl fmt::Debug for SetCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SetCookie")
            .field("name", &self.name)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
