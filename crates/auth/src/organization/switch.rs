//! `set-active` and `has-permission`: what an application asks on every page.
//!
//! Each costs one round trip beside the session's look-up. That look-up already brings the role in the active
//! organization, so that `has-permission` often needs none at all.

use serde_json::json;

use super::{
    meant, membership_of, pointed_at, refusals as no, row_id,
    store::organizations::{self as store, Which},
};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    permissions::{Statements, allow},
    session::{self, ActiveOrganization, Current, cookies},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<SetActive, _>(
            "/organization/set-active",
            "set_active_organization",
            Access::Session,
            set_active,
        )
        .about("Choose the active organization by id or slug, or none by `null`."),
        Endpoint::post::<HasPermission, _>(
            "/organization/has-permission",
            "has_organization_permission",
            Access::Session,
            has_permission,
        )
        .about("Whether the caller may do all of this in an organization."),
    ]
}

struct SetActive {
    /// `Some(None)`: none.
    id: Option<Option<String>>,
    slug: Option<String>,
}

impl FromFields for SetActive {
    fn read(fields: &mut Fields) -> Self {
        Self {
            id: fields.nullable_text("organizationId"),
            slug: fields.optional_text("organizationSlug"),
        }
    }
}

async fn set_active(app: App, call: Call) -> Result<Answer> {
    let body: SetActive = call.body()?;
    let caller = session::required(&app, &call).await?;
    let session = &caller.signed_in.session;
    let active = session.active_organization_id.as_deref().filter(|id| !id.is_empty());
    if body.id == Some(None) {
        if active.is_none() {
            return Answer::json(&());
        }
        store::set_active(&connection(&app).await?, session.id, None, None, call.now).await?;
        return remembered(&app, &call, &pointed_at(&caller, None), Answer::json(&())?);
    }
    let id = body.id.flatten().filter(|id| !id.is_empty());
    let slug = body.slug.filter(|slug| !slug.is_empty());
    let which = match (&id, &slug, active) {
        (Some(id), _, _) => Which::Id(row_id(id)),
        (None, Some(slug), _) => Which::Slug(slug),
        (None, None, Some(active)) => Which::Id(row_id(active)),
        (None, None, None) => return Answer::json(&()),
    };
    let conn = connection(&app).await?;
    let user = caller.signed_in.user.id;
    match (store::activate(&conn, session.id, user, which, call.now).await?, which) {
        (Some((organization, Some(role))), _) => {
            let (id, slug) = (organization.id, organization.slug.clone());
            let active = ActiveOrganization { id, slug, role };
            let caller = pointed_at(&caller, Some(active));
            remembered(&app, &call, &caller, Answer::json(&organization)?)
        }
        // A stranger learns no more of an organization than of an id that nobody has.
        (Some((_, None)), _) | (None, Which::Id(_)) => Err(no::STRANGER.into()),
        (None, Which::Slug(_)) => Err(no::ORGANIZATION_NOT_FOUND.into()),
    }
}

/// With the cookies of the changed session.
pub(super) fn remembered(
    app: &App,
    call: &Call,
    caller: &Current,
    answer: Answer,
) -> Result<Answer> {
    Ok(answer
        .with_cookies(cookies::remember(app, call, &caller.token, caller.dont_remember))
        .with_cookies(session::cache::write(app, call, caller)))
}

struct HasPermission {
    organization: Option<String>,
    asked: Statements,
}

impl FromFields for HasPermission {
    const FORM: Form = Form::ObjectAndEither;

    fn read(fields: &mut Fields) -> Self {
        let organization = fields.optional_text("organizationId");
        // The singular is an older spelling that Better Auth takes and grants nothing for.
        let asked = fields.either(|fields| {
            let plural = fields.optional_statements("permissions");
            let singular = fields.optional_statements("permission");
            match (plural, singular) {
                (Some(asked), None) => Some(asked),
                (None, Some(_)) => Some(Statements::new()),
                _ => None,
            }
        });
        Self { organization, asked: asked.unwrap_or_default() }
    }
}

async fn has_permission(app: App, call: Call) -> Result<Answer> {
    let body: HasPermission = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let known = caller.signed_in.organization.as_ref().filter(|active| active.id == id);
    let granted = known.map(|active| allow(&[&app.organization_roles], &active.role, &body.asked));
    let granted = match granted {
        Some(granted) if granted || !app.config.organization.dynamic_roles => granted,
        _ => {
            let conn = connection(&app).await?;
            let membership = membership_of(&app, &conn, id, &caller).await?;
            membership.ok_or(no::HAS_NO_PERMISSIONS)?.may_all(&app, &body.asked)
        }
    };
    Answer::json(&json!({ "error": null, "success": granted }))
}
