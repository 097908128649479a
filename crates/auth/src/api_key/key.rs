//! A key as the database holds it, and as the wire shows it.

use chrono::{DateTime, Utc};
use gatepost_protocol::body::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{error::Result, permissions::Statements};

macro_rules! key_columns {
    () => {
        r#"k.id, k."configId", k.name, k.start, k."referenceId", k.prefix, k."refillInterval", k."refillAmount", k."lastRefillAt", k.enabled, k."rateLimitEnabled", k."rateLimitTimeWindow", k."rateLimitMax", k."requestCount", k.remaining, k."lastRequest", k."expiresAt", k."createdAt", k."updatedAt", k.permissions, k.metadata,
  (select h.user_id from neon_auth.gatepost_api_key_holder h where h.key_id = k.id),
  (select h.role from neon_auth.gatepost_api_key_holder h where h.key_id = k.id)"#
    };
}

pub(super) use key_columns;

/// Columns of `key_columns!`.
pub(super) const COLUMNS: usize = 23;

/// A key without the key itself. Durations are milliseconds, as Better Auth stores them.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Row id.
    pub id: Uuid,
    /// `default`, or `organization`.
    pub config_id: String,
    /// The owner's words for it.
    pub name: Option<String>,
    /// Its first characters, to tell keys apart.
    pub start: Option<String>,
    /// Id of the user or the organization it belongs to.
    pub reference_id: String,
    /// What it begins with.
    pub prefix: Option<String>,
    /// Time between refills.
    pub refill_interval: Option<i32>,
    /// Uses that a refill gives.
    pub refill_amount: Option<i32>,
    /// Last refill.
    pub last_refill_at: Option<DateTime<Utc>>,
    /// Usable.
    pub enabled: Option<bool>,
    /// Uses are counted.
    pub rate_limit_enabled: Option<bool>,
    /// Time without a use after which counting begins anew.
    pub rate_limit_window: Option<i32>,
    /// Uses until then.
    pub rate_limit_max: Option<i32>,
    /// Uses so far.
    pub request_count: Option<i32>,
    /// Uses left; `None`: any number.
    pub remaining: Option<i32>,
    /// Last use.
    pub last_request: Option<DateTime<Utc>>,
    /// End.
    pub expires_at: Option<DateTime<Utc>>,
    /// Made.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
    /// Actions by resource, as JSON.
    pub permissions: Option<String>,
    /// An object of the owner's choice, as JSON.
    pub metadata: Option<String>,
    /// The user who made an organization's key.
    pub created_by: Option<Uuid>,
    /// The role in the organization with which it acts.
    pub role: Option<String>,
}

impl ApiKey {
    /// What it may do; `None`: nothing was said.
    #[must_use]
    pub fn permissions(&self) -> Option<Statements> {
        serde_json::from_value(json(self.permissions.as_deref())).ok()
    }

    /// Belongs to an organization.
    #[must_use]
    pub fn is_organizations(&self) -> bool {
        self.config_id == super::ORGANIZATION
    }
}

/// A stored JSON text; older versions of Better Auth wrote the text of a text.
fn json(text: Option<&str>) -> Value {
    match text.and_then(|text| serde_json::from_str(text).ok()) {
        Some(Value::String(inner)) => serde_json::from_str(&inner).unwrap_or(Value::String(inner)),
        Some(value) => value,
        None => Value::Null,
    }
}

/// As the wire shows it.
impl Serialize for ApiKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("ApiKey", 23)?;
        body.serialize_field("configId", &self.config_id)?;
        body.serialize_field("name", &self.name)?;
        body.serialize_field("start", &self.start)?;
        body.serialize_field("referenceId", &self.reference_id)?;
        body.serialize_field("prefix", &self.prefix)?;
        body.serialize_field("refillInterval", &self.refill_interval)?;
        body.serialize_field("refillAmount", &self.refill_amount)?;
        body.serialize_field("lastRefillAt", &self.last_refill_at.map(Timestamp))?;
        body.serialize_field("enabled", &self.enabled)?;
        body.serialize_field("rateLimitEnabled", &self.rate_limit_enabled)?;
        body.serialize_field("rateLimitTimeWindow", &self.rate_limit_window)?;
        body.serialize_field("rateLimitMax", &self.rate_limit_max)?;
        body.serialize_field("requestCount", &self.request_count)?;
        body.serialize_field("remaining", &self.remaining)?;
        body.serialize_field("lastRequest", &self.last_request.map(Timestamp))?;
        body.serialize_field("expiresAt", &self.expires_at.map(Timestamp))?;
        body.serialize_field("createdAt", &Timestamp(self.created_at))?;
        body.serialize_field("updatedAt", &Timestamp(self.updated_at))?;
        body.serialize_field("permissions", &json(self.permissions.as_deref()))?;
        body.serialize_field("metadata", &json(self.metadata.as_deref()))?;
        if self.is_organizations() {
            body.serialize_field("createdBy", &self.created_by)?;
            body.serialize_field("role", &self.role)?;
        }
        body.serialize_field("id", &self.id)?;
        body.end()
    }
}

/// A row of `key_columns!`.
pub(super) fn from_row(row: &Row) -> Result<ApiKey> {
    Ok(ApiKey {
        id: row.try_get(0)?,
        config_id: row.try_get(1)?,
        name: row.try_get(2)?,
        start: row.try_get(3)?,
        reference_id: row.try_get(4)?,
        prefix: row.try_get(5)?,
        refill_interval: row.try_get(6)?,
        refill_amount: row.try_get(7)?,
        last_refill_at: row.try_get(8)?,
        enabled: row.try_get(9)?,
        rate_limit_enabled: row.try_get(10)?,
        rate_limit_window: row.try_get(11)?,
        rate_limit_max: row.try_get(12)?,
        request_count: row.try_get(13)?,
        remaining: row.try_get(14)?,
        last_request: row.try_get(15)?,
        expires_at: row.try_get(16)?,
        created_at: row.try_get(17)?,
        updated_at: row.try_get(18)?,
        permissions: row.try_get(19)?,
        metadata: row.try_get(20)?,
        created_by: row.try_get(21)?,
        role: row.try_get(22)?,
    })
}
