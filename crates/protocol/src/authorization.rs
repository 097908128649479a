//! The `Authorization` header with a bearer token (RFC 6750 section 2.1).

/// Longer credentials are nobody's.
const LONGEST: usize = 16 * 1024;

/// What a request presents in `Authorization`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'request> {
    /// No such header.
    Absent,
    /// Another scheme, such as `Basic`.
    Other,
    /// A bearer token: one word of visible ASCII.
    Bearer(&'request str),
    /// `Bearer` without a token, with more than one word, too long, not ASCII, or several headers (SE-24).
    Malformed,
}

impl<'request> Authorization<'request> {
    /// Reads all `Authorization` headers of a request.
    #[must_use]
    pub fn parse(mut headers: impl Iterator<Item = &'request [u8]>) -> Self {
        let Some(header) = headers.next() else { return Self::Absent };
        if headers.next().is_some() || header.len() > LONGEST {
            return Self::Malformed;
        }
        let Ok(text) = std::str::from_utf8(header) else { return Self::Malformed };
        let text = text.trim_matches([' ', '\t']);
        let (scheme, rest) = text.split_at(text.find([' ', '\t']).unwrap_or(text.len()));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return if scheme.is_empty() { Self::Malformed } else { Self::Other };
        }
        let token = rest.trim_start_matches(' ');
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Self::Malformed;
        }
        Self::Bearer(token)
    }
}

/// The token does not show itself.
impl std::fmt::Debug for Authorization<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Absent => "Absent",
            Self::Other => "Other",
            Self::Bearer(_) => "Bearer(…)",
            Self::Malformed => "Malformed",
        })
    }
}

#[cfg(test)]
mod tests;
