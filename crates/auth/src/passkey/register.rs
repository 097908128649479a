//! `GET /passkey/generate-register-options` and `POST /passkey/verify-registration`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    CHALLENGE_NOT_FOUND, NOT_VERIFIED, NOT_YOURS, PREVIOUSLY_REGISTERED, TOO_MANY,
    authenticate::described,
    ceremony::{self, ALGORITHMS, TIMEOUT},
    challenge::{self, Challenge},
    store::{self, Passkey},
};
use crate::{
    app::{App, connection},
    error::Result,
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
    user::store as users,
};

const ATTACHMENTS: &[&str] = &["platform", "cross-platform"];

pub(super) fn endpoints() -> [Endpoint; 2] {
    [
        Endpoint::get(
            "/passkey/generate-register-options",
            "generate_passkey_registration_options",
            Access::Fresh,
            options,
        )
        .about("What a browser needs to make a new passkey; sets the cookie of the challenge.")
        .with_query::<Options>(),
        Endpoint::post::<Verify, _>(
            "/passkey/verify-registration",
            "verify_passkey_registration",
            Access::Fresh,
            verify,
        )
        .about("Keep the passkey that a browser made."),
    ]
}

struct Options {
    attachment: Option<&'static str>,
    name: Option<String>,
}

impl FromFields for Options {
    fn read(fields: &mut Fields) -> Self {
        let read = Self {
            attachment: fields.optional_choice("authenticatorAttachment", ATTACHMENTS),
            name: fields.optional_text("name"),
        };
        fields.optional_text("context");
        read
    }
}

async fn options(app: App, call: Call) -> Result<Answer> {
    let query: Options = call.query()?;
    let caller = session::fresh_now(&app, &call).await?;
    let user = &caller.signed_in.user;
    let conn = connection(&app).await?;
    let existing = store::list(&conn, user.id).await?;
    let shown = if user.email.is_empty() { user.id.to_string() } else { user.email.clone() };
    let name = query.name.filter(|name| !name.is_empty()).unwrap_or_else(|| shown.clone());
    let (challenge, state) = ceremony::start_registration(&app, user.id, &shown, &existing)?;
    let row = Challenge::Registration { user: user.id, state: Box::new(state) };
    let cookie = challenge::write(&app, &call, &conn, &row).await?;
    let mut selection = json!({
        "residentKey": "preferred",
        "userVerification": "preferred",
        "requireResidentKey": false,
    });
    if let (Some(attachment), Some(selection)) = (query.attachment, selection.as_object_mut()) {
        selection.insert("authenticatorAttachment".to_owned(), attachment.into());
    }
    let algorithms: Vec<Value> = ALGORITHMS
        .iter()
        .map(|&algorithm| json!({ "alg": algorithm as i64, "type": "public-key" }))
        .collect();
    Ok(Answer::json(&json!({
        "challenge": challenge,
        "rp": { "name": ceremony::rp_name(&app), "id": ceremony::rp_id(&app) },
        "user": {
            "id": URL_SAFE_NO_PAD.encode(ceremony::user_handle(&app, user.id)),
            "name": name,
            "displayName": shown,
        },
        "pubKeyCredParams": algorithms,
        "timeout": TIMEOUT,
        "attestation": "none",
        "excludeCredentials": existing.iter().map(described).collect::<Vec<_>>(),
        "authenticatorSelection": selection,
        "extensions": { "credProps": true },
        "hints": [],
    }))?
    .with_cookies([cookie]))
}

struct Verify {
    response: Option<Map<String, Value>>,
    name: Option<String>,
}

impl FromFields for Verify {
    fn read(fields: &mut Fields) -> Self {
        let read =
            Self { response: fields.anything("response"), name: fields.optional_text("name") };
        fields.flag("createSession");
        read
    }
}

async fn verify(app: App, call: Call) -> Result<Answer> {
    let body: Verify = call.body()?;
    let caller = session::fresh_now(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let Challenge::Registration { user: asked, state } = challenge::take(&app, &call).await? else {
        return Err(CHALLENGE_NOT_FOUND.into());
    };
    if asked != user {
        return Err(NOT_YOURS.into());
    }
    let response = body.response.unwrap_or_default();
    let registered =
        ceremony::finish_registration(&app, &state, response).map_err(|_| NOT_VERIFIED)?;
    let name = body.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let new = Passkey {
        id: Uuid::nil(),
        name,
        public_key: registered.public_key,
        user_id: user,
        credential_id: registered.credential_id,
        counter: registered.counter,
        device_type: registered.device_type.to_owned(),
        backed_up: registered.backed_up,
        transports: Some(registered.transports),
        created_at: Some(call.now),
        aaguid: Some(registered.aaguid.to_string()),
    };
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    // Those who register at once are counted one after another.
    users::lock_user(&tx, user).await?;
    if store::count(&tx, user).await? >= i64::from(app.config.passkey.per_user) {
        return Err(TOO_MANY.into());
    }
    let created = store::create(&tx, &new).await?.ok_or(PREVIOUSLY_REGISTERED)?;
    let event = Event::PasskeyAdded { passkey: created.id };
    events::record(&app, &tx, &call, event, Some(user)).await?;
    tx.commit().await?;
    Answer::json(&created)
}
