//! One mail of every kind with all it can hold: what templates and languages are checked with, and what a preview shows.

use super::message::{Invitation, Message, OtpPurpose};

/// One of every kind.
#[must_use]
pub fn samples() -> Vec<Message> {
    let url = |path: &str| {
        format!("https://app.test/api/auth/{path}?token=tok_4Rz-9&callbackURL=%2Fa%3Fb%3D1")
    };
    let token = || "tok_4Rz-9".to_owned();
    let otp = || "482913".to_owned();
    let purposes = [
        OtpPurpose::SignIn,
        OtpPurpose::EmailVerification,
        OtpPurpose::ForgetPassword,
        OtpPurpose::ChangeEmail,
    ];
    let mut samples = vec![
        Message::VerifyEmail { url: url("verify-email"), token: token() },
        Message::ResetPassword { url: url("reset-password"), token: token() },
        Message::ExistingUserSignUp,
        Message::ChangeEmailConfirmation {
            new_email: "ada@new.example".to_owned(),
            url: url("verify-email"),
            token: token(),
        },
        Message::DeleteAccount { url: url("delete-user/callback"), token: token() },
        Message::PasswordChanged,
        Message::SuspiciousSignIn { failures: 20, address: Some([203, 0, 113, 9].into()) },
        Message::MagicLink { url: url("magic-link/verify"), token: token() },
        Message::TwoFactorOtp { otp: otp() },
        Message::OrganizationInvitation(Invitation {
            id: "inv_1".to_owned(),
            role: "member".to_owned(),
            organization_name: "Škoda & Söhne 株式会社".to_owned(),
            inviter_name: "Zoë O’Neill".to_owned(),
            inviter_email: "zoe@example.com".to_owned(),
            url: Some(url("accept-invitation")),
        }),
    ];
    samples.extend(purposes.map(|purpose| Message::EmailOtp { purpose, otp: otp() }));
    samples
}
