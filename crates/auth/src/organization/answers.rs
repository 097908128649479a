//! Declining and cancelling an invitation, and the list of an organization's invitations.

use serde_json::json;

use super::{
    Of, full::visible, meant, membership_of, received, refusals as no, row_id,
    store::invitations as store,
};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Which, _>(
            "/organization/reject-invitation",
            "reject_organization_invitation",
            Access::Session,
            reject,
        )
        .about("Decline an invitation to the own address."),
        Endpoint::post::<Which, _>(
            "/organization/cancel-invitation",
            "cancel_organization_invitation",
            Access::Session,
            cancel,
        )
        .about("Take an invitation back."),
        Endpoint::get(
            "/organization/list-invitations",
            "list_organization_invitations",
            Access::Session,
            list,
        )
        .about("Every invitation of an organization, for those who may invite.")
        .with_query::<Of>(),
    ]
}

/// The body of every answer to an invitation.
pub(super) struct Which {
    pub invitation: String,
}

impl FromFields for Which {
    fn read(fields: &mut Fields) -> Self {
        Self { invitation: fields.text("invitationId") }
    }
}

async fn reject(app: App, call: Call) -> Result<Answer> {
    let body: Which = call.body()?;
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    let found = store::find(&conn, row_id(&body.invitation)).await?;
    let found = found.filter(super::rows::Invitation::is_pending);
    let found = found.ok_or(no::NO_INVITATION_TO_REJECT)?;
    received::check_recipient(&app, &caller, &found, no::VERIFY_BEFORE_ANSWERING)?;
    let rejected = store::answer(&conn, found.id, "rejected").await?;
    let rejected = rejected.ok_or(no::NO_INVITATION_TO_REJECT)?;
    let shown = rejected.shown(app.config.features.teams);
    Answer::json(&json!({ "invitation": shown, "member": null }))
}

async fn cancel(app: App, call: Call) -> Result<Answer> {
    let body: Which = call.body()?;
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    let found = store::find(&conn, row_id(&body.invitation)).await?;
    let found = found.ok_or(no::INVITATION_NOT_FOUND)?;
    let membership = membership_of(&app, &conn, found.organization_id, &caller).await?;
    if !membership.ok_or(no::MEMBER_NOT_FOUND)?.may(&app, "invitation", "cancel") {
        return Err(no::MAY_NOT_CANCEL.into());
    }
    let cancelled = store::cancel(&conn, found.id).await?.ok_or(no::INVITATION_NOT_FOUND)?;
    Answer::json(&cancelled.shown(app.config.features.teams))
}

async fn list(app: App, call: Call) -> Result<Answer> {
    let query: Of = call.query()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(query.organization.as_deref(), &caller).ok_or(no::ORGANIZATION_ID_REQUIRED)?;
    let conn = connection(&app).await?;
    let membership = membership_of(&app, &conn, id, &caller).await?;
    let membership = membership.ok_or(no::NOT_A_MEMBER_WITHOUT_CODE)?;
    if !membership.may(&app, "invitation", "create") {
        return Err(no::MAY_NOT_LIST_INVITATIONS.into());
    }
    Answer::json(&visible(&app, &membership, &store::list(&conn, id).await?))
}
