use std::fmt;

use serde_json::{Map, Value};

/// The claims of a verified token.
#[derive(Clone, PartialEq)]
pub struct Claims {
    subject: String,
    issued_at: i64,
    expires_at: i64,
    all: Map<String, Value>,
}

impl Claims {
    pub(super) fn new(
        subject: String,
        issued_at: i64,
        expires_at: i64,
        all: Map<String, Value>,
    ) -> Self {
        Self { subject, issued_at, expires_at, all }
    }

    /// `sub`: the user; empty without one, where that is accepted.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `iat`, in seconds since the epoch.
    #[must_use]
    pub fn issued_at(&self) -> i64 {
        self.issued_at
    }

    /// `exp`, in seconds since the epoch.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// Any claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// All claims, as they stood in the token.
    #[must_use]
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// All claims, to keep.
    #[must_use]
    pub fn into_all(self) -> Map<String, Value> {
        self.all
    }
}

/// The claims are personal data: only the subject shows itself.
impl fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Claims")
            .field("subject", &self.subject)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
