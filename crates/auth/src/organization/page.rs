//! `GET /accept-invitation`: where a mailed invitation leads while the application has no page of its own.
//!
//! The page holds nothing but the id of its address. What it shows it asks the API for, as the person who is signed in
//! in this browser; nothing happens before a button is pressed, so that mail scanners accept nothing (ML-01).

use gatepost_protocol::random;
use http::header;

use super::row_id;
use crate::{
    app::App,
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    system,
};

const SCRIPT: &str = include_str!("page.js");
const BODY: &str = "\
<p id=say role=status>Loading the invitation…</p>
<noscript><p>This page needs JavaScript.</p></noscript>
<form id=sign hidden>
<p><label>Email <input name=email type=email autocomplete=username required></label></p>
<p><label>Password <input name=password type=password autocomplete=current-password required></label></p>
<p><button value=in>Sign in</button> <button value=up>Create an account</button></p>
</form>
<p id=answer hidden><button value=accept>Accept</button> <button value=reject>Decline</button></p>
<p id=verify hidden><button>Send me a confirmation mail</button></p>
<p id=leave hidden><button class=plain>Sign out</button></p>";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/accept-invitation", "accept_invitation_page", Access::Public, page)
            .about("The page that a mailed invitation leads to.")
            .with_query::<Invited>(),
    ]
}

struct Invited {
    id: String,
}

impl FromFields for Invited {
    fn read(fields: &mut Fields) -> Self {
        Self { id: fields.text("invitationId") }
    }
}

async fn page(app: App, call: Call) -> Result<Answer> {
    let query: Invited = call.query()?;
    let id = row_id(&query.id);
    let nonce = random::token(22);
    let title = format!("Invitation on {}", system::escape(&app.config.app_name));
    let body = format!(
        "<main data-invitation=\"{id}\">{BODY}</main><script nonce={nonce}>{SCRIPT}</script>"
    );
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; connect-src 'self'; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Answer::html(system::page(&title, &body)).with_header(header::CONTENT_SECURITY_POLICY, &policy)
}
