//! `POST /phone-number/verify`: a right code signs in, signs up, or gives the number to who is signed in.

use deadpool_postgres::GenericClient;
use gatepost_protocol::{body::Shown, random};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    OTP_NOT_FOUND, PhoneNumber, TextPurpose, Then, check_code,
    store::{self, Given},
};
use crate::{
    account::store as accounts,
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    session::{self, Current, Method, SignIn, store as sessions},
    two_factor,
    user::{
        self, Email, User,
        store::{self as users, NewUser},
        update_user,
    },
    username,
    verification::{self, Purpose, code::Slot},
    wire,
};

const PHONE_NUMBER_EXIST: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "PHONE_NUMBER_EXIST", "Phone number already exists");
const USER_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "USER_NOT_FOUND", "User not found");
/// What Better Auth says of a number that nobody has where nobody may sign up.
const FAILED_TO_UPDATE_USER: Refusal = Refusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "FAILED_TO_UPDATE_USER",
    "Failed to update user",
);

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<Verify, _>(
        "/phone-number/verify",
        "verify_phone_number",
        Access::Optional,
        verify_phone_number,
    )
    .about("Prove to hold a telephone: signs in, or up, or gives the number to the caller.")
}

struct Verify {
    number: String,
    code: String,
    disable_session: bool,
    update: bool,
    all: Map<String, Value>,
}

impl FromFields for Verify {
    // Better Auth's schema takes further members, yet complains of the named ones alone.
    const FORM: Form = Form::Object;

    fn read(fields: &mut Fields) -> Self {
        Self {
            number: fields.text("phoneNumber"),
            code: fields.text("code"),
            disable_session: fields.flag("disableSession").unwrap_or(false),
            update: fields.flag("updatePhoneNumber").unwrap_or(false),
            all: fields.all(),
        }
    }
}

#[derive(Serialize)]
struct Verified<'a> {
    status: bool,
    token: Option<&'a str>,
    user: Shown<'a, User>,
}

async fn verify_phone_number(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let number = PhoneNumber::parse(&body.number).ok_or(OTP_NOT_FOUND)?;
    let slot = Slot::of_phone(TextPurpose::Verify, &number);
    // Asked before the transaction, so that no request holds a connection while it waits for another; judged after the code.
    let caller = if body.update { session::current(&app, &call).await? } else { None };
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = check_code(&app, &call, tx, &slot, &body.code, Then::UseUp).await?;
    let found = if body.update {
        give(&app, &call, &tx, caller.as_ref(), &number).await
    } else {
        sign_in(&app, &call, &tx, &body, &number).await
    };
    match found {
        // The code is used up whatever was refused.
        Err(Error::Refused(refusal)) => {
            tx.commit().await?;
            Err(refusal.into())
        }
        Err(error) => Err(error),
        Ok(user) if body.update => {
            tx.commit().await?;
            attached(&app, &call, caller, user)
        }
        Ok(user) if body.disable_session => {
            tx.commit().await?;
            Answer::json(&Verified { status: true, token: None, user: wire::user(&app, &user) })
        }
        Ok(user) => {
            let sign_in = SignIn::by(Method::PhoneOtp, &user);
            if let Some(pending) = two_factor::challenge_after(&app, &call, &tx, &sign_in).await? {
                tx.commit().await?;
                return pending.answer(&app, &call);
            }
            let started = session::start_in(&app, &call, &tx, sign_in).await?;
            tx.commit().await?;
            let user = &started.signed_in.user;
            let token = Some(started.token.reveal());
            Ok(Answer::json(&Verified { status: true, token, user: wire::user(&app, user) })?
                .signed_in(&app, &call, &started))
        }
    }
}

/// Gives the number to who is signed in.
async fn give(
    app: &App,
    call: &Call,
    tx: &impl GenericClient,
    caller: Option<&Current>,
    number: &PhoneNumber,
) -> Result<User> {
    let Some(caller) = caller else { return Err(USER_NOT_FOUND.into()) };
    let id = caller.signed_in.user.id;
    match store::give(tx, id, number, call.now).await? {
        Given::Done(user) => {
            let event = Event::PhoneNumberChanged { number: Some(number.to_string()) };
            events::record(app, tx, call, event, Some(id)).await?;
            Ok(*user)
        }
        Given::Taken => Err(PHONE_NUMBER_EXIST.into()),
        Given::Lost => Err(lost()),
    }
}

/// A transaction that Postgres has ended cannot be committed: not a plain refusal.
fn lost() -> Error {
    let Refusal { status, message, .. } = PHONE_NUMBER_EXIST;
    Error::Explained(status, "PHONE_NUMBER_EXIST", message.to_owned())
}

fn attached(app: &App, call: &Call, caller: Option<Current>, user: User) -> Result<Answer> {
    let Some(caller) = caller else { return Err(USER_NOT_FOUND.into()) };
    let caller = caller.with_user(user);
    let user = wire::user(app, &caller.signed_in.user);
    let token = Some(caller.token.reveal());
    Ok(Answer::json(&Verified { status: true, token, user })?
        .with_cookies(session::cache::write(app, call, &caller)))
}

/// The user who has the number; a new one, where anybody may sign up.
async fn sign_in(
    app: &App,
    call: &Call,
    tx: &impl GenericClient,
    body: &Verify,
    number: &PhoneNumber,
) -> Result<User> {
    let Some(user) = store::find_user(tx, number).await? else {
        if !app.config.phone_number.sign_up {
            return Err(FAILED_TO_UPDATE_USER.into());
        }
        return sign_up(app, call, tx, body, number).await;
    };
    if user::is_banned(&user, call.now) {
        let why = Event::Refused { why: Refused::Banned, email: Some(user.email), detail: None };
        events::record(app, tx, call, why, Some(user.id)).await?;
        return Err(wire::BANNED_USER.into());
    }
    if user.phone_number_verified == Some(true) {
        return Ok(user);
    }
    if !user.email_verified {
        // Nothing of this user was ever proven: a stranger may have planted it with this number (OT-14).
        accounts::delete_accounts(tx, user.id).await?;
        sessions::delete_sessions(tx, user.id).await?;
        verification::delete_all(tx, Purpose::ChangeEmail, &user.id.to_string()).await?;
        let event = Event::AccountAdopted { email: user.email.clone() };
        events::record(app, tx, call, event, Some(user.id)).await?;
    }
    let proven = store::verify(tx, user.id, number, call.now).await?;
    Ok(proven.ok_or(FAILED_TO_UPDATE_USER)?)
}

async fn sign_up(
    app: &App,
    call: &Call,
    tx: &impl GenericClient,
    body: &Verify,
    number: &PhoneNumber,
) -> Result<User> {
    let mut further = body.all.clone();
    further.remove("phoneNumber");
    update_user::refuse_protected_at_sign_up(app, &further)?;
    let names = username::at_sign_up(app, Some(&Value::Object(further)))?;
    username::refuse_taken(app, tx, &names, None).await?;
    let id = create(app, call, tx, number).await?.id;
    let Given::Done(mut user) = store::give(tx, id, number, call.now).await? else {
        return Err(lost());
    };
    if !names.is_empty()
        && let Some(named) = username::take(tx, id, &names, call.now).await?
    {
        *user = named;
    }
    events::record(app, tx, call, Event::SignedUp { email: user.email.clone() }, Some(id)).await?;
    Ok(*user)
}

/// A user with an address that mail never reaches. Whoever took that address before does not stand in the way.
async fn create(
    app: &App,
    call: &Call,
    tx: &impl GenericClient,
    number: &PhoneNumber,
) -> Result<User> {
    let template = &app.config.phone_number.temporary_email;
    let unique = format!("{}-{}", number.digits(), random::token(16));
    for digits in [number.digits(), &unique] {
        let address = template.replace("{digits}", digits);
        let email = Email::parse(&address).ok_or_else(|| {
            Error::Internal(anyhow::anyhow!("phone_number.temporary_email makes no address"))
        })?;
        let new = NewUser {
            id: random::uuid(),
            name: number.as_str(),
            email: &email,
            email_verified: false,
            image: None,
        };
        if let Some(user) = users::create_user(tx, &new, &app.config.features, call.now).await? {
            return Ok(user);
        }
    }
    Err(FAILED_TO_UPDATE_USER.into())
}
