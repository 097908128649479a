//! Who and what: settings that hold for the transaction.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderMap;

use super::{Sql, Statement};
use crate::config::Config;
use crate::ident::{Ident, Name};
use crate::plan::types::{Plan, Work};
use crate::request::{ApiRequest, HttpRequest};
use crate::verify::Identity;

fn set(name: &'static str, value: &str) -> Sql {
    Sql::text("pg_catalog.set_config('").raw(name).raw("', ").value(value).raw(", true)")
}

/// The same for a name that is not ours.
fn set_other(name: &str, value: &str) -> Sql {
    Sql::text("pg_catalog.set_config(").value(name).raw(", ").value(value).raw(", true)")
}

fn json_headers(headers: &HeaderMap) -> String {
    let mut all: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != http::header::COOKIE) {
        all.entry(name.as_str()).or_insert_with(|| String::from_utf8_lossy(value.as_bytes()));
    }
    serde_json::to_string(&all).unwrap_or_default()
}

fn json_cookies(headers: &HeaderMap) -> String {
    let text = crate::request::header(headers, "cookie").unwrap_or_default();
    let cookies: BTreeMap<&str, &str> = text
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    serde_json::to_string(&cookies).unwrap_or_default()
}

/// One SELECT that sets role, claims, path and request for the transaction.
///
/// Settings of the role come before the role itself: the login role may set what the role may not.
pub fn settings(
    config: &Config,
    http: &HttpRequest,
    request: &ApiRequest,
    plan: &Plan,
    identity: &Identity,
) -> Statement {
    let path: Vec<String> = [&request.schema]
        .into_iter()
        .chain(&config.db_extra_search_path)
        .map(|name| Ident(name).to_string())
        .collect();
    let mut all = vec![set("search_path", &path.join(", "))];
    let role_settings =
        config.role_settings.settings.get(&identity.role).map(Vec::as_slice).unwrap_or_default();
    let own_timeout = role_settings.iter().any(|(name, _)| name == "statement_timeout");
    let limits = config.safety.roles.get(&identity.role);
    if let Some(limits) = limits.filter(|_| !own_timeout) {
        all.push(set("statement_timeout", &limits.statement_timeout.to_string()));
    }
    all.extend(role_settings.iter().map(|(name, value)| set_other(name, value)));
    all.push(set("role", &identity.role));
    all.push(set("request.jwt.claims", &identity.claims_json()));
    all.push(set("request.method", http.method.as_str()));
    all.push(set("request.path", &http.path));
    all.push(set("request.headers", &json_headers(&http.headers)));
    all.push(set("request.cookies", &json_cookies(&http.headers)));
    if let Some(zone) = &request.prefer.timezone {
        all.push(set("timezone", zone));
    }
    if let Plan::Crud(plan) = plan
        && let Work::Call { plan, .. } = &plan.work
    {
        all.extend(plan.routine.settings.iter().map(|(name, value)| set_other(name, value)));
    }
    all.extend(config.app_settings.iter().map(|(name, value)| set_other(name, value)));
    Sql::text("SELECT ").joined(", ", all).finish()
}

/// The pre-request function.
pub fn pre_request(function: &Name) -> Statement {
    Sql::text("SELECT ").name(function).raw("()").finish()
}
