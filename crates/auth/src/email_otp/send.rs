//! `POST /email-otp/send-verification-otp`.

use http::StatusCode;
use serde_json::json;

use super::{INVALID_EMAIL, Reach, mail_code, mail_nothing};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::OtpPurpose,
    user::{self, Email, store as users},
    verification::code::Slot,
};

const INVALID_TYPE: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "Invalid OTP type");

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<Send, _>(
        "/email-otp/send-verification-otp",
        "send_verification_otp",
        Access::Public,
        send_verification_otp,
    )
    .about("Mail a code. The answer does not tell whether the address is known.")
    .login()
}

/// The spellings of `type`, in the order of Better Auth's complaint.
const TYPES: &[&str] = &["email-verification", "sign-in", "forget-password", "change-email"];

pub(super) fn purpose(fields: &mut Fields) -> OtpPurpose {
    match fields.choice("type", TYPES) {
        "sign-in" => OtpPurpose::SignIn,
        "forget-password" => OtpPurpose::ForgetPassword,
        "change-email" => OtpPurpose::ChangeEmail,
        _ => OtpPurpose::EmailVerification,
    }
}

struct Send {
    email: String,
    purpose: OtpPurpose,
}

impl FromFields for Send {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.text("email"), purpose: purpose(fields) }
    }
}

async fn send_verification_otp(app: App, call: Call) -> Result<Answer> {
    let body: Send = call.body()?;
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    if body.purpose == OtpPurpose::ChangeEmail {
        return Err(INVALID_TYPE.into());
    }
    send(&app, &call, body.purpose, &email).await?;
    Answer::json(&json!({ "success": true }))
}

/// Mails a code for the owner of an address.
pub(super) async fn send(app: &App, call: &Call, purpose: OtpPurpose, email: &Email) -> Result<()> {
    if !app.limits.may_mail(email, call.now).await {
        return mail_nothing(app, call, purpose, email).await;
    }
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let user = users::find_user_by_email(&tx, email).await?;
    let reaches = match (purpose, user) {
        (OtpPurpose::SignIn, None) => app.config.email_otp.sign_up,
        (_, None) => false,
        (OtpPurpose::ForgetPassword, Some(user)) => !user::is_banned(&user, call.now),
        (_, Some(_)) => true,
    };
    let reach = if reaches { Reach::Owner } else { Reach::Nobody };
    let slot = Slot::of_address(purpose, email);
    mail_code(app, call, &tx, &slot, purpose, email, reach).await?;
    Ok(tx.commit().await?)
}
