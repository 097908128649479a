//! `POST /sign-in/email`.

use gatepost_password::Verdict;
use gatepost_protocol::body::Shown;
use http::{StatusCode, header};
use serde::Serialize;

use super::policy;
use crate::{
    account::{Credential, store as accounts},
    app::{App, connection},
    email_verification,
    error::{Refusal, Result},
    events::{self, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session, two_factor,
    user::{self, Email, User},
    wire,
};

const DISABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "EMAIL_PASSWORD_DISABLED",
    "Email and password is not enabled",
);
const INVALID_EMAIL: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_EMAIL", "Invalid email");
const INVALID_EMAIL_OR_PASSWORD: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "INVALID_EMAIL_OR_PASSWORD",
    "Invalid email or password",
);
const EMAIL_NOT_VERIFIED: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED", "Email not verified");

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<SignIn, _>("/sign-in/email", "sign_in_email", Access::Public, sign_in_email)
        .about("Sign in by address and password.")
        .login()
}

struct SignIn {
    email: String,
    password: String,
    callback_url: Option<String>,
    remember_me: bool,
}

impl FromFields for SignIn {
    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            password: fields.text("password"),
            callback_url: fields.optional_text("callbackURL"),
            remember_me: fields.flag("rememberMe").unwrap_or(true),
        }
    }
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    redirect: bool,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    user: Shown<'a, User>,
}

async fn sign_in_email(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: SignIn = call.body()?;
    if !app.config.email_password.enabled {
        return Err(DISABLED.into());
    }
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    policy::check_presented(&app, &body.password)?;

    let attempt = app.limits.begin_attempt(&app, &call, email.as_str()).await?;
    let found = accounts::find_user_with_credential(&connection(&app).await?, &email).await?;
    let stored = found.as_ref().and_then(|(_, credential)| credential.as_ref()?.hash.as_deref());
    let verdict = app.hasher.verify(stored, &body.password).await?;
    let owner = found.as_ref().map(|(user, _)| user.clone());
    let (Some((user, Some(credential))), Verdict::Match { rehash }) = (found, verdict) else {
        attempt.failed(&app, &call, owner.as_ref()).await;
        events::refused(&app, &call, Refused::WrongPassword, Some(email.as_str())).await;
        return Err(INVALID_EMAIL_OR_PASSWORD.into());
    };
    attempt.succeeded(&app).await;
    if rehash {
        replace_hash(&app, &credential, &body.password).await?;
    }
    admit(&app, &call, &user).await?;
    if app.config.email_password.require_verification && !user.email_verified {
        if app.config.email_verification.send_on_sign_in {
            let conn = connection(&app).await?;
            email_verification::send(&app, &call, &conn, &user, body.callback_url.as_deref())
                .await?;
        }
        events::refused(&app, &call, Refused::EmailNotVerified, Some(email.as_str())).await;
        return Err(EMAIL_NOT_VERIFIED.into());
    }

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    if let Some(answer) = two_factor::challenge(&app, &call, &tx, &user, !body.remember_me).await? {
        tx.commit().await?;
        return Ok(answer);
    }
    let sign_in = session::SignIn {
        user: &user,
        method: session::Method::Password,
        dont_remember: !body.remember_me,
    };
    let started = session::start_in(&app, &call, &tx, sign_in).await?;
    tx.commit().await?;
    let url = body.callback_url.as_deref();
    let redirect = url.filter(|url| !url.is_empty());
    let answer = Answer::json(&SignedInBody {
        redirect: redirect.is_some(),
        token: started.token.reveal(),
        url,
        user: wire::user(&app, &user),
    })?
    .signed_in(&app, &call, &started);
    match redirect {
        Some(url) => answer.with_header(header::LOCATION, url),
        None => Ok(answer),
    }
}

/// Told only after the right password (EN-01).
async fn admit(app: &App, call: &Call, user: &User) -> Result<()> {
    if app.config.features.admin && user::is_banned(user, call.now) {
        events::refused(app, call, Refused::Banned, Some(&user.email)).await;
        return Err(wire::BANNED_USER.into());
    }
    Ok(())
}

async fn replace_hash(app: &App, credential: &Credential, password: &str) -> Result<()> {
    let new = app.hasher.hash(password).await?;
    let old = credential.hash.as_deref().unwrap_or_default();
    accounts::rehash(&connection(app).await?, credential.id, old, &new).await
}
