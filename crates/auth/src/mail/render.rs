//! From a message to what a mail program shows: words in a language, in the clothes of the brand.
//!
//! [`render`] is the only way from a [`Message`] to text. Other languages and an operator's own templates enter there.

use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

use askama::Template;
use url::Url;

use super::{english, message::Message};

/// The only style sheet of the layout, apart from the attributes: its hash is in the inbox page's policy.
pub(super) const STYLE: &str = include_str!("templates/layout.css");
/// How much of a name that a user chose is shown.
const LONGEST_NAME: usize = 64;

/// How mails look.
#[derive(Clone, Debug)]
pub struct Brand {
    app_name: String,
    logo_url: Option<Url>,
    colour: Colour,
}

impl Brand {
    /// The name loses control characters, so that it is safe in a header.
    #[must_use]
    pub fn new(app_name: &str, logo_url: Option<Url>, colour: Colour) -> Self {
        Self { app_name: one_line(app_name), logo_url, colour }
    }

    /// The name of the application.
    #[must_use]
    pub fn app_name(&self) -> &str {
        &self.app_name
    }
}

/// The colour of buttons, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// Not of the form `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written #rrggbb")]
pub struct InvalidColour;

impl Colour {
    /// Black or white, whichever can be read on it (relative luminance of WCAG 2.2).
    fn ink(self) -> &'static str {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let luminance =
            0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue);
        // At this luminance black and white have the same contrast.
        if luminance > 0.179 { "#000000" } else { "#ffffff" }
    }
}

impl Default for Colour {
    fn default() -> Self {
        Self { red: 0x1f, green: 0x6f, blue: 0x5c }
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl FromStr for Colour {
    type Err = InvalidColour;

    fn from_str(text: &str) -> Result<Self, InvalidColour> {
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColour)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidColour);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| InvalidColour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self { red, green, blue })
    }
}

/// A mail as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What a mail says, in one language. Every mail is made of these parts, so that one layout serves all.
pub(super) struct Words {
    pub subject: String,
    pub title: String,
    pub paragraphs: Vec<String>,
    pub action: Action,
    pub note: String,
}

/// What the reader is asked to do.
pub(super) enum Action {
    None,
    Link { label: String, url: String },
    Code(String),
}

impl Action {
    pub(super) fn link(label: &str, url: &str) -> Self {
        Self::Link { label: label.into(), url: url.into() }
    }
}

#[derive(Template)]
#[template(path = "mail/templates/layout.html")]
struct HtmlLayout<'a> {
    words: &'a Words,
    brand: &'a Brand,
    style: &'static str,
}

#[derive(Template)]
#[template(path = "mail/templates/layout.txt")]
struct TextLayout<'a> {
    words: &'a Words,
    brand: &'a Brand,
}

/// Renders the mail, both as text and as HTML.
///
/// # Errors
/// When a template fails, which those of this crate do not.
pub fn render(message: &Message, brand: &Brand) -> Result<Rendered, askama::Error> {
    let words = english::words(message, &brand.app_name);
    Ok(Rendered {
        text: TextLayout { words: &words, brand }.render()?,
        html: HtmlLayout { words: &words, brand, style: STYLE }.render()?,
        subject: words.subject,
    })
}

/// Text that a user chose, fit for a mail that others read: one line, not long, and nothing that a mail program turns
/// into a link, as it breaks wherever an address or host would need to hold together (ML-10).
pub(super) fn untrusted(text: &str) -> String {
    let line = one_line(text);
    let mut shown: String = line.chars().take(LONGEST_NAME).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    let mut broken = String::with_capacity(shown.len());
    for character in shown.chars() {
        broken.push(character);
        if matches!(character, '.' | ':' | '/' | '@') {
            broken.push('\u{200b}');
        }
    }
    broken.trim_end_matches('\u{200b}').to_owned()
}

/// Drops what ends a line, is invisible or turns the direction of writing; joins white space.
fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .filter(|character| {
            !matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}
