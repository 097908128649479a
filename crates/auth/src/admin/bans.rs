//! `POST /admin/ban-user`, `POST /admin/unban-user`.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    BAN, BAN_YOURSELF, USER_NOT_FOUND, access, accounts,
    deeds::{self, Deed},
    store::{self, Patched},
    users::OneUser,
};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    wire,
};

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<BanUser, _>("/admin/ban-user", "ban_user", Access::Session, ban_user)
            .about("Shut a user out, for a time or for good; every session ends."),
        Endpoint::post::<OneUser, _>(
            "/admin/unban-user",
            "unban_user",
            Access::Session,
            unban_user,
        )
        .about("Let a user in again."),
    ]
}

struct BanUser {
    user_id: String,
    reason: Option<String>,
    expires_in: Option<f64>,
}

impl FromFields for BanUser {
    fn read(fields: &mut Fields) -> Self {
        Self {
            user_id: fields.coerced("userId"),
            reason: fields.optional_text("banReason"),
            expires_in: fields.optional_number("banExpiresIn", None),
        }
    }
}

/// A ban longer than this is one for good.
const CENTURY: f64 = 100.0 * 365.0 * 24.0 * 3600.0;

async fn ban_user(app: App, call: Call) -> Result<Answer> {
    let body: BanUser = call.body()?;
    let caller = access::caller(&app, &call, ("user", "ban"), BAN).await?;
    let id = access::user_id(&body.user_id)?;
    let config = &app.config.admin;
    let seconds = body
        .expires_in
        .filter(|seconds| *seconds != 0.0)
        .unwrap_or_else(|| f64::from(config.ban_expires_in));
    #[expect(clippy::cast_possible_truncation, reason = "bounded above and below")]
    let until = (seconds != 0.0 && seconds < CENTURY)
        .then(|| call.now + TimeDelta::milliseconds((seconds.max(-CENTURY) * 1000.0) as i64));
    let reason = body.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.unwrap_or(&config.ban_reason);

    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = store::lock_user(&tx, id).await?.ok_or(USER_NOT_FOUND)?;
    if id == caller.signed_in.user.id {
        return Err(BAN_YOURSELF.into());
    }
    let banned = accounts::ban(&app, &tx, &user, reason, until, call.now).await?;
    let Patched::Done(banned) = banned else { return Err(USER_NOT_FOUND.into()) };
    let deed = Deed::Banned { reason: reason.to_owned() };
    deeds::record(&app, &tx, &call, &caller, deed, id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "user": wire::user(&app, &banned) }))
}

async fn unban_user(app: App, call: Call) -> Result<Answer> {
    let body: OneUser = call.body()?;
    let caller = access::caller(&app, &call, ("user", "ban"), BAN).await?;
    let id = access::user_id(&body.user_id)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let Patched::Done(user) = accounts::unban(&tx, id, call.now).await? else {
        return Err(USER_NOT_FOUND.into());
    };
    deeds::record(&app, &tx, &call, &caller, Deed::Unbanned, id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "user": wire::user(&app, &user) }))
}
