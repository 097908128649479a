//! One-time codes of an authenticator (RFC 4226, RFC 6238): HMAC-SHA1, six digits, 30 seconds.

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;

const PERIOD: i64 = 30;
/// As `encodeURIComponent`.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// As `URLSearchParams`, which writes a space as `+`.
const FORM: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// The code of a counter (RFC 4226 section 5.3). The secret's text is the key, as Better Auth has it.
#[must_use]
pub fn code(secret: &str, counter: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0x0f);
    let bytes = tag.iter().skip(offset).take(4);
    let truncated = bytes.fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte)) & 0x7fff_ffff;
    format!("{:06}", truncated % 1_000_000)
}

/// The counter whose code this is, now or one step before or after. Keep it and refuse codes of it
/// and of earlier ones: a code counts once.
#[must_use]
pub fn verify(secret: &str, presented: &str, now: DateTime<Utc>) -> Option<u64> {
    let current = u64::try_from(now.timestamp().div_euclid(PERIOD)).ok()?;
    let window = [current, current.saturating_sub(1), current.saturating_add(1)];
    // All are compared, whichever fits.
    window.into_iter().fold(None, |found, counter| {
        let fits: bool = code(secret, counter).as_bytes().ct_eq(presented.as_bytes()).into();
        if fits { found.or(Some(counter)) } else { found }
    })
}

/// What the authenticator's QR code says.
#[must_use]
pub fn uri(issuer: &str, account: &str, secret: &str) -> String {
    let component = |text| utf8_percent_encode(text, COMPONENT);
    let form = utf8_percent_encode(issuer, FORM).to_string().replace(' ', "+");
    format!(
        "otpauth://totp/{}:{}?secret={}&issuer={form}&digits=6&period={PERIOD}",
        component(issuer),
        component(account),
        base32(secret.as_bytes()),
    )
}

/// RFC 4648 section 6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    for chunk in bytes.chunks(5) {
        let mut block = [0; 8];
        block.iter_mut().skip(3).zip(chunk).for_each(|(target, byte)| *target = *byte);
        let bits = u64::from_be_bytes(block);
        let characters = (chunk.len() * 8).div_ceil(5);
        let groups = (0..characters).map(|index| (bits >> (35 - 5 * index)) & 0x1f);
        let picked = groups.filter_map(|group| ALPHABET.get(usize::try_from(group).ok()?));
        text.extend(picked.map(|&character| char::from(character)));
    }
    text
}

#[cfg(test)]
mod tests;
