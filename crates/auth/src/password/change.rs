//! `POST /change-password` and `POST /verify-password`.

use gatepost_password::Verdict;
use gatepost_protocol::body::Shown;
use serde::Serialize;
use serde_json::json;

use super::{CREDENTIAL_ACCOUNT_NOT_FOUND, INVALID_PASSWORD, breached, policy};
use crate::{
    account::store as accounts,
    app::{App, connection},
    error::{Error, Result},
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    mail::{self, Message},
    session::{self, store as sessions},
    two_factor,
    user::User,
    verification::{self, Purpose},
    wire,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<ChangePassword, _>(
            "/change-password",
            "change_password",
            Access::Session,
            change_password,
        )
        .about("Change the own password; other sessions end."),
        Endpoint::post::<VerifyPassword, _>(
            "/verify-password",
            "verify_password",
            Access::Session,
            verify_password,
        )
        .about("Check the own password; the session is fresh again."),
    ]
}

/// Checks the password of a signed-in user; wrong tries count like those of a sign-in (PW-15).
///
/// # Errors
/// `PASSWORD_TOO_LONG`, `INVALID_PASSWORD`; `absent` for a user who has none.
pub(crate) async fn confirm(
    app: &App,
    call: &Call,
    user: &User,
    password: &str,
    absent: Error,
) -> Result<()> {
    policy::check_presented(app, password)?;
    let attempt = app.limits.begin_attempt(app, call, &user.email).await?;
    let credential = accounts::find_credential(&connection(app).await?, user.id).await?;
    let Some(hash) = credential.and_then(|credential| credential.hash) else { return Err(absent) };
    match app.hasher.verify(Some(&hash), password).await? {
        Verdict::Match { .. } => {
            attempt.succeeded(app).await;
            Ok(())
        }
        Verdict::Mismatch => {
            attempt.failed(app, call, Some(user)).await;
            events::refused(app, call, Refused::WrongPassword, Some(&user.email)).await;
            Err(INVALID_PASSWORD.into())
        }
    }
}

struct ChangePassword {
    new: String,
    current: String,
    revoke_others: Option<bool>,
}

impl FromFields for ChangePassword {
    fn read(fields: &mut Fields) -> Self {
        Self {
            new: fields.text("newPassword"),
            current: fields.text("currentPassword"),
            revoke_others: fields.flag("revokeOtherSessions"),
        }
    }
}

#[derive(Serialize)]
struct ChangedBody<'a> {
    token: Option<&'a str>,
    user: Shown<'a, User>,
}

async fn change_password(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: ChangePassword = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let user = &caller.signed_in.user;
    policy::check_rules(&app, &body.new, &[&user.email, &user.name])?;
    confirm(&app, &call, user, &body.current, CREDENTIAL_ACCOUNT_NOT_FOUND.into()).await?;
    breached::check(&app, &body.new).await?;
    let hash = app.hasher.hash(&body.new).await?;

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    accounts::set_password(&tx, user.id, &hash, call.now).await?;
    verification::delete_all(&tx, Purpose::ResetPassword, &user.id.to_string()).await?;
    verification::delete_all(&tx, Purpose::ChangeEmail, &user.id.to_string()).await?;
    events::record(&app, &tx, &call, Event::PasswordChanged, Some(user.id)).await?;
    mail::send(&app, &call, &tx, &user.email, &Message::PasswordChanged).await?;
    let asked = body.revoke_others == Some(true);
    if !asked && !app.config.email_password.revoke_sessions_on_change {
        tx.commit().await?;
        return Answer::json(&ChangedBody { token: None, user: wire::user(&app, user) });
    }
    sessions::delete_sessions(&tx, user.id).await?;
    two_factor::forget_devices(&tx, user.id).await?;
    let started = session::start_in(
        &app,
        &call,
        &tx,
        session::SignIn {
            user,
            method: session::Method::Session,
            dont_remember: caller.dont_remember,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Answer::json(&ChangedBody {
        // Only who asked for it expects it; the cookie and `set-auth-token` carry it in any case.
        token: asked.then(|| started.token.reveal()),
        user: wire::user(&app, user),
    })?
    .signed_in(&app, &call, &started))
}

struct VerifyPassword {
    password: String,
}

impl FromFields for VerifyPassword {
    fn read(fields: &mut Fields) -> Self {
        Self { password: fields.text("password") }
    }
}

async fn verify_password(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: VerifyPassword = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    confirm(&app, &call, &caller.signed_in.user, &body.password, INVALID_PASSWORD.into()).await?;
    sessions::prove_session(&connection(&app).await?, caller.signed_in.session.id, call.now)
        .await?;
    Answer::json(&json!({ "status": true }))
}
