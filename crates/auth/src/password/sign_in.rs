//! `POST /sign-in/email`.

use http::StatusCode;

use super::{admit_proven, prove, signed_in};
use crate::{
    account::Handle,
    app::App,
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{Method, SignIn as Begin},
    user::Email,
    wire,
};

const DISABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "EMAIL_PASSWORD_DISABLED",
    "Email and password is not enabled",
);
const INVALID_EMAIL: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_EMAIL", "Invalid email");
const INVALID_EMAIL_OR_PASSWORD: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "INVALID_EMAIL_OR_PASSWORD",
    "Invalid email or password",
);
pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<SignIn, _>("/sign-in/email", "sign_in_email", Access::Public, sign_in_email)
        .about("Sign in by address and password.")
        .login()
}

struct SignIn {
    email: String,
    password: String,
    callback_url: Option<String>,
    remember_me: bool,
}

impl FromFields for SignIn {
    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            password: fields.text("password"),
            callback_url: fields.optional_text("callbackURL"),
            remember_me: fields.flag("rememberMe").unwrap_or(true),
        }
    }
}

async fn sign_in_email(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: SignIn = call.body()?;
    if !app.config.email_password.enabled {
        return Err(DISABLED.into());
    }
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    let wrong = INVALID_EMAIL_OR_PASSWORD;
    let user = prove(&app, &call, Handle::Email(&email), &body.password, wrong).await?;
    admit_proven(&app, &call, &user, body.callback_url.as_deref()).await?;
    let sign_in = Begin { user: &user, method: Method::Password, dont_remember: !body.remember_me };
    signed_in(&app, &call, sign_in, body.callback_url.as_deref()).await
}
