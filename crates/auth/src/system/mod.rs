//! Liveness, the error page, and the description of the API.

use http::{StatusCode, header};
use serde_json::json;

use crate::{
    app::App,
    error::Result,
    http::{Answer, Call, Endpoint, endpoint::Access},
    openapi, wire,
};

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
    format!("<p><code>{code}</code></p>{description}<p class=quiet>Request {request_id}</p>")
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
        "<p>Base <code>{}</code>, <a href=\"open-api/generate-schema\">OpenAPI file</a></p><table>{rows}</table>",
        escape(&call.mount.base)
    );
    // The title is that of Better Auth's page; a client looks for it.
    Ok(Answer::html(page("Scalar API Reference", &text)))
}

pub(crate) fn page(title: &str, text: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<title>{title}</title><style>:root{{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}}\
body{{max-width:60rem;margin:3rem auto;padding:0 1rem}}td{{padding:.25rem 1rem .25rem 0;vertical-align:top}}\
code{{overflow-wrap:anywhere}}.quiet{{opacity:.7}}</style><h1>{title}</h1>{text}"
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
