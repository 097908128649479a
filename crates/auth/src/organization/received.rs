//! Invitations as those see them who were invited.

use serde_json::Value;

use super::{caller_or, refusals as no, row_id, rows::Invitation, store::invitations as store};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/organization/get-invitation", "get_invitation", Access::Session, get)
            .about("A waiting invitation to the own address.")
            .with_query::<Which>(),
        Endpoint::get(
            "/organization/list-user-invitations",
            "list_user_invitations",
            Access::Optional,
            list,
        )
        .about("The waiting invitations to the own address, which must be proven.")
        .with_query::<Whose>(),
    ]
}

/// Whether the caller is who was invited: the address is the same, and proven, unless the configuration asks for less
/// (OR-02, OR-03).
///
/// # Errors
/// `YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION`, and `unproven`.
pub(super) fn check_recipient(
    app: &App,
    caller: &Current,
    invitation: &Invitation,
    unproven: Refusal,
) -> Result<()> {
    let user = &caller.signed_in.user;
    if !invitation.email.eq_ignore_ascii_case(&user.email) {
        return Err(no::NOT_THE_RECIPIENT.into());
    }
    if app.config.organization.require_email_verification && !user.email_verified {
        return Err(unproven.into());
    }
    Ok(())
}

struct Which {
    id: String,
}

impl FromFields for Which {
    fn read(fields: &mut Fields) -> Self {
        Self { id: fields.text("id") }
    }
}

async fn get(app: App, call: Call) -> Result<Answer> {
    let query: Which = call.query()?;
    let caller = caller_or(&app, &call, no::NOT_AUTHENTICATED).await?;
    let conn = connection(&app).await?;
    let told = store::find_told(&conn, row_id(&query.id)).await?;
    let told = told.filter(|told| told.invitation.is_open(call.now));
    let told = told.ok_or(no::INVITATION_NOT_FOUND)?;
    check_recipient(&app, &caller, &told.invitation, no::VERIFY_BEFORE_READING)?;
    let inviter = told.inviter.ok_or(no::INVITER_LEFT)?;
    let mut body = told.invitation.shown(app.config.features.teams);
    let further = [
        ("organizationName", told.name),
        ("organizationSlug", told.slug),
        ("inviterEmail", inviter),
    ];
    body.extend(further.map(|(name, value)| (name.to_owned(), Value::String(value))));
    Answer::json(&body)
}

struct Whose {
    email: Option<String>,
}

impl FromFields for Whose {
    fn read(fields: &mut Fields) -> Self {
        Self { email: fields.optional_text("email") }
    }
}

async fn list(app: App, call: Call) -> Result<Answer> {
    let query: Whose = call.query()?;
    let caller = session::current(&app, &call).await?;
    if query.email.is_some_and(|email| !email.is_empty()) {
        return Err(no::EMAIL_NOT_FOR_CLIENTS.into());
    }
    let caller = caller.ok_or(no::WHOSE_INVITATIONS)?;
    // Here no id is known that a mail could have brought: Better Auth too asks for the proof.
    if !caller.signed_in.user.email_verified {
        return Err(no::VERIFY_BEFORE_READING.into());
    }
    let conn = connection(&app).await?;
    let found = store::list_pending_of_email(&conn, &caller.signed_in.user.email).await?;
    let shown = found.into_iter().map(|(invitation, organization)| {
        let mut body = invitation.shown(app.config.features.teams);
        body.insert("organizationName".to_owned(), organization.into());
        body
    });
    Answer::json(&shown.collect::<Vec<_>>())
}
