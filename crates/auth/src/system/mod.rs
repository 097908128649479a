//! Liveness, the error page, and the description of the API.

use http::{StatusCode, header};
use serde_json::json;

use crate::{
    app::App,
    error::Result,
    http::{Answer, Call, Endpoint, endpoint::Access},
    openapi, wire,
};

const STYLE: &str = include_str!("page.css");

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/ok", "ok", Access::Public, ok).about("Liveness."),
        Endpoint::get("/error", "error", Access::Public, error)
            .about("Where failed browser flows end."),
        Endpoint::get(
            "/open-api/generate-schema",
            "generate_schema",
            Access::Public,
            generate_schema,
        )
        .about("This description (OpenAPI 3.1)."),
        Endpoint::get("/reference", "reference", Access::Public, reference)
            .about("The same for people."),
    ]
}

async fn ok(_: App, _: Call) -> Result<Answer> {
    Answer::json(&json!({ "ok": true }))
}

/// Letters, digits, `_` and `-` of a code; anything else is `UNKNOWN`.
fn code(call: &Call) -> &str {
    let is_code = |text: &&str| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    call.parameter_of_query("error").filter(is_code).unwrap_or("UNKNOWN")
}

async fn error(app: App, call: Call) -> Result<Answer> {
    let code = code(&call);
    let description = call.parameter_of_query("error_description").filter(|text| text.len() <= 256);
    if app.config.production {
        let mut target = format!("/?error={code}");
        if let Some(description) = description {
            target = format!("{target}&error_description={}", wire::component(description));
        }
        return Answer::empty(StatusCode::FOUND).with_header(header::LOCATION, &target);
    }
    let mut answer = Answer::html(page(
        "Something went wrong",
        &error_text(code, description, &call.request_id),
    ));
    answer.status = StatusCode::OK;
    Ok(answer)
}

fn error_text(code: &str, description: Option<&str>, request_id: &str) -> String {
    let description =
        description.map(|text| format!("<p>{}</p>", escape(text))).unwrap_or_default();
    let advice = advice(code).map(|text| format!("<p>{text}</p>")).unwrap_or_default();
    format!("{advice}{description}<p class=quiet><code>{code}</code>, request {request_id}</p>")
}

/// What somebody can do whose browser ended here; the developer finds the code below it.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "account_not_linked" | "unable_to_link_account" => {
            "There is an account with this address already. Sign in the way you did before, then connect the two in your \
             account's settings."
        }
        "account_already_linked_to_different_user" => {
            "That account belongs to another user here. Sign in with it, or choose another one."
        }
        "email_does_not_match" => "That account has another address than yours here.",
        "email_not_found" => {
            "The provider did not tell an address, and without one there is no account."
        }
        "email_not_verified" => {
            "The provider has not checked that address. Confirm it there and try again."
        }
        "new_user_signup_disabled" => "New accounts are not open to everybody here.",
        "state_mismatch" | "state_not_found" | "invalid_callback_request" => {
            "The sign-in took too long, or was begun in another browser. Begin again."
        }
        "access_denied" => {
            "You turned the request down at the provider. Begin again if that was a mistake."
        }
        "temporarily_unavailable" | "unable_to_get_user_info" => {
            "The provider does not answer at the moment. Try again in a while."
        }
        "INVALID_TOKEN" | "TOKEN_EXPIRED" => {
            "The link was used before, or is too old. Ask for a new one."
        }
        "banned" => "This account is closed. Ask who runs this site.",
        _ => return None,
    })
}

async fn generate_schema(app: App, call: Call) -> Result<Answer> {
    let served = app.endpoints.iter().filter(|endpoint| endpoint.served_by(call.mount.layout));
    Answer::json(&openapi::document(served, &call.mount.base))
}

async fn reference(app: App, call: Call) -> Result<Answer> {
    let rows: String = app
        .endpoints
        .iter()
        .filter(|endpoint| !endpoint.alias && endpoint.served_by(call.mount.layout))
        .map(|endpoint| {
            format!(
                "<tr><td>{}<td><code>{}</code><td>{}",
                endpoint.method,
                escape(endpoint.path),
                escape(endpoint.summary)
            )
        })
        .collect();
    let text = format!(
        "<p>Base <code>{}</code>, <a href=\"open-api/generate-schema\">OpenAPI file</a></p><table class=list>{rows}</table>",
        escape(&call.mount.base)
    );
    // The title is that of Better Auth's page; a client looks for it.
    Ok(Answer::html(page("Scalar API Reference", &text)))
}

/// A page of text and forms, with its style and nothing from elsewhere.
pub(crate) fn page(title: &str, text: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{text}"
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
