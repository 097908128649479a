//! Asking a service to send a text message: one POST, made of the preset and what the configuration says instead.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gatepost_outbound::{Answer, Request};
use http::{HeaderName, HeaderValue, header};

use super::{
    TextCode,
    config::{Encoding, Gateway},
};
use crate::{mail::Failure, wire};

/// What stands for a name in braces.
struct Values<'a> {
    gateway: &'a Gateway,
    to: &'a str,
    message: &'a TextCode,
}

impl<'a> Values<'a> {
    fn of(&self, name: &str) -> Option<&'a str> {
        Some(match name {
            "to" => self.to,
            "digits" => self.to.trim_start_matches('+'),
            "from" => &self.gateway.from,
            "text" => &self.message.text,
            "code" => &self.message.otp,
            "account" => &self.gateway.account,
            "secret" => self.gateway.secret.reveal(),
            _ => return None,
        })
    }

    /// The template with its names replaced, once: a value is never read as a template.
    fn fill(&self, template: &str, escape: fn(&str) -> String) -> String {
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            match after.split_once('}').and_then(|(name, tail)| Some((self.of(name)?, tail))) {
                Some((value, tail)) => {
                    text.push_str(&escape(value));
                    rest = tail;
                }
                None => {
                    text.push('{');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        text
    }
}

/// The inside of a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// What is wrong with a gateway's settings, for whoever starts the server.
///
/// # Errors
/// In the operator's words.
pub(super) fn check(gateway: &Gateway) -> anyhow::Result<()> {
    let preset = gateway.preset.request();
    anyhow::ensure!(
        !(gateway.url.is_empty() && preset.url.is_empty()),
        "phone_number.gateway: choose a `preset`, or give `url` and `body`"
    );
    anyhow::ensure!(
        !(gateway.body.is_empty() && preset.body.is_empty()),
        "phone_number.gateway.body: {{text}} and {{to}} must go somewhere"
    );
    for (name, value) in &gateway.headers {
        HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| anyhow::anyhow!("phone_number.gateway.headers: {name:?} is no name"))?;
        HeaderValue::from_str(value.reveal()).map_err(|_| {
            anyhow::anyhow!("phone_number.gateway.headers: the value of {name:?} is not one line")
        })?;
    }
    Ok(())
}

/// The call that sends a message.
///
/// # Errors
/// Permanent, when a header cannot be made of the settings.
pub(super) fn request(gateway: &Gateway, to: &str, message: &TextCode) -> Result<Request, Failure> {
    let preset = gateway.preset.request();
    let values = Values { gateway, to, message };
    let or = |own: &'_ str, preset: &'static str| {
        if own.is_empty() { preset.to_owned() } else { own.to_owned() }
    };
    let url = values.fill(&or(&gateway.url, preset.url), wire::component);
    let template = or(&gateway.body, preset.body);
    let (content_type, body) = match gateway.encoding.unwrap_or(preset.encoding) {
        Encoding::Json => ("application/json", values.fill(&template, json)),
        Encoding::Form => {
            ("application/x-www-form-urlencoded", values.fill(&template, wire::component))
        }
    };
    let mut request = Request::post(&url)
        .body(HeaderValue::from_static(content_type), Bytes::from(body))
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    let own = |name: &str| gateway.headers.keys().any(|own| own.eq_ignore_ascii_case(name));
    if preset.basic && !own("authorization") {
        let pair = format!("{}:{}", gateway.account, gateway.secret.reveal());
        let value = format!("Basic {}", STANDARD.encode(pair));
        request = request.header(header::AUTHORIZATION, secret_value(&value)?);
    }
    if let Some((name, value)) = preset.header.filter(|(name, _)| !own(name)) {
        let value = values.fill(value, str::to_owned);
        request = request.header(HeaderName::from_static(name), secret_value(&value)?);
    }
    for (name, value) in &gateway.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Failure::Permanent("a header of the gateway has no name".to_owned()))?;
        let value = values.fill(value.reveal(), str::to_owned);
        request = request.header(name, secret_value(&value)?);
    }
    Ok(request)
}

fn secret_value(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Failure::Permanent("a header of the gateway cannot be made of its settings".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether the service took the message.
///
/// # Errors
/// Temporary where another attempt may succeed.
pub(super) fn judge(gateway: &Gateway, answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    if !status.is_success() {
        let words = format!("the gateway answered {}", status.as_u16());
        let passes = status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 408 | 429);
        return Err(if passes { Failure::Temporary(words) } else { Failure::Permanent(words) });
    }
    let expected = match gateway.expect.as_str() {
        "" => gateway.preset.request().expect,
        own => own,
    };
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    if plain(&String::from_utf8_lossy(&answer.body)).contains(&plain(expected)) {
        return Ok(());
    }
    Err(Failure::Permanent("the gateway did not take the message".to_owned()))
}
