//! `POST /admin/set-user-password`.

use http::StatusCode;
use serde_json::json;

use super::{
    USER_NOT_FOUND, access,
    deeds::{self, Deed},
    store,
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    password,
    user::store as users,
    wire,
};

const SET_PASSWORD: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_PASSWORD",
    "You are not allowed to set users password",
);

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<SetPassword, _>(
            "/admin/set-user-password",
            "set_user_password",
            Access::Session,
            set_user_password,
        )
        .about("Set a user's password; the user's sessions end. Needs a fresh session."),
    ]
}

struct SetPassword {
    new: String,
    user_id: String,
}

impl FromFields for SetPassword {
    fn read(fields: &mut Fields) -> Self {
        Self {
            new: fields.not_empty("newPassword", Fields::text),
            user_id: fields.not_empty("userId", Fields::coerced),
        }
    }
}

async fn set_user_password(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: SetPassword = call.body()?;
    let caller = access::caller(&app, &call, ("user", "set-password"), SET_PASSWORD).await?;
    access::demand_fresh(&app, &call, &caller)?;
    // What concerns the password alone comes first, as in Better Auth.
    password::check_rules(&app, &body.new, &[])?;
    let id = access::user_id(&body.user_id)?;
    let user = users::find_user(&connection(&app).await?, id).await?.ok_or(USER_NOT_FOUND)?;
    password::check_new(&app, &body.new, &[&user.email, &user.name]).await?;
    let hash = app.hasher.hash(&body.new).await?;

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    store::lock_user(&tx, id).await?.ok_or(USER_NOT_FOUND)?;
    password::supersede(&app, &call, &tx, &user, &hash).await?;
    deeds::record(&app, &tx, &call, &caller, Deed::PasswordSet, id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "status": true }))
}
