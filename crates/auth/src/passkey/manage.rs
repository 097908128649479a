//! `GET /passkey/list-user-passkeys`, `POST /passkey/update-passkey`, `POST /passkey/delete-passkey`.

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    NOT_FOUND, NOT_YOURS,
    store::{self, Passkey},
};
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
};

/// Of somebody else's key that is to be removed.
const FOREIGN: Refusal = Refusal::bare(StatusCode::UNAUTHORIZED);

pub(super) fn endpoints() -> [Endpoint; 3] {
    [
        Endpoint::get(
            "/passkey/list-user-passkeys",
            "list_passkeys",
            Access::Session,
            list_user_passkeys,
        )
        .about("The own passkeys."),
        Endpoint::post::<Update, _>(
            "/passkey/update-passkey",
            "update_passkey",
            Access::Session,
            update_passkey,
        )
        .about("Name a passkey."),
        Endpoint::post::<Delete, _>(
            "/passkey/delete-passkey",
            "delete_passkey",
            Access::Session,
            delete_passkey,
        )
        .about("Remove a passkey."),
    ]
}

async fn list_user_passkeys(app: App, call: Call) -> Result<Answer> {
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    Answer::json(&store::list(&conn, caller.signed_in.user.id).await?)
}

/// A passkey of the caller.
async fn own(app: &App, id: &str, user: Uuid, foreign: Refusal) -> Result<Passkey> {
    let id = Uuid::parse_str(id).map_err(|_| NOT_FOUND)?;
    let passkey = store::find(&connection(app).await?, id).await?.ok_or(NOT_FOUND)?;
    if passkey.user_id == user { Ok(passkey) } else { Err(foreign.into()) }
}

struct Update {
    id: String,
    name: String,
}

impl FromFields for Update {
    fn read(fields: &mut Fields) -> Self {
        Self { id: fields.text("id"), name: fields.some_text("name") }
    }
}

async fn update_passkey(app: App, call: Call) -> Result<Answer> {
    let body: Update = call.body()?;
    let name = body.name.trim();
    if name.is_empty() {
        let message = "[body.name] Too small: expected string to have >=1 characters".to_owned();
        return Err(Error::Explained(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message));
    }
    let caller = session::required_now(&app, &call).await?;
    let passkey = own(&app, &body.id, caller.signed_in.user.id, NOT_YOURS).await?;
    let renamed = store::rename(&connection(&app).await?, passkey.id, name).await?;
    Answer::json(&json!({ "passkey": renamed.ok_or(NOT_FOUND)? }))
}

struct Delete {
    id: String,
}

impl FromFields for Delete {
    fn read(fields: &mut Fields) -> Self {
        Self { id: fields.text("id") }
    }
}

async fn delete_passkey(app: App, call: Call) -> Result<Answer> {
    let body: Delete = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let passkey = own(&app, &body.id, user, FOREIGN).await?;
    if app.config.passkey.fresh_to_delete {
        caller.demand_fresh(&app, &call)?;
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    store::delete(&tx, passkey.id).await?;
    let event = Event::PasskeyRemoved { passkey: passkey.id };
    events::record(&app, &tx, &call, event, Some(user)).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}
