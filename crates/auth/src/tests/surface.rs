//! The API as a whole: its description, who may call what, and what is no part of it.

use std::{collections::HashSet, env, fs, path::Path};

use http::Method;
use serde_json::Value;

use super::requests::{self, BASES, component, everything, path, values};
use crate::{
    config::Config,
    endpoints,
    http::{Endpoint, Layout, endpoint::Access},
    openapi,
    testing::APP,
};

/// Operations for everybody; all others are for the holder of a session.
const PUBLIC: &[&str] = &[
    "accept_invitation_page",
    "anonymous_token",
    "callback",
    "callback_posted",
    "check_verification_otp",
    "device_code",
    "device_page",
    "device_page_decide",
    "device_token",
    "device_verify",
    "discovery",
    "error",
    "exchange_api_key",
    "forget_password_email_otp",
    "generate_schema",
    "get_session",
    "is_username_available",
    "jwks",
    "list_device_sessions",
    "list_user_invitations",
    "magic_link_confirm",
    "magic_link_verify",
    "next_step",
    "ok",
    "passkey_generate_authenticate_options",
    "passkey_verify_authentication",
    "post_session",
    "reference",
    "request_password_reset",
    "request_password_reset_email_otp",
    "request_password_reset_phone_number",
    "reset_password",
    "reset_password_callback",
    "reset_password_email_otp",
    "reset_password_phone_number",
    "send_phone_number_otp",
    "second_factor_answer",
    "second_factor_page",
    "send_two_factor_otp",
    "send_verification_email",
    "send_verification_otp",
    "set_active_session",
    "sign_in_anonymous",
    "sign_in_email",
    "sign_in_email_otp",
    "sign_in_magic_link",
    "sign_in_oauth2",
    "sign_in_phone_number",
    "sign_in_social",
    "sign_in_username",
    "sign_out",
    "sign_up_email",
    "users_sync_webhook",
    "verify_backup_code",
    "verify_email",
    "verify_email_confirm",
    "verify_email_otp",
    "verify_one_time_token",
    "verify_phone_number",
    "verify_totp",
    "verify_two_factor_otp",
];

fn everything_on() -> Config {
    let mut config = Config::default();
    requests::switch_everything_on(&mut config);
    config
}

fn described() -> Value {
    openapi::document(&endpoints(&everything_on()), "/api/auth")
}

#[test]
fn the_checked_in_openapi_file_describes_the_endpoints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/auth.json");
    let checked_in: Value =
        fs::read_to_string(&path).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let fresh = described();
    if checked_in != fresh {
        let new = env::temp_dir().join("gatepost-openapi-auth.json");
        fs::write(&new, format!("{fresh:#}\n")).unwrap();
        panic!("openapi/auth.json is stale; look at {} and copy it there", new.display());
    }
}

#[test]
fn every_operation_has_a_summary_and_a_name_of_its_own() {
    let document = described();
    let mut names = HashSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].as_str().unwrap().len() > 5, "{method} {path}");
            assert!(
                names.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{method} {path}"
            );
            let open = operation["security"] == serde_json::json!([]);
            let name = operation["operationId"].as_str().unwrap();
            assert_eq!(open, PUBLIC.contains(&name), "{name}");
        }
    }
    assert!(names.len() > 20);
}

#[tokio::test]
async fn whatever_is_not_public_asks_a_stranger_who_it_is() {
    let app = everything(|_| {}).await;
    let stranger = app.browser();
    for endpoint in &app.app.endpoints {
        let closed = matches!(endpoint.access, Access::Session | Access::Fresh);
        assert_eq!(!closed, PUBLIC.contains(&endpoint.name), "{}", endpoint.name);
        if !closed {
            continue;
        }
        let query: Vec<String> = values(&endpoint.query)
            .iter()
            .map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{name}={}", component(&text))
            })
            .collect();
        let path = format!("{}?{}", path(endpoint), query.join("&"));
        let headers = [("origin", APP), ("content-type", "application/json")];
        for (base, layout) in BASES.into_iter().zip([Layout::BetterAuth, Layout::Neon]) {
            if !endpoint.served_by(layout) {
                continue;
            }
            let mut stranger = stranger.clone();
            base.clone_into(&mut stranger.base);
            let body = requests::body(endpoint).to_string();
            let method = endpoint.method.clone();
            let reply = requests::send(&app, &stranger, method, &path, &headers, body).await;
            // As Better Auth does on this one page.
            let refused = if endpoint.name == "delete_user_callback" { 404 } else { 401 };
            assert_eq!(reply.status, refused, "{base} {}: {}", endpoint.name, reply.text);
        }
    }
}

fn others(path: &str) -> Vec<String> {
    vec![
        format!("{path}/"),
        format!("/{path}"),
        format!("{path}//"),
        format!("{path}/x/y"),
        format!("{path}x"),
        path.to_uppercase(),
        path.replacen('/', "/./", 1),
        path.replacen('/', "/x/../", 1),
        path.replacen('/', "/%2e/", 1),
        path.replacen('/', "%2f", 1),
        format!("{path}%00"),
        format!("{path};x"),
        format!("{path}%20"),
    ]
}

#[tokio::test]
async fn what_is_no_endpoint_is_an_empty_404() {
    let app = everything(|_| {}).await;
    let ada = app.signed_up("ada").await;
    let headers = [("origin", APP), ("content-type", "application/json")];
    let methods =
        ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get"];
    let known = |method: &Method, path: &str| app.app.route(method, path).is_some();
    for endpoint in &app.app.endpoints {
        let own = path(endpoint);
        let mut asked: Vec<(Method, String)> = methods
            .iter()
            .map(|name| (Method::from_bytes(name.as_bytes()).unwrap(), own.clone()))
            .filter(|(method, path)| !known(method, path))
            .collect();
        // A token is any text.
        let literal = !endpoint.path.contains('{');
        let more = others(&own)
            .into_iter()
            .filter(|other| literal || !other.starts_with(&own) || other.ends_with('/'));
        asked.extend(more.map(|other| (endpoint.method.clone(), other)));
        for (method, path) in asked {
            let full = format!("/api/auth{path}");
            let reply = requests::send(&app, &ada, method.clone(), &full, &headers, "{}").await;
            assert_eq!((reply.status.as_u16(), reply.text.as_str()), (404, ""), "{method} {full}");
            assert_eq!(reply.headers.get("set-cookie"), None, "{method} {full}");
        }
    }
    for outside in [
        "/",
        "/api",
        "/api/auth",
        "/api/auth/",
        "/api/authx/ok",
        "/app/ok",
        "/other/auth/ok",
        "/app/auth",
    ] {
        let request = http::Request::get(outside).body("".into()).unwrap();
        let reply = app.send(ada.address, request).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (404, ""), "{outside}");
    }
    assert!(ada.clone().is_signed_in(&app).await);
}

#[test]
fn another_spelling_is_not_described() {
    let aliases: Vec<Endpoint> =
        endpoints(&everything_on()).into_iter().filter(|endpoint| endpoint.alias).collect();
    assert!(!aliases.is_empty());
    for alias in aliases {
        let method = alias.method.as_str().to_ascii_lowercase();
        let told = &described()["paths"][alias.path][&method];
        assert!(told.is_null() || told["operationId"] != alias.name, "{}", alias.path);
    }
}
