//! Values of requests, and how they are written at each place of a template.

use gatepost_data_api::verify::Identity;
use proptest::prelude::*;

/// Anything, to the end of a parameter or body.
pub const FREE: char = '\u{E000}';
/// A quoted value: in lists, logical trees and JSON paths.
pub const QUOTED: char = '\u{E001}';
/// `(…)` with any number of quoted values.
pub const LIST: char = '\u{E002}';
/// Digits.
pub const NUMBER: char = '\u{E003}';
/// Letters and digits.
pub const WORD: char = '\u{E004}';
/// Any JSON.
pub const JSON: char = '\u{E005}';
/// A quoted field of CSV.
pub const CELL: char = '\u{E006}';
/// A value of a form.
pub const FIELD: char = '\u{E007}';
/// What does not begin as a filter: an argument of a function by GET.
pub const ARGUMENT: char = '\u{E008}';
/// A name, where the client may choose it.
pub const NAME: char = '\u{E009}';

/// The values of one request. Places take them in turn.
#[derive(Clone, Debug)]
pub struct Values {
    pub texts: Vec<String>,
    pub numbers: Vec<u32>,
    pub words: Vec<String>,
    /// Rows of a body, values of a list; at least one.
    pub rows: usize,
}

impl Values {
    /// A caller whose claims are values as well.
    pub fn identity(&self) -> Identity {
        let claims = self.texts.iter().map(|text| (text.clone(), text.clone().into())).collect();
        Identity { role: "authenticated".to_owned(), claims }
    }
}

/// Ordinary texts, and those that mean something to SQL, to the query string or to the server.
fn text() -> impl Strategy<Value = String> {
    let meaning = [
        "",
        "'; drop table tasks; --",
        "\\",
        "$1",
        "$$",
        "1) or (1=1",
        "\u{0}",
        "\"",
        "*/",
        "/*",
        "null",
        "true",
        "0",
        "*",
        "{}",
        "{a,\"b\\\\\"}",
        "x' || 'y",
        "E'\\x27'",
        "not.eq.1",
        "(a,b)",
        ",",
        "\u{E000}\u{E009}",
    ];
    prop_oneof![any::<String>(), prop::sample::select(meaning.to_vec()).prop_map(str::to_owned)]
}

/// Values of any form that all begin with `marker`.
pub fn values(marker: &str) -> impl Strategy<Value = Values> + use<> {
    let (begun, word) = (marker.to_owned(), marker.to_owned());
    let texts = text().prop_map(move |text| format!("{begun}{text}"));
    let words = "[a-z0-9]{1,9}".prop_map(move |text| format!("{word}{text}"));
    let numbers = prop::collection::vec(100_000_000..2_000_000_000_u32, 1..4);
    (prop::collection::vec(texts, 1..5), numbers, prop::collection::vec(words, 1..3), 1..4_usize)
        .prop_map(|(texts, numbers, words, rows)| Values { texts, numbers, words, rows })
}

/// Percent-encoded throughout.
pub fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// In quotes, as query strings have them.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A name as it is written in a query string: in quotes where it must be.
pub fn written(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { quoted(name) }
}

/// Writes values into templates, each at most once in turn.
pub struct Filler<'a> {
    values: &'a Values,
    name: &'a str,
    next: usize,
}

impl<'a> Filler<'a> {
    pub fn new(values: &'a Values, name: &'a str) -> Self {
        Self { values, name, next: 0 }
    }

    fn turn(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn text(&mut self) -> &'a str {
        let turn = self.turn();
        &self.values.texts[turn % self.values.texts.len()]
    }

    fn list(&mut self) -> String {
        // Never one empty value: that is the empty list to PostgREST, and a statement of its own.
        let all: Vec<String> =
            (0..self.values.rows).map(|_| quoted(&format!("-{}", self.text()))).collect();
        format!("({})", all.join(","))
    }

    fn json(&mut self) -> String {
        let text = self.text();
        match self.turn() % 4 {
            0 => serde_json::json!({ text: [text] }),
            1 => serde_json::Value::Null,
            _ => text.into(),
        }
        .to_string()
    }

    /// The template with its places filled.
    pub fn fill(&mut self, template: &str) -> String {
        let mut filled = String::new();
        for c in template.chars() {
            match c {
                FREE => filled.push_str(self.text()),
                QUOTED => filled.push_str(&quoted(self.text())),
                LIST => filled.push_str(&self.list()),
                NUMBER => {
                    let turn = self.turn();
                    filled.push_str(
                        &self.values.numbers[turn % self.values.numbers.len()].to_string(),
                    );
                }
                WORD => {
                    let turn = self.turn();
                    filled.push_str(&self.values.words[turn % self.values.words.len()]);
                }
                JSON => filled.push_str(&self.json()),
                CELL => filled.push_str(&format!("\"{}\"", self.text().replace('"', "\"\""))),
                FIELD => filled.push_str(&escaped(self.text())),
                ARGUMENT => filled.push_str(&format!("-{}", self.text())),
                NAME => filled.push_str(&written(self.name)),
                other => filled.push(other),
            }
        }
        filled
    }
}
