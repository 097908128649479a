//! A telephone number in international form.

use std::fmt;

/// A number of ITU-T E.164: a plus sign, a country code that does not begin with 0, fifteen digits at most. Whether the
/// number is in service only a message tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Takes the number as it is: spaces, brackets and national forms are for the page that asks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let fits = (2..=15).contains(&digits.len()) && !digits.starts_with('0');
        (fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(text.to_owned()))
    }

    /// With the plus sign.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the plus sign.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    /// The block of ten thousand numbers it lies in: what operators hand out, and what is pumped.
    #[must_use]
    pub fn range(&self) -> &str {
        let end = self.0.len().saturating_sub(4);
        self.0.get(..end).unwrap_or_default()
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
