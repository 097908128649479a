//! The endpoints of accounts.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::store;
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session, wire,
};

const ACCOUNT_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "ACCOUNT_NOT_FOUND", "Account not found");
const LAST_ACCOUNT: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "FAILED_TO_UNLINK_LAST_ACCOUNT",
    "You can't unlink your last account",
);

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/list-accounts", "list_accounts", Access::Session, list_accounts)
            .about("The own ways in, without their secrets."),
        Endpoint::post::<UnlinkAccount, _>(
            "/unlink-account",
            "unlink_account",
            Access::Fresh,
            unlink_account,
        )
        .about("Remove one of the own ways in; the last one stays."),
    ]
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountBody<'a> {
    account_id: &'a str,
    provider_id: &'a str,
    user_id: Uuid,
    #[serde(serialize_with = "wire::time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "wire::time")]
    updated_at: DateTime<Utc>,
    id: Uuid,
    scopes: Vec<&'a str>,
}

async fn list_accounts(app: App, call: Call) -> Result<Answer> {
    let caller = session::required(&app, &call).await?;
    let accounts = store::list_accounts(&connection(&app).await?, caller.signed_in.user.id).await?;
    let bodies: Vec<AccountBody<'_>> = accounts
        .iter()
        .map(|account| AccountBody {
            id: account.id,
            provider_id: &account.provider_id,
            account_id: &account.account_id,
            user_id: account.user_id,
            created_at: account.created_at,
            updated_at: account.updated_at,
            scopes: account
                .scope
                .as_deref()
                .map(|scope| {
                    scope.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect()
                })
                .unwrap_or_default(),
        })
        .collect();
    Answer::json(&bodies)
}

struct UnlinkAccount {
    account_id: Option<String>,
    provider_id: Option<String>,
}

impl FromFields for UnlinkAccount {
    fn read(fields: &mut Fields) -> Self {
        // Clients before 1.7 name the provider, and perhaps its id of the user.
        let older = fields.all().get("providerId").is_some_and(Value::is_string);
        Self {
            account_id: if older {
                fields.optional_text("accountId")
            } else {
                Some(fields.text("accountId"))
            },
            provider_id: fields.optional_text("providerId"),
        }
    }
}

impl UnlinkAccount {
    fn means(&self, account: &store::Account) -> bool {
        let by_id = |id: &String| Uuid::parse_str(id) == Ok(account.id);
        match &self.provider_id {
            None => self.account_id.as_ref().is_some_and(by_id),
            Some(provider) => {
                let subject = |id: &String| *id == account.account_id || by_id(id);
                *provider == account.provider_id && self.account_id.as_ref().is_none_or(subject)
            }
        }
    }
}

async fn unlink_account(app: App, call: Call) -> Result<Answer> {
    let mut body: UnlinkAccount = call.body()?;
    if !app.config.older_routes {
        body.provider_id = None;
        if body.account_id.is_none() {
            let words = "[body.accountId] Invalid input: expected string, received undefined";
            let words = words.to_owned();
            return Err(Error::Explained(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", words));
        }
    }
    let caller = session::fresh(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let accounts = store::lock_accounts(&tx, user).await?;
    if accounts.len() == 1 && !app.config.social.allow_unlinking_all {
        return Err(LAST_ACCOUNT.into());
    }
    let accounts = store::list_accounts(&tx, user).await?;
    let account = accounts.iter().find(|account| body.means(account)).ok_or(ACCOUNT_NOT_FOUND)?;
    store::delete_account(&tx, user, account.id).await?;
    events::record(&app, &tx, &call, Event::AccountUnlinked, Some(user)).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}
