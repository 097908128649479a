//! `POST /api-key/create`, and the making of keys from the command line.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::{digest, random};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Config, DEFAULT, INVALID_METADATA_TYPE, ORGANIZATION, SERVER_ONLY_PROPERTY,
    UNAUTHORIZED_SESSION,
    key::ApiKey,
    organizations,
    store::{self, NewRow},
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    permissions::Statements,
    session,
};

const fn refused(code: &'static str, message: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

const METADATA_DISABLED: Refusal = refused("METADATA_DISABLED", "Metadata is disabled.");
const EXPIRATION_DISABLED: Refusal =
    refused("KEY_DISABLED_EXPIRATION", "Custom key expiration values are disabled.");
const EXPIRES_TOO_SOON: Refusal = refused(
    "EXPIRES_IN_IS_TOO_SMALL",
    "The expiresIn is smaller than the predefined minimum value.",
);
const EXPIRES_TOO_LATE: Refusal = refused(
    "EXPIRES_IN_IS_TOO_LARGE",
    "The expiresIn is larger than the predefined maximum value.",
);
const PREFIX_LENGTH: Refusal =
    refused("INVALID_PREFIX_LENGTH", "The prefix length is either too large or too small.");
const NAME_LENGTH: Refusal =
    refused("INVALID_NAME_LENGTH", "The name length is either too large or too small.");
const NAME_REQUIRED: Refusal = refused("NAME_REQUIRED", "API Key name is required.");

/// Most UTF-16 units of a name or a prefix.
const LONGEST: usize = 32;
/// Characters of a key that stay readable.
const START: usize = 6;
/// Fewest letters of a key: 180 bits.
const SHORTEST_KEY: usize = 32;

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<CreateKey, _>(
            "/api-key/create",
            "create_api_key",
            Access::Session,
            create_api_key,
        )
        .about("Make a key. It is shown in this answer and never again."),
    ]
}

struct CreateKey {
    config_id: Option<String>,
    name: Option<String>,
    expires_in: Option<f64>,
    prefix: Option<String>,
    metadata: Option<Value>,
    user_id: Option<String>,
    organization_id: Option<String>,
    role: Option<String>,
    server_only: bool,
}

impl FromFields for CreateKey {
    fn read(fields: &mut Fields) -> Self {
        let config_id = fields.optional_text("configId");
        let name = fields.optional_text("name");
        let expires_in = fields.nullable_number("expiresIn", Some(1.0)).flatten();
        let prefix = fields.optional_text("prefix");
        if prefix.as_deref().is_some_and(|prefix| !is_prefix(prefix)) {
            fields.refuse_member(
                "prefix",
                "Invalid prefix format, must be alphanumeric and contain only underscores and hyphens.",
            );
        }
        let remaining = fields.nullable_number("remaining", Some(0.0)).flatten().is_some();
        let metadata = fields.any("metadata");
        let refill = fields.optional_number("refillAmount", Some(1.0)).is_some()
            | fields.optional_number("refillInterval", None).is_some();
        let limits = fields.optional_number("rateLimitTimeWindow", None).is_some()
            | fields.optional_number("rateLimitMax", None).is_some()
            | fields.flag("rateLimitEnabled").is_some();
        let permissions = fields.optional_statements("permissions").is_some();
        Self {
            config_id,
            name,
            expires_in,
            prefix,
            metadata,
            user_id: fields.optional_coerced("userId"),
            organization_id: fields.optional_coerced("organizationId"),
            role: fields.optional_text("role"),
            server_only: remaining || refill || limits || permissions,
        }
    }
}

fn is_prefix(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

async fn create_api_key(app: App, call: Call) -> Result<Answer> {
    let body: CreateKey = call.body()?;
    // A key's limits and rights are the operator's to set: over the command line.
    if body.server_only {
        return Err(SERVER_ONLY_PROPERTY.into());
    }
    // Nobody makes keys for somebody else, and no key makes keys (AD-14).
    if body.user_id.is_some() || call.api_key.is_some() {
        return Err(UNAUTHORIZED_SESSION.into());
    }
    let config = &app.config.api_key;
    let caller = session::current(&app, &call).await?;
    let caller = caller.ok_or(UNAUTHORIZED_SESSION)?;
    let user = &caller.signed_in.user;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let of_organization =
        config.organization_keys && body.config_id.as_deref() == Some(ORGANIZATION);
    let grant = if of_organization {
        organizations::grant(
            &app,
            &tx,
            user.id,
            body.organization_id.as_deref(),
            body.role.as_deref(),
        )
        .await?
    } else {
        Grant::User(user.id)
    };
    let metadata = body.metadata.as_ref().filter(|metadata| is_truthy(metadata));
    check(config, &body, metadata)?;
    let new = NewKey {
        name: body.name,
        prefix: body.prefix,
        expires_in: body.expires_in,
        metadata: metadata.cloned(),
        ..NewKey::of(grant)
    };
    let (key, row) = create(config, &tx, &new, call.now).await?;
    events::record(&app, &tx, &call, Event::ApiKeyCreated { key: row.id }, Some(user.id)).await?;
    tx.commit().await?;
    shown_once(&key, &row, body.metadata)
}

fn shown_once(key: &str, row: &ApiKey, metadata: Option<Value>) -> Result<Answer> {
    let mut body =
        serde_json::to_value(row).map_err(|error| crate::error::Error::Internal(error.into()))?;
    if let Some(body) = body.as_object_mut() {
        body.insert("key".to_owned(), json!(key));
        body.insert("metadata".to_owned(), metadata.unwrap_or(Value::Null));
    }
    Answer::json(&body)
}

fn is_truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
        && value.as_f64() != Some(0.0)
        && value.as_str() != Some("")
}

fn check(config: &Config, body: &CreateKey, metadata: Option<&Value>) -> Result<()> {
    if let Some(metadata) = metadata {
        if !config.metadata {
            return Err(METADATA_DISABLED.into());
        }
        if !metadata.is_object() && !metadata.is_array() {
            return Err(INVALID_METADATA_TYPE.into());
        }
    }
    if let Some(seconds) = body.expires_in {
        check_expiry(config, seconds)?;
    }
    let length = |text: &str| text.encode_utf16().count();
    if body.prefix.as_deref().is_some_and(|prefix| length(prefix) > LONGEST) {
        return Err(PREFIX_LENGTH.into());
    }
    match body.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) if length(name) > LONGEST => Err(NAME_LENGTH.into()),
        None if config.require_name => Err(NAME_REQUIRED.into()),
        _ => Ok(()),
    }
}

/// Whether an owner may ask for this many seconds.
///
/// # Errors
/// `KEY_DISABLED_EXPIRATION`, `EXPIRES_IN_IS_TOO_SMALL`, `EXPIRES_IN_IS_TOO_LARGE`.
pub(super) fn check_expiry(config: &Config, seconds: f64) -> Result<()> {
    if !config.custom_expiry {
        return Err(EXPIRATION_DISABLED.into());
    }
    if seconds < f64::from(config.min_expires_in) {
        return Err(EXPIRES_TOO_SOON.into());
    }
    if seconds > f64::from(config.max_expires_in) {
        return Err(EXPIRES_TOO_LATE.into());
    }
    Ok(())
}

/// Whether a name may replace another.
///
/// # Errors
/// `INVALID_NAME_LENGTH`.
pub(super) fn check_name(name: &str) -> Result<()> {
    let length = name.encode_utf16().count();
    if (1..=LONGEST).contains(&length) { Ok(()) } else { Err(NAME_LENGTH.into()) }
}

/// Whose a key is.
#[derive(Clone, Debug)]
pub enum Grant {
    /// A user's.
    User(Uuid),
    /// An organization's, in the hands of the user who makes it, acting with a role of that user.
    Organization {
        /// The organization.
        id: Uuid,
        /// The user who makes it.
        by: Uuid,
        /// The role.
        role: String,
    },
}

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose.
    pub grant: Grant,
    /// The owner's words for it.
    pub name: Option<String>,
    /// What it begins with; `None`: as configured.
    pub prefix: Option<String>,
    /// Seconds it lives; `None`: as configured.
    pub expires_in: Option<f64>,
    /// An object of the owner's choice.
    pub metadata: Option<Value>,
    /// Uses; `None`: any number.
    pub remaining: Option<i32>,
    /// Uses that a refill gives, and the milliseconds between refills.
    pub refill: Option<(i32, i32)>,
    /// Uses per window; `None`: as configured.
    pub rate_limit_max: Option<i32>,
    /// Actions by resource.
    pub permissions: Option<Statements>,
}

impl NewKey {
    /// A key with nothing said about it.
    #[must_use]
    pub const fn of(grant: Grant) -> Self {
        Self {
            grant,
            name: None,
            prefix: None,
            expires_in: None,
            metadata: None,
            remaining: None,
            refill: None,
            rate_limit_max: None,
            permissions: None,
        }
    }
}

/// Makes a key in the caller's transaction: the key itself, for its owner's eyes, and the row.
///
/// # Errors
/// Those of Postgres.
pub async fn create(
    config: &Config,
    conn: &impl GenericClient,
    new: &NewKey,
    now: DateTime<Utc>,
) -> Result<(String, ApiKey)> {
    let configured = Some(config.prefix.as_str()).filter(|prefix| !prefix.is_empty());
    let prefix = new.prefix.as_deref().or(configured);
    let letters = random::letters(config.length.max(SHORTEST_KEY));
    let key = format!("{}{letters}", prefix.unwrap_or_default());
    let (config_id, reference_id, holder) = match &new.grant {
        Grant::User(id) => (DEFAULT, id.to_string(), None),
        Grant::Organization { id, by, role } => {
            (ORGANIZATION, id.to_string(), Some((*by, role.as_str())))
        }
    };
    #[expect(clippy::cast_possible_truncation, reason = "a year of milliseconds at most")]
    let asked = new.expires_in.map(|s| TimeDelta::milliseconds((s * 1000.0) as i64));
    let json = |error: serde_json::Error| crate::error::Error::Internal(error.into());
    let permissions = new.permissions.as_ref().map(serde_json::to_string).transpose();
    let permissions = permissions.map_err(json)?;
    let metadata = new.metadata.as_ref().map(ToString::to_string);
    let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let row = NewRow {
        config_id,
        name: new.name.as_deref(),
        start: key.get(..START).unwrap_or(&key),
        reference_id: &reference_id,
        prefix,
        hash: &digest::sha256_base64url(&key),
        rate_limit_enabled: config.rate_limit,
        rate_limit_window: whole(config.rate_limit_window.saturating_mul(1000)),
        rate_limit_max: new.rate_limit_max.unwrap_or_else(|| whole(config.rate_limit_max)),
        remaining: new.remaining.or_else(|| new.refill.map(|(amount, _)| amount)),
        refill_amount: new.refill.map(|(amount, _)| amount),
        refill_interval: new.refill.map(|(_, interval)| interval),
        expires_at: asked.or_else(|| config.lifetime()).map(|lifetime| now + lifetime),
        permissions: permissions.as_deref(),
        metadata: metadata.as_deref(),
        holder,
    };
    let row = store::create(conn, &row, now).await?;
    Ok((key, row))
}
