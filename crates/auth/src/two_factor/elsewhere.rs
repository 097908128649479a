//! The second factor of a sign-in that an application on another site started, asked for on a page of this server.
//!
//! The browser comes back from another provider, or from a mail, with a navigation to this server. What this server sets
//! then lies in a partition of its own, in which the application's page can finish nothing. So the second step is done
//! here, before the verifier is given out ([`crate::session::verifier`]): clients see the same return as without one.
//!
//! What waits is known by the cookie of a waiting sign-in, with another word at its start: the endpoints under `/two-factor`
//! do not take it, nor this page theirs. Under Better Auth's layout nothing ever waits for it.

use deadpool_postgres::GenericClient;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    INVALID_COOKIE, OTP_NOT_CONFIGURED, TOO_MANY_ATTEMPTS,
    attempt::Asker,
    backup,
    challenge::{self, begin, demanded, expires_at},
    otp, totp, trust,
};
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::{Accepts, Access},
        fields::{Fields, FromFields},
        origin::Redirect,
    },
    session::{Method, SignIn, verifier::Return},
    system::{escape, page},
    verification::{self, OneTime, Purpose},
};

const PREFIX: &str = "elsewhere-";
const PATH: &str = "/second-factor";
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const TOTP: &str = "totp";
const OTP: &str = "otp";
const MAIL: &str = "mail-a-code";
const BACKUP_CODE: &str = "backup-code";

pub(super) fn endpoints() -> [Endpoint; 2] {
    let answer = Endpoint::post::<Given, _>(
        PATH,
        "second_factor_answer",
        Access::Public,
        second_factor_answer,
    )
    .about("The forms of the page: finish the sign-in, and go back to the application.");
    [
        Endpoint::get(PATH, "second_factor_page", Access::Public, second_factor_page)
            .about("A page that asks for the second factor of a sign-in started on another site."),
        Endpoint { accepts: Accepts::JsonAndForm, ..answer },
    ]
}

/// What waits, beside whose it is.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Waits {
    back: Return,
    methods: Vec<String>,
}

fn waits<'a>(app: &App, secret: &'a str) -> OneTime<'a> {
    OneTime { purpose: Purpose::TwoFactorReturn, ..challenge::one_time(app, secret) }
}

/// The gate of a sign-in whose application is on another site: `Some` leads to the page, and no session may begin; `None`:
/// go on. Whatever session this browser has lives on. The caller commits.
///
/// # Errors
/// Those of Postgres.
pub async fn ask_here(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: &SignIn<'_>,
    back: Return,
    target: &Redirect,
) -> Result<Option<Answer>> {
    let Some(methods) = demanded(app, call, conn, sign_in).await? else { return Ok(None) };
    // A passkey belongs to the site of the application, which this page is not on.
    let methods: Vec<String> = methods
        .into_iter()
        .filter(|method| [TOTP, OTP].contains(method))
        .map(str::to_owned)
        .collect();
    if methods.is_empty() {
        let target = target.with_parameter("error", "two_factor_required");
        return Answer::redirect(&target.absolute()).map(Some);
    }
    let secret = begin(app, call, conn, sign_in.user).await?;
    let record = serde_json::to_string(&Waits { back, methods })
        .map_err(|error| Error::Internal(error.into()))?;
    let until = expires_at(app, call);
    verification::create(conn, waits(app, &secret), &record, until, call.now).await?;
    let profile = &call.mount.cookies;
    let max_age = i64::from(app.config.two_factor.challenge_expires_in);
    let cookie = profile.set_signed(
        &profile.names.two_factor,
        &format!("{PREFIX}{secret}"),
        app.config.secret.as_bytes(),
        Some(max_age),
    );
    Ok(Some(Answer::redirect(&format!("{}{PATH}", call.mount.base))?.with_cookies([cookie])))
}

/// The sign-in that waits in this browser for the page.
async fn waiting(app: &App, call: &Call) -> Result<(Asker, String, Waits)> {
    let secret = challenge::presented_as(app, call, PREFIX).ok_or(INVALID_COOKIE)?;
    let record = verification::find(&connection(app).await?, waits(app, &secret), call.now).await?;
    let record = record.and_then(|record| serde_json::from_str(&record).ok());
    let asker = Asker::waiting(app, call, Some(secret.clone())).await?;
    Ok((asker, secret, record.ok_or(INVALID_COOKIE)?))
}

async fn second_factor_page(app: App, call: Call) -> Result<Answer> {
    match waiting(&app, &call).await {
        Ok((asker, _, waits)) => form(&app, &asker, &waits, None, ""),
        Err(Error::Refused(refusal)) => over(refusal),
        Err(error) => Err(error),
    }
}

struct Given {
    method: &'static str,
    code: Option<String>,
    trusts: bool,
}

impl FromFields for Given {
    fn read(fields: &mut Fields) -> Self {
        Self {
            method: fields.choice("method", &[TOTP, OTP, MAIL, BACKUP_CODE]),
            code: fields.optional_text("code"),
            trusts: fields.optional_choice("trust", &["yes"]).is_some(),
        }
    }
}

async fn second_factor_answer(app: App, call: Call) -> Result<Answer> {
    let given: Given = call.body()?;
    let (asker, secret, waits) = match waiting(&app, &call).await {
        Ok(waiting) => waiting,
        Err(Error::Refused(refusal)) => return over(refusal),
        Err(error) => return Err(error),
    };
    if given.method == MAIL {
        if !waits.methods.iter().any(|method| method == OTP) {
            return Err(OTP_NOT_CONFIGURED.into());
        }
        otp::mail_code(&app, &call, &asker).await?;
        return form(&app, &asker, &waits, None, OTP);
    }
    match finish(&app, &call, &asker, &secret, &given).await {
        Err(Error::Refused(refusal)) if [INVALID_COOKIE, TOO_MANY_ATTEMPTS].contains(&refusal) => {
            over(refusal)
        }
        Err(Error::Refused(refusal)) => form(&app, &asker, &waits, Some(refusal), given.method),
        other => other,
    }
}

/// Judges what was given, as the endpoints under `/two-factor` do, and goes back to the application.
async fn finish(
    app: &App,
    call: &Call,
    asker: &Asker,
    secret: &str,
    given: &Given,
) -> Result<Answer> {
    // As people copy it.
    let code = given.code.as_deref().unwrap_or_default().trim();
    let limited = if given.method == OTP { otp::begin(app, call, asker).await? } else { None };
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let tx = match given.method {
        OTP => otp::prove(app, call, tx, asker, code).await?,
        BACKUP_CODE => backup::prove(app, call, tx, asker, code).await?,
        _ => totp::prove(app, call, tx, asker, code).await?.0,
    };
    let record = verification::consume(&tx, waits(app, secret), call.now).await?;
    let record: Option<Waits> = record.and_then(|record| serde_json::from_str(&record).ok());
    let finished = challenge::finish(app, call, &tx, secret, asker.user()).await?;
    call.aside.cookies([challenge::forget(call)]);
    let waits = record.filter(|_| finished).ok_or(INVALID_COOKIE)?;
    let sign_in = SignIn::by(Method::TwoFactor, asker.user());
    let answer = waits.back.sign_in(app, call, &tx, sign_in).await?;
    let trusted = trust::trust_if(app, call, &tx, asker.user(), given.trusts).await?;
    tx.commit().await?;
    if let Some(limited) = limited {
        limited.succeeded(app).await;
    }
    Ok(answer.with_cookies(trusted))
}

fn over(refusal: Refusal) -> Result<Answer> {
    let text = "<p>This sign-in is over. Go back to where you came from and sign in again.</p>";
    shown(refusal.status, "Sign in again", text)
}

fn shown(status: StatusCode, title: &str, text: &str) -> Result<Answer> {
    Answer { status, ..Answer::html(page(title, text)) }
        .with_header(header::CONTENT_SECURITY_POLICY, POLICY)
}

fn words(refusal: Refusal) -> &'static str {
    match refusal.code {
        Some("OTP_HAS_EXPIRED") => "That code is too old. Have another one mailed.",
        Some("ACCOUNT_TEMPORARILY_LOCKED") => {
            "Too many wrong codes. Wait a quarter of an hour, then sign in again."
        }
        Some("BANNED_USER") => "This account is shut out.",
        _ => "That is not the code.",
    }
}

/// One form for each way; the way that was tried last, or whose code was just mailed, is `at`.
fn form(
    app: &App,
    asker: &Asker,
    waits: &Waits,
    refusal: Option<Refusal>,
    at: &str,
) -> Result<Answer> {
    let has = |method: &str| waits.methods.iter().any(|one| one == method);
    let trust = match app.config.two_factor.trust_device / (24 * 60 * 60) {
        0 => String::new(),
        days => format!(
            "<p><label><input type=checkbox name=trust value=yes> Do not ask again in this browser for {days} days</label>"
        ),
    };
    let way = |method: &str, label: &str, attributes: &str| {
        let focus = if at == method || at.is_empty() && method == TOTP { " autofocus" } else { "" };
        format!(
            "<form method=post><input type=hidden name=method value={method}><p><label>{label}<br>\
<input name=code required{focus} {attributes}></label>{trust}<p><button>Continue</button></form>"
        )
    };
    let digits = "inputmode=numeric autocomplete=one-time-code maxlength=16";
    let mut ways = String::new();
    if has(TOTP) {
        ways.push_str(&way(TOTP, "Code of your authenticator", digits));
    }
    if has(OTP) {
        if at == OTP {
            ways.push_str(&way(OTP, "Code from the mail", digits));
        }
        let again = if at == OTP { "Mail another code" } else { "Mail me a code" };
        ways.push_str(&format!(
            "<form method=post><input type=hidden name=method value={MAIL}><p><button class=plain>{again}</button></form>"
        ));
    }
    let open = if at == BACKUP_CODE { " open" } else { "" };
    let backup = way(BACKUP_CODE, "Backup code", "autocomplete=off spellcheck=false maxlength=32");
    ways.push_str(&format!(
        "<details{open}><summary>Use a backup code</summary>{backup}</details>"
    ));
    let wrong = refusal.map(|refusal| format!("<p role=alert>{}</p>", words(refusal)));
    let text = format!(
        "<p>As <b>{}</b></p>{}{ways}",
        escape(&asker.user().email),
        wrong.unwrap_or_default()
    );
    let title = format!("Second step to sign in to {}", escape(&app.config.app_name));
    let status = refusal.map_or(StatusCode::OK, |refusal| refusal.status);
    shown(status, &title, &text)
}
