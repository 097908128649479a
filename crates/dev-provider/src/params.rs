//! Parameters of queries and forms.

use url::form_urlencoded;

/// Decoded parameters.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// A parameter that was given and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// No parameter may stand twice (RFC 6749 section 3.1).
    pub(crate) fn has_duplicates(&self) -> bool {
        let mut rest = self.0.as_slice();
        while let [(first, _), others @ ..] = rest {
            if others.iter().any(|(name, _)| name == first) {
                return true;
            }
            rest = others;
        }
        false
    }
}

/// Whether a list of words, separated by spaces, has a word.
pub(crate) fn has_word(words: &str, word: &str) -> bool {
    words.split(' ').any(|other| other == word)
}
