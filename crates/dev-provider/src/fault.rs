//! What can be made to go wrong.

/// Something that goes wrong at real providers, rarely and never when one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The user presses Cancel.
    AccessDenied,
    /// The page fails.
    ServerError,
    /// The address is not proven, whatever the account says.
    UnverifiedEmail,
    /// No address is told.
    NoEmail,
    /// The id token was made for another sign-in.
    WrongNonce,
    /// The id token is out of date.
    ExpiredToken,
    /// The id token is signed with a key that is not published.
    WrongSignature,
    /// The id token is for another application.
    WrongAudience,
    /// The token endpoint fails.
    TokenError,
    /// Userinfo fails.
    UserinfoError,
    /// The token endpoint takes its time.
    Slow,
}

impl Fault {
    /// All of them, as the page lists them.
    pub const ALL: [Self; 11] = [
        Self::UnverifiedEmail,
        Self::NoEmail,
        Self::AccessDenied,
        Self::ServerError,
        Self::TokenError,
        Self::UserinfoError,
        Self::WrongNonce,
        Self::ExpiredToken,
        Self::WrongSignature,
        Self::WrongAudience,
        Self::Slow,
    ];

    /// The value of the parameter `fault`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::UnverifiedEmail => "unverified_email",
            Self::NoEmail => "no_email",
            Self::WrongNonce => "wrong_nonce",
            Self::ExpiredToken => "expired_token",
            Self::WrongSignature => "wrong_signature",
            Self::WrongAudience => "wrong_audience",
            Self::TokenError => "token_error",
            Self::UserinfoError => "userinfo_error",
            Self::Slow => "slow",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == name)
    }

    /// As the page says it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::AccessDenied => "I refuse consent",
            Self::ServerError => "The provider's page fails",
            Self::UnverifiedEmail => "My e-mail address is not verified",
            Self::NoEmail => "My e-mail address is not shared",
            Self::WrongNonce => "The ID token has another sign-in's nonce",
            Self::ExpiredToken => "The ID token has expired",
            Self::WrongSignature => "The ID token is signed by a stranger",
            Self::WrongAudience => "The ID token is for another application",
            Self::TokenError => "The token endpoint fails",
            Self::UserinfoError => "The userinfo endpoint fails",
            Self::Slow => "The token endpoint is slow",
        }
    }
}
