//! The section `[phone_number]`.

use std::collections::BTreeMap;

use gatepost_protocol::secret::Secret;
use serde::{Deserialize, Serialize};

use super::presets::Preset;
use crate::session::TokenStorage;

/// Telephone numbers and codes by text message. `features.phone_number` switches them on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Digits of a code.
    pub length: u8,
    /// Seconds a code is good for.
    pub expires_in: u32,
    /// Wrong tries that a code survives.
    pub attempts: u32,
    /// `hashed` or `plain`; unset: as session tokens.
    pub storage: Option<TokenStorage>,
    /// A right code for a number that nobody has creates a user.
    pub sign_up: bool,
    /// The address of such a user, until there is a real one; `{digits}` stands for the number.
    pub temporary_email: String,
    /// A number must be proven before it signs in with a password or gets a code for a new one.
    pub require_verification: bool,
    /// Text a code to a number that nobody has, although the code could be of no use to who asks, as Better Auth does.
    pub send_to_unknown: bool,
    /// Countries or ranges that get messages, as beginnings of numbers: `+1`, `+49`. Empty: all.
    pub allowed_prefixes: Vec<String>,
    /// The message; `{code}` and `{app}` are filled in.
    pub text: String,
    /// The message with a code for a new password.
    pub reset_text: String,
    /// How often messages go out, whoever asks.
    pub limits: Limits,
    /// Where messages go: `inbox` (nowhere: development), `gateway`, `webhook`.
    pub delivery: Delivery,
    /// For `gateway`: the service that sends messages.
    pub gateway: Gateway,
    /// For `webhook`: the application that sends messages.
    pub webhook: Webhook,
}

/// Messages at most: each costs money, and some numbers pay whoever makes us write to them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// To one number in an hour.
    pub per_number_hour: u32,
    /// To one number in a day.
    pub per_number_day: u32,
    /// To the ten thousand numbers that differ in the last four digits, in an hour.
    pub per_range_hour: u32,
    /// From one network (IPv4 /24, IPv6 /48) in an hour.
    pub per_network_hour: u32,
}

/// See [`Config::delivery`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Nowhere: the development inbox shows it.
    #[default]
    Inbox,
    /// To an HTTP service.
    Gateway,
    /// To the application, signed.
    Webhook,
}

/// A service that sends text messages, asked by one POST. `{to}`, `{digits}` (the number without its plus sign), `{from}`,
/// `{text}`, `{code}`, `{account}` and `{secret}` are filled in, each as its place needs it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// `twilio`, `vonage`, `messagebird`, `plivo`, `telnyx`, `sinch`, `brevo`; or `custom`, where all is said below.
    pub preset: Preset,
    /// The sender: a number, or a name where the country allows one.
    pub from: String,
    /// The account, where the service has one.
    pub account: String,
    /// Its password, token or key.
    pub secret: Secret,
    /// Instead of the preset's address.
    pub url: String,
    /// Beside the preset's headers, or instead of those of the same name.
    pub headers: BTreeMap<String, Secret>,
    /// Instead of the preset's body.
    pub body: String,
    /// How the body is written: `json` or `form`; unset: as the preset does.
    pub encoding: Option<Encoding>,
    /// A successful answer holds this, white space aside, beside a status of 2xx.
    pub expect: String,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// The application's own endpoint: gets Neon's event `send.otp`, signed by the key that signs tokens.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// Where it is.
    pub url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            length: 6,
            expires_in: 5 * 60,
            attempts: 3,
            storage: None,
            sign_up: false,
            temporary_email: "{digits}@phone.placeholder.invalid".to_owned(),
            require_verification: true,
            send_to_unknown: false,
            allowed_prefixes: Vec::new(),
            text: "{code} is your {app} code. Never give it to anybody.".to_owned(),
            reset_text: "{code} is your {app} code for a new password. Never give it to anybody."
                .to_owned(),
            limits: Limits::default(),
            delivery: Delivery::Inbox,
            gateway: Gateway::default(),
            webhook: Webhook::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_number_hour: 5, per_number_day: 10, per_range_hour: 50, per_network_hour: 20 }
    }
}
