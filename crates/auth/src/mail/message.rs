//! What is sent: one variant per mail, with everything its text needs.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::phone_number::TextCode;

/// A mail before it has words. Its `Debug` shows the kind alone, as the rest lets somebody in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Proves a new address (Better Auth `sendVerificationEmail`).
    VerifyEmail { url: String, token: String },
    /// Leads to a new password (`sendResetPassword`).
    ResetPassword { url: String, token: String },
    /// Tells the owner that somebody signed up with the address again (`onExistingUserSignUp`).
    ExistingUserSignUp,
    /// Asks the old address whether the new one is wanted (`sendChangeEmailConfirmation`).
    ChangeEmailConfirmation { new_email: String, url: String, token: String },
    /// Asks whether the account shall really go (`sendDeleteAccountVerification`).
    DeleteAccount { url: String, token: String },
    /// The password was changed or reset.
    PasswordChanged,
    /// Many wrong passwords for one account.
    SuspiciousSignIn { failures: u32, address: Option<IpAddr> },
    /// Signs in (`sendMagicLink`).
    MagicLink { url: String, token: String },
    /// A code by mail (`sendVerificationOTP`).
    EmailOtp { purpose: OtpPurpose, otp: String },
    /// The second factor (`sendOTP` of the two-factor plugin).
    TwoFactorOtp { otp: String },
    /// A code by text message (`sendOTP` and `sendPasswordResetOTP` of the phone-number plugin): goes to a telephone.
    PhoneOtp(TextCode),
    /// An invitation into an organization (`sendInvitationEmail`).
    OrganizationInvitation(Invitation),
}

/// What a code by mail is good for; each spelling is Better Auth's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtpPurpose {
    SignIn,
    EmailVerification,
    ForgetPassword,
    ChangeEmail,
}

impl OtpPurpose {
    /// As Better Auth spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::EmailVerification => "email-verification",
            Self::ForgetPassword => "forget-password",
            Self::ChangeEmail => "change-email",
        }
    }
}

/// Who invites whom where. Names come from users: they are cleaned before they are shown (ML-10).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    pub id: String,
    pub role: String,
    pub organization_name: String,
    pub inviter_name: String,
    pub inviter_email: String,
    /// Where the invitation is answered, when the project has such a page.
    pub url: Option<String>,
}

/// What a reader needs to go on: the part of a message that tests and people copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    pub otp: Option<&'a str>,
    pub token: Option<&'a str>,
    pub url: Option<&'a str>,
}

impl Message {
    /// The kind as the conformance cases record it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify-email",
            Self::ResetPassword { .. } => "reset-password",
            Self::ExistingUserSignUp => "existing-user-sign-up",
            Self::ChangeEmailConfirmation { .. } => "change-email-confirmation",
            Self::DeleteAccount { .. } => "delete-account",
            Self::PasswordChanged => "password-changed",
            Self::SuspiciousSignIn { .. } => "suspicious-sign-in",
            Self::MagicLink { .. } => "magic-link",
            Self::EmailOtp { purpose: OtpPurpose::SignIn, .. } => "email-otp:sign-in",
            Self::EmailOtp { purpose: OtpPurpose::EmailVerification, .. } => {
                "email-otp:email-verification"
            }
            Self::EmailOtp { purpose: OtpPurpose::ForgetPassword, .. } => {
                "email-otp:forget-password"
            }
            Self::EmailOtp { purpose: OtpPurpose::ChangeEmail, .. } => "email-otp:change-email",
            Self::TwoFactorOtp { .. } => "two-factor-otp",
            Self::PhoneOtp(code) => code.purpose.kind(),
            Self::OrganizationInvitation(_) => "org-invitation",
        }
    }

    /// The fields as the conformance cases record them.
    #[must_use]
    pub fn data(&self) -> Map<String, Value> {
        let data = match self {
            Self::ExistingUserSignUp | Self::PasswordChanged => json!({}),
            Self::VerifyEmail { url, token }
            | Self::ResetPassword { url, token }
            | Self::DeleteAccount { url, token }
            | Self::MagicLink { url, token } => json!({ "url": url, "token": token }),
            Self::ChangeEmailConfirmation { new_email, url, token } => {
                json!({ "newEmail": new_email, "url": url, "token": token })
            }
            Self::SuspiciousSignIn { failures, address } => {
                json!({ "failures": failures, "address": address })
            }
            Self::EmailOtp { otp, .. }
            | Self::TwoFactorOtp { otp }
            | Self::PhoneOtp(TextCode { otp, .. }) => json!({ "otp": otp }),
            Self::OrganizationInvitation(invitation) => json!({
                "id": invitation.id,
                "role": invitation.role,
                "organizationName": invitation.organization_name,
                "inviterEmail": invitation.inviter_email,
            }),
        };
        match data {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// The code, token or link in it; `None` for a notice.
    #[must_use]
    pub fn key(&self) -> Option<Key<'_>> {
        match self {
            Self::ExistingUserSignUp | Self::PasswordChanged | Self::SuspiciousSignIn { .. } => {
                None
            }
            Self::VerifyEmail { url, token }
            | Self::ResetPassword { url, token }
            | Self::ChangeEmailConfirmation { url, token, .. }
            | Self::DeleteAccount { url, token }
            | Self::MagicLink { url, token } => {
                Some(Key { otp: None, token: Some(token), url: Some(url) })
            }
            Self::EmailOtp { otp, .. }
            | Self::TwoFactorOtp { otp }
            | Self::PhoneOtp(TextCode { otp, .. }) => {
                Some(Key { otp: Some(otp), token: None, url: None })
            }
            Self::OrganizationInvitation(invitation) => {
                Some(Key { otp: None, token: Some(&invitation.id), url: invitation.url.as_deref() })
            }
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Message({})", self.kind())
    }
}
