//! `POST /email-otp/verify-email`.

use gatepost_protocol::body::Shown;
use serde::Serialize;

use super::{INVALID_EMAIL, Then, USER_NOT_FOUND, check_code};
use crate::{
    app::{App, connection},
    error::Result,
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::OtpPurpose,
    session, two_factor,
    user::{self, Email, User, store as users},
    verification::code::Slot,
    wire,
};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<VerifyEmail, _>(
        "/email-otp/verify-email",
        "verify_email_otp",
        Access::Optional,
        verify_email_otp,
    )
    .about("Prove an address with a mailed code.")
}

struct VerifyEmail {
    email: String,
    otp: String,
}

impl FromFields for VerifyEmail {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.text("email"), otp: fields.text("otp") }
    }
}

#[derive(Serialize)]
struct VerifiedBody<'a> {
    status: bool,
    token: Option<&'a str>,
    user: Shown<'a, User>,
}

async fn verify_email_otp(app: App, call: Call) -> Result<Answer> {
    let body: VerifyEmail = call.body()?;
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    let slot = Slot::of_address(OtpPurpose::EmailVerification, &email);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::UseUp).await?;
    let verified = match users::find_user_by_email(&tx, &email).await? {
        Some(user) => users::verify_email(&tx, user.id, email.as_str(), call.now).await?,
        None => None,
    };
    let Some(user) = verified else {
        tx.commit().await?;
        return Err(USER_NOT_FOUND.into());
    };
    events::record(&app, &tx, &call, Event::EmailVerified, Some(user.id)).await?;
    let sign_in = session::SignIn::by(session::Method::EmailOtp, &user);
    let signs_in = app.config.email_verification.auto_sign_in
        && !user::is_banned(&user, call.now)
        && !two_factor::is_asked(&app, &sign_in);
    let started =
        if signs_in { Some(session::start_in(&app, &call, &tx, sign_in).await?) } else { None };
    tx.commit().await?;
    drop(conn);
    let answer = Answer::json(&VerifiedBody {
        status: true,
        token: started.as_ref().map(|started| started.token.reveal()),
        user: wire::user(&app, &user),
    })?;
    if let Some(started) = started {
        return Ok(answer.signed_in(&app, &call, &started));
    }
    // The caller may be somebody else (OT-16).
    match session::current(&app, &call).await? {
        Some(caller) if caller.signed_in.user.id == user.id => {
            let caller = caller.with_user(user);
            Ok(answer.with_cookies(session::cache::write(&app, &call, &caller)))
        }
        _ => Ok(answer),
    }
}
