//! `POST /set-language`: the language of the own mails. Not part of Better Auth's wire.

use http::StatusCode;
use serde_json::json;

use super::store as users;
use crate::{
    app::{App, connection},
    error::{Error, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
};

/// The endpoint.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint::post::<SetLanguage, _>("/set-language", "set_language", Access::Session, set_language)
        .about("Choose the language of the own mails; without one, it is that of the browser.")
}

struct SetLanguage {
    language: Option<String>,
}

impl FromFields for SetLanguage {
    fn read(fields: &mut Fields) -> Self {
        Self { language: fields.optional_text("language") }
    }
}

async fn set_language(app: App, call: Call) -> Result<Answer> {
    let body: SetLanguage = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let chosen = match body.language.as_deref().filter(|language| !language.is_empty()) {
        None => None,
        Some(tag) => Some(find(&app, tag)?),
    };
    users::set_language(&connection(&app).await?, caller.signed_in.user.id, chosen).await?;
    Answer::json(&json!({ "status": true, "language": chosen }))
}

fn find<'a>(app: &'a App, tag: &str) -> Result<&'a str> {
    let languages = app.outbox.languages();
    languages.find(tag).ok_or_else(|| {
        let known: Vec<&str> = languages.codes().collect();
        Error::Explained(
            StatusCode::BAD_REQUEST,
            "LANGUAGE_NOT_SUPPORTED",
            format!("There are no mails in this language, but in {}", known.join(", ")),
        )
    })
}
