//! `POST /sign-up/email`.

use gatepost_protocol::body::Shown;
use gatepost_protocol::random;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{breached, policy};
use crate::{
    account::store as accounts,
    app::{App, connection},
    email_verification,
    error::{Refusal, Result},
    events::{self, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    mail::{self, Message},
    session::{self, Current},
    user::{
        Email, User,
        store::{self as users, NewUser},
        update_user,
    },
    username, wire,
};

const DISABLED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "EMAIL_PASSWORD_SIGN_UP_DISABLED",
    "Email and password sign up is not enabled",
);
const ALREADY_EXISTS: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
    "User already exists. Use another email.",
);

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<SignUp, _>("/sign-up/email", "sign_up_email", Access::Public, sign_up_email)
        .about("Create a user with a password; signs in unless the address must be proven first.")
        .login()
}

struct SignUp {
    name: String,
    email: Email,
    password: String,
    image: Option<String>,
    callback_url: Option<String>,
    remember_me: bool,
    all: Map<String, Value>,
}

impl FromFields for SignUp {
    const FORM: Form = Form::ObjectAndRecord;

    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name"),
            email: fields.email("email"),
            password: fields.some_text("password"),
            image: fields.optional_text("image"),
            callback_url: fields.optional_text("callbackURL"),
            remember_me: fields.flag("rememberMe").unwrap_or(true),
            all: fields.all(),
        }
    }
}

#[derive(Serialize)]
struct SignedUpBody<'a> {
    token: Option<&'a str>,
    user: Shown<'a, User>,
}

async fn sign_up_email(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    // Before the other members are looked at, as Better Auth does.
    let names = username::at_sign_up(&app, call.body.as_ref())?;
    if names.name().is_some() {
        username::refuse_taken(&app, &connection(&app).await?, &names, None).await?;
    }
    let body: SignUp = call.body()?;
    let config = &app.config.email_password;
    if !config.enabled || !config.sign_up {
        return Err(DISABLED.into());
    }
    policy::check_rules(&app, &body.password, &[body.email.as_str(), &body.name])?;
    update_user::refuse_protected_at_sign_up(&app, &body.all)?;
    breached::check(&app, &body.password).await?;

    // Also for an address that is taken, so that time does not tell.
    let hash = app.hasher.hash(&body.password).await?;
    let new = NewUser {
        id: random::uuid(),
        name: &body.name,
        email: &body.email,
        email_verified: false,
        image: body.image.as_deref(),
    };
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let Some(mut user) = users::create_user(&tx, &new, &app.config.features, call.now).await?
    else {
        if config.auto_sign_in && !config.require_verification {
            return Err(ALREADY_EXISTS.into());
        }
        if config.existing_user_mail {
            let (to, message) = (body.email.as_str(), Message::ExistingUserSignUp);
            if app.limits.may_mail(&body.email, call.now).await {
                mail::send(&app, &call, &tx, to, &message).await?;
            } else {
                mail::pretend(&app, &call, &tx, to, &message).await?;
            }
        }
        tx.commit().await?;
        if app.config.email_verification.sends_on_sign_up(config) {
            // A taken address looks like a free one.
            email_verification::challenge(&app, &call);
        }
        let mut placeholder = new.preview(&app.config.features, call.now);
        names.put_into(&mut placeholder);
        if config.recorded_placeholder {
            placeholder.role = None;
        }
        return Ok(answer(&app, None, &placeholder)?
            .with_cookies(email_verification::remember_sign_up(&app, &call, placeholder.id)));
    };
    accounts::create_credential(&tx, random::uuid(), user.id, &hash, call.now).await?;
    if !names.is_empty()
        && let Some(named) = username::take(&tx, user.id, &names, call.now).await?
    {
        user = named;
    }
    events::record(&app, &tx, &call, Event::SignedUp { email: user.email.clone() }, Some(user.id))
        .await?;
    if app.config.email_verification.sends_on_sign_up(config) {
        email_verification::send(&app, &call, &tx, &user, body.callback_url.as_deref()).await?;
    }
    if !config.auto_sign_in || config.require_verification {
        tx.commit().await?;
        return Ok(answer(&app, None, &user)?
            .with_cookies(email_verification::remember_sign_up(&app, &call, user.id)));
    }
    let sign_in = session::SignIn {
        user: &user,
        method: session::Method::Password,
        dont_remember: !body.remember_me,
    };
    let started = session::start_in(&app, &call, &tx, sign_in).await?;
    tx.commit().await?;
    // Not a known device yet: the address may be somebody else's.
    Ok(answer(&app, Some(&started), &started.signed_in.user)?.with_session(&app, &call, &started))
}

fn answer(app: &App, started: Option<&Current>, user: &User) -> Result<Answer> {
    Answer::json(&SignedUpBody {
        token: started.map(|started| started.token.reveal()),
        user: wire::user(app, user),
    })
}
