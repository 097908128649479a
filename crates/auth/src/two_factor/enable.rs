//! `POST /two-factor/enable`, `/two-factor/disable`, `/two-factor/get-totp-uri`: what takes the password.

use gatepost_protocol::{random, totp as codes};
use serde_json::json;

use super::{
    INVALID_PASSWORD, OTP_NOT_CONFIGURED, TOTP_ALREADY_ENABLED, TOTP_NOT_ENABLED, backup, otp,
    store, totp, trust,
};
use crate::{
    account::store as accounts,
    app::{App, connection},
    error::{Result, UNAUTHORIZED},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    password,
    session::{self, Current},
    user::store as users,
    wire,
};

const METHODS: &[&str] = &["otp", "totp"];
const ENABLE: (&str, &str) = ("/two-factor/enable", "enable_two_factor");
const DISABLE: (&str, &str) = ("/two-factor/disable", "disable_two_factor");
const URI: (&str, &str) = ("/two-factor/get-totp-uri", "get_totp_uri");

pub(super) fn endpoints(passwordless: bool) -> Vec<Endpoint> {
    let session = Access::Session;
    let (enable, disable, uri) = if passwordless {
        (
            Endpoint::post::<Enable<Passwordless>, _>(ENABLE.0, ENABLE.1, session, enable),
            Endpoint::post::<Passwordless, _>(DISABLE.0, DISABLE.1, session, disable),
            Endpoint::post::<Passwordless, _>(URI.0, URI.1, session, get_totp_uri),
        )
    } else {
        (
            Endpoint::post::<Enable<Confirmed>, _>(ENABLE.0, ENABLE.1, session, enable),
            Endpoint::post::<Confirmed, _>(DISABLE.0, DISABLE.1, session, disable),
            Endpoint::post::<Confirmed, _>(URI.0, URI.1, session, get_totp_uri),
        )
    };
    vec![
        enable.about("Begin to set an authenticator up, or switch mailed codes on."),
        disable.about("No second factor any more."),
        uri.about("The authenticator's link again, for its QR code."),
    ]
}

/// A body with the password.
pub(super) struct Confirmed {
    password: Option<String>,
}

/// The same for users who may have none.
pub(super) struct Passwordless {
    password: Option<String>,
}

impl FromFields for Confirmed {
    fn read(fields: &mut Fields) -> Self {
        Self { password: Some(fields.text("password")) }
    }
}

impl FromFields for Passwordless {
    const FORM: Form = Form::OptionalObject;

    fn read(fields: &mut Fields) -> Self {
        Self { password: fields.optional_text("password") }
    }
}

impl From<Confirmed> for Option<String> {
    fn from(body: Confirmed) -> Self {
        body.password
    }
}

impl From<Passwordless> for Option<String> {
    fn from(body: Passwordless) -> Self {
        body.password
    }
}

struct Enable<P> {
    _confirmed: P,
    method: &'static str,
    issuer: Option<String>,
}

impl<P: FromFields> FromFields for Enable<P> {
    fn read(fields: &mut Fields) -> Self {
        Self {
            _confirmed: P::read(fields),
            method: fields.optional_choice("method", METHODS).unwrap_or("totp"),
            issuer: fields.optional_text("issuer"),
        }
    }
}

fn password(app: &App, call: &Call) -> Result<Option<String>> {
    Ok(if app.config.two_factor.allow_passwordless {
        call.body::<Passwordless>()?.into()
    } else {
        call.body::<Confirmed>()?.into()
    })
}

/// Who calls, after the body was read.
///
/// # Errors
/// `VALIDATION_ERROR`, `UNAUTHORIZED`.
pub(super) async fn caller(app: &App, call: &Call) -> Result<Current> {
    wire::refuse_password_in_query(call)?;
    password(app, call)?;
    session::required_now(app, call).await
}

/// Checks the password; of who has none, that the session is fresh.
///
/// # Errors
/// `INVALID_PASSWORD`, `SESSION_NOT_FRESH`.
pub(super) async fn confirm(app: &App, call: &Call, caller: &Current) -> Result<()> {
    let user = &caller.signed_in.user;
    let presented = password(app, call)?;
    if app.config.two_factor.allow_passwordless {
        let credential = accounts::find_credential(&connection(app).await?, user.id).await?;
        if credential.is_none_or(|credential| credential.hash.is_none()) {
            return caller.demand_fresh(app, call);
        }
    }
    let presented = presented.ok_or(INVALID_PASSWORD)?;
    password::confirm(app, call, user, &presented, INVALID_PASSWORD.into()).await
}

async fn enable(app: App, call: Call) -> Result<Answer> {
    let (method, issuer) = if app.config.two_factor.allow_passwordless {
        let body: Enable<Passwordless> = call.body()?;
        (body.method, body.issuer)
    } else {
        let body: Enable<Confirmed> = call.body()?;
        (body.method, body.issuer)
    };
    let caller = caller(&app, &call).await?;
    confirm(&app, &call, &caller).await?;
    if method == "otp" {
        by_mail(&app, &call, &caller).await
    } else {
        by_totp(&app, &call, &caller, issuer).await
    }
}

async fn by_mail(app: &App, call: &Call, caller: &Current) -> Result<Answer> {
    if !app.config.two_factor.otp.enabled {
        return Err(OTP_NOT_CONFIGURED.into());
    }
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let rotated = otp::switch_on(app, call, &tx, caller).await?;
    tx.commit().await?;
    Ok(Answer::json(&json!({ "method": "otp" }))?.with_session(app, call, &rotated))
}

async fn by_totp(
    app: &App,
    call: &Call,
    caller: &Current,
    issuer: Option<String>,
) -> Result<Answer> {
    let user = &caller.signed_in.user;
    let skip = app.config.two_factor.skip_verification;
    let secret = random::token(32);
    let backup_codes = backup::new_codes();
    let sealed = (app.sealer.seal(secret.as_bytes()), backup::seal(app, &backup_codes)?);
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    // Two at once must not leave two rows.
    users::lock_user(&tx, user.id).await?;
    let earlier = store::lock(&tx, user.id).await?;
    if earlier.as_ref().is_some_and(store::Row::is_set_up) {
        return Err(TOTP_ALREADY_ENABLED.into());
    }
    let earlier = earlier.map(|row| row.id);
    store::put(&tx, user.id, earlier, (&sealed.0, &sealed.1), skip).await?;
    let rotated = if skip { Some(otp::switch_on(app, call, &tx, caller).await?) } else { None };
    tx.commit().await?;
    let issuer = issuer.filter(|issuer| !issuer.is_empty());
    let answer = Answer::json(&json!({
        "method": "totp",
        "totpURI": codes::uri(issuer.as_deref().unwrap_or_else(|| issuer_of(app)), &user.email, secret.as_bytes()),
        "backupCodes": backup_codes,
    }))?;
    Ok(match rotated {
        Some(rotated) => answer.with_session(app, call, &rotated),
        None => answer,
    })
}

fn issuer_of(app: &App) -> &str {
    let issuer = &app.config.two_factor.issuer;
    if issuer.is_empty() { &app.config.app_name } else { issuer }
}

async fn get_totp_uri(app: App, call: Call) -> Result<Answer> {
    let caller = caller(&app, &call).await?;
    let user = &caller.signed_in.user;
    let row = store::find(&connection(&app).await?, user.id).await?.ok_or(TOTP_NOT_ENABLED)?;
    confirm(&app, &call, &caller).await?;
    let uri = codes::uri(issuer_of(&app), &user.email, &totp::key(&app, &row.secret)?);
    Answer::json(&json!({ "totpURI": uri }))
}

async fn disable(app: App, call: Call) -> Result<Answer> {
    let caller = caller(&app, &call).await?;
    confirm(&app, &call, &caller).await?;
    let id = caller.signed_in.user.id;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = users::set_two_factor(&tx, id, false, call.now).await?.ok_or(UNAUTHORIZED)?;
    store::delete(&tx, id).await?;
    trust::forget_devices(&tx, id).await?;
    events::record(&app, &tx, &call, Event::TwoFactorDisabled, Some(id)).await?;
    let rotated = session::rotate_in(&app, &call, &tx, &caller, &user).await?;
    tx.commit().await?;
    let trusted = trust::is_presented(&app, &call).then(|| trust::forget(&call));
    Ok(Answer::json(&json!({ "status": true }))?
        .with_session(&app, &call, &rotated)
        .with_cookies(trusted))
}
