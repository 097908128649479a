//! What the person does: `GET /device` looks a code up, `POST /device/approve` and `POST /device/deny` decide.

use http::StatusCode;
use serde_json::json;

use super::{
    store::{self, Device, Status},
    user_code,
};
use crate::{
    app::{App, connection},
    error::{OAuthRefusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current},
};

const fn refusal(error: &'static str, description: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(StatusCode::BAD_REQUEST, error, description)
}

const UNKNOWN: OAuthRefusal = refusal("invalid_request", "Invalid user code");
const EXPIRED: OAuthRefusal = refusal("expired_token", "User code has expired");
const PROCESSED: OAuthRefusal = refusal("invalid_request", "Device code already processed");
const NOT_CLAIMED: OAuthRefusal = refusal(
    "invalid_request",
    "Device code has not been claimed by a verifying session; call `GET /device` with the `user_code` while signed in before approving or denying",
);
const NOBODY: OAuthRefusal =
    OAuthRefusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication required");
const NOT_YOURS_TO_APPROVE: OAuthRefusal = OAuthRefusal::new(
    StatusCode::FORBIDDEN,
    "access_denied",
    "You are not authorized to approve this device authorization",
);
const NOT_YOURS_TO_DENY: OAuthRefusal = OAuthRefusal::new(
    StatusCode::FORBIDDEN,
    "access_denied",
    "You are not authorized to deny this device authorization",
);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/device", "device_verify", Access::Optional, device_verify)
            .about("Look a user code up; a session claims it and is told who asks.")
            .with_query::<Shown>(),
        Endpoint::post::<Decision, _>(
            "/device/approve",
            "device_approve",
            Access::Session,
            device_approve,
        )
        .about("Let the device of a claimed user code sign in as the caller."),
        Endpoint::post::<Decision, _>("/device/deny", "device_deny", Access::Session, device_deny)
            .about("Turn the device of a claimed user code away."),
    ]
}

/// A code that is alive.
///
/// # Errors
/// `Invalid user code`, `User code has expired`.
pub(super) async fn find(app: &App, call: &Call, typed: &str) -> Result<Device> {
    let candidates = user_code::candidates(app, typed);
    let found = store::find_device(&connection(app).await?, &candidates).await?;
    let device = found.ok_or(UNKNOWN)?;
    if device.expires_at < call.now { Err(EXPIRED.into()) } else { Ok(device) }
}

struct Shown {
    user_code: String,
}

impl FromFields for Shown {
    fn read(fields: &mut Fields) -> Self {
        Self { user_code: fields.text("user_code") }
    }
}

async fn device_verify(app: App, call: Call) -> Result<Answer> {
    let query: Shown = call.query()?;
    user_code::count_guess(&app, &call, &call.client.bucket).await?;
    let mut device = find(&app, &call, &query.user_code).await?;
    let caller = session::current(&app, &call).await?;
    let Some(caller) = caller.map(|caller| caller.signed_in.user.id) else {
        return Answer::json(&json!({ "user_code": query.user_code, "status": status(&device)? }));
    };
    if device.user_id.is_none() && device.status == Some(Status::Pending) {
        let claimed = store::claim_device(&connection(&app).await?, device.id, caller).await?;
        device = match claimed {
            Some(claimed) => claimed,
            // Somebody else was faster.
            None => find(&app, &call, &query.user_code).await?,
        };
    }
    let mut answer = json!({ "user_code": query.user_code, "status": status(&device)? });
    if device.user_id == Some(caller.to_string())
        && let Some(members) = answer.as_object_mut()
    {
        members.insert("client_id".to_owned(), json!(device.client_id));
        members.insert("scope".to_owned(), json!(device.scope));
    }
    Answer::json(&answer)
}

fn status(device: &Device) -> Result<&'static str, OAuthRefusal> {
    device.status.map(Status::as_str).ok_or(UNKNOWN)
}

struct Decision {
    user_code: String,
}

impl FromFields for Decision {
    fn read(fields: &mut Fields) -> Self {
        Self { user_code: fields.text("userCode") }
    }
}

async fn device_approve(app: App, call: Call) -> Result<Answer> {
    decide(&app, &call, Status::Approved, NOT_YOURS_TO_APPROVE).await
}

async fn device_deny(app: App, call: Call) -> Result<Answer> {
    decide(&app, &call, Status::Denied, NOT_YOURS_TO_DENY).await
}

async fn decide(
    app: &App,
    call: &Call,
    decision: Status,
    not_yours: OAuthRefusal,
) -> Result<Answer> {
    let body: Decision = call.body()?;
    let caller = session::current(app, call).await?.ok_or(NOBODY)?;
    let user = caller.signed_in.user.id;
    user_code::count_guess(app, call, &user.to_string()).await?;
    let device = find(app, call, &body.user_code).await?;
    if device.status != Some(Status::Pending) {
        return Err(PROCESSED.into());
    }
    let owner = device.user_id.as_deref().ok_or(NOT_CLAIMED)?;
    if owner != user.to_string() {
        return Err(not_yours.into());
    }
    write(app, call, &caller, &device, decision).await?;
    Answer::json(&json!({ "success": true }))
}

/// Writes the caller's decision down.
///
/// # Errors
/// `Device code already processed`, when there is one, or the code is another user's.
pub(super) async fn write(
    app: &App,
    call: &Call,
    caller: &Current,
    device: &Device,
    decision: Status,
) -> Result<()> {
    let user = caller.signed_in.user.id;
    let client = device.client_id.clone().unwrap_or_default();
    let event = match decision {
        Status::Denied => Event::DeviceDenied { client },
        Status::Approved | Status::Pending => Event::DeviceApproved { client },
    };
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    if !store::decide(&tx, device.id, user, decision).await? {
        return Err(PROCESSED.into());
    }
    events::record(app, &tx, call, event, Some(user)).await?;
    Ok(tx.commit().await?)
}
