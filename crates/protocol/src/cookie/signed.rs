use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Presented;

/// What JavaScript's `encodeURIComponent` leaves alone besides letters and digits.
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

/// Base64 of the 32 bytes of HMAC-SHA256, with its padding.
const SIGNATURE: usize = 44;

/// What a presented signed cookie holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// No cookie of this name, or an empty one.
    Absent,
    /// The value that was signed.
    Valid(String),
    /// A signature that does not fit.
    Forged,
    /// Several cookies of this name, validly signed with different values (SE-05).
    Ambiguous,
}

/// Signs a value: `encodeURIComponent(value + "." + base64(HMAC-SHA256(secret, value)))`.
/// The result is the cookie's value on the wire.
#[must_use]
pub fn sign(secret: &[u8], value: &str) -> String {
    utf8_percent_encode(&sign_plain(secret, value), COMPONENT).to_string()
}

/// Like [`sign`], without percent-encoding.
#[must_use]
pub fn sign_plain(secret: &[u8], value: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), value.as_bytes());
    let mut text = String::with_capacity(value.len() + 1 + SIGNATURE);
    text.push_str(value);
    text.push('.');
    STANDARD.encode_string(tag, &mut text);
    text
}

/// The value of a signed cookie, if the signature is right. Takes the percent-encoded spelling that
/// browsers send and the decoded one that server-side proxies send, and no third one (SE-06).
#[must_use]
pub fn verify(secret: &[u8], presented: &str) -> Option<String> {
    if !presented.contains('%') {
        return verify_plain(secret, presented).map(str::to_owned);
    }
    let decoded = percent_decode_str(presented).decode_utf8().ok()?;
    let value = verify_plain(secret, &decoded)?;
    // One cookie is one byte string: `%2f`, `%41` and double encoding are other cookies.
    utf8_percent_encode(&decoded, COMPONENT).to_string().eq(presented).then(|| value.to_owned())
}

fn verify_plain<'value>(secret: &[u8], text: &'value str) -> Option<&'value str> {
    let (value, signature) = text.rsplit_once('.')?;
    if value.is_empty() || signature.len() != SIGNATURE {
        return None;
    }
    // The engine refuses missing padding, other alphabets and non-zero trailing bits.
    let tag = STANDARD.decode(signature).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, value.as_bytes(), &tag).is_ok().then_some(value)
}

/// The value of a signed cookie among those presented. The first one counts, as in Better Auth,
/// unless a later one is validly signed with another value: then none does (SE-05).
#[must_use]
pub fn open(secret: &[u8], presented: &Presented<'_>) -> Opened {
    match presented {
        Presented::None | Presented::One("") => Opened::Absent,
        Presented::One(text) => verify(secret, text).map_or(Opened::Forged, Opened::Valid),
        Presented::Ambiguous(texts) => {
            let mut values = texts.iter().map(|text| verify(secret, text));
            match values.next().flatten() {
                None => Opened::Forged,
                Some(first) if values.flatten().any(|other| other != first) => Opened::Ambiguous,
                Some(first) => Opened::Valid(first),
            }
        }
    }
}
