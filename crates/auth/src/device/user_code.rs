//! The short code: eight characters that cannot be mistaken for each other, read from a screen and typed.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost_protocol::random;

use crate::{app::App, error::Result, http::Call, limits::Limit, session::TokenStorage};

/// Without I, O, 0 and 1: Better Auth's alphabet. 40 bits.
const LENGTH: usize = 8;
const CHARACTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Codes that one user or one client address may try.
const GUESSES: Limit = Limit { name: "device-guess", window: 30 * 60, max: 20 };

/// A new code.
pub(super) fn generate() -> String {
    random::pick(CHARACTERS, LENGTH)
}

/// In two halves, for people.
pub(super) fn shown(code: &str) -> String {
    let code = normalized(code);
    match code.split_at_checked(LENGTH / 2) {
        Some((first, second)) if code.len() == LENGTH => format!("{first}-{second}"),
        _ => code,
    }
}

/// Without the dashes and in the case that people lose on the way.
fn normalized(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_uppercase()).collect()
}

/// As it is stored.
pub(super) fn stored(app: &App, code: &str) -> String {
    match app.config.device.storage(app) {
        TokenStorage::Plain => code.to_owned(),
        TokenStorage::Hashed => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, app.config.secret.as_bytes());
            let tag = hmac::sign(&key, format!("device-user-code\0{code}").as_bytes());
            URL_SAFE_NO_PAD.encode(tag)
        }
    }
}

/// What a typed code may stand as: to the letter, as another process may have made it, or as one of ours.
pub(super) fn candidates(app: &App, typed: &str) -> Vec<String> {
    let normalized = normalized(typed);
    let is_ours = normalized.bytes().all(|byte| CHARACTERS.contains(&byte));
    let mut candidates = vec![stored(app, typed)];
    if is_ours && normalized != typed {
        candidates.push(stored(app, &normalized));
    }
    candidates
}

/// Counts a try to name somebody's code, before it is looked up.
///
/// # Errors
/// Limited.
pub(super) async fn count_guess(app: &App, call: &Call, by: &str) -> Result<()> {
    app.limits.hit(GUESSES, &[by], call.now).await
}
