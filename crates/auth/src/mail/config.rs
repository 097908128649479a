//! The sections `[mail]` and `[inbox]`.

use std::{fmt, path::PathBuf};

use lettre::{Address, message::Mailbox};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use url::Url;

use super::brand::{Brand, Colour};

/// `[mail]`: who writes, how it looks, which server takes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The address mails come from.
    #[serde(default = "nobody", deserialize_with = "address")]
    pub from: Address,
    /// Where replies go, when not to `from`.
    #[serde(default, deserialize_with = "optional_address")]
    pub reply_to: Option<Address>,
    /// The name in `From`, subjects and texts; empty: the `app_name` above.
    #[serde(default)]
    pub app_name: String,
    /// A picture for the head of HTML mails, about 32 pixels high. Mail programs fetch it from the reader's machine.
    #[serde(default, deserialize_with = "picture")]
    pub logo_url: Option<Url>,
    /// The colour of buttons.
    #[serde(default, deserialize_with = "colour")]
    pub colour: Colour,
    /// Where readers ask; unset: nothing is said of it.
    #[serde(default, deserialize_with = "optional_address")]
    pub support: Option<Address>,
    /// Lines at the foot of every mail, such as a postal address.
    #[serde(default)]
    pub footer: String,
    /// The language of mails to whoever chose none and whose browser asks for none of those that there are.
    #[serde(default = "language")]
    pub language: String,
    /// A directory of own templates and languages (docs/mail.md); unset: those that come with Gatepost.
    #[serde(default)]
    pub templates: Option<PathBuf>,
    /// The mail server. Without it nothing is sent.
    #[serde(default)]
    pub smtp: Option<SmtpConfig>,
}

/// `[mail.smtp]`: the mail server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Its name or address.
    pub host: String,
    /// 587 for `starttls`, 465 for `tls`, 25 for `none`, unless given.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: TlsMode,
    /// Who signs in; unset: nobody does.
    #[serde(default)]
    pub username: Option<String>,
    /// For signing in.
    #[serde(default)]
    pub password: Option<Password>,
    /// A certificate (PEM) to trust besides those of the operating system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// For connecting; a whole delivery may take a minute.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
    /// Connections at most; also how many mails are under way at once.
    #[serde(default = "connections")]
    pub connections: u32,
}

impl SmtpConfig {
    /// The port given, or the usual one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            TlsMode::None => 25,
            TlsMode::Starttls => 587,
            TlsMode::Tls => 465,
        })
    }
}

/// How the connection to the mail server is protected. Never opportunistic: what cannot be encrypted is not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// In the clear: a server on this machine or a private network.
    None,
    /// STARTTLS, demanded (RFC 3207).
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
}

/// A password that no log shows.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// `[inbox]`: whether sent mails can be read over HTTP. For development alone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InboxConfig {
    /// Show all mail, with its codes and links, under `/inbox` to whoever can reach this server.
    #[serde(default)]
    pub enabled: bool,
}

impl MailConfig {
    pub(super) fn brand(&self) -> Brand {
        let footer = self.footer.lines().filter(|line| !line.trim().is_empty());
        Brand {
            support: self.support.clone(),
            footer: footer.map(str::to_owned).collect(),
            ..Brand::new(&self.app_name, self.logo_url.clone(), self.colour)
        }
    }

    /// With the name of the application, where the section has none of its own.
    #[must_use]
    pub fn named(&self, app_name: &str) -> Self {
        let own = if self.app_name.is_empty() { app_name } else { &self.app_name };
        Self { app_name: own.to_owned(), ..self.clone() }
    }

    pub(super) fn sender(&self) -> Mailbox {
        Mailbox::new(Some(self.brand().app_name().to_owned()), self.from.clone())
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            from: nobody(),
            reply_to: None,
            app_name: String::new(),
            logo_url: None,
            colour: Colour::default(),
            support: None,
            footer: String::new(),
            language: language(),
            templates: None,
            smtp: None,
        }
    }
}

/// Good enough while no mail leaves; `serve` demands an address of one's own with a mail server.
fn nobody() -> Address {
    #[expect(clippy::expect_used, reason = "a constant, read by every test")]
    Address::new("no-reply", "localhost").expect("an address")
}

fn language() -> String {
    "en".to_owned()
}

fn timeout_seconds() -> u64 {
    15
}

fn connections() -> u32 {
    4
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Address>, D::Error> {
    address(deserializer).map(Some)
}

fn colour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Colour, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn picture<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let url: Url = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
    if matches!(url.scheme(), "http" | "https") {
        return Ok(Some(url));
    }
    Err(D::Error::custom("a picture needs an http or https URL"))
}
