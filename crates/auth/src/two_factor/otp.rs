//! `POST /two-factor/send-otp` and `/two-factor/verify-otp`: a mailed code.

use chrono::TimeDelta;
use deadpool_postgres::{GenericClient, Transaction};
use gatepost_protocol::random;
use serde_json::json;

use super::{
    INVALID_CODE, LOCKED, OTP_HAS_EXPIRED, OTP_NOT_CONFIGURED, TOO_MANY_ATTEMPTS,
    attempt::{self, Asker},
    store,
    totp::Verify,
};
use crate::{
    app::{App, connection},
    error::{Result, UNAUTHORIZED},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    mail::{self, Message},
    session::{self, Current},
    throttle::Attempt,
    user::store as users,
    verification::code::{self, Keeping, Slot, Verdict},
};

pub(super) fn endpoints() -> [Endpoint; 2] {
    [
        Endpoint::post::<Send, _>(
            "/two-factor/send-otp",
            "send_two_factor_otp",
            Access::Optional,
            send_otp,
        )
        .about("Mail a code for the sign-in that waits, or for the session."),
        Endpoint::post::<Verify, _>(
            "/two-factor/verify-otp",
            "verify_two_factor_otp",
            Access::Optional,
            verify_otp,
        )
        .about("The mailed code: finishes a sign-in, or switches mailed codes on."),
    ]
}

struct Send;

impl FromFields for Send {
    const FORM: Form = Form::OptionalObject;

    fn read(fields: &mut Fields) -> Self {
        fields.flag("trustDevice");
        Self
    }
}

fn keeping(app: &App) -> Keeping<'_> {
    let config = &app.config.two_factor.otp;
    Keeping {
        storage: config.storage.unwrap_or(app.config.session.token_storage),
        secret: &app.config.secret,
        attempts: config.attempts,
    }
}

async fn send_otp(app: App, call: Call) -> Result<Answer> {
    call.body::<Send>()?;
    if !app.config.two_factor.otp.enabled {
        return Err(OTP_NOT_CONFIGURED.into());
    }
    mail_code(&app, &call, &Asker::of(&app, &call).await?).await?;
    Answer::json(&json!({ "status": true }))
}

/// Mails a code for a sign-in that waits, or for a session.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn mail_code(app: &App, call: &Call, asker: &Asker) -> Result<()> {
    let config = &app.config.two_factor.otp;
    let user = asker.user();
    let otp = random::digits(usize::from(config.length));
    let may_send = app.limits.may_mail_to(&user.email, call.now).await;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let message = Message::TwoFactorOtp { otp: otp.clone() };
    if may_send {
        let slot = Slot::of_second_factor(&asker.key(app));
        let expires_at = call.now + TimeDelta::seconds(i64::from(config.expires_in));
        code::replace(&tx, &slot, keeping(app), Some(&otp), expires_at, call.now).await?;
        mail::send(app, call, &tx, &user.email, &message).await?;
    } else {
        // The code that the mailbox holds stays good (RL-17).
        mail::pretend(app, call, &tx, &user.email, &message).await?;
    }
    let event = Event::CodeRequested { purpose: "two-factor" };
    events::record(app, &tx, call, event, Some(user.id)).await?;
    Ok(tx.commit().await?)
}

async fn verify_otp(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let asker = Asker::of(&app, &call).await?;
    let limited = begin(&app, &call, &asker).await?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = prove(&app, &call, tx, &asker, &body.code).await?;
    let answer = match &asker {
        Asker::SignedIn(caller) if caller.signed_in.user.two_factor_enabled != Some(true) => {
            let rotated = switch_on(&app, &call, &tx, caller).await?;
            tx.commit().await?;
            attempt::proven_body(&app, &rotated.token, &rotated.signed_in.user)?
                .with_session(&app, &call, &rotated)
        }
        _ => attempt::admit(&app, &call, tx, &asker, body.trust_device).await?,
    };
    if let Some(limited) = limited {
        limited.succeeded(&app).await;
    }
    Ok(answer)
}

/// Counts a guess and judges it: the transaction goes on when it is right, and the code is used up. [`begin`] comes first.
///
/// # Errors
/// `INVALID_CODE`, `OTP_HAS_EXPIRED`, `TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE`, `ACCOUNT_TEMPORARILY_LOCKED`.
pub(super) async fn prove<'a>(
    app: &App,
    call: &Call,
    tx: Transaction<'a>,
    asker: &Asker,
    code: &str,
) -> Result<Transaction<'a>> {
    // Locked: who guesses at the same time waits for this guess to be counted.
    let row = store::lock(&tx, asker.user().id).await?.filter(|_| asker.is_waiting());
    if row.as_ref().is_some_and(|row| row.is_locked(call.now)) {
        return Err(LOCKED.into());
    }
    let slot = Slot::of_second_factor(&asker.key(app));
    let verdict = code::guess(&tx, &slot, keeping(app), code, call.now).await?;
    let refusal = match verdict {
        Verdict::Right => None,
        Verdict::Wrong => Some(INVALID_CODE),
        Verdict::Absent | Verdict::Expired => Some(OTP_HAS_EXPIRED),
        Verdict::Exhausted => Some(TOO_MANY_ATTEMPTS),
    };
    if let Some(refusal) = refusal {
        if let (Verdict::Wrong, Some(row)) = (verdict, &row) {
            attempt::count_failure(app, call, &tx, row).await?;
        }
        return Err(attempt::refuse(app, call, tx, asker, refusal).await);
    }
    code::use_up(&tx, &slot).await?;
    if let Some(row) = &row {
        store::reset_failures(&tx, row.id).await?;
    }
    Ok(tx)
}

/// Mailed codes have no row of their own on which failures of all sign-ins would add up: the account's limit counts them,
/// so that a new code is no new budget (OT-04).
pub(super) async fn begin(app: &App, call: &Call, asker: &Asker) -> Result<Option<Attempt>> {
    if !asker.is_waiting() {
        return Ok(None);
    }
    let account = format!("second-factor:{}", asker.user().id);
    Ok(Some(app.limits.begin_attempt(app, call, &account).await?))
}

/// Asks the user for a second factor from now on; the browser gets a new token.
pub(super) async fn switch_on(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    caller: &Current,
) -> Result<Current> {
    let id = caller.signed_in.user.id;
    let updated = users::set_two_factor(conn, id, true, call.now).await?.ok_or(UNAUTHORIZED)?;
    events::record(app, conn, call, Event::TwoFactorEnabled, Some(id)).await?;
    session::rotate_in(app, call, conn, caller, &updated).await
}
