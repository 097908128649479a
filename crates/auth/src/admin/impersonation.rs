//! Acting as a user: `POST /admin/impersonate-user`, `POST /admin/stop-impersonating`.
//!
//! The session is the user's, marked with the administrator, an hour long at most and never remembered. It cannot change
//! how its user signs in, nor do what only the person may (AD-07). The administrator's own session waits in a signed cookie.

use gatepost_protocol::{
    body::Shown,
    cookie::{Opened, SetCookie, open},
};
use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::{
    NOBODY, USER_NOT_FOUND,
    access::{self, is_admin, may_do},
    deeds::{self, Deed},
    users::OneUser,
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result, UNAUTHORIZED},
    http::{Answer, Call, Endpoint, endpoint::Access},
    session::{self, Current, Method, SignIn, Token, cookies, routes::Nothing, store as sessions},
    user::{self, store as users},
    wire,
};

const IMPERSONATE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_IMPERSONATE_USERS",
    "You are not allowed to impersonate users",
);
const NO_ADMINS: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_CANNOT_IMPERSONATE_ADMINS",
    "You cannot impersonate admins",
);
const NOT_IMPERSONATING: Refusal =
    Refusal::without_code(StatusCode::BAD_REQUEST, "You are not impersonating anyone");

/// What only the person may do, by name of the operation: an impersonator is refused.
const WITHHELD: &[&str] = &[
    "accept_organization_invitation",
    "account_info",
    "change_email",
    "change_email_email_otp",
    "change_password",
    "create_api_key",
    "delete_anonymous_user",
    "delete_api_key",
    "delete_organization",
    "delete_passkey",
    "delete_user",
    "delete_user_callback",
    "device_approve",
    "device_page_decide",
    "disable_two_factor",
    "enable_two_factor",
    "generate_backup_codes",
    "generate_one_time_token",
    "generate_passkey_registration_options",
    "get_access_token",
    "get_totp_uri",
    "leave_organization",
    "link_social",
    "oauth2_link",
    "refresh_token",
    "reject_organization_invitation",
    "request_email_change_email_otp",
    "revoke_other_sessions",
    "revoke_session",
    "revoke_sessions",
    "send_phone_number_otp",
    "send_two_factor_otp",
    "unlink_account",
    "update_api_key",
    "update_passkey",
    "verify_backup_code",
    "verify_passkey_registration",
    "verify_password",
    "verify_phone_number",
    "verify_totp",
    "verify_two_factor_otp",
];

/// Whether an impersonator may not use the operation.
pub(crate) fn is_withheld(operation: &str) -> bool {
    WITHHELD.contains(&operation)
}

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<OneUser, _>(
            "/admin/impersonate-user",
            "impersonate_user",
            Access::Session,
            impersonate_user,
        )
        .about("Act as a user for an hour at most. Needs a fresh session."),
        Endpoint::post::<Nothing, _>(
            "/admin/stop-impersonating",
            "stop_impersonating",
            Access::Session,
            stop_impersonating,
        )
        .about("Go back to the administrator's own session."),
    ]
}

#[derive(Serialize)]
struct Body<'a> {
    session: Shown<'a, gatepost_protocol::body::Session>,
    user: Shown<'a, user::User>,
}

fn body(app: &App, current: &Current) -> Result<Answer> {
    let session = wire::session(&current.signed_in.session, current.token.reveal());
    Answer::json(&Body {
        session: session.shown(app.features),
        user: wire::user(app, &current.signed_in.user),
    })
}

async fn impersonate_user(app: App, call: Call) -> Result<Answer> {
    let body_: OneUser = call.body()?;
    let caller = access::caller(&app, &call, ("user", "impersonate"), IMPERSONATE).await?;
    if caller.signed_in.session.impersonated_by.is_some() {
        return Err(IMPERSONATE.into());
    }
    access::demand_fresh(&app, &call, &caller)?;
    let id = access::user_id(&body_.user_id)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let target = users::find_user(&tx, id).await?.ok_or(USER_NOT_FOUND)?;
    let admin = &caller.signed_in.user;
    if is_admin(&app.config.admin, &target)
        && !app.config.admin.impersonate_admins
        && !may_do(&app, admin, "user", "impersonate-admins")
    {
        return Err(NO_ADMINS.into());
    }
    let sign_in =
        SignIn { user: &target, method: Method::Impersonation(admin.id), dont_remember: true };
    let started = session::start_in(&app, &call, &tx, sign_in).await?;
    let deed = Deed::ImpersonationStarted { session: started.signed_in.session.id };
    deeds::record(&app, &tx, &call, &caller, deed, id).await?;
    tx.commit().await?;
    Ok(body(&app, &started)?
        .with_cookies(cookies::forget(&call))
        .with_cookies([waiting(&app, &call, &caller)])
        .with_session(&app, &call, &started))
}

const ADMIN_SESSION: &str = "admin_session";

/// The cookie in which the administrator's own session waits.
fn waiting(app: &App, call: &Call, caller: &Current) -> SetCookie {
    let profile = &call.mount.cookies;
    let remembered = if caller.dont_remember { "true" } else { "" };
    let value = format!("{}:{remembered}", caller.token.reveal());
    let max_age = Some(i64::from(app.config.session.expires_in));
    let name = profile.names.named(ADMIN_SESSION);
    profile.set_signed(&name, &value, app.config.secret.as_bytes(), max_age)
}

async fn stop_impersonating(app: App, call: Call) -> Result<Answer> {
    call.body::<Nothing>()?;
    let caller = session::current(&app, &call).await?.ok_or(NOBODY)?;
    let acting = &caller.signed_in.session;
    let by = acting.impersonated_by.as_deref().ok_or(NOT_IMPERSONATING)?;
    let by = Uuid::parse_str(by).ok();
    let restored = match by {
        Some(by) => waiting_session(&app, &call, by).await?,
        None => None,
    };
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    sessions::delete_session(&tx, &acting.token).await?;
    if let Some(restored) = &restored {
        let deed = Deed::ImpersonationStopped { session: acting.id };
        deeds::record(&app, &tx, &call, restored, deed, acting.user_id).await?;
    }
    tx.commit().await?;
    let profile = &call.mount.cookies;
    let waited = profile.delete(&profile.names.named(ADMIN_SESSION));
    let Some(restored) = restored else {
        // Somebody else's cookie, or an administrator no more: nobody is signed in here (AD-08).
        call.aside.cookies(cookies::forget(&call));
        call.aside.cookies([waited]);
        return Err(UNAUTHORIZED.into());
    };
    let mut answer = body(&app, &restored)?.with_cookies([waited]);
    if !restored.dont_remember {
        answer = answer.with_cookies([profile.delete(&profile.names.dont_remember)]);
    }
    Ok(answer.with_session(&app, &call, &restored))
}

/// The administrator's own session from the cookie, if it is live, that administrator's, and still one that may do this.
async fn waiting_session(app: &App, call: &Call, by: Uuid) -> Result<Option<Current>> {
    let cookies = call.cookies();
    let presented = cookies.get(&call.mount.cookies.names.named(ADMIN_SESSION));
    let opened =
        app.config.secrets().find_map(|secret| match open(secret.as_bytes(), &presented) {
            Opened::Valid(value) => Some(value),
            _ => None,
        });
    let Some(value) = opened else { return Ok(None) };
    let (token, remembered) = value.split_once(':').unwrap_or((&value, ""));
    let Some(token) = Token::parse(token) else { return Ok(None) };
    let found = app.sessions.find(token.stored(app.config.session.token_storage)).await?;
    let found = found.filter(|found| {
        found.user.id == by
            && found.session.expires_at > call.now
            && found.session.impersonated_by.is_none()
            && !user::is_banned(&found.user, call.now)
            && may_do(app, &found.user, "user", "impersonate")
    });
    let dont_remember = !remembered.is_empty();
    Ok(found.map(|signed_in| Current { signed_in, token, dont_remember }))
}
