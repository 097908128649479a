//! `POST /sign-in/phone-number`: a number in the place of an address, and the password.

use gatepost_protocol::body::Shown;
use http::StatusCode;
use serde::Serialize;

use super::{
    INVALID_PHONE_NUMBER, PhoneNumber, Reach, TextPurpose, count_message, number, text_code,
};
use crate::{
    account::Handle,
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    password::{self, Begun},
    session::{Method, SignIn as Begin},
    user::User,
    wire,
};

const INVALID_PHONE_NUMBER_OR_PASSWORD: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "INVALID_PHONE_NUMBER_OR_PASSWORD",
    "Invalid phone number or password",
);
const PHONE_NUMBER_NOT_VERIFIED: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "PHONE_NUMBER_NOT_VERIFIED",
    "Phone number not verified",
);

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<SignIn, _>(
        "/sign-in/phone-number",
        "sign_in_phone_number",
        Access::Public,
        sign_in_phone_number,
    )
    .about("Sign in by telephone number and password.")
}

struct SignIn {
    number: String,
    password: String,
    remember_me: bool,
}

impl FromFields for SignIn {
    fn read(fields: &mut Fields) -> Self {
        Self {
            number: fields.text("phoneNumber"),
            password: fields.text("password"),
            remember_me: fields.flag("rememberMe").unwrap_or(true),
        }
    }
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    token: &'a str,
    user: Shown<'a, User>,
}

async fn sign_in_phone_number(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: SignIn = call.body()?;
    let number = PhoneNumber::parse(&body.number).ok_or(INVALID_PHONE_NUMBER)?;
    let (handle, wrong) = (Handle::PhoneNumber(number.as_str()), INVALID_PHONE_NUMBER_OR_PASSWORD);
    let user = password::prove(&app, &call, handle, &body.password, wrong).await?;
    password::admit(&app, &call, &user).await?;
    if app.config.phone_number.require_verification && user.phone_number_verified != Some(true) {
        return Err(ask_for_proof(&app, &call, &number, &user).await?.into());
    }
    let sign_in =
        Begin { user: &user, method: Method::PhoneNumber, dont_remember: !body.remember_me };
    let started = match password::begin(&app, &call, sign_in).await? {
        Begun::Session(started) => started,
        Begun::SecondFactor(answer) => return Ok(answer),
    };
    Ok(Answer::json(&SignedInBody {
        token: started.token.reveal(),
        user: wire::user(&app, &started.signed_in.user),
    })?
    .signed_in(&app, &call, &started))
}

/// Texts a code to a number that was never proven: only after the right password, so that no stranger causes messages.
async fn ask_for_proof(
    app: &App,
    call: &Call,
    known: &PhoneNumber,
    user: &User,
) -> Result<Refusal> {
    let number = &number(app, known.as_str())?;
    count_message(app, call, number).await?;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    text_code(app, call, &tx, TextPurpose::Verify, number, Reach::Owner(user)).await?;
    tx.commit().await?;
    Ok(PHONE_NUMBER_NOT_VERIFIED)
}
