//! Whether a webhook was sent by the provider, just now. The signature is judged over the bytes as they came.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;

use super::{Provider, Source};
use crate::{
    error::{Refusal, Result},
    http::Call,
};

const INVALID_SIGNATURE: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "INVALID_SIGNATURE",
    "The webhook is not signed with this source's secret",
);
const OUTDATED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "OUTDATED_WEBHOOK",
    "The webhook was signed too long ago, or in the future; check both clocks",
);
const MISCONFIGURED: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "SOURCE_WITHOUT_SECRET",
    "This source has no secret, so that nothing it sends can be believed",
);
/// An older signature could be a replay (WH-10).
const OLDEST: TimeDelta = TimeDelta::minutes(5);
const FUTURE: TimeDelta = TimeDelta::seconds(30);

/// When the webhook was signed, as far as the provider says.
///
/// # Errors
/// `INVALID_SIGNATURE`, `OUTDATED_WEBHOOK`, `SOURCE_WITHOUT_SECRET`.
pub(super) fn check(source: &Source, call: &Call) -> Result<Option<DateTime<Utc>>> {
    if source.secret.reveal().is_empty() {
        return Err(MISCONFIGURED.into());
    }
    let at = match source.provider {
        Provider::StackAuth | Provider::Clerk => svix(source, call),
        Provider::WorkOs => work_os(source, call),
        Provider::Auth0 => bearer(source, call).then_some(None),
        Provider::Generic => generic(source, call),
    };
    let at = at.ok_or(INVALID_SIGNATURE)?;
    match at {
        Some(at) if at < call.now - OLDEST || at > call.now + FUTURE => Err(OUTDATED.into()),
        at => Ok(at),
    }
}

/// `svix-id`, `svix-timestamp` in seconds, and space-separated `v1,{base64}` over id, time and body.
fn svix(source: &Source, call: &Call) -> Option<Option<DateTime<Utc>>> {
    let secret = source.secret.reveal();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
    let (id, time) = (call.header("svix-id")?, call.header("svix-timestamp")?);
    let at = DateTime::from_timestamp(time.parse().ok()?, 0)?;
    let before = format!("{id}.{time}.");
    let signed = call.header("svix-signature")?.split(' ').any(|signature| {
        signature
            .strip_prefix("v1,")
            .and_then(|tag| STANDARD.decode(tag).ok())
            .is_some_and(|tag| is_signed(&key, &before, call, &tag))
    });
    signed.then_some(Some(at))
}

/// `t={milliseconds}, v1={hexadecimal}` over time and body.
fn work_os(source: &Source, call: &Call) -> Option<Option<DateTime<Utc>>> {
    let header = call.header("workos-signature")?;
    let part = |name: &str| {
        header
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let time = part("t")?;
    let at = DateTime::from_timestamp_millis(time.parse().ok()?)?;
    let tag = hex::decode(part("v1")?).ok()?;
    is_signed(source.secret.as_bytes(), &format!("{time}."), call, &tag).then_some(Some(at))
}

fn bearer(source: &Source, call: &Call) -> bool {
    let presented = call.header("authorization").and_then(|value| value.split_once(' '));
    presented.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("bearer")
            && constant_time::verify_slices_are_equal(token.as_bytes(), source.secret.as_bytes())
                .is_ok()
    })
}

fn generic(source: &Source, call: &Call) -> Option<Option<DateTime<Utc>>> {
    let mapping = &source.mapping;
    let header = call.header(&mapping.signature_header)?;
    // Base64 may end in `=`; a label stands before one that is followed by more.
    let tag = match header.split_once('=') {
        Some((_, rest)) if !rest.trim_matches('=').is_empty() => rest,
        _ => header,
    };
    let tag = hex::decode(tag).ok().or_else(|| STANDARD.decode(tag).ok())?;
    let key = source.secret.as_bytes();
    if mapping.timestamp_header.is_empty() {
        return is_signed(key, "", call, &tag).then_some(None);
    }
    let time = call.header(&mapping.timestamp_header)?;
    let at = DateTime::from_timestamp(time.parse().ok()?, 0)?;
    is_signed(key, &format!("{time}."), call, &tag).then_some(Some(at))
}

fn is_signed(key: &[u8], before: &str, call: &Call, tag: &[u8]) -> bool {
    let mut signed = before.as_bytes().to_vec();
    signed.extend_from_slice(&call.raw);
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed, tag).is_ok()
}
