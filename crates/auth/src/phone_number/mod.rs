//! Telephone numbers: codes by text message that sign in, sign up, prove a number or allow a new password; and a number in
//! the place of an address beside a password.
//!
//! Every message costs money and some recipients share it with whoever causes messages (SMS pumping), so messages are
//! limited per number, per block of numbers and per network of the caller, and countries can be chosen. A number gets ten
//! messages a day, of three guesses each: less than one in ten thousand (OT-04). Messages go the way of mail: a row in the
//! transaction that causes it, sealed; delivered afterwards, tried again until the code has expired.

mod config;
mod deliver;
mod gateway;
mod number;
mod presets;
mod reset;
mod send;
mod sign_in;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod text;
mod verify;
mod webhook;

use chrono::TimeDelta;
use deadpool_postgres::{GenericClient, Transaction};
use gatepost_protocol::random;
use http::StatusCode;

pub use config::{Config, Delivery, Encoding, Gateway, Limits, Webhook};
pub(crate) use deliver::Sending;
pub use deliver::Texts;
pub use number::PhoneNumber;
pub use presets::Preset;
pub use text::{TextCode, TextPurpose};

use crate::{
    app::App,
    config::Config as Whole,
    error::{Refusal, Result},
    events::{self, Event},
    http::{Call, Endpoint},
    mail::{self, Message},
    user::User,
    verification::code::{self, Guess, Keeping, Refusals, Slot, Then},
};

const INVALID_PHONE_NUMBER: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_PHONE_NUMBER", "Invalid phone number");
const INVALID_OTP: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "INVALID_OTP", "Invalid OTP");
const OTP_EXPIRED: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "OTP_EXPIRED", "OTP expired");
const OTP_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "OTP_NOT_FOUND", "OTP not found");
const TOO_MANY_ATTEMPTS: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "TOO_MANY_ATTEMPTS", "Too many attempts");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.features.phone_number {
        return Vec::new();
    }
    let mut endpoints = vec![sign_in::endpoint(), send::endpoint(), verify::endpoint()];
    endpoints.extend(reset::endpoints());
    endpoints
}

fn keeping(app: &App) -> Keeping<'_> {
    let config = &app.config.phone_number;
    Keeping {
        storage: config.storage.unwrap_or(app.config.session.token_storage),
        secret: &app.config.secret,
        attempts: config.attempts,
    }
}

/// A number that may get messages here.
///
/// # Errors
/// `INVALID_PHONE_NUMBER`.
fn number(app: &App, text: &str) -> Result<PhoneNumber> {
    let prefixes = &app.config.phone_number.allowed_prefixes;
    let allowed = |number: &PhoneNumber| {
        prefixes.is_empty() || prefixes.iter().any(|prefix| number.as_str().starts_with(prefix))
    };
    Ok(PhoneNumber::parse(text).filter(allowed).ok_or(INVALID_PHONE_NUMBER)?)
}

/// Counts a message that is about to be written, by number, block of numbers and network.
///
/// # Errors
/// Limited.
async fn count_message(app: &App, call: &Call, number: &PhoneNumber) -> Result<()> {
    app.limits.may_text(&app.config.phone_number.limits, number, call).await
}

/// Writes a code and its message in the caller's transaction; where it reaches nobody, the same is written and nothing is
/// sent (EN-06).
async fn text_code(
    app: &App,
    call: &Call,
    tx: &impl GenericClient,
    purpose: TextPurpose,
    number: &PhoneNumber,
    reach: Reach<'_>,
) -> Result<()> {
    let config = &app.config.phone_number;
    let otp = random::digits(usize::from(config.length));
    let expires_at = call.now + TimeDelta::seconds(i64::from(config.expires_in));
    let slot = Slot::of_phone(purpose, number);
    let written = (reach != Reach::Nobody).then_some(otp.as_str());
    code::replace(tx, &slot, keeping(app), written, expires_at, call.now).await?;
    let template = match purpose {
        TextPurpose::Verify => &config.text,
        TextPurpose::ResetPassword => &config.reset_text,
    };
    let text = template.replace("{app}", &app.config.app_name).replace("{code}", &otp);
    let message = Message::PhoneOtp(TextCode {
        purpose,
        otp,
        text,
        expires_at,
        user: reach.user().map(|user| user.id),
        ip_address: call.address(),
        user_agent: call.user_agent().chars().take(256).collect(),
    });
    match reach {
        Reach::Nobody => mail::pretend_text(app, tx, number, &message, call.now).await?,
        _ => mail::text(app, tx, number, &message, call.now).await?,
    }
    let event = Event::CodeRequested { purpose: purpose.kind() };
    events::record(app, tx, call, event, reach.user().map(|user| user.id)).await
}

/// Whom a code that is asked for reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach<'a> {
    /// The user who has the number.
    Owner(&'a User),
    /// Somebody who may become a user, or a user who wants the number.
    Somebody,
    /// Nobody: the code is of no use.
    Nobody,
}

impl<'a> Reach<'a> {
    const fn user(self) -> Option<&'a User> {
        match self {
            Self::Owner(user) => Some(user),
            Self::Somebody | Self::Nobody => None,
        }
    }
}

const REFUSALS: Refusals = Refusals {
    wrong: INVALID_OTP,
    absent: OTP_NOT_FOUND,
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
    let guess = Guess { slot, keeping: keeping(app), presented, then };
    code::check(app, call, tx, guess, &REFUSALS).await
}
