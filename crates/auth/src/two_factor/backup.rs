//! `POST /two-factor/generate-backup-codes` and `/two-factor/verify-backup-code`: codes on paper, each good once.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use deadpool_postgres::Transaction;
use gatepost_protocol::{body::Shown, random};
use serde::Serialize;
use serde_json::json;

use super::{
    BACKUP_CODES_NOT_ENABLED, INVALID_BACKUP_CODE, TWO_FACTOR_NOT_ENABLED,
    attempt::{self, Asker},
    challenge,
    enable::{self, Confirmed, Passwordless},
    store,
};
use crate::{
    app::{App, connection},
    error::{Error, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::Token,
    user::User,
    wire,
};

const CODES: usize = 10;
/// Letters and digits of a code: 59 bits.
const LENGTH: usize = 10;

pub(super) fn endpoints(passwordless: bool) -> [Endpoint; 2] {
    let generate = if passwordless {
        Endpoint::post::<Passwordless, _>(GENERATE.0, GENERATE.1, Access::Session, generate)
    } else {
        Endpoint::post::<Confirmed, _>(GENERATE.0, GENERATE.1, Access::Session, generate)
    };
    [
        generate.about("Replace the backup codes."),
        Endpoint::post::<Verify, _>(
            "/two-factor/verify-backup-code",
            "verify_backup_code",
            Access::Optional,
            verify_backup_code,
        )
        .about("Use a backup code up: finishes a sign-in."),
    ]
}

const GENERATE: (&str, &str) = ("/two-factor/generate-backup-codes", "generate_backup_codes");

/// Ten new codes, `abcde-FGHIJ`.
pub(super) fn new_codes() -> Vec<String> {
    let code = |text: String| {
        let (first, second) = text.split_at_checked(LENGTH / 2).unwrap_or((&text, ""));
        format!("{first}-{second}")
    };
    (0..CODES).map(|_| code(random::token(LENGTH))).collect()
}

/// Codes as the row holds them.
pub(super) fn seal(app: &App, codes: &[String]) -> Result<String> {
    let codes = serde_json::to_vec(codes).map_err(|error| Error::Internal(error.into()))?;
    Ok(app.sealer.seal(&codes))
}

fn open(app: &App, sealed: &str) -> Result<Vec<String>> {
    let plain = app.sealer.open(sealed).map_err(|error| Error::Internal(error.into()))?;
    serde_json::from_slice(&plain).map_err(|error| Error::Internal(error.into()))
}

async fn generate(app: App, call: Call) -> Result<Answer> {
    let caller = enable::caller(&app, &call).await?;
    let user = &caller.signed_in.user;
    if user.two_factor_enabled != Some(true) {
        return Err(TWO_FACTOR_NOT_ENABLED.into());
    }
    enable::confirm(&app, &call, &caller).await?;
    let codes = new_codes();
    let sealed = seal(&app, &codes)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let row = store::lock(&tx, user.id).await?.ok_or(TWO_FACTOR_NOT_ENABLED)?;
    store::set_codes(&tx, row.id, &sealed).await?;
    events::record(&app, &tx, &call, Event::BackupCodesReplaced, Some(user.id)).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true, "backupCodes": codes }))
}

struct Verify {
    code: String,
    disable_session: bool,
    trust_device: bool,
}

impl FromFields for Verify {
    fn read(fields: &mut Fields) -> Self {
        Self {
            code: fields.text("code"),
            disable_session: fields.flag("disableSession").unwrap_or_default(),
            trust_device: fields.flag("trustDevice").unwrap_or_default(),
        }
    }
}

#[derive(Serialize)]
struct UsedBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    user: Shown<'a, User>,
}

async fn verify_backup_code(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let asker = Asker::of(&app, &call).await?;
    let user = asker.user();
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let tx = prove(&app, &call, tx, &asker, &body.code).await?;
    if !body.disable_session {
        return attempt::admit(&app, &call, tx, &asker, body.trust_device).await;
    }
    let token: Option<&Token> = match &asker {
        Asker::SignedIn(caller) => Some(&caller.token),
        Asker::Waiting { secret, .. } => {
            // The proof was given and asked to lead nowhere: the sign-in is over.
            challenge::consume(&app, &call, &tx, secret).await?;
            None
        }
    };
    tx.commit().await?;
    Answer::json(&UsedBody { token: token.map(Token::reveal), user: wire::user(&app, user) })
}

/// Counts a guess and judges it: the transaction goes on when it is right, and the code is used up.
///
/// # Errors
/// `INVALID_BACKUP_CODE`, `BACKUP_CODES_NOT_ENABLED`, those of [`attempt::count`].
pub(super) async fn prove<'a>(
    app: &App,
    call: &Call,
    tx: Transaction<'a>,
    asker: &Asker,
    code: &str,
) -> Result<Transaction<'a>> {
    let user = asker.user();
    let row = store::lock(&tx, user.id).await?.ok_or(BACKUP_CODES_NOT_ENABLED)?;
    let tx = attempt::count(app, call, tx, asker, &row).await?;
    let mut codes = open(app, &row.backup_codes)?;
    let Some(used) = position(&codes, code) else {
        return Err(attempt::refuse(app, call, tx, asker, INVALID_BACKUP_CODE).await);
    };
    codes.remove(used);
    store::set_codes(&tx, row.id, &seal(app, &codes)?).await?;
    store::reset_failures(&tx, row.id).await?;
    let event = Event::BackupCodeUsed { left: codes.len() };
    events::record(app, &tx, call, event, Some(user.id)).await?;
    Ok(tx)
}

/// All are compared, whichever fits.
fn position(codes: &[String], presented: &str) -> Option<usize> {
    codes.iter().enumerate().fold(None, |found, (index, code)| {
        let fits = verify_slices_are_equal(code.as_bytes(), presented.as_bytes()).is_ok();
        if fits { Some(index) } else { found }
    })
}
