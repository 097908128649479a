//! `POST /sign-in/username` and `POST /is-username-available`.

use http::StatusCode;
use serde_json::json;

use super::{
    names::{check, normalised},
    store,
};
use crate::{
    account::Handle,
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    password,
    session::{Method, SignIn as Begin},
    wire,
};

const INVALID_USERNAME_OR_PASSWORD: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "INVALID_USERNAME_OR_PASSWORD",
    "Invalid username or password",
);
const INVALID_USERNAME: Refusal =
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_USERNAME", "Username is invalid");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<SignIn, _>(
            "/sign-in/username",
            "sign_in_username",
            Access::Public,
            sign_in_username,
        )
        .about("Sign in by user name and password."),
        Endpoint::post::<Available, _>(
            "/is-username-available",
            "is_username_available",
            Access::Public,
            is_username_available,
        )
        .about("Whether nobody has a user name yet."),
    ]
}

struct SignIn {
    username: String,
    password: String,
    remember_me: bool,
    callback_url: Option<String>,
}

impl FromFields for SignIn {
    fn read(fields: &mut Fields) -> Self {
        Self {
            username: fields.text("username"),
            password: fields.text("password"),
            remember_me: fields.flag("rememberMe").unwrap_or(true),
            callback_url: fields.optional_text("callbackURL"),
        }
    }
}

async fn sign_in_username(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: SignIn = call.body()?;
    if body.username.is_empty() || body.password.is_empty() {
        return Err(INVALID_USERNAME_OR_PASSWORD.into());
    }
    check(&app, &body.username, StatusCode::UNPROCESSABLE_ENTITY)?;
    let name = normalised(&body.username);
    let wrong = INVALID_USERNAME_OR_PASSWORD;
    let user = password::prove(&app, &call, Handle::Username(&name), &body.password, wrong).await?;
    password::admit_proven(&app, &call, &user, body.callback_url.as_deref()).await?;
    let sign_in = Begin { user: &user, method: Method::Username, dont_remember: !body.remember_me };
    password::signed_in(&app, &call, sign_in, body.callback_url.as_deref()).await
}

struct Available {
    username: String,
}

impl FromFields for Available {
    fn read(fields: &mut Fields) -> Self {
        Self { username: fields.text("username") }
    }
}

async fn is_username_available(app: App, call: Call) -> Result<Answer> {
    let body: Available = call.body()?;
    if body.username.is_empty() {
        return Err(INVALID_USERNAME.into());
    }
    check(&app, &body.username, StatusCode::UNPROCESSABLE_ENTITY)?;
    let name = normalised(&body.username);
    let free = !app.config.username.reserved.contains(&name)
        && store::find_owner(&connection(&app).await?, &name).await?.is_none();
    Answer::json(&json!({ "available": free }))
}
