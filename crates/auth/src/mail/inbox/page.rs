//! The page: one document with its style and script inside, allowed by their hashes.

use std::collections::BTreeSet;

use axum::{
    http::header,
    response::{Html, IntoResponse},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::mail::Outbox;

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page with its policy.
pub(super) fn assemble(outbox: &Outbox) -> impl IntoResponse + Clone + use<> {
    let document = DOCUMENT.replace("{style}", STYLE).replace("{script}", SCRIPT);
    ([(header::CONTENT_SECURITY_POLICY, policy(outbox))], Html(document))
}

/// A mail is shown in a sandboxed frame without a document of its own, which inherits the policy: hence the hashes of the style
/// sheets of all mails, style attributes, and pictures from anywhere for the logo.
fn policy(outbox: &Outbox) -> String {
    let mails: BTreeSet<String> = outbox.style_sheets().iter().map(|sheet| hash(sheet)).collect();
    format!(
        "default-src 'none'; script-src {script}; style-src {style} {mail}; style-src-attr 'unsafe-inline'; \
         img-src http: https: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        script = hash(SCRIPT),
        style = hash(STYLE),
        mail = mails.into_iter().collect::<Vec<_>>().join(" "),
    )
}

fn hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}
