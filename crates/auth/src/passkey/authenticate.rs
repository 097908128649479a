//! `GET /passkey/generate-authenticate-options` and `POST /passkey/verify-authentication`.

use deadpool_postgres::GenericClient;
use gatepost_protocol::body::{self, Shown};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    CHALLENGE_NOT_FOUND, FAILED, UNKNOWN, WRONG_SIGNATURE,
    ceremony::{self, Refused, TIMEOUT, Used},
    challenge::{self, Challenge},
    store::{self, Passkey},
};
use crate::{
    app::{App, connection},
    error::{Error, Refusal, Result},
    events::{self, Refused as Why},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Method, SignIn, cookies},
    two_factor,
    user::{self, User, store as users},
    wire,
};

pub(super) fn endpoints() -> [Endpoint; 2] {
    [
        Endpoint::get(
            "/passkey/generate-authenticate-options",
            "passkey_generate_authenticate_options",
            Access::Optional,
            options,
        )
        .about("What a browser needs to ask for a passkey; sets the cookie of the challenge."),
        Endpoint::post::<Verify, _>(
            "/passkey/verify-authentication",
            "passkey_verify_authentication",
            Access::Public,
            verify,
        )
        .about("Sign in with a passkey, or finish a sign-in that waits for a second factor."),
    ]
}

/// A key as browsers look for it.
pub(super) fn described(passkey: &Passkey) -> Value {
    let transports = passkey.transports.as_deref().filter(|transports| !transports.is_empty());
    match transports {
        Some(transports) => json!({
            "id": passkey.credential_id,
            "transports": transports.split(',').collect::<Vec<_>>(),
            "type": "public-key",
        }),
        None => json!({ "id": passkey.credential_id, "type": "public-key" }),
    }
}

async fn options(app: App, call: Call) -> Result<Answer> {
    let caller = session::current(&app, &call).await?;
    let conn = connection(&app).await?;
    let user = match caller {
        Some(caller) => Some(caller.signed_in.user.id),
        None => two_factor::waiting(&app, &call, &conn).await?,
    };
    let keys = match user {
        Some(user) => store::list(&conn, user).await?,
        None => Vec::new(),
    };
    let (challenge, state) = ceremony::start_authentication(&app)?;
    let row = Challenge::Authentication { user, state: Box::new(state) };
    let cookie = challenge::write(&app, &call, &conn, &row).await?;
    let mut options = json!({
        "rpId": ceremony::rp_id(&app),
        "challenge": challenge,
        "timeout": TIMEOUT,
        "userVerification": "preferred",
    });
    // None named: the browser shows what it has (conditional UI, discoverable credentials).
    if let (false, Some(options)) = (keys.is_empty(), options.as_object_mut()) {
        options.insert("allowCredentials".to_owned(), keys.iter().map(described).collect());
    }
    Ok(Answer::json(&options)?.with_cookies([cookie]))
}

struct Verify {
    response: Map<String, Value>,
}

impl FromFields for Verify {
    fn read(fields: &mut Fields) -> Self {
        Self { response: fields.record("response") }
    }
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    session: Shown<'a, body::Session>,
    user: Shown<'a, User>,
}

async fn verify(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let Challenge::Authentication { user: asked, state } = challenge::take(&app, &call).await?
    else {
        return Err(CHALLENGE_NOT_FOUND.into());
    };
    let id = body.response.get("id").and_then(Value::as_str).unwrap_or_default();
    let found = store::find_credential(&connection(&app).await?, id).await?;
    let Some(passkey) = found else { return Err(refuse(&app, &call, UNKNOWN).await) };
    if asked.is_some_and(|asked| asked != passkey.user_id) {
        return Err(refuse(&app, &call, FAILED).await);
    }
    match ceremony::finish_authentication(&app, &state, &passkey, body.response) {
        Ok(used) => sign_in(&app, &call, &passkey, &used).await,
        Err(Refused::Signature) => Err(refuse(&app, &call, WRONG_SIGNATURE).await),
        Err(Refused::Ceremony) => Err(refuse(&app, &call, FAILED).await),
    }
}

async fn refuse(app: &App, call: &Call, refusal: Refusal) -> Error {
    events::refused(app, call, Why::WrongPasskey, None).await;
    refusal.into()
}

async fn sign_in(app: &App, call: &Call, passkey: &Passkey, used: &Used) -> Result<Answer> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let noted =
        store::note_use(&tx, passkey.id, used.counter, used.device_type, used.backed_up).await?;
    if !noted {
        return Err(refuse(app, call, FAILED).await);
    }
    let user = users::find_user(&tx, passkey.user_id).await?.ok_or(UNKNOWN)?;
    if user::is_banned(&user, call.now) {
        events::refused(app, call, Why::Banned, Some(&user.email)).await;
        return Err(wire::BANNED_USER.into());
    }
    let sign_in = SignIn {
        user: &user,
        method: Method::Passkey,
        dont_remember: is_unremembered(app, call, &tx, user.id).await?,
    };
    // A password before it, or the device's own check of its user: both are two factors.
    let second = two_factor::complete(app, call, &tx, &user).await?;
    if !second
        && !used.user_verified
        && let Some(pending) = two_factor::challenge_after(app, call, &tx, &sign_in).await?
    {
        tx.commit().await?;
        return pending.answer(app, call);
    }
    let started = session::start_in(app, call, &tx, sign_in).await?;
    tx.commit().await?;
    let session = wire::session(&started.signed_in.session, started.token.reveal());
    let body = SignedInBody { session: session.shown(app.features), user: wire::user(app, &user) };
    Ok(Answer::json(&body)?.signed_in(app, call, &started))
}

/// What was said at a sign-in that waits holds for its end.
async fn is_unremembered(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    user: Uuid,
) -> Result<bool> {
    let waits = two_factor::waiting(app, call, conn).await? == Some(user);
    Ok(waits && cookies::dont_remember(app, call))
}
