use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Read, Written};
use crate::jwk::{decode, encode};

/// Borrowed texts: the signature is over their exact spelling.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope<'text> {
    #[serde(borrow)]
    session: &'text RawValue,
    expires_at: i64,
    signature: String,
}

/// `{"session": …, "expiresAt": …, "signature": …}`; the signature is over the session's object with
/// `expiresAt` as a last member.
pub(super) fn write(key: &hmac::Key, written: &Written<'_>, expires_at: i64) -> Option<String> {
    let session = serde_json::to_string(written).ok()?;
    let signature = encode(hmac::sign(key, signed(&session, expires_at)?.as_bytes()));
    Some(encode(format!(
        r#"{{"session":{session},"expiresAt":{expires_at},"signature":"{signature}"}}"#
    )))
}

pub(super) fn read(key: &hmac::Key, value: &str) -> Option<(Read, i64)> {
    let text = String::from_utf8(decode(value)?).ok()?;
    let envelope: Envelope<'_> = serde_json::from_str(&text).ok()?;
    let session = envelope.session.get();
    let signed = signed(session, envelope.expires_at)?;
    hmac::verify(key, signed.as_bytes(), &decode(&envelope.signature)?).ok()?;
    Some((serde_json::from_str(session).ok()?, envelope.expires_at))
}

fn signed(session: &str, expires_at: i64) -> Option<String> {
    let open = session.strip_suffix('}')?;
    Some(format!(r#"{open},"expiresAt":{expires_at}}}"#))
}
