//! `POST /admin/set-role`, and the rule that one administrator stays.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use http::StatusCode;
use serde_json::json;

use super::{
    SET_ROLE, USER_NOT_FOUND,
    access::{self, is_admin, may_do},
    accounts,
    deeds::{self, Deed},
    store::{self, Patched},
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    user::{self, User},
    wire,
};

pub(super) const NON_EXISTENT_ROLE: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE",
    "You are not allowed to set a non-existent role value",
);
const LAST_ADMIN: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "LAST_ADMIN", "At least one administrator must remain");

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<SetRole, _>("/admin/set-role", "set_role", Access::Session, set_role)
            .about("Give a user another role, or several."),
    ]
}

struct SetRole {
    user_id: String,
    roles: Vec<String>,
}

impl FromFields for SetRole {
    fn read(fields: &mut Fields) -> Self {
        Self { user_id: fields.coerced("userId"), roles: fields.texts("role") }
    }
}

async fn set_role(app: App, call: Call) -> Result<Answer> {
    let body: SetRole = call.body()?;
    let caller = access::caller(&app, &call, ("user", "set-role"), SET_ROLE).await?;
    check_known(&app, &body.roles)?;
    let id = access::user_id(&body.user_id)?;
    let role = body.roles.join(",");
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = store::lock_user(&tx, id).await?.ok_or(USER_NOT_FOUND)?;
    let Patched::Done(user) = accounts::set_role(&app, &tx, &user, &role, call.now).await? else {
        return Err(USER_NOT_FOUND.into());
    };
    deeds::record(&app, &tx, &call, &caller, Deed::RoleSet { role }, id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "user": wire::user(&app, &user) }))
}

/// Where the configuration names the roles, no other can be given.
///
/// # Errors
/// `YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE`.
pub(super) fn check_known(app: &App, roles: &[String]) -> Result<()> {
    let closed = !app.config.admin.roles.is_empty();
    if closed && roles.iter().any(|role| !app.admin_roles.knows(role)) {
        return Err(NON_EXISTENT_ROLE.into());
    }
    Ok(())
}

/// Refuses what would leave nobody to administrate (AD-11), one transaction at a time; call it before the change, in its
/// transaction. `after`: the user as it will be; `None`: gone. Sessions as somebody else end with the right to them.
///
/// # Errors
/// `LAST_ADMIN`; those of Postgres.
pub(crate) async fn keep_one_admin(
    app: &App,
    conn: &impl GenericClient,
    before: &User,
    after: Option<&User>,
    now: DateTime<Utc>,
) -> Result<()> {
    let config = &app.config.admin;
    let lost = |had: &dyn Fn(&User) -> bool| {
        let has = |user: &User| had(user) && !user::is_banned(user, now);
        app.config.features.admin && has(before) && !after.is_some_and(has)
    };
    if lost(&|user| is_admin(config, user)) && !config.last_admin_may_go {
        store::lock_admins(conn).await?;
        let (roles, ids) = (&config.admin_roles, &config.user_ids);
        if !store::has_other_admin(conn, before.id, roles, ids, now).await? {
            return Err(LAST_ADMIN.into());
        }
    }
    if lost(&|user| may_do(app, user, "user", "impersonate")) {
        store::end_impersonations(conn, before.id).await?;
    }
    Ok(())
}
