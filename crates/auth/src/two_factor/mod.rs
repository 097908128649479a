//! The second factor: an authenticator (RFC 6238), a mailed code, backup codes, a passkey; and browsers that skip it.
//!
//! Whoever proved a first factor gets no session but a pending sign-in: a signed cookie and a row, good for ten minutes and
//! five guesses ([`challenge`]). Ten wrong guesses in a row lock the second factor of the account for a quarter of an hour,
//! whichever sign-in they were made in. Every guess is counted before it is compared. A code of an authenticator and a
//! backup code count once, whoever presents them at the same time. Secrets are sealed at rest as Better Auth seals them.

use http::StatusCode;
use serde::{Deserialize, Serialize};

mod attempt;
mod backup;
mod challenge;
mod elsewhere;
mod enable;
mod otp;
mod qr;
mod required;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod totp;
mod trust;

pub use challenge::{Pending, challenge, challenge_after, is_asked};
pub(crate) use challenge::{complete, waiting};
pub use elsewhere::ask_here;
pub use qr::svg;
pub(crate) use required::{demand, is_owed};
pub(crate) use trust::forget_devices;

use crate::{config::Config as Whole, error::Refusal, http::Endpoint, session::TokenStorage};

/// The second factor.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Config {
    /// Users may set one up, and are asked for it. Off: nobody is asked, also who has one.
    pub enabled: bool,
    /// What authenticators show as the issuer; empty: `app_name`.
    pub issuer: String,
    /// After which first factors it is asked for: `every`, or `password` as Better Auth does.
    pub first_factors: FirstFactors,
    /// Seconds a sign-in may wait for it.
    pub challenge_expires_in: u32,
    /// Wrong guesses that a waiting sign-in survives.
    pub challenge_attempts: u32,
    /// Wrong guesses in a row, in whatever sign-ins, that lock the second factor of an account; 0: none do.
    pub lockout_attempts: u32,
    /// Seconds it stays locked.
    pub lockout_duration: u32,
    /// Seconds a browser whose user trusts it is not asked again, counted from its last sign-in; 0: it is always asked.
    pub trust_device: u32,
    /// An authenticator counts as set up before a first code proves it.
    pub skip_verification: bool,
    /// Users without a password may set it up and change it while their session is fresh.
    pub allow_passwordless: bool,
    /// A code of an authenticator is taken as often as it is presented, as Better Auth does, instead of once.
    pub allow_reuse: bool,
    /// The answer that asks for it names a session that was never there, as Better Auth's does.
    pub recorded_challenge: bool,
    /// Roles of users who must have one: until they do, they can set it up and nothing else.
    pub required_for_roles: Vec<String>,
    /// Short names of organizations whose members must have one; `*`: all.
    pub required_in_organizations: Vec<String>,
    /// Members must have one as well where an organization's metadata say `"requireTwoFactor": true`.
    pub organizations_decide: bool,
    /// Codes by mail.
    pub otp: Otp,
}

/// After which first factors the second is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum FirstFactors {
    /// Every one that is not two factors by itself.
    #[default]
    Every,
    /// Passwords only: a mailed link or code, another provider and a passkey sign in alone.
    Password,
}

/// Codes by mail as a second factor.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Otp {
    /// Offer them.
    pub enabled: bool,
    /// Digits.
    pub length: u8,
    /// Seconds a code is good for.
    pub expires_in: u32,
    /// Wrong guesses that a code survives.
    pub attempts: u32,
    /// `hashed` or `plain`; unset: as session tokens.
    pub storage: Option<TokenStorage>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            issuer: String::new(),
            first_factors: FirstFactors::Every,
            challenge_expires_in: 10 * 60,
            challenge_attempts: 5,
            lockout_attempts: 10,
            lockout_duration: 15 * 60,
            trust_device: 30 * 24 * 60 * 60,
            skip_verification: false,
            allow_passwordless: true,
            allow_reuse: false,
            recorded_challenge: false,
            required_for_roles: Vec::new(),
            required_in_organizations: Vec::new(),
            organizations_decide: false,
            otp: Otp::default(),
        }
    }
}

impl Default for Otp {
    fn default() -> Self {
        Self { enabled: true, length: 6, expires_in: 3 * 60, attempts: 5, storage: None }
    }
}

const INVALID_COOKIE: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "INVALID_TWO_FACTOR_COOKIE",
    "Invalid two factor cookie",
);
const INVALID_CODE: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "INVALID_CODE", "Invalid code");
const INVALID_BACKUP_CODE: Refusal =
    Refusal::new(StatusCode::UNAUTHORIZED, "INVALID_BACKUP_CODE", "Invalid backup code");
const TOO_MANY_ATTEMPTS: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE",
    "Too many attempts. Please request a new code.",
);
const LOCKED: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "ACCOUNT_TEMPORARILY_LOCKED",
    "Too many failed verification attempts. Your account is temporarily locked. Please try again later.",
);
const TOTP_NOT_ENABLED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "TOTP_NOT_ENABLED", "TOTP not enabled");
const TOTP_ALREADY_ENABLED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "TOTP_ALREADY_ENABLED", "TOTP is already enabled");
const TWO_FACTOR_NOT_ENABLED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "TWO_FACTOR_NOT_ENABLED", "Two factor isn't enabled");
const BACKUP_CODES_NOT_ENABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "BACKUP_CODES_NOT_ENABLED",
    "Backup codes aren't enabled",
);
const OTP_HAS_EXPIRED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "OTP_HAS_EXPIRED", "OTP has expired");
const OTP_NOT_CONFIGURED: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "OTP_NOT_CONFIGURED", "OTP is not available");
const INVALID_PASSWORD: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_PASSWORD", "Invalid password");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.two_factor.enabled {
        return Vec::new();
    }
    let passwordless = config.two_factor.allow_passwordless;
    let mut endpoints = enable::endpoints(passwordless);
    endpoints.push(totp::endpoint());
    endpoints.extend(otp::endpoints());
    endpoints.extend(backup::endpoints(passwordless));
    endpoints.extend(elsewhere::endpoints());
    endpoints
}
