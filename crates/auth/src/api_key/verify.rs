//! Is this key good? Each answer of yes is one use, counted by the statement that allows it.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::digest;
use http::StatusCode;

use super::{Config, key::ApiKey, store};
use crate::{
    error::{Refusal, Result},
    permissions::{self, Roles, Statements},
    user::{self, User},
};

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Unknown.
    Invalid,
    /// Its owner is gone.
    Ownerless,
    /// Switched off.
    Disabled,
    /// Past its end; deleted now.
    Expired,
    /// May not do what is asked.
    NotPermitted,
    /// In the hands of somebody who is shut out.
    Banned,
    /// No uses left.
    UsageExceeded,
    /// Too many uses; milliseconds to wait.
    RateLimited(i64),
}

impl Refused {
    /// As the client reads it.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        const fn unauthorized(code: &'static str, message: &'static str) -> Refusal {
            Refusal::new(StatusCode::UNAUTHORIZED, code, message)
        }
        match self {
            Self::Invalid => unauthorized("INVALID_API_KEY", "Invalid API key."),
            Self::Ownerless => unauthorized(
                "INVALID_REFERENCE_ID_FROM_API_KEY",
                "The reference id from the API key is invalid.",
            ),
            Self::Disabled => unauthorized("KEY_DISABLED", "API Key is disabled"),
            Self::Expired => unauthorized("KEY_EXPIRED", "API Key has expired"),
            Self::NotPermitted => unauthorized("KEY_NOT_FOUND", "API Key not found"),
            Self::Banned => unauthorized("USER_BANNED", "User is banned"),
            Self::UsageExceeded => Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "USAGE_EXCEEDED",
                "API Key has reached its usage limit",
            ),
            Self::RateLimited(_) => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Rate limit exceeded.")
            }
        }
    }
}

/// A key that may be used, counted as used once more.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The key after this use.
    pub key: ApiKey,
    /// The user in whose hands it is.
    pub holder: User,
}

/// Judges a key and counts the use: the `verifyApiKey` of Better Auth. `asked`: what the key must be permitted to do.
///
/// # Errors
/// Those of Postgres.
pub async fn verify(
    config: &Config,
    conn: &impl GenericClient,
    key: &str,
    asked: Option<&Statements>,
    now: DateTime<Utc>,
) -> Result<Result<Verified, Refused>> {
    let found = store::find_by_hash(conn, &digest::sha256_base64url(key)).await?;
    let Some((key, holder)) = found else { return Ok(Err(Refused::Invalid)) };
    if let Err(refused) = judge(&key, holder.as_ref(), asked, now) {
        if matches!(refused, Refused::Expired | Refused::UsageExceeded) {
            store::delete(conn, key.id).await?;
        }
        return Ok(Err(refused));
    }
    let used = store::count_use(conn, key.id, config.rate_limit, now).await?;
    if let (Some(key), Some(holder)) = (used, holder.clone()) {
        return Ok(Ok(Verified { key, holder }));
    }
    // Somebody else was faster, or a limit is reached: the row as it is now tells which.
    let Some(key) = store::find(conn, key.id).await? else { return Ok(Err(Refused::Invalid)) };
    Ok(Err(judge(&key, holder.as_ref(), asked, now).err().unwrap_or_else(|| limit(&key, now))))
}

fn judge(
    key: &ApiKey,
    holder: Option<&User>,
    asked: Option<&Statements>,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    if key.enabled == Some(false) {
        return Err(Refused::Disabled);
    }
    if key.expires_at.is_some_and(|end| end < now) {
        return Err(Refused::Expired);
    }
    match holder {
        Some(holder) if user::is_banned(holder, now) => return Err(Refused::Banned),
        None => return Err(Refused::Ownerless),
        _ => {}
    }
    if let Some(asked) = asked {
        let mut roles = Roles::default();
        roles.define("key", key.permissions().ok_or(Refused::NotPermitted)?);
        if !permissions::allow(&[&roles], "key", asked) {
            return Err(Refused::NotPermitted);
        }
    }
    if key.remaining == Some(0) && key.refill_amount.is_none() {
        return Err(Refused::UsageExceeded);
    }
    Ok(())
}

/// The limit that stopped a key which is good otherwise.
fn limit(key: &ApiKey, now: DateTime<Utc>) -> Refused {
    if key.remaining.is_some_and(|remaining| remaining <= 0) {
        return Refused::UsageExceeded;
    }
    let since = key.last_request.map_or(0, |last| (now - last).num_milliseconds());
    let window = key.rate_limit_window.map_or(0, i64::from);
    Refused::RateLimited((window - since).max(0))
}
