//! Codes by mail: sign-in, proof of an address, a forgotten password, a change of address.
//!
//! One code lives per purpose and address. A million codes against three tries each, and at most twenty mails a day to one
//! address, bound a guesser to sixty tries a day: less than one in ten thousand (OT-04). Addresses without a user get the
//! same answers, the same writes and a code that nobody knows.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use gatepost_protocol::random;
use http::StatusCode;
use serde::{Deserialize, Serialize};

mod browser;
mod change_email;
mod check;
mod reset;
mod send;
mod sign_in;
#[cfg(test)]
mod tests;
mod verify;

use crate::{
    app::{App, connection},
    config::Config as Whole,
    error::{Refusal, Result},
    events::{self, Event},
    http::{Call, Endpoint},
    mail::{self, Message, OtpPurpose},
    session::TokenStorage,
    user::Email,
    verification::code::{self, Guess, Keeping, Refusals, Slot, Then},
};

/// Mailed codes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Mail codes at all.
    pub enabled: bool,
    /// Digits.
    pub length: u8,
    /// Seconds a code is good for.
    pub expires_in: u32,
    /// Wrong tries that a code survives.
    pub attempts: u32,
    /// A sign-in code to an unknown address creates a user.
    pub sign_up: bool,
    /// A code is good only in the browser that asked for it.
    pub same_browser: bool,
    /// `hashed` or `plain`; unset: as session tokens.
    pub storage: Option<TokenStorage>,
    /// Change of address by codes.
    pub change_email: ChangeEmail,
}

/// Change of address by codes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeEmail {
    /// Users may change their address so.
    pub enabled: bool,
    /// A code from the present address is asked for first.
    pub verify_current: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            length: 6,
            expires_in: 5 * 60,
            attempts: 3,
            sign_up: true,
            same_browser: false,
            storage: None,
            change_email: ChangeEmail::default(),
        }
    }
}

impl Default for ChangeEmail {
    fn default() -> Self {
        Self { enabled: true, verify_current: true }
    }
}

const INVALID_OTP: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "INVALID_OTP", "Invalid OTP");
const OTP_EXPIRED: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "OTP_EXPIRED", "OTP expired");
const TOO_MANY_ATTEMPTS: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "TOO_MANY_ATTEMPTS", "Too many attempts");
const INVALID_EMAIL: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_EMAIL", "Invalid email");
const USER_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "USER_NOT_FOUND", "User not found");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.email_otp.enabled {
        return Vec::new();
    }
    let mut endpoints =
        vec![send::endpoint(), check::endpoint(), sign_in::endpoint(), verify::endpoint()];
    endpoints.extend(reset::endpoints(config.older_routes));
    if config.email_otp.change_email.enabled {
        endpoints.extend(change_email::endpoints());
    }
    endpoints
}

fn keeping(app: &App) -> Keeping<'_> {
    let config = &app.config.email_otp;
    Keeping {
        storage: config.storage.unwrap_or(app.config.session.token_storage),
        secret: &app.config.secret,
        attempts: config.attempts,
    }
}

fn expiry(app: &App, now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::seconds(i64::from(app.config.email_otp.expires_in))
}

/// Whether a code that is asked for reaches anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Owner,
    Nobody,
}

/// Mails a code that proves an address, in place of a link, in the caller's transaction; nothing goes to a mailbox that
/// got too many already.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn send_proof(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    email: &Email,
) -> Result<()> {
    let purpose = OtpPurpose::EmailVerification;
    if !app.limits.may_mail(email, call.now).await {
        return mail_nothing(app, call, purpose, email).await;
    }
    let slot = Slot::of_address(purpose, email);
    mail_code(app, call, conn, &slot, purpose, email, Reach::Owner).await
}

/// The same for whoever asks, without telling whether the address is known.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn send_proof_if_known(app: &App, call: &Call, email: &Email) -> Result<()> {
    send::send(app, call, OtpPurpose::EmailVerification, email).await
}

/// Mails a new code for a slot; where it reaches nobody, the same is written and nothing is sent (EN-06).
async fn mail_code(
    app: &App,
    call: &Call,
    tx: &impl GenericClient,
    slot: &Slot,
    purpose: OtpPurpose,
    to: &Email,
    reach: Reach,
) -> Result<()> {
    let otp = random::digits(usize::from(app.config.email_otp.length));
    let known = reach == Reach::Owner;
    let written = known.then_some(otp.as_str());
    browser::mark(app, call, slot);
    code::replace(tx, slot, keeping(app), written, expiry(app, call.now), call.now).await?;
    let message = Message::EmailOtp { purpose, otp: otp.clone() };
    if known {
        mail::send(app, call, tx, to.as_str(), &message).await?;
    } else {
        mail::pretend(app, call, tx, to.as_str(), &message).await?;
    }
    events::record(app, tx, call, Event::CodeRequested { purpose: purpose.as_str() }, None).await
}

/// Does the work of [`mail_code`] for a mailbox that got too many: the code it holds stays good (RL-17).
async fn mail_nothing(app: &App, call: &Call, purpose: OtpPurpose, to: &Email) -> Result<()> {
    let otp = random::digits(usize::from(app.config.email_otp.length));
    let conn = connection(app).await?;
    let message = Message::EmailOtp { purpose, otp };
    mail::pretend(app, call, &conn, to.as_str(), &message).await
}

const REFUSALS: Refusals = Refusals {
    wrong: INVALID_OTP,
    absent: INVALID_OTP,
    expired: OTP_EXPIRED,
    exhausted: TOO_MANY_ATTEMPTS,
};

/// Counts and judges a guess. A right one leaves the transaction to the caller; any other is committed and refused.
///
/// # Errors
/// One of [`REFUSALS`].
async fn check_code<'a>(
    app: &App,
    call: &Call,
    tx: Transaction<'a>,
    slot: &Slot,
    presented: &str,
    then: Then,
) -> Result<Transaction<'a>> {
    // In another browser a right code is a wrong one, and counts as such.
    let presented = if browser::may_use(app, call, slot) { presented } else { "" };
    let guess = Guess { slot, keeping: keeping(app), presented, then };
    code::check(app, call, tx, guess, &REFUSALS).await
}
