//! `GET /api-key/get`, `GET /api-key/list`, `POST /api-key/update`, `POST /api-key/delete`.

use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    DEFAULT, INVALID_METADATA_TYPE, KEY_NOT_FOUND, ORGANIZATION, SERVER_ONLY_PROPERTY,
    UNAUTHORIZED_SESSION,
    create::{check_expiry, check_name},
    key::ApiKey,
    organizations,
    store::{self, Change},
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
    session,
};

const NO_VALUES: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "NO_VALUES_TO_UPDATE", "No values to update.");

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api-key/get", "get_api_key", Access::Session, get_api_key)
            .about("One key, without the key itself.")
            .with_query::<GetKey>(),
        Endpoint::get("/api-key/list", "list_api_keys", Access::Session, list_api_keys)
            .about("The own keys, or those of an organization.")
            .with_query::<ListKeys>(),
        Endpoint::post::<UpdateKey, _>(
            "/api-key/update",
            "update_api_key",
            Access::Session,
            update_api_key,
        )
        .about("Rename a key, switch it on or off, or change when it ends."),
        Endpoint::post::<DeleteKey, _>(
            "/api-key/delete",
            "delete_api_key",
            Access::Session,
            delete_api_key,
        )
        .about("Delete a key."),
    ]
}

/// The key of that id, if it is the user's, or of an organization in which the user may do `action` with keys. A
/// foreign key is as unknown as none.
async fn own_key(
    app: &App,
    conn: &impl GenericClient,
    user: Uuid,
    id: &str,
    action: &str,
) -> Result<ApiKey> {
    let id = Uuid::parse_str(id).map_err(|_| KEY_NOT_FOUND)?;
    let key = store::find(conn, id).await?.ok_or(KEY_NOT_FOUND)?;
    if key.is_organizations() {
        organizations::demand(app, conn, user, &key.reference_id, action)
            .await
            .map_err(|_| KEY_NOT_FOUND)?;
    } else if key.reference_id != user.to_string() {
        return Err(KEY_NOT_FOUND.into());
    }
    Ok(key)
}

struct GetKey {
    id: String,
}

impl FromFields for GetKey {
    fn read(fields: &mut Fields) -> Self {
        fields.optional_text("configId");
        Self { id: fields.text("id") }
    }
}

async fn get_api_key(app: App, call: Call) -> Result<Answer> {
    let query: GetKey = call.query()?;
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    Answer::json(&own_key(&app, &conn, caller.signed_in.user.id, &query.id, "read").await?)
}

struct ListKeys {
    config_id: Option<String>,
    organization_id: Option<String>,
    limit: Option<f64>,
    offset: Option<f64>,
    sort_by: Option<String>,
    sort_direction: Option<&'static str>,
}

impl FromFields for ListKeys {
    fn read(fields: &mut Fields) -> Self {
        Self {
            config_id: fields.optional_text("configId"),
            organization_id: fields.optional_text("organizationId"),
            limit: fields.optional_count("limit"),
            offset: fields.optional_count("offset"),
            sort_by: fields.optional_text("sortBy"),
            sort_direction: fields.optional_choice("sortDirection", &["asc", "desc"]),
        }
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(rename = "apiKeys")]
    api_keys: Vec<&'a ApiKey>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
}

async fn list_api_keys(app: App, call: Call) -> Result<Answer> {
    let query: ListKeys = call.query()?;
    let caller = session::required(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let conn = connection(&app).await?;
    let organization = query.organization_id.as_deref().filter(|id| !id.is_empty());
    let owner = match organization {
        Some(id) => {
            organizations::demand(&app, &conn, user, id, "read").await?;
            id.to_owned()
        }
        None => user.to_string(),
    };
    let config = if organization.is_some() { ORGANIZATION } else { DEFAULT };
    let asked = query.config_id.as_deref().filter(|id| !id.is_empty());
    // Expired keys, too: their owner wants to know why a program stopped.
    let keys = if asked.is_none_or(|asked| asked == config) {
        let descending = query.sort_direction == Some("desc");
        let sort = query.sort_by.as_deref();
        store::list(&conn, &owner, organization.is_some(), sort, descending).await?
    } else {
        Vec::new()
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and not below zero; a cast of floats saturates"
    )]
    let (limit, offset) = (query.limit.map(|n| n as usize), query.offset.map(|n| n as usize));
    let page = keys.iter().skip(offset.unwrap_or(0)).take(limit.unwrap_or(usize::MAX));
    Answer::json(&Listed { api_keys: page.collect(), total: keys.len(), limit, offset })
}

struct UpdateKey {
    key_id: String,
    user_id: Option<String>,
    name: Option<String>,
    enabled: Option<bool>,
    metadata: Option<Value>,
    expires_in: Option<Option<f64>>,
    server_only: bool,
}

impl FromFields for UpdateKey {
    fn read(fields: &mut Fields) -> Self {
        fields.optional_text("configId");
        let key_id = fields.text("keyId");
        let user_id = fields.optional_coerced("userId");
        let name = fields.optional_text("name");
        let enabled = fields.flag("enabled");
        let counts = fields.optional_number("remaining", Some(1.0)).is_some()
            | fields.optional_number("refillAmount", None).is_some()
            | fields.optional_number("refillInterval", None).is_some();
        let metadata = fields.any("metadata");
        let expires_in = fields.nullable_number("expiresIn", Some(1.0));
        let limits = fields.flag("rateLimitEnabled").is_some()
            | fields.optional_number("rateLimitTimeWindow", None).is_some()
            | fields.optional_number("rateLimitMax", None).is_some();
        let permissions = fields.nullable_statements("permissions");
        Self {
            key_id,
            user_id,
            name,
            enabled,
            metadata,
            expires_in,
            server_only: counts || limits || permissions,
        }
    }
}

async fn update_api_key(app: App, call: Call) -> Result<Answer> {
    let body: UpdateKey = call.body()?;
    let config = &app.config.api_key;
    let caller = match &call.api_key {
        Some(by_key) => by_key.clone(),
        None => session::current(&app, &call).await?.ok_or(UNAUTHORIZED_SESSION)?,
    };
    let user = caller.signed_in.user.id;
    if body.user_id.as_deref().is_some_and(|id| !id.is_empty() && id != user.to_string()) {
        return Err(UNAUTHORIZED_SESSION.into());
    }
    if body.server_only {
        return Err(SERVER_ONLY_PROPERTY.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let key = own_key(&app, &tx, user, &body.key_id, "update").await?;
    let mut change = Change { enabled: body.enabled, ..Change::default() };
    if let Some(name) = body.name {
        check_name(&name)?;
        change.name = Some(name);
    }
    if let Some(expires_in) = body.expires_in {
        if let Some(seconds) = expires_in {
            check_expiry(config, seconds)?;
        } else if !config.custom_expiry || config.expires_in > 0 {
            // Where keys end by themselves, nobody makes one that does not.
            check_expiry(config, f64::INFINITY)?;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a year of milliseconds at most")]
        let span = |seconds: f64| TimeDelta::milliseconds((seconds * 1000.0) as i64);
        change.expires_at = Some(expires_in.map(|seconds| call.now + span(seconds)));
    }
    if let Some(metadata) = body.metadata.filter(|_| config.metadata) {
        change.metadata = Some(match metadata {
            Value::Null => None,
            Value::Object(_) | Value::Array(_) => Some(metadata.to_string()),
            _ => return Err(INVALID_METADATA_TYPE.into()),
        });
    }
    let Change { name: None, enabled: None, expires_at: None, metadata: None } = &change else {
        let key = store::update(&tx, key.id, &change, call.now).await?.ok_or(KEY_NOT_FOUND)?;
        let event = Event::ApiKeyChanged { key: key.id };
        events::record(&app, &tx, &call, event, Some(user)).await?;
        tx.commit().await?;
        return Answer::json(&key);
    };
    Err(NO_VALUES.into())
}

struct DeleteKey {
    key_id: String,
}

impl FromFields for DeleteKey {
    fn read(fields: &mut Fields) -> Self {
        fields.optional_text("configId");
        Self { key_id: fields.text("keyId") }
    }
}

async fn delete_api_key(app: App, call: Call) -> Result<Answer> {
    let body: DeleteKey = call.body()?;
    let caller = session::required(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let key = own_key(&app, &tx, user, &body.key_id, "delete").await?;
    if !store::delete(&tx, key.id).await? {
        return Err(KEY_NOT_FOUND.into());
    }
    events::record(&app, &tx, &call, Event::ApiKeyDeleted { key: key.id }, Some(user)).await?;
    tx.commit().await?;
    Answer::json(&json!({ "success": true }))
}
