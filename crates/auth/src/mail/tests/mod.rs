mod config;
mod database;
mod delivery;
mod inbox;
mod rendering;
mod smtp;
mod smtp_server;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use gatepost_protocol::{sealed::Sealer, secret::Secret};

use super::{
    Invitation, Message, OtpPurpose, Outbox,
    config::{MailConfig, SmtpConfig},
};

fn noon() -> DateTime<Utc> {
    "2030-05-01T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

fn config() -> MailConfig {
    serde_json::from_value(serde_json::json!({
        "from": "no-reply@gatepost.example",
        "app_name": "Gätepost 東京",
    }))
    .unwrap()
}

fn sealer() -> Sealer {
    Sealer::single(&Secret::new("a secret of this test, long enough"), &[])
}

/// Without a mail server the inbox is all there is.
fn outbox(smtp: Option<SmtpConfig>) -> Arc<Outbox> {
    Arc::new(Outbox::new(&MailConfig { smtp, ..config() }, sealer(), false).unwrap())
}

fn verify(token: &str) -> Message {
    Message::VerifyEmail {
        url: format!("https://app.test/api/auth/verify-email?token={token}&callbackURL=%2F"),
        token: token.to_owned(),
    }
}

/// One of every kind, with all that a mail can hold.
fn samples() -> Vec<Message> {
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
