//! `GET /admin/get-user`, `POST /admin/update-user`, `POST /admin/remove-user`.

use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    BAN_YOURSELF, EMAIL_TAKEN, INVALID_EMAIL, USER_NOT_FOUND,
    access::{self, demand},
    create_user::NAME_TAKEN,
    deeds::{self, Deed},
    patch,
    roles::keep_one_admin,
    store::{self, Patched},
};
use crate::{
    api_key,
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    organization,
    session::{Current, store as sessions},
    user::{Email, User, store as users},
    verification::{self, Purpose},
    wire,
};

const GET: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_GET_USER",
    "You are not allowed to get user",
);
const UPDATE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_UPDATE_USERS",
    "You are not allowed to update users",
);
const NO_DATA: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "NO_DATA_TO_UPDATE", "No data to update");
const PASSWORD_NOT_HERE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER",
    "Password cannot be updated through update-user. Use the set-user-password endpoint instead",
);
const ID_STAYS: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "USER_ID_CANNOT_BE_UPDATED", "User id cannot be updated");
const SET_EMAIL: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_EMAIL",
    "You are not allowed to update users email",
);
const SET_PHONE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_PHONE_NUMBER",
    "You are not allowed to update users phone number",
);
const DELETE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_DELETE_USERS",
    "You are not allowed to delete users",
);
const REMOVE_YOURSELF: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "YOU_CANNOT_REMOVE_YOURSELF",
    "You cannot remove yourself",
);

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/get-user", "get_user", Access::Session, get_user)
            .about("One user.")
            .with_query::<GetUser>(),
        Endpoint::post::<UpdateUser, _>(
            "/admin/update-user",
            "admin_update_user",
            Access::Session,
            update_user,
        )
        .about("Change a user; role, ban, address and telephone number need rights of their own."),
        Endpoint::post::<OneUser, _>(
            "/admin/remove-user",
            "remove_user",
            Access::Session,
            remove_user,
        )
        .about("Delete a user and everything that is the user's alone. Needs a fresh session."),
    ]
}

struct GetUser {
    id: String,
}

impl FromFields for GetUser {
    fn read(fields: &mut Fields) -> Self {
        Self { id: fields.text("id") }
    }
}

async fn get_user(app: App, call: Call) -> Result<Answer> {
    let query: GetUser = call.query()?;
    access::caller(&app, &call, ("user", "get"), GET).await?;
    let id = access::user_id(&query.id)?;
    let user = users::find_user(&connection(&app).await?, id).await?.ok_or(USER_NOT_FOUND)?;
    Answer::json(&wire::user(&app, &user))
}

struct UpdateUser {
    user_id: String,
    data: Map<String, Value>,
}

impl FromFields for UpdateUser {
    fn read(fields: &mut Fields) -> Self {
        Self { user_id: fields.coerced("userId"), data: fields.record("data") }
    }
}

async fn update_user(app: App, call: Call) -> Result<Answer> {
    let UpdateUser { user_id, data } = call.body()?;
    let caller = access::caller(&app, &call, ("user", "update"), UPDATE).await?;
    if data.is_empty() {
        return Err(NO_DATA.into());
    }
    if data.contains_key("password") {
        return Err(PASSWORD_NOT_HERE.into());
    }
    if data.contains_key("id") {
        return Err(ID_STAYS.into());
    }
    let role = match data.get("role") {
        Some(asked) => Some(patch::role(&app, &caller, asked)?),
        None => None,
    };
    let id = Uuid::parse_str(&user_id).ok();
    patch::demand_ban(&app, &caller, &data)?;
    let bans = data.get("banned") == Some(&Value::Bool(true));
    if bans && id == Some(caller.signed_in.user.id) {
        return Err(BAN_YOURSELF.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let email = new_email(&app, &tx, &caller, &data, id).await?;
    if data.contains_key("phoneNumber") || data.contains_key("phoneNumberVerified") {
        demand(&app, &caller, ("user", "set-phone"), SET_PHONE)?;
    }
    let mut set = patch::columns(&app, &data)?;
    let user = store::lock_user(&tx, id.ok_or(USER_NOT_FOUND)?).await?.ok_or(USER_NOT_FOUND)?;
    if let Some(email) = email {
        set.insert("email".to_owned(), email.as_str().into());
    }
    if let Some(role) = role {
        set.insert("role".to_owned(), role.into());
    }
    let changed = change(&app, &call, &tx, &user, &set).await?;
    if bans {
        sessions::delete_sessions(&tx, user.id).await?;
    }
    let deed = Deed::Updated { members: set.keys().cloned().collect() };
    deeds::record(&app, &tx, &call, &caller, deed, user.id).await?;
    tx.commit().await?;
    Answer::json(&wire::user(&app, &changed))
}

/// The address that the request names, if the caller may set it and nobody else has it.
async fn new_email(
    app: &App,
    conn: &impl GenericClient,
    caller: &Current,
    data: &Map<String, Value>,
    id: Option<Uuid>,
) -> Result<Option<Email>> {
    if data.contains_key("email") || data.contains_key("emailVerified") {
        demand(app, caller, ("user", "set-email"), SET_EMAIL)?;
    }
    let Some(email) = data.get("email") else { return Ok(None) };
    let email = email.as_str().and_then(Email::parse).ok_or(INVALID_EMAIL)?;
    let owner = users::find_user_by_email(conn, &email).await?;
    if owner.is_some_and(|owner| Some(owner.id) != id) {
        return Err(EMAIL_TAKEN.into());
    }
    Ok(Some(email))
}

async fn change(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: &User,
    set: &Map<String, Value>,
) -> Result<User> {
    let mut after = user.clone();
    if let Some(role) = set.get("role").and_then(Value::as_str) {
        after.role = Some(role.to_owned());
    }
    if let Some(banned) = set.get("banned") {
        after.banned = banned.as_bool();
        after.ban_expires = None;
    }
    keep_one_admin(app, conn, user, Some(&after), call.now).await?;
    match store::patch_user(conn, user.id, set, call.now).await? {
        Patched::Done(changed) => {
            if changed.email != user.email {
                // Links that were mailed to the old address (PW-07).
                verification::delete_all(conn, Purpose::ResetPassword, &user.id.to_string())
                    .await?;
            }
            Ok(*changed)
        }
        Patched::Gone => Err(USER_NOT_FOUND.into()),
        Patched::Taken => Err(NAME_TAKEN.into()),
    }
}

/// A body that names a user.
pub(super) struct OneUser {
    pub user_id: String,
}

impl FromFields for OneUser {
    fn read(fields: &mut Fields) -> Self {
        Self { user_id: fields.coerced("userId") }
    }
}

async fn remove_user(app: App, call: Call) -> Result<Answer> {
    let body: OneUser = call.body()?;
    let caller = access::caller(&app, &call, ("user", "delete"), DELETE).await?;
    access::demand_fresh(&app, &call, &caller)?;
    let id = access::user_id(&body.user_id)?;
    if id == caller.signed_in.user.id {
        return Err(REMOVE_YOURSELF.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = store::lock_user(&tx, id).await?.ok_or(USER_NOT_FOUND)?;
    keep_one_admin(&app, &tx, &user, None, call.now).await?;
    verification::delete_all(&tx, Purpose::ResetPassword, &id.to_string()).await?;
    verification::delete_all(&tx, Purpose::DeleteAccount, &id.to_string()).await?;
    api_key::delete_owned(&tx, id).await?;
    organization::part(&app, &tx, id).await?;
    users::delete_user(&tx, id).await?;
    let deed = Deed::Removed { email: user.email };
    deeds::record(&app, &tx, &call, &caller, deed, id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "success": true }))
}
