//! `POST /get-access-token`, `POST /refresh-token`, `GET /account-info`: the provider's tokens and word about an own account.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    FAILED_TO_GET_USER_INFO,
    exchange::{self, Tokens},
    profile::{self, Expected},
    provider::Provider,
    seal,
};
use crate::{
    account::identities::{self, Linked},
    app::{App, connection},
    error::{Error, Refusal, Result},
    http::{
        Answer, Call, Endpoint, Layout,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    session, wire,
};

const ACCOUNT_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "ACCOUNT_NOT_FOUND", "Account not found");
const NO_ACCESS_TOKEN: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "FAILED_TO_GET_ACCESS_TOKEN",
    "Failed to get a valid access token",
);
const NOT_REFRESHED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "FAILED_TO_REFRESH_ACCESS_TOKEN",
    "Failed to refresh access token",
);
const NO_REFRESH_TOKEN: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "REFRESH_TOKEN_NOT_FOUND", "Refresh token not found");
const NO_TOKEN: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "ACCESS_TOKEN_NOT_FOUND", "Access token not found");
const NOT_CONFIGURED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PROVIDER_NOT_CONFIGURED",
    "Account is not associated with a configured social provider.",
);

/// A token that ends within this time counts as over.
const NEARLY_OVER: TimeDelta = TimeDelta::seconds(5);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let access_token = Endpoint::post::<Selection, _>(
        "/get-access-token",
        "get_access_token",
        Access::Session,
        get_access_token,
    )
    .about("A provider's access token of an own account; refreshed when it is over.");
    vec![
        // The server SDK of Neon asks by GET.
        access_token
            .also(Method::GET, "/get-access-token")
            .with_query::<Selection>()
            .only(Layout::Neon),
        access_token,
        Endpoint::post::<Selection, _>(
            "/refresh-token",
            "refresh_token",
            Access::Session,
            refresh_token,
        )
        .about("Refresh the provider's tokens of an own account."),
        Endpoint::get("/account-info", "account_info", Access::Session, account_info)
            .about("What a provider says of the user of an own account.")
            .with_query::<Selection>(),
    ]
}

/// Which of the own accounts.
enum Selection {
    /// By its row id; before 1.7, by the provider's id of the user.
    Account(String),
    /// By provider, as clients before 1.7 ask; of several, the one with this id at the provider.
    Provider(String, Option<String>),
    /// That in a cookie, of which this server sets none.
    Cookie,
}

impl FromFields for Selection {
    const FORM: Form = Form::Union;

    fn read(fields: &mut Fields) -> Self {
        fields.text("accountId");
        fields.optional_text("providerId");
        fields.optional_text("userId");
        let all = fields.all();
        let text = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        let only = |names: &[&str]| {
            all.iter().all(|(name, value)| {
                names.contains(&name.as_str()) && (value.is_string() || name == "useAccountCookie")
            })
        };
        let cookie = all.get("useAccountCookie") == Some(&Value::Bool(true));
        let selected = match (text("accountId"), text("providerId"), cookie) {
            (Some(account), None, false) if only(&["accountId", "userId"]) => {
                Some(Self::Account(account))
            }
            (account, Some(provider), false) if only(&["accountId", "providerId", "userId"]) => {
                Some(Self::Provider(provider, account))
            }
            (None, None, true) if only(&["useAccountCookie", "userId"]) => Some(Self::Cookie),
            _ => None,
        };
        fields.judge_all(selected.is_some());
        selected.unwrap_or(Self::Cookie)
    }
}

/// Nobody is signed in: an empty answer that calls itself JSON.
fn nobody() -> Answer {
    let mut answer = Answer::json_bytes(Bytes::new());
    answer.status = StatusCode::UNAUTHORIZED;
    answer
}

/// The own account that a request names, `None` for a stranger; another's does not exist (OA-28).
async fn own_account(app: &App, call: &Call, selection: &Selection) -> Result<Option<Linked>> {
    let older = app.config.older_routes;
    if let (Selection::Provider(..), false) = (selection, older) {
        let place = if call.body.is_some() { "body" } else { "query" };
        let words = format!("[{place}] Invalid input");
        return Err(Error::Explained(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", words));
    }
    // Read from the database: tokens are not handed to a session that was revoked.
    let Some(caller) = session::current(app, call).await? else { return Ok(None) };
    let user = caller.signed_in.user.id;
    let accounts = identities::of_user(&connection(app).await?, user).await?;
    let is_meant = |account: &Linked| match selection {
        Selection::Account(id) => {
            Uuid::parse_str(id) == Ok(account.id) || older && account.subject == *id
        }
        Selection::Provider(provider, id) => {
            let subject = id
                .as_ref()
                .is_none_or(|id| *id == account.subject || Uuid::parse_str(id) == Ok(account.id));
            account.provider_id == *provider && subject
        }
        Selection::Cookie => false,
    };
    Ok(Some(accounts.into_iter().find(is_meant).ok_or(ACCOUNT_NOT_FOUND)?))
}

fn supported(app: &App, account: &Linked) -> Result<Arc<Provider>> {
    let id = &account.provider_id;
    app.providers.get(id).cloned().ok_or_else(|| {
        let words = format!("Provider {id} is not supported.");
        Error::Explained(StatusCode::BAD_REQUEST, "PROVIDER_NOT_SUPPORTED", words)
    })
}

/// Tokens in the clear, as far as they can be opened.
fn opened(app: &App, account: &Linked) -> Tokens {
    let open = |token: &Option<String>| seal::open(app, token.as_deref()?);
    let stored = &account.tokens;
    Tokens {
        access: open(&stored.access),
        refresh: open(&stored.refresh),
        id: open(&stored.id),
        access_expires_at: stored.access_expires_at,
        refresh_expires_at: stored.refresh_expires_at,
        scopes: scopes(account),
    }
}

fn scopes(account: &Linked) -> Vec<String> {
    let scope = account.tokens.scope.as_deref().unwrap_or_default();
    scope.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// Asks the provider for new tokens and keeps them. Of two at once the second takes what the first got: many providers
/// take a refresh token once only.
async fn refreshed(
    app: &App,
    call: &Call,
    provider: &Provider,
    account: &Linked,
) -> Result<Tokens, Refusal> {
    let before = account.tokens.refresh.as_deref().ok_or(NO_REFRESH_TOKEN)?;
    let attempt = async {
        let token = seal::open(app, before).ok_or_else(|| {
            super::Failure::Odd("the refresh token was sealed under another secret".to_owned())
        })?;
        let endpoints = provider.endpoints(app, call.now).await?;
        let mut tokens = exchange::refresh(app, provider, &endpoints, &token, call.now).await?;
        tokens.refresh.get_or_insert(token);
        Ok(tokens)
    };
    let attempted: Result<Tokens, super::Failure> = attempt.await;
    let kept = async {
        let conn = connection(app).await?;
        if let Ok(tokens) = &attempted {
            let sealed = seal::seal(app, tokens);
            if identities::refreshed(&conn, account.id, before, &sealed, call.now).await? {
                return Ok(None);
            }
        }
        let accounts = identities::of_user(&conn, account.user).await?;
        let newer = accounts.into_iter().find(|other| {
            other.id == account.id && other.tokens.refresh.as_deref() != Some(before)
        });
        Ok::<_, Error>(newer.map(|account| opened(app, &account)))
    };
    match (kept.await, attempted) {
        (Ok(Some(newer)), _) => Ok(newer),
        (Ok(None), Ok(tokens)) => Ok(tokens),
        (Ok(None), Err(failure)) => {
            tracing::warn!(provider = provider.id, cause = %failure, "tokens were not refreshed");
            Err(NOT_REFRESHED)
        }
        (Err(error), _) => {
            tracing::warn!(provider = provider.id, cause = ?error, "refreshed tokens were not kept");
            Err(NOT_REFRESHED)
        }
    }
}

/// Tokens of which the access token is good for a while.
async fn valid(app: &App, call: &Call, provider: &Provider, account: &Linked) -> Result<Tokens> {
    let over = account.tokens.access_expires_at.is_some_and(|end| end - call.now < NEARLY_OVER);
    if over && account.tokens.refresh.is_some() {
        let mut tokens =
            refreshed(app, call, provider, account).await.map_err(|_| NO_ACCESS_TOKEN)?;
        tokens.id = tokens.id.or_else(|| seal::open(app, account.tokens.id.as_deref()?));
        return Ok(tokens);
    }
    Ok(opened(app, account))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessTokenBody {
    access_token: String,
    #[serde(serialize_with = "optional_time", skip_serializing_if = "Option::is_none")]
    access_token_expires_at: Option<DateTime<Utc>>,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
fn optional_time<S: serde::Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => wire::time(time, serializer),
        None => serializer.serialize_none(),
    }
}

async fn get_access_token(app: App, call: Call) -> Result<Answer> {
    let selection: Selection =
        if call.method == Method::GET { call.query()? } else { call.body()? };
    let Some(account) = own_account(&app, &call, &selection).await? else { return Ok(nobody()) };
    let provider = supported(&app, &account)?;
    let tokens = valid(&app, &call, &provider, &account).await?;
    Answer::json(&AccessTokenBody {
        access_token: tokens.access.unwrap_or_default(),
        access_token_expires_at: tokens.access_expires_at,
        scopes: scopes(&account),
        id_token: tokens.id,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshedBody<'a> {
    access_token: Option<String>,
    refresh_token: Option<String>,
    #[serde(serialize_with = "optional_time", skip_serializing_if = "Option::is_none")]
    access_token_expires_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "optional_time")]
    refresh_token_expires_at: Option<DateTime<Utc>>,
    scope: Option<&'a str>,
    id_token: Option<String>,
    provider_id: &'a str,
    account_id: Uuid,
}

async fn refresh_token(app: App, call: Call) -> Result<Answer> {
    let selection: Selection = call.body()?;
    let Some(account) = own_account(&app, &call, &selection).await? else { return Ok(nobody()) };
    let provider = supported(&app, &account)?;
    let tokens = refreshed(&app, &call, &provider, &account).await?;
    Answer::json(&RefreshedBody {
        access_token: tokens.access,
        refresh_token: tokens.refresh,
        access_token_expires_at: tokens.access_expires_at,
        refresh_token_expires_at: tokens.refresh_expires_at.or(account.tokens.refresh_expires_at),
        scope: account.tokens.scope.as_deref(),
        id_token: tokens.id.or_else(|| seal::open(&app, account.tokens.id.as_deref()?)),
        provider_id: &account.provider_id,
        account_id: account.id,
    })
}

async fn account_info(app: App, call: Call) -> Result<Answer> {
    let selection: Selection = call.query()?;
    let Some(account) = own_account(&app, &call, &selection).await? else { return Ok(nobody()) };
    let provider = app.providers.get(&account.provider_id).cloned().ok_or(NOT_CONFIGURED)?;
    let tokens = valid(&app, &call, &provider, &account).await?;
    if tokens.access.is_none() {
        return Err(NO_TOKEN.into());
    }
    let asked = async {
        let endpoints = provider.endpoints(&app, call.now).await?;
        profile::identity(&app, &call, &provider, &endpoints, &tokens, Expected::Nothing).await
    };
    let identity = asked.await.unwrap_or_else(|failure| {
        tracing::warn!(provider = provider.id, cause = %failure, "no word about the account");
        None
    });
    // The word about somebody else is no word about this account (OA-15).
    let identity = identity.filter(|identity| identity.subject == account.subject);
    let identity = identity.ok_or(FAILED_TO_GET_USER_INFO)?;
    let mut user = json!({
        "email": identity.email.as_ref().map(|email| email.as_str()),
        "emailVerified": identity.email_verified,
        "name": identity.name,
    });
    if let (Some(image), Some(user)) = (&identity.image, user.as_object_mut()) {
        user.insert("image".to_owned(), json!(image));
    }
    Answer::json(&json!({
        "user": user,
        "data": identity.said,
        "account": {
            "id": account.id, "providerId": account.provider_id, "accountId": account.subject,
        },
    }))
}
