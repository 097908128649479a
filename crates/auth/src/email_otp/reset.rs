//! A forgotten password by code: `POST /email-otp/request-password-reset`, `POST /email-otp/reset-password`.

use http::Method;
use serde_json::json;

use super::{INVALID_EMAIL, INVALID_OTP, Then, USER_NOT_FOUND, check_code, send::send};
use crate::{
    account::store as accounts,
    app::{App, connection},
    error::Result,
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::OtpPurpose,
    password,
    user::{self, Email, store as users},
    verification::code::Slot,
    wire,
};

pub(super) fn endpoints(older_routes: bool) -> Vec<Endpoint> {
    let request = |path, name| {
        Endpoint::post::<Request, _>(path, name, Access::Public, request_password_reset)
            .about("Mail a code for setting a new password. The answer does not tell whether the address is known.")
    };
    let reset = Endpoint::post::<Reset, _>(
        "/email-otp/reset-password",
        "reset_password_email_otp",
        Access::Public,
        reset_password,
    )
    .about("Set a new password with a mailed code.");
    let mut endpoints = vec![
        request("/email-otp/request-password-reset", "request_password_reset_email_otp"),
        request("/forget-password/email-otp", "forget_password_email_otp"),
    ];
    if older_routes {
        // The server SDK of Neon calls it so.
        endpoints.push(reset.also(Method::POST, "/email-otp/passcode"));
    }
    endpoints.push(reset);
    endpoints
}

struct Request {
    email: String,
}

impl FromFields for Request {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.text("email") }
    }
}

async fn request_password_reset(app: App, call: Call) -> Result<Answer> {
    let body: Request = call.body()?;
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    send(&app, &call, OtpPurpose::ForgetPassword, &email).await?;
    Answer::json(&json!({ "success": true }))
}

struct Reset {
    email: String,
    otp: String,
    password: String,
}

impl FromFields for Reset {
    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            otp: fields.text("otp"),
            password: fields.text("password"),
        }
    }
}

async fn reset_password(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: Reset = call.body()?;
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    // Before the code is looked at: a bad password does not use it up (OT-19).
    password::check_rules(&app, &body.password, &[email.as_str()])?;
    let slot = Slot::of_address(OtpPurpose::ForgetPassword, &email);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::Keep).await?;
    tx.commit().await?;
    drop(conn);
    // No connection is held, nobody is asked and no hash is computed for a wrong code.
    password::breached::check(&app, &body.password).await?;
    let hash = app.hasher.hash(&body.password).await?;

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::UseUp).await?;
    let Some(user) = users::find_user_by_email(&tx, &email).await? else {
        tx.commit().await?;
        return Err(USER_NOT_FOUND.into());
    };
    if user::is_banned(&user, call.now) {
        tx.commit().await?;
        return Err(INVALID_OTP.into());
    }
    if users::verify_unproven(&tx, user.id, &user.email, call.now).await?.is_some() {
        // Whoever planted the user may have linked an account of another provider (PW-10).
        accounts::delete_accounts(&tx, user.id).await?;
        events::record(&app, &tx, &call, Event::EmailVerified, Some(user.id)).await?;
    }
    password::replace(&app, &call, &tx, &user, &hash).await?;
    tx.commit().await?;
    Answer::json(&json!({ "success": true }))
}
