//! Members that are text: any, addresses, words.

use serde_json::Value;

use super::{Fields, Kind, type_name};
use crate::user::Email;

impl Fields {
    /// Text that must be there; may be empty.
    pub fn text(&mut self, name: &'static str) -> String {
        self.note(name, Kind::Text, true);
        match self.values.get(name) {
            Some(Value::String(text)) => text.clone(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected string, received {received}"));
                String::new()
            }
        }
    }

    /// Text that must be there and not empty.
    pub fn some_text(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if text.is_empty() && matches!(self.values.get(name), Some(Value::String(_))) {
            self.issue(name, "Too small: expected string to have >=1 characters");
        }
        text
    }

    /// Text that may be left out, but neither be empty nor null.
    pub fn optional_some_text(&mut self, name: &'static str) -> Option<String> {
        let text = self.optional_text(name);
        if text.as_deref() == Some("") {
            self.issue(name, "Too small: expected string to have >=1 characters");
        }
        text
    }

    /// Text that may be left out or be null: `Some(None)` is null.
    pub fn nullable_text(&mut self, name: &'static str) -> Option<Option<String>> {
        if matches!(self.values.get(name), Some(Value::Null)) {
            self.note(name, Kind::Text, false);
            return Some(None);
        }
        self.optional_text(name).map(Some)
    }

    /// Anything, read as JavaScript turns it into text: what is missing is `undefined`.
    pub fn coerced_text(&mut self, name: &'static str) -> String {
        self.note(name, Kind::Text, true);
        match self.values.get(name) {
            Some(Value::String(text)) => text.clone(),
            None => "undefined".to_owned(),
            Some(other) => other.to_string(),
        }
    }

    /// Text, or a list of texts, that must be there; a single text is a list of one.
    pub fn texts(&mut self, name: &'static str) -> Vec<String> {
        let texts = self.read_texts(name, true);
        if texts.is_none() {
            self.issue(name, "Invalid input");
        }
        texts.unwrap_or_default()
    }

    /// The same where it may be left out.
    pub fn optional_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let texts = self.read_texts(name, false);
        if texts.is_none() && self.values.contains_key(name) {
            self.issue(name, "Invalid input");
        }
        texts
    }

    fn read_texts(&mut self, name: &'static str, required: bool) -> Option<Vec<String>> {
        self.note(name, Kind::Texts, required);
        match self.values.get(name)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(list) => {
                list.iter().map(|text| text.as_str().map(str::to_owned)).collect()
            }
            _ => None,
        }
    }

    /// Text that may be left out, but not be null.
    pub fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.note(name, Kind::Text, false);
        match self.values.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected string, received {received}"));
                None
            }
        }
    }

    /// An address that must be there; folded to lower case.
    pub fn email(&mut self, name: &'static str) -> Email {
        let text = self.text(name);
        if let Some(member) = self.members.last_mut() {
            member.kind = Kind::Email;
        }
        let sent = matches!(self.values.get(name), Some(Value::String(_)));
        Email::parse(&text).unwrap_or_else(|| {
            if sent {
                self.issue(name, "Invalid email address");
            }
            Email::default()
        })
    }

    /// One of a few words, which must be there.
    pub fn choice(&mut self, name: &'static str, words: &'static [&'static str]) -> &'static str {
        self.read_choice(name, words, true).unwrap_or_default()
    }

    /// One of a few words, or none.
    pub fn optional_choice(
        &mut self,
        name: &'static str,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        self.read_choice(name, words, false)
    }

    fn read_choice(
        &mut self,
        name: &'static str,
        words: &'static [&'static str],
        required: bool,
    ) -> Option<&'static str> {
        self.note(name, Kind::Choice(words), required);
        let sent = self.values.get(name);
        let chosen = words.iter().find(|word| sent.and_then(Value::as_str) == Some(**word));
        if chosen.is_none() && (required || sent.is_some()) {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            self.issue(name, &format!("Invalid option: expected one of {}", words.join("|")));
        }
        chosen.copied()
    }

    /// The one word that must be there.
    pub fn literal(&mut self, name: &'static str, word: &'static str) {
        self.note(name, Kind::Text, true);
        if self.values.get(name).and_then(Value::as_str) != Some(word) {
            self.issue(name, &format!("Invalid input: expected \"{word}\""));
        }
    }
}
