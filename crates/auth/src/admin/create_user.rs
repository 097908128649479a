//! `POST /admin/create-user`.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    EMAIL_TAKEN, INVALID_EMAIL, access,
    accounts::{self, Created, NewAccount},
    deeds::{self, Deed},
    patch,
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
    user::Email,
    wire,
};

const CREATE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_CREATE_USERS",
    "You are not allowed to create users",
);
pub(super) const NAME_TAKEN: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "USER_ALREADY_EXISTS",
    "A user with this user name or phone number already exists",
);

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<CreateUser, _>(
            "/admin/create-user",
            "create_user",
            Access::Session,
            create_user,
        )
        .about("Create a user; without a password, one who signs in by other means."),
    ]
}

struct CreateUser {
    email: String,
    password: Option<String>,
    name: String,
    role: Option<Vec<String>>,
    data: Map<String, Value>,
}

impl FromFields for CreateUser {
    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            password: fields.optional_text("password"),
            name: fields.text("name"),
            role: fields.optional_texts("role"),
            data: fields.optional_record("data").unwrap_or_default(),
        }
    }
}

async fn create_user(app: App, call: Call) -> Result<Answer> {
    wire::refuse_password_in_query(&call)?;
    let body: CreateUser = call.body()?;
    let caller = access::caller(&app, &call, ("user", "create"), CREATE).await?;
    let asked = body.role.as_ref().map(|roles| json!(roles));
    let role = match asked.as_ref().or_else(|| body.data.get("role")) {
        Some(asked) => Some(patch::role(&app, &caller, asked)?),
        None => None,
    };
    patch::demand_ban(&app, &caller, &body.data)?;
    let email = Email::parse(&body.email).ok_or(INVALID_EMAIL)?;
    let mut set = patch::columns(&app, &body.data)?;
    set.remove("name");
    if let Some(role) = role {
        set.insert("role".to_owned(), Value::String(role));
    }
    let password = body.password.as_deref().filter(|password| !password.is_empty());
    let hash = match password {
        Some(password) => {
            if app.config.admin.any_password {
                password::check_presented(&app, password)?;
            } else {
                password::check_new(&app, password, &[email.as_str(), &body.name]).await?;
            }
            Some(app.hasher.hash(password).await?)
        }
        None => None,
    };
    let new = NewAccount { name: &body.name, email: &email, hash: hash.as_deref(), set: &set };
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let user = match accounts::create(&app, &tx, &new, call.now).await? {
        Created::Done(user) => user,
        Created::EmailTaken => return Err(EMAIL_TAKEN.into()),
        Created::Taken => return Err(NAME_TAKEN.into()),
    };
    let deed = Deed::Created { email: user.email.clone() };
    deeds::record(&app, &tx, &call, &caller, deed, user.id).await?;
    tx.commit().await?;
    Answer::json(&json!({ "user": wire::user(&app, &user) }))
}
