//! The token endpoint (RFC 6749, sections 4.1.3 and 6).

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use gatepost_outbound::Request;
use http::{HeaderValue, header};
use serde_json::{Map, Value};

use super::{
    Failure,
    config::TokenAuth,
    endpoints::Endpoints,
    provider::{Client, Provider},
};
use crate::app::App;

/// What a provider handed out.
#[derive(Clone, Default)]
pub(super) struct Tokens {
    pub(super) access: Option<String>,
    pub(super) refresh: Option<String>,
    pub(super) id: Option<String>,
    pub(super) access_expires_at: Option<DateTime<Utc>>,
    pub(super) refresh_expires_at: Option<DateTime<Utc>>,
    pub(super) scopes: Vec<String>,
}

/// Tokens for a code.
///
/// # Errors
/// The provider cannot be reached, or does not take the code.
pub(super) async fn redeem(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
    now: DateTime<Utc>,
) -> Result<Tokens, Failure> {
    let mut fields =
        vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
    if provider.pkce() {
        fields.push(("code_verifier", verifier));
    }
    ask(app, provider, endpoints, fields, now).await
}

/// New tokens for a refresh token.
///
/// # Errors
/// The provider cannot be reached, or does not take the token any more.
pub(super) async fn refresh(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    refresh_token: &str,
    now: DateTime<Utc>,
) -> Result<Tokens, Failure> {
    let fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    ask(app, provider, endpoints, fields, now).await
}

async fn ask(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    mut fields: Vec<(&str, &str)>,
    now: DateTime<Utc>,
) -> Result<Tokens, Failure> {
    let id = provider.settings.client_id.as_str();
    let mut request = Request::post(&endpoints.token)
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    let signed;
    match &provider.client {
        Client::Secret(secret, auth) => {
            let basic = auth.map_or(endpoints.basic, |auth| auth == TokenAuth::Basic);
            if basic {
                request = request.header(header::AUTHORIZATION, basic_header(id, secret.reveal())?);
            } else {
                fields.extend([("client_id", id), ("client_secret", secret.reveal())]);
            }
        }
        Client::Apple(key) => {
            signed = key
                .secret(id, now)
                .ok_or_else(|| Failure::Odd("the client secret cannot be signed".to_owned()))?;
            fields.extend([("client_id", id), ("client_secret", signed.as_str())]);
        }
        Client::Public => fields.push(("client_id", id)),
    }
    let answer = app.outbound.send(request.form(&fields)).await?;
    if !answer.status.is_success() {
        return Err(Failure::Status(answer.status));
    }
    let said: Map<String, Value> = answer.json()?;
    read(&said, now)
}

/// RFC 6749, 2.3.1: both are encoded as in a form first.
fn basic_header(id: &str, secret: &str) -> Result<HeaderValue, Failure> {
    let encoded =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
        .map_err(|_| Failure::Odd("the client secret cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read(said: &Map<String, Value>, now: DateTime<Utc>) -> Result<Tokens, Failure> {
    // GitHub and Slack refuse with status 200.
    if said.contains_key("error") || said.get("ok") == Some(&Value::Bool(false)) {
        return Err(Failure::Odd("the token endpoint answered with an error".to_owned()));
    }
    let text = |name: &str| {
        said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let tokens = Tokens {
        access: text("access_token"),
        refresh: text("refresh_token"),
        id: text("id_token"),
        access_expires_at: end(said.get("expires_in"), now),
        refresh_expires_at: end(said.get("refresh_token_expires_in"), now),
        scopes: scopes(said.get("scope")),
    };
    if tokens.access.is_none() && tokens.id.is_none() {
        return Err(Failure::Odd("the token endpoint gave no token".to_owned()));
    }
    Ok(tokens)
}

/// Some providers write the number of seconds as text.
fn end(seconds: Option<&Value>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let seconds = match seconds? {
        Value::String(text) => text.parse().ok()?,
        number => number.as_i64()?,
    };
    if seconds <= 0 { None } else { now.checked_add_signed(TimeDelta::try_seconds(seconds)?) }
}

fn scopes(said: Option<&Value>) -> Vec<String> {
    let words: Vec<&str> = match said {
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::trim).collect(),
        _ => Vec::new(),
    };
    words.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
