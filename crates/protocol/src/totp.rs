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

/// What a secret that was imported from elsewhere begins with, as Better Auth stores it.
const IMPORTED: &str = "base32:";

/// The key that a stored secret stands for: its text, as Better Auth has it, or, behind `base32:`, the bytes written there.
/// `None`: no such bytes.
#[must_use]
pub fn key(stored: &str) -> Option<Vec<u8>> {
    match stored.strip_prefix(IMPORTED) {
        Some(imported) => from_base32(imported),
        None => Some(stored.as_bytes().to_vec()),
    }
}

/// The code of a counter (RFC 4226 section 5.3).
#[must_use]
pub fn code(key: &[u8], counter: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
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
pub fn verify(key: &[u8], presented: &str, now: DateTime<Utc>) -> Option<u64> {
    let current = u64::try_from(now.timestamp().div_euclid(PERIOD)).ok()?;
    let window = [current, current.saturating_sub(1), current.saturating_add(1)];
    // All are compared, whichever fits.
    window.into_iter().fold(None, |found, counter| {
        let fits: bool = code(key, counter).as_bytes().ct_eq(presented.as_bytes()).into();
        if fits { found.or(Some(counter)) } else { found }
    })
}

/// What the authenticator's QR code says.
#[must_use]
pub fn uri(issuer: &str, account: &str, key: &[u8]) -> String {
    let component = |text| utf8_percent_encode(text, COMPONENT);
    let form = utf8_percent_encode(issuer, FORM).to_string().replace(' ', "+");
    format!(
        "otpauth://totp/{}:{}?secret={}&issuer={form}&digits=6&period={PERIOD}",
        component(issuer),
        component(account),
        base32(key),
    )
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648 section 6, without padding.
fn base32(bytes: &[u8]) -> String {
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

/// The bytes of base 32 in either case, with or without padding.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let character = character.to_ascii_uppercase();
        let five = ALPHABET.iter().position(|&other| other == character)?;
        held = held << 5 | u32::try_from(five).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
