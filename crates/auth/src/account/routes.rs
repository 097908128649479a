//! The endpoints of accounts.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
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
                .map(|scope| scope.split(',').collect())
                .unwrap_or_default(),
        })
        .collect();
    Answer::json(&bodies)
}

struct UnlinkAccount {
    account_id: String,
}

impl FromFields for UnlinkAccount {
    fn read(fields: &mut Fields) -> Self {
        Self { account_id: fields.text("accountId") }
    }
}

async fn unlink_account(app: App, call: Call) -> Result<Answer> {
    let body: UnlinkAccount = call.body()?;
    let caller = session::fresh(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let accounts = store::lock_accounts(&tx, user).await?;
    if accounts.len() == 1 {
        return Err(LAST_ACCOUNT.into());
    }
    let id = Uuid::parse_str(&body.account_id).map_err(|_| ACCOUNT_NOT_FOUND)?;
    if !store::delete_account(&tx, user, id).await? {
        return Err(ACCOUNT_NOT_FOUND.into());
    }
    events::record(&app, &tx, &call, Event::AccountUnlinked, Some(user)).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}
