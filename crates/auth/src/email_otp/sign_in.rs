//! `POST /sign-in/email-otp`.

use gatepost_protocol::body::Shown;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{INVALID_OTP, Then, check_code};
use crate::{
    app::{App, connection},
    error::Result,
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    mail::OtpPurpose,
    session, two_factor,
    user::{
        Email, User,
        proven::{self, Newcomer, Proven},
        update_user,
    },
    verification::code::Slot,
    wire,
};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<SignIn, _>(
        "/sign-in/email-otp",
        "sign_in_email_otp",
        Access::Public,
        sign_in_email_otp,
    )
    .about("Sign in with a mailed code, or up.")
}

struct SignIn {
    email: String,
    otp: String,
    name: Option<String>,
    image: Option<String>,
    all: Map<String, Value>,
}

impl FromFields for SignIn {
    const FORM: Form = Form::ObjectAndRecord;

    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            otp: fields.text("otp"),
            name: fields.optional_text("name"),
            image: fields.optional_text("image"),
            all: fields.all(),
        }
    }
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    token: &'a str,
    user: Shown<'a, User>,
}

async fn sign_in_email_otp(app: App, call: Call) -> Result<Answer> {
    let body: SignIn = call.body()?;
    // What is no address never got a code.
    let email = Email::parse(&body.email).ok_or(INVALID_OTP)?;
    let slot = Slot::of_address(OtpPurpose::SignIn, &email);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.otp, Then::UseUp).await?;
    let newcomer =
        Newcomer { name: body.name.as_deref().unwrap_or_default(), image: body.image.as_deref() };
    let newcomer = app.config.email_otp.sign_up.then_some(newcomer);
    let user = match proven::owner(&app, &call, &tx, &email, newcomer).await? {
        Proven::Known(user) => user,
        Proven::New(user) => {
            update_user::refuse_protected_at_sign_up(&app, &body.all)?;
            user
        }
        Proven::Banned(user) => {
            let why =
                Event::Refused { why: Refused::Banned, email: Some(user.email), detail: None };
            events::record(&app, &tx, &call, why, Some(user.id)).await?;
            tx.commit().await?;
            return Err(wire::BANNED_USER.into());
        }
        Proven::Nobody => {
            tx.commit().await?;
            return Err(INVALID_OTP.into());
        }
    };
    let sign_in = session::SignIn::by(session::Method::EmailOtp, &user);
    if let Some(pending) = two_factor::challenge_after(&app, &call, &tx, &sign_in).await? {
        tx.commit().await?;
        return pending.answer(&app, &call);
    }
    let started = session::start_in(&app, &call, &tx, sign_in).await?;
    tx.commit().await?;
    Ok(Answer::json(&SignedInBody {
        token: started.token.reveal(),
        user: wire::user(&app, &started.signed_in.user),
    })?
    .signed_in(&app, &call, &started))
}
