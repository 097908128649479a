//! `POST /two-factor/verify-totp`: finishes a sign-in, sets an authenticator up, or proves that the user is the same.

use deadpool_postgres::Transaction;
use gatepost_protocol::totp;

use super::{
    INVALID_CODE, TOTP_NOT_ENABLED,
    attempt::{self, Asker},
    store,
};
use crate::{
    app::{App, connection},
    error::{Error, Result, UNAUTHORIZED},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
    user::store as users,
};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<Verify, _>(
        "/two-factor/verify-totp",
        "verify_totp",
        Access::Optional,
        verify_totp,
    )
    .about("A code of the authenticator: finishes a sign-in, or confirms that it is set up.")
}

/// A guess.
pub(super) struct Verify {
    pub(super) code: String,
    pub(super) trust_device: bool,
}

impl FromFields for Verify {
    fn read(fields: &mut Fields) -> Self {
        Self {
            code: fields.text("code"),
            trust_device: fields.flag("trustDevice").unwrap_or_default(),
        }
    }
}

async fn verify_totp(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let asker = Asker::of(&app, &call).await?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let (tx, row) = prove(&app, &call, tx, &asker, &body.code).await?;
    let Asker::SignedIn(caller) = &asker else {
        return attempt::admit(&app, &call, tx, &asker, body.trust_device).await;
    };
    if row.verified == Some(true) {
        return attempt::admit(&app, &call, tx, &asker, false).await;
    }
    store::confirm(&tx, row.id).await?;
    let user = &caller.signed_in.user;
    if user.two_factor_enabled == Some(true) {
        return attempt::admit(&app, &call, tx, &asker, false).await;
    }
    let updated = users::set_two_factor(&tx, user.id, true, call.now).await?.ok_or(UNAUTHORIZED)?;
    events::record(&app, &tx, &call, Event::TwoFactorEnabled, Some(user.id)).await?;
    let rotated = session::rotate_in(&app, &call, &tx, caller, &updated).await?;
    tx.commit().await?;
    // The body tells the session and the user as they were, as Better Auth's does; the cookie holds the new token.
    Ok(attempt::proven_body(&app, &caller.token, user)?.with_session(&app, &call, &rotated))
}

/// Counts a guess and judges it: the transaction goes on when it is right.
///
/// # Errors
/// `INVALID_CODE`, `TOTP_NOT_ENABLED`, those of [`attempt::count`].
pub(super) async fn prove<'a>(
    app: &App,
    call: &Call,
    tx: Transaction<'a>,
    asker: &Asker,
    code: &str,
) -> Result<(Transaction<'a>, store::Row)> {
    let row = store::lock(&tx, asker.user().id).await?.ok_or(TOTP_NOT_ENABLED)?;
    if asker.is_waiting() && !row.is_set_up() {
        return Err(TOTP_NOT_ENABLED.into());
    }
    let tx = attempt::count(app, call, tx, asker, &row).await?;
    if !is_right(app, call, &tx, &row, code).await? {
        return Err(attempt::refuse(app, call, tx, asker, INVALID_CODE).await);
    }
    store::reset_failures(&tx, row.id).await?;
    Ok((tx, row))
}

async fn is_right(
    app: &App,
    call: &Call,
    tx: &Transaction<'_>,
    row: &store::Row,
    presented: &str,
) -> Result<bool> {
    let key = key(app, &row.secret)?;
    let Some(step) = totp::verify(&key, presented, call.now) else { return Ok(false) };
    let step = i64::try_from(step).map_err(|error| Error::Internal(error.into()))?;
    Ok(store::use_step(tx, row.id, step).await? || app.config.two_factor.allow_reuse)
}

/// What a sealed secret stands for.
pub(super) fn key(app: &App, sealed: &str) -> Result<Vec<u8>> {
    let unreadable = || Error::Internal(anyhow::anyhow!("a TOTP secret cannot be read"));
    let secret = app.sealer.open(sealed).map_err(|error| Error::Internal(error.into()))?;
    let secret = String::from_utf8(secret).map_err(|_| unreadable())?;
    totp::key(&secret).ok_or_else(unreadable)
}
