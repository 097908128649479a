//! A forgotten password by code: `POST /phone-number/request-password-reset`, `POST /phone-number/reset-password`.

use http::StatusCode;
use serde_json::json;

use super::{
    OTP_NOT_FOUND, PhoneNumber, Reach, TextPurpose, Then, check_code, count_message, send::Number,
    store, text_code,
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    password,
    user::{self, User},
    verification::code::Slot,
    wire,
};

const UNEXPECTED_ERROR: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "UNEXPECTED_ERROR", "Unexpected error");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Number, _>(
            "/phone-number/request-password-reset",
            "request_password_reset_phone_number",
            Access::Public,
            request_password_reset,
        )
        .about("Text a code for setting a new password. The answer does not tell whether the number is known."),
        Endpoint::post::<Reset, _>(
            "/phone-number/reset-password",
            "reset_password_phone_number",
            Access::Public,
            reset_password,
        )
        .about("Set a new password with a texted code; all sessions end."),
    ]
}

/// Whether a code for a new password is of use to a user.
fn may_reset(app: &App, call: &Call, user: &User) -> bool {
    let proven = user.phone_number_verified == Some(true);
    !user::is_banned(user, call.now) && (proven || !app.config.phone_number.require_verification)
}

async fn request_password_reset(app: App, call: Call) -> Result<Answer> {
    let body: Number = call.body()?;
    let answer = Answer::json(&json!({ "status": true }))?;
    // What is no number is nobody's.
    let Ok(number) = super::number(&app, &body.text) else { return Ok(answer) };
    count_message(&app, &call, &number).await?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let owner = store::find_user(&tx, &number).await?;
    let owner = owner.filter(|owner| may_reset(&app, &call, owner));
    let reach = owner.as_ref().map_or(Reach::Nobody, Reach::Owner);
    text_code(&app, &call, &tx, TextPurpose::ResetPassword, &number, reach).await?;
    tx.commit().await?;
    Ok(answer)
}

struct Reset {
    otp: String,
    number: String,
    new: String,
}

impl FromFields for Reset {
    fn read(fields: &mut Fields) -> Self {
        Self {
            otp: fields.text("otp"),
            number: fields.text("phoneNumber"),
            new: fields.text("newPassword"),
        }
    }
}

async fn reset_password(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: Reset = call.body()?;
    // Before the code is looked at: a bad password does not use it up (OT-19).
    password::check_rules(&app, &body.new, &[&body.number])?;
    let number = PhoneNumber::parse(&body.number).ok_or(OTP_NOT_FOUND)?;
    let slot = Slot::of_phone(TextPurpose::ResetPassword, &number);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::Keep).await?;
    tx.commit().await?;
    drop(conn);
    // No connection is held, nobody is asked and no hash is computed for a wrong code.
    password::breached::check(&app, &body.new).await?;
    let hash = app.hasher.hash(&body.new).await?;

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::UseUp).await?;
    let owner = store::find_user(&tx, &number).await?;
    let Some(user) = owner.filter(|owner| may_reset(&app, &call, owner)) else {
        tx.commit().await?;
        return Err(UNEXPECTED_ERROR.into());
    };
    password::replace(&app, &call, &tx, &user, &hash).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}
