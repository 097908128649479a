//! How mails look: name, logo, colour, whom to ask.

use std::{fmt, str::FromStr};

use lettre::Address;
use serde::{Serialize, Serializer};
use url::Url;

use super::render::one_line;

/// How mails look.
#[derive(Clone, Debug)]
pub struct Brand {
    /// The name of the application, safe in a header.
    pub(super) app_name: String,
    /// A picture instead of the name at the head.
    pub(super) logo_url: Option<Url>,
    /// The colour of buttons.
    pub(super) colour: Colour,
    /// Where readers ask.
    pub(super) support: Option<Address>,
    /// Lines at the foot, such as a postal address.
    pub(super) footer: Vec<String>,
}

impl Brand {
    /// The name loses control characters, so that it is safe in a header.
    #[must_use]
    pub fn new(app_name: &str, logo_url: Option<Url>, colour: Colour) -> Self {
        let app_name = one_line(app_name);
        Self { app_name, logo_url, colour, support: None, footer: Vec::new() }
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
    pub(super) fn ink(self) -> &'static str {
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
