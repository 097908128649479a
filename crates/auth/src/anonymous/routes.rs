//! `POST /sign-in/anonymous` and `POST /delete-anonymous-user`.

use anyhow::anyhow;
use gatepost_protocol::{body::Shown, random};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::store;
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Event},
    http::{Answer, Call, Endpoint, endpoint::Access},
    session::{self, Method, SignIn, cookies, routes::Nothing},
    user::{
        Email, User,
        store::{self as users, NewUser},
    },
    wire,
};

const AGAIN: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "ANONYMOUS_USERS_CANNOT_SIGN_IN_AGAIN_ANONYMOUSLY",
    "Anonymous users cannot sign in again anonymously",
);
const DELETE_DISABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "DELETE_ANONYMOUS_USER_DISABLED",
    "Deleting anonymous users is disabled",
);
const NOT_ANONYMOUS: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "USER_IS_NOT_ANONYMOUS", "User is not anonymous");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Nothing, _>(
            "/sign-in/anonymous",
            "sign_in_anonymous",
            Access::Optional,
            sign_in_anonymous,
        )
        .about("Begin a session as a guest."),
        Endpoint::post::<Nothing, _>(
            "/delete-anonymous-user",
            "delete_anonymous_user",
            Access::Session,
            delete_anonymous_user,
        )
        .about("Remove the own user, who is a guest."),
    ]
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    token: &'a str,
    user: Shown<'a, User>,
}

async fn sign_in_anonymous(app: App, call: Call) -> Result<Answer> {
    call.body::<Nothing>()?;
    let caller = session::current(&app, &call).await?;
    if caller.is_some_and(|caller| caller.signed_in.user.is_anonymous == Some(true)) {
        return Err(AGAIN.into());
    }
    let email = address(&app)?;
    let new = NewUser {
        id: random::uuid(),
        name: &app.config.anonymous.name,
        email: &email,
        email_verified: false,
        image: None,
    };
    let gone = || Error::Internal(anyhow!("a guest that was just created is gone"));
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    users::create_user(&tx, &new, &app.config.features, call.now).await?.ok_or_else(gone)?;
    let guest = store::mark(&tx, new.id).await?.ok_or_else(gone)?;
    let event = Event::SignedUp { email: guest.email.clone() };
    events::record(&app, &tx, &call, event, Some(guest.id)).await?;
    let started =
        session::start_in(&app, &call, &tx, SignIn::by(Method::Anonymous, &guest)).await?;
    tx.commit().await?;
    Ok(Answer::json(&SignedInBody {
        token: started.token.reveal(),
        user: wire::user(&app, &guest),
    })?
    .signed_in(&app, &call, &started))
}

/// An address that nobody else has.
fn address(app: &App) -> Result<Email> {
    let id = random::token(32);
    let address = match app.config.anonymous.email_domain.as_str() {
        "" => format!("{id}@anonymous.placeholder.invalid"),
        domain => format!("temp-{id}@{domain}"),
    };
    // The row holds it in lower case: letters that differ in case alone are still 160 bits.
    Email::parse(&address)
        .ok_or_else(|| Error::Internal(anyhow!("anonymous.email_domain makes no address")))
}

async fn delete_anonymous_user(app: App, call: Call) -> Result<Answer> {
    call.body::<Nothing>()?;
    let caller = session::required_now(&app, &call).await?;
    if app.config.anonymous.keep {
        return Err(DELETE_DISABLED.into());
    }
    let user = &caller.signed_in.user;
    if user.is_anonymous != Some(true) {
        return Err(NOT_ANONYMOUS.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    users::delete_user(&tx, user.id).await?;
    let event = Event::UserDeleted { email: user.email.clone() };
    events::record(&app, &tx, &call, event, Some(user.id)).await?;
    tx.commit().await?;
    Ok(Answer::json(&json!({ "success": true }))?.with_cookies(cookies::forget(&call)))
}
