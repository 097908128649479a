//! `POST /send-verification-email` and `GET /verify-email`.

use chrono::{DateTime, Utc};
use gatepost_protocol::hs256::{self, Refused as Unacceptable};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    confirm::{self, Reader},
    token::{self, Statement},
};
use crate::{
    app::{App, connection},
    email_otp,
    error::{Error, Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
        origin::Redirect,
        targets::Link,
    },
    mail::{self, Message},
    session::{
        self, Current,
        verifier::{self, Bound},
    },
    two_factor,
    user::{
        self, Email, User, change_email, proven,
        store::{self as users, EmailChange},
    },
    verification::{self, Purpose},
    wire,
};

const NOT_ENABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "VERIFICATION_EMAIL_NOT_ENABLED",
    "Verification email isn't enabled",
);
const EMAIL_MISMATCH: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "EMAIL_MISMATCH", "Email mismatch");
const ALREADY_VERIFIED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "EMAIL_ALREADY_VERIFIED", "Email is already verified");
const INVALID_TOKEN: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "INVALID_TOKEN", "Invalid token");
const TOKEN_EXPIRED: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED", "Token expired");
const USER_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "USER_NOT_FOUND", "User not found");
const INVALID_USER: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "INVALID_USER", "Invalid user");

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let verify = Endpoint::get("/verify-email", "verify_email", Access::Public, verify_email)
        .about(
            "The link in the mail: marks the address as proven, or finishes a change of address.",
        )
        .with_query::<Link>();
    vec![
        Endpoint::post::<SendVerificationEmail, _>(
            "/send-verification-email",
            "send_verification_email",
            Access::Optional,
            send_verification_email,
        )
        .about("Mail the link again. The answer does not tell whether the address is known."),
        verify,
        Endpoint::post::<Confirm, _>(
            "/verify-email",
            "verify_email_confirm",
            Access::Public,
            confirm,
        )
        .about("The same for programs, and the answer to what the link asks in a browser that did not sign up.")
        .login(),
    ]
}

struct SendVerificationEmail {
    email: Email,
    callback_url: Option<String>,
}

impl FromFields for SendVerificationEmail {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.email("email"), callback_url: fields.optional_text("callbackURL") }
    }
}

async fn send_verification_email(app: App, call: Call) -> Result<Answer> {
    let body: SendVerificationEmail = call.body()?;
    if !app.config.email_verification.enabled {
        return Err(NOT_ENABLED.into());
    }
    let callback_url = body.callback_url.as_deref();
    if let Some(caller) = session::current(&app, &call).await? {
        let user = &caller.signed_in.user;
        if user.email != body.email.as_str() {
            return Err(EMAIL_MISMATCH.into());
        }
        if user.email_verified {
            return Err(ALREADY_VERIFIED.into());
        }
        token::send(&app, &call, &connection(&app).await?, user, callback_url).await?;
        return Answer::json(&json!({ "status": true }));
    }
    if token::by_code(&app) {
        email_otp::send_proof_if_known(&app, &call, &body.email).await?;
        return Answer::json(&json!({ "status": true }));
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = users::find_user_by_email(&tx, &body.email).await?;
    match user.filter(|user| !user.email_verified) {
        Some(user) => token::send(&app, &call, &tx, &user, callback_url).await?,
        None => {
            // The same work for the unknown and the proven (EN-06).
            app.limits.may_mail(&body.email, call.now).await;
            let statement = Statement {
                email: body.email.as_str().to_owned(),
                update_to: None,
                request_type: None,
                user_id: None,
                session_challenge: token::challenge(&app, &call),
            };
            let token = token::sign(&app, &statement, call.now)?;
            let message =
                Message::VerifyEmail { url: token::link(&call, &token, callback_url), token };
            mail::pretend(&app, &call, &tx, body.email.as_str(), &message).await?;
        }
    }
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}

/// The answer of a reader, or what the server SDK of Neon posts: that has the token in the query.
struct Confirm {
    token: Option<String>,
    callback_url: Option<String>,
    answer: Option<String>,
}

impl FromFields for Confirm {
    const FORM: Form = Form::OptionalObject;

    fn read(fields: &mut Fields) -> Self {
        Self {
            token: fields.optional_text("token"),
            callback_url: fields.optional_text("callbackURL"),
            answer: fields.optional_text("answer"),
        }
    }
}

async fn verify_email(app: App, call: Call) -> Result<Answer> {
    let query: Link = call.query()?;
    // A script of the application calls the route as an API; what opens links, human or scanner, navigates.
    let by_script = call.header("sec-fetch-mode").is_some_and(|mode| mode.starts_with("cors"));
    let asks = app.config.email_verification.confirm && !by_script;
    let reader = if asks { Reader::Unasked } else { Reader::Same };
    finish(&app, &call, &query, reader).await
}

async fn confirm(app: App, call: Call) -> Result<Answer> {
    let body: Confirm = call.body()?;
    let link = match body.token {
        Some(token) => Link { token, callback_url: body.callback_url },
        None => call.query()?,
    };
    let another = body.answer.as_deref() == Some("not-mine");
    finish(&app, &call, &link, if another { Reader::Another } else { Reader::Same }).await
}

async fn finish(app: &App, call: &Call, link: &Link, reader: Reader) -> Result<Answer> {
    let target = call.target(app, link.callback_url.as_deref())?;
    match follow(app, call, link, target.as_ref(), reader).await {
        // A browser is sent on with the code; a program gets the refusal itself.
        Err(Error::Refused(refusal)) => match (target, refusal.code) {
            (Some(target), Some(code)) => {
                Answer::redirect(target.with_parameter("error", code).as_str())
            }
            _ => Err(refusal.into()),
        },
        other => other,
    }
}

async fn follow(
    app: &App,
    call: &Call,
    query: &Link,
    target: Option<&Redirect>,
    reader: Reader,
) -> Result<Answer> {
    let statement = read(app, &query.token, call.now)?;
    let email = Email::parse(&statement.email).ok_or(INVALID_TOKEN)?;
    let id =
        statement.user_id.as_deref().map(Uuid::parse_str).transpose().map_err(|_| INVALID_TOKEN)?;
    let conn = connection(app).await?;
    // A move is bound to its user; a proof to the address, whoever has it now.
    let user = match (&statement.update_to, id) {
        (Some(_), None) => return Err(INVALID_TOKEN.into()),
        (Some(_), Some(id)) => users::find_user(&conn, id).await?,
        (None, _) => users::find_user_by_email(&conn, &email).await?,
    };
    drop(conn);
    let user = user.ok_or(USER_NOT_FOUND)?;
    if user.email != email.as_str() || id.is_some_and(|id| id != user.id) {
        return Err(INVALID_TOKEN.into());
    }
    match (&statement.update_to, statement.request_type.as_deref()) {
        (None, None) if user.email_verified => done(target, &nobody()),
        (None, None) if reader == Reader::Another => shut_out(app, call, user).await,
        (None, None) => {
            if reader == Reader::Unasked && !confirm::is_own_browser(app, call, &user).await? {
                return Ok(confirm::page(app, &query.token, query.callback_url.as_deref()));
            }
            let challenge = statement.session_challenge.map(Bound::kept);
            prove(app, call, user, challenge.as_ref(), target).await
        }
        (Some(to), step) => {
            let step = Step { token: &query.token, to, name: step };
            move_address(app, call, &user, &step, target).await
        }
        (None, Some(_)) => Err(INVALID_TOKEN.into()),
    }
}

/// The statement of a link, signed under the secret or an earlier one.
fn read(app: &App, token: &str, now: DateTime<Utc>) -> Result<Statement, Refusal> {
    let mut refusal = INVALID_TOKEN;
    for secret in app.config.secrets() {
        match hs256::verify(secret, token, now) {
            Ok(statement) => return Ok(statement),
            Err(Unacceptable::Expired) => refusal = TOKEN_EXPIRED,
            Err(Unacceptable::Invalid) => {}
        }
    }
    Err(refusal)
}

fn done(target: Option<&Redirect>, body: &serde_json::Value) -> Result<Answer> {
    match target {
        Some(target) => Answer::redirect(target.as_str()),
        None => Answer::json(body),
    }
}

fn nobody() -> serde_json::Value {
    json!({ "status": true, "user": null })
}

/// The owner of the mailbox keeps the address; whoever signed up with it is out (ML-16).
async fn shut_out(app: &App, call: &Call, user: User) -> Result<Answer> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    proven::adopt(app, call, &tx, user).await?;
    tx.commit().await?;
    Ok(confirm::shut_out(app))
}

async fn prove(
    app: &App,
    call: &Call,
    user: User,
    challenge: Option<&Bound>,
    target: Option<&Redirect>,
) -> Result<Answer> {
    let nobody = nobody();
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let user =
        users::verify_email(&tx, user.id, &user.email, call.now).await?.ok_or(INVALID_TOKEN)?;
    verification::delete_all(&tx, Purpose::ChangeEmail, &user.id.to_string()).await?;
    events::record(app, &tx, call, Event::EmailVerified, Some(user.id)).await?;
    tx.commit().await?;
    drop(conn);
    if !app.config.email_verification.auto_sign_in || user::is_banned(&user, call.now) {
        return done(target, &nobody);
    }
    let caller = match session::current(app, call).await? {
        Some(caller) if caller.signed_in.user.id == user.id => caller,
        // Somebody else's link must not take over the browser of who is signed in (SE-04).
        Some(_) => return done(target, &nobody),
        None => {
            let sign_in = session::SignIn::by(session::Method::EmailVerification, &user);
            if two_factor::is_asked(app, &sign_in) {
                return done(target, &nobody);
            }
            session::start(app, call, sign_in).await?
        }
    };
    let target = match target {
        Some(target) => {
            let conn = connection(app).await?;
            Some(verifier::carry(app, call, &conn, &caller, challenge, target).await?)
        }
        None => None,
    };
    let answer = done(target.as_ref(), &nobody)?;
    Ok(with_session(app, call, &caller, &user, answer))
}

/// The cookies again, so that a cached user is not an outdated one.
fn with_session(app: &App, call: &Call, caller: &Current, user: &User, answer: Answer) -> Answer {
    let caller = caller.with_user(user.clone());
    answer.with_session(app, call, &caller)
}

/// What a link that changes an address says.
struct Step<'a> {
    token: &'a str,
    to: &'a str,
    name: Option<&'a str>,
}

/// The two steps of a move: the old address agrees, the new one proves itself.
async fn move_address(
    app: &App,
    call: &Call,
    user: &User,
    step: &Step<'_>,
    target: Option<&Redirect>,
) -> Result<Answer> {
    let to = Email::parse(step.to).ok_or(INVALID_TOKEN)?;
    let permission = token::permission(step.token);
    let caller = session::current(app, call).await?;
    if caller.as_ref().is_some_and(|caller| caller.signed_in.user.id != user.id) {
        return Err(INVALID_USER.into());
    }
    if step.name == Some("change-email-confirmation") {
        let statement = Statement {
            email: user.email.clone(),
            update_to: Some(to.as_str().to_owned()),
            request_type: Some("change-email-verification".to_owned()),
            user_id: Some(user.id.to_string()),
            session_challenge: None,
        };
        let callback_url = target.map(Redirect::as_str);
        let conn = connection(app).await?;
        verification::find(&conn, permission, call.now).await?.ok_or(INVALID_TOKEN)?;
        token::send_statement(app, call, &conn, &statement, to.as_str(), callback_url).await?;
        return done(target, &json!({ "status": true }));
    }
    if step.name != Some("change-email-verification") {
        return Err(INVALID_TOKEN.into());
    }
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    // Gone when somebody else proved the account to be theirs meanwhile (ML-15).
    verification::consume(&tx, permission, call.now).await?.ok_or(INVALID_TOKEN)?;
    // An address that nobody proved before is not proven by a move either, as in Better Auth.
    let change =
        users::update_email(&tx, user.id, &user.email, &to, user.email_verified, call.now).await?;
    let EmailChange::Changed(moved) = change else { return Err(INVALID_TOKEN.into()) };
    change_email::moved_in(app, call, &tx, user, &moved).await?;
    tx.commit().await?;
    let answer = done(target, &json!({ "status": true, "user": wire::user(app, &moved) }))?;
    Ok(match caller {
        Some(caller) => with_session(app, call, &caller, &moved, answer),
        None => answer,
    })
}
