//! Passwords that are in the hands of attackers, asked of Have I Been Pwned without telling it the password.
//!
//! The service gets the first five digits of the password's SHA-1 and answers with the rest of all it knows that begin so,
//! some hundreds, padded so that not even the length of the answer tells which prefix was asked.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use gatepost_outbound::Request;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::{Refusal, Result},
};

/// Passwords known from breaches.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Refuse them. The service learns the first five hexadecimal digits of the password's SHA-1.
    pub enabled: bool,
    /// Where the range API of Have I Been Pwned is served.
    pub url: String,
    /// Seconds that the service may take.
    pub timeout: u32,
    /// What becomes of a password that could not be looked up.
    pub on_failure: OnFailure,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            url: "https://api.pwnedpasswords.com".to_owned(),
            timeout: 3,
            on_failure: OnFailure::Allow,
        }
    }
}

/// What becomes of a password that could not be looked up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It is taken: an outage of the service is none of ours.
    #[default]
    Allow,
    /// It is refused, to be tried again.
    Refuse,
}

const COMPROMISED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PASSWORD_COMPROMISED",
    "The password you entered has been compromised. Please choose a different password.",
);
const UNCHECKED: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "PASSWORD_CHECK_UNAVAILABLE",
    "Failed to check password. Please try again later.",
);

const ADD_PADDING: HeaderName = HeaderName::from_static("add-padding");

/// Refuses a password that is known from breaches. Asks another machine: never inside a transaction.
///
/// # Errors
/// `PASSWORD_COMPROMISED`; `PASSWORD_CHECK_UNAVAILABLE`, where failures refuse.
pub(crate) async fn check(app: &App, password: &str) -> Result<()> {
    let config = &app.config.email_password.breached;
    if !config.enabled {
        return Ok(());
    }
    match is_known(app, config, password).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(COMPROMISED.into()),
        Err(cause) => {
            let cause = format!("{cause:#}");
            tracing::warn!(cause, on_failure = ?config.on_failure, "a password could not be looked up in breaches");
            match config.on_failure {
                OnFailure::Allow => Ok(()),
                OnFailure::Refuse => Err(UNCHECKED.into()),
            }
        }
    }
}

async fn is_known(app: &App, config: &Config, password: &str) -> anyhow::Result<bool> {
    let hash = hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()));
    let (prefix, rest) = hash.split_at(5);
    let url = format!("{}/range/{prefix}", config.url.trim_end_matches('/'));
    let request = Request::get(&url).header(ADD_PADDING, HeaderValue::from_static("true"));
    let limit = Duration::from_secs(config.timeout.into());
    let answer = tokio::time::timeout(limit, app.outbound.send(request)).await??;
    if !answer.status.is_success() {
        anyhow::bail!("the service answered {}", answer.status);
    }
    let list = std::str::from_utf8(&answer.body)?;
    count(list, rest)
}

/// Whether the list holds the rest of a hash with a count above zero: with zero it is padding.
fn count(list: &str, rest: &str) -> anyhow::Result<bool> {
    for line in list.lines() {
        let (hash, count) = line
            .trim_end()
            .split_once(':')
            .ok_or_else(|| anyhow::anyhow!("the service did not answer with a list"))?;
        if hash.eq_ignore_ascii_case(rest) {
            return Ok(count.parse::<u64>()? > 0);
        }
    }
    Ok(false)
}
