//! A change of address by codes: `POST /email-otp/request-email-change`, `POST /email-otp/change-email`.

use http::StatusCode;
use serde_json::json;

use super::{INVALID_EMAIL, INVALID_OTP, Reach, Then, check_code, mail_code, mail_nothing};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::OtpPurpose,
    session,
    user::{
        Email, User, change_email,
        store::{self as users, EmailChange},
    },
    verification::code::Slot,
};

const SAME: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "Email is the same");
const CURRENT_CODE_MISSING: Refusal =
    Refusal::without_code(StatusCode::BAD_REQUEST, "OTP is required to verify current email");
const TAKEN: Refusal = Refusal::without_code(StatusCode::BAD_REQUEST, "Email already in use");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Request, _>(
            "/email-otp/request-email-change",
            "request_email_change_email_otp",
            Access::Fresh,
            request_email_change,
        )
        .about("Mail a code to a new address. The answer does not tell whether it is taken."),
        Endpoint::post::<Change, _>(
            "/email-otp/change-email",
            "change_email_email_otp",
            Access::Fresh,
            change_email,
        )
        .about("Move to a new address with the code that was mailed there."),
    ]
}

/// An address to move to.
fn other_address(user: &User, text: &str) -> Result<Email> {
    let new = Email::parse(text).ok_or(INVALID_EMAIL)?;
    if new.as_str() == user.email { Err(SAME.into()) } else { Ok(new) }
}

struct Request {
    new: String,
    otp: Option<String>,
}

impl FromFields for Request {
    fn read(fields: &mut Fields) -> Self {
        Self { new: fields.text("newEmail"), otp: fields.optional_text("otp") }
    }
}

async fn request_email_change(app: App, call: Call) -> Result<Answer> {
    let body: Request = call.body()?;
    let caller = session::fresh_now(&app, &call).await?;
    let user = &caller.signed_in.user;
    let new = other_address(user, &body.new)?;
    if app.config.email_otp.change_email.verify_current {
        let otp = body.otp.as_deref().filter(|otp| !otp.is_empty()).ok_or(CURRENT_CODE_MISSING)?;
        let current = Email::parse(&user.email).ok_or(INVALID_OTP)?;
        let slot = Slot::of_address(OtpPurpose::EmailVerification, &current);
        let mut conn = connection(&app).await?;
        let tx = conn.transaction().await?;
        check_code(&app, &call, tx, &slot, otp, Then::UseUp).await?.commit().await?;
    }
    ask(&app, &call, user, &new).await?;
    Answer::json(&json!({ "success": true }))
}

async fn ask(app: &App, call: &Call, user: &User, new: &Email) -> Result<()> {
    let purpose = OtpPurpose::ChangeEmail;
    if !app.limits.may_mail(new, call.now).await {
        return mail_nothing(app, call, purpose, new).await;
    }
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let taken = users::find_user_by_email(&tx, new).await?.is_some();
    let reach = if taken { Reach::Nobody } else { Reach::Owner };
    mail_code(app, call, &tx, &Slot::of_move(user.id, new), purpose, new, reach).await?;
    Ok(tx.commit().await?)
}

struct Change {
    new: String,
    otp: String,
}

impl FromFields for Change {
    fn read(fields: &mut Fields) -> Self {
        Self { new: fields.text("newEmail"), otp: fields.text("otp") }
    }
}

async fn change_email(app: App, call: Call) -> Result<Answer> {
    let body: Change = call.body()?;
    let caller = session::fresh_now(&app, &call).await?;
    let user = &caller.signed_in.user;
    let new = other_address(user, &body.new)?;
    let slot = Slot::of_move(user.id, &new);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::UseUp).await?;
    let moved = match users::update_email(&tx, user.id, &user.email, &new, true, call.now).await? {
        EmailChange::Changed(moved) => moved,
        // Whoever reads mail there may know that it is taken.
        EmailChange::Taken => return Err(TAKEN.into()),
        EmailChange::Outdated => return Err(INVALID_OTP.into()),
    };
    change_email::moved_in(&app, &call, &tx, user, &moved).await?;
    tx.commit().await?;
    let caller = caller.with_user(*moved);
    Ok(Answer::json(&json!({ "success": true }))?.with_session(&app, &call, &caller))
}
