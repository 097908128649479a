//! `POST /api-key/token`: a program gives its key and gets a token for the Data API, good for minutes.
//!
//! The shape is that of OAuth's client credentials (RFC 6749, section 4.4): the key is the client's secret, in the body, as
//! `Basic` or `Bearer` authorization, or in `x-api-key`; refusals are those of section 5.2. What the token says is what its
//! owner may do at this moment, and never more than the key may.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    organizations::{self, Standing},
    session::HEADER,
    verify::{Refused, Verified, verify},
};
use crate::{
    app::{App, connection},
    config::Config as Whole,
    error::{Error, Result},
    events,
    http::{
        Answer, Call, Endpoint,
        endpoint::{Accepts, Access},
        fields::{Fields, Form, FromFields},
    },
    keys::{self, RoleClaim},
    permissions::Statements,
};

/// The endpoints: a token needs keys that sign.
pub(super) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.features.jwt {
        return Vec::new();
    }
    let exchange = Endpoint::post::<Exchange, _>(
        "/api-key/token",
        "exchange_api_key",
        Access::Public,
        exchange_api_key,
    )
    .about("A short token for the Data API in exchange for a key (RFC 6749, section 4.4).");
    vec![Endpoint { accepts: Accepts::JsonAndForm, ..exchange }]
}

struct Exchange {
    grant_type: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
    organization_id: Option<String>,
}

impl FromFields for Exchange {
    const FORM: Form = Form::OptionalObject;

    fn read(fields: &mut Fields) -> Self {
        Self {
            grant_type: fields.optional_text("grant_type"),
            client_secret: fields.optional_text("client_secret"),
            scope: fields.optional_text("scope"),
            organization_id: fields.optional_text("organization_id"),
        }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
    aud: &'a str,
    /// The user; of an organization's key, the key.
    sub: String,
    /// RFC 9068: the program, by the id of its key.
    client_id: uuid::Uuid,
    /// What the Data API looks up when it asks whether a token still holds.
    sid: uuid::Uuid,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<&'a Statements>,
}

async fn exchange_api_key(app: App, call: Call) -> Result<Answer> {
    let body: Exchange = call.body()?;
    if body.grant_type.as_deref().is_some_and(|kind| kind != "client_credentials") {
        return refuse(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "Only client_credentials",
        );
    }
    let Some(key) = presented(&call, body.client_secret) else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", "No API key was sent");
    };
    let conn = connection(&app).await?;
    let config = &app.config.api_key;
    let Verified { key, holder } = match verify(config, &conn, &key, None, call.now).await? {
        Ok(verified) => verified,
        Err(refused) => {
            events::refused(&app, &call, events::Refused::ApiKey, None).await;
            return refuse_key(&refused);
        }
    };
    let granted = key.permissions();
    let Some(permissions) = narrowed(granted.as_ref(), body.scope.as_deref()) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "The key does not permit this scope",
        );
    };
    let asked = body.organization_id.as_deref().filter(|id| !id.is_empty());
    let Some(standing) = organizations::standing(&app, &conn, &key, asked).await? else {
        let why = "The key's maker is no longer in the organization with that role";
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant", why);
    };
    let scope = permissions.as_ref().map(scope_of);
    let role = match app.config.jwt.role {
        RoleClaim::User if !key.is_organizations() => holder.role.as_deref(),
        _ => None,
    };
    let lifetime = config.token_expires_in.min(app.config.jwt.expires_in);
    let issued = call.now.timestamp();
    let claims = Claims {
        iat: issued,
        exp: issued + i64::from(lifetime),
        iss: &app.issuer,
        aud: &app.audience,
        sub: if key.is_organizations() { key.id.to_string() } else { key.reference_id.clone() },
        client_id: key.id,
        sid: key.id,
        role: role.unwrap_or("authenticated"),
        o: standing,
        scope: scope.as_deref(),
        permissions: permissions.as_ref(),
    };
    let ring = keys::routes::ring(&app).await?;
    let token = ring.signing.sign(&claims).map_err(|error| Error::Internal(error.into()))?;
    let mut answer = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": lifetime,
    });
    if let (Some(scope), Some(answer)) = (scope, answer.as_object_mut()) {
        answer.insert("scope".to_owned(), Value::String(scope));
    }
    Answer::json(&answer)?.with_header(header::CACHE_CONTROL, "no-store")
}

/// The key, from the one place where it stands; in several it must be the same.
fn presented(call: &Call, in_body: Option<String>) -> Option<String> {
    let in_header = call.header(HEADER).map(str::to_owned);
    let authorization = call.header("authorization").and_then(|value| value.split_once(' '));
    let authorized = authorization.and_then(|(scheme, value)| {
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(value.trim().to_owned());
        }
        let basic = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(value.trim()));
        let pair = String::from_utf8(basic?.ok()?).ok()?;
        pair.split_once(':').map(|(_, secret)| secret.to_owned())
    });
    let keys: BTreeSet<String> = [in_body, in_header, authorized]
        .into_iter()
        .flatten()
        .filter(|key| !key.is_empty())
        .collect();
    let mut keys = keys.into_iter();
    keys.next().filter(|_| keys.next().is_none())
}

/// What the key permits, or the part of it that is asked for; `None`: more is asked than it permits.
fn narrowed(granted: Option<&Statements>, scope: Option<&str>) -> Option<Option<Statements>> {
    let Some(scope) = scope.filter(|scope| !scope.trim().is_empty()) else {
        return Some(granted.cloned());
    };
    let granted = granted?;
    let mut narrowed = Statements::new();
    for word in scope.split_ascii_whitespace() {
        let (resource, action) = word.split_once(':')?;
        granted.get(resource)?.iter().find(|granted| *granted == action)?;
        narrowed.entry(resource.to_owned()).or_default().push(action.to_owned());
    }
    Some(Some(narrowed))
}

/// Permissions as the words of a scope: `files:read files:write`.
fn scope_of(permissions: &Statements) -> String {
    let words = permissions.iter().flat_map(|(resource, actions)| {
        actions.iter().map(move |action| format!("{resource}:{action}"))
    });
    words.collect::<Vec<_>>().join(" ")
}

fn refuse(status: StatusCode, error: &str, description: &str) -> Result<Answer> {
    let mut answer = Answer::json(&json!({
        "error": error,
        "error_description": description,
        "message": description,
        "code": error.to_ascii_uppercase(),
    }))?;
    answer.status = status;
    if status == StatusCode::UNAUTHORIZED {
        return answer.with_header(header::WWW_AUTHENTICATE, "Basic realm=\"api-key\"");
    }
    Ok(answer)
}

fn refuse_key(refused: &Refused) -> Result<Answer> {
    let refusal = refused.refusal();
    let mut answer = Answer::json(&json!({
        "error": "invalid_client",
        "error_description": refusal.message,
        "message": refusal.message,
        "code": refusal.code,
    }))?;
    answer.status = refusal.status;
    match refused {
        Refused::RateLimited(wait) => {
            answer.with_header(header::RETRY_AFTER, &(wait / 1000 + 1).to_string())
        }
        Refused::UsageExceeded => Ok(answer),
        _ => answer.with_header(header::WWW_AUTHENTICATE, "Basic realm=\"api-key\""),
    }
}
