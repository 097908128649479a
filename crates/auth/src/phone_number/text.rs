//! A text message with a code: what waits in the outbox.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a code by text message is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextPurpose {
    /// Proves to hold the telephone: signs in, signs up, or gives the number to a user.
    Verify,
    /// A new password.
    ResetPassword,
}

impl TextPurpose {
    /// The kind of message, as the conformance cases record it.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Verify => "phone-otp",
            Self::ResetPassword => "phone-reset-otp",
        }
    }

    /// As Neon's webhook spells it.
    #[must_use]
    pub const fn otp_type(self) -> &'static str {
        match self {
            Self::Verify => "sign-in",
            Self::ResetPassword => "forget-password",
        }
    }
}

/// A code on its way to a telephone. Its `Debug` shows the purpose alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextCode {
    /// What it is good for.
    pub purpose: TextPurpose,
    /// The code.
    pub otp: String,
    /// The words around it.
    pub text: String,
    /// Nobody needs it after this.
    pub expires_at: DateTime<Utc>,
    /// The user who has the number, if somebody has it.
    pub user: Option<Uuid>,
    /// Who asked, for the webhook.
    pub ip_address: String,
    /// With what.
    pub user_agent: String,
}

impl fmt::Debug for TextCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextCode").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
