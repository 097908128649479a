//! `POST /email-otp/check-verification-otp`: whether a code is right, before the step that uses it up.

use serde_json::json;

use super::{INVALID_EMAIL, Then, USER_NOT_FOUND, check_code, send::purpose};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::OtpPurpose,
    user::{Email, store as users},
    verification::code::Slot,
};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<Check, _>(
        "/email-otp/check-verification-otp",
        "check_verification_otp",
        Access::Public,
        check_verification_otp,
    )
    .about("Whether a code is right; it stays good. Wrong tries count.")
}

struct Check {
    email: String,
    purpose: OtpPurpose,
    otp: String,
}

impl FromFields for Check {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.text("email"), purpose: purpose(fields), otp: fields.text("otp") }
    }
}

async fn check_verification_otp(app: App, call: Call) -> Result<Answer> {
    let body: Check = call.body()?;
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    let slot = Slot::of_address(body.purpose, &email);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::Keep).await?;
    let user = users::find_user_by_email(&tx, &email).await?;
    tx.commit().await?;
    match user {
        Some(_) => Answer::json(&json!({ "success": true })),
        None => Err(USER_NOT_FOUND.into()),
    }
}
