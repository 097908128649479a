//! Randomness of the operating system: the only source of secrets.

use uuid::{Builder, Uuid};

const ALPHANUMERIC: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const DECIMAL: &[u8; 10] = b"0123456789";

/// `N` random bytes. Ends the process when the operating system has no randomness to give:
/// nothing the server could answer then would be safe.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut buffer = [0; N];
    // Not the generator of aws-lc: its first use gathers entropy of its own for 50 ms, and the first request waits.
    if getrandom::fill(&mut buffer).is_err() {
        std::process::abort();
    }
    buffer
}

/// `length` random characters of `[a-zA-Z0-9]`, each equally likely (5.95 bits each).
/// Session tokens have 32 of them.
#[must_use]
pub fn token(length: usize) -> String {
    pick(ALPHANUMERIC, length)
}

/// `length` random characters of `[a-zA-Z]`, each equally likely (5.7 bits each).
#[must_use]
pub fn letters(length: usize) -> String {
    let (letters, _) = ALPHANUMERIC.split_at(52);
    pick(letters, length)
}

/// `length` random decimal digits, each equally likely.
#[must_use]
pub fn digits(length: usize) -> String {
    pick(DECIMAL, length)
}

/// A random UUID (version 4).
#[must_use]
pub fn uuid() -> Uuid {
    Builder::from_random_bytes(bytes::<16>()).into_uuid()
}

/// `length` random characters of an alphabet of at most 256 ASCII characters, each equally likely.
///
/// Masks each byte to the next power of two and drops what lies beyond the alphabet: no bias.
#[must_use]
pub fn pick(alphabet: &[u8], length: usize) -> String {
    let mask = u8::try_from(alphabet.len().next_power_of_two() - 1).unwrap_or(u8::MAX);
    let mut text = String::with_capacity(length);
    if alphabet.is_empty() {
        return text;
    }
    while text.len() < length {
        let missing = length - text.len();
        let block = bytes::<64>();
        let drawn = block.iter().filter_map(|byte| alphabet.get(usize::from(byte & mask)));
        text.extend(drawn.take(missing).map(|&character| char::from(character)));
    }
    text
}

#[cfg(test)]
mod tests;
