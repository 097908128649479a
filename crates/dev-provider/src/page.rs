//! The pages that people see.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepost_protocol::digest;
use http::{StatusCode, header};

use crate::{Brand, Failure, Fault, Provider, authorize::Request, params::Params};

const STYLE: &str = include_str!("page.css");

#[derive(Template)]
#[template(path = "choose.html")]
struct Choose<'a> {
    style: &'a str,
    brand: &'a str,
    client: &'a str,
    /// The query, for the form to send back.
    request: &'a str,
    accounts: Vec<Row<'a>>,
    /// An address that the client expects and that is none of the accounts.
    other: Option<&'a str>,
    shares: Vec<&'static str>,
    faults: Vec<Mishap>,
    /// One of them is chosen already.
    mishap: bool,
}

struct Mishap {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

struct Row<'a> {
    email: &'a str,
    name: &'a str,
    initials: String,
    verified: bool,
    expected: bool,
}

/// The choice of an account.
pub(crate) fn choose(
    provider: &Provider,
    brand: &Brand,
    request: &Request<'_>,
    query: &str,
    params: &Params,
) -> Result<Response, Failure> {
    let hint = request.login_hint.as_deref();
    let accounts: Vec<Row<'_>> = provider
        .0
        .settings
        .accounts
        .iter()
        .map(|account| Row {
            email: &account.email,
            name: &account.name,
            initials: account.initials(),
            verified: account.verified,
            expected: hint.is_some_and(|hint| account.email.eq_ignore_ascii_case(hint)),
        })
        .collect();
    let known = accounts.iter().any(|row| row.expected);
    let asks = |words: &[&str]| words.iter().any(|word| request.scope.contains(word));
    let shares = [
        (asks(&["profile", "read:user"]), "your name and picture"),
        (asks(&["email"]), "your e-mail address"),
    ];
    let shares = shares.into_iter().filter(|(asked, _)| *asked);
    let chosen = params.get("fault").and_then(Fault::from_name);
    let faults: Vec<Mishap> = Fault::ALL
        .into_iter()
        .map(|fault| Mishap {
            value: fault.as_str(),
            label: fault.label(),
            chosen: chosen == Some(fault),
        })
        .collect();
    let page = Choose {
        style: STYLE,
        brand: &brand.name,
        client: &request.client.name,
        request: query,
        accounts,
        other: hint.filter(|_| !known),
        shares: shares.map(|(_, words)| words).collect(),
        mishap: faults.iter().any(|fault| fault.chosen),
        faults,
    };
    Ok(html(StatusCode::OK, page.render()?))
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    style: &'a str,
    brand: &'a str,
    title: &'a str,
    text: &'a str,
}

/// A page that only says something.
pub(crate) fn notice(
    status: StatusCode,
    brand: &Brand,
    title: &str,
    text: &str,
) -> Result<Response, Failure> {
    let page = Notice { style: STYLE, brand: &brand.name, title, text };
    Ok(html(status, page.render()?))
}

/// No `form-action`: browsers apply it to where the answer to the form redirects, and that is the application.
fn html(status: StatusCode, text: String) -> Response {
    let hash = STANDARD.encode(digest::sha256(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(text)).into_response()
}
