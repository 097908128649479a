//! Creating, changing, deleting and listing organizations.

use gatepost_protocol::random;
use http::Method;
use serde_json::{Map, Value, json};

use super::{
    caller_or, meant, membership_of, refusals as no, row_id,
    rows::Organization,
    slug,
    store::{members, organizations as store, organizations::Changed, teams},
};
use crate::{
    app::{App, connection},
    error::{Error, Result},
    events::{self, Deed, Event},
    http::{
        Answer, Call, Endpoint, Layout,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let check_slug = Endpoint::post::<CheckSlug, _>(
        "/organization/check-slug",
        "check_organization_slug",
        Access::Session,
        check_slug,
    )
    .about("Whether a slug is free.");
    // The server SDK of Neon asks by GET.
    let asked_by_get = check_slug
        .also(Method::GET, "/organization/check-slug")
        .with_query::<CheckSlug>()
        .only(Layout::Neon);
    vec![
        Endpoint::post::<Create, _>(
            "/organization/create",
            "create_organization",
            Access::Session,
            create,
        )
        .about("Create an organization; its creator becomes its owner, and it becomes active."),
        Endpoint::post::<Update, _>(
            "/organization/update",
            "update_organization",
            Access::Session,
            update,
        )
        .about("Change name, slug, logo or metadata."),
        Endpoint::post::<Delete, _>(
            "/organization/delete",
            "delete_organization",
            Access::Session,
            delete,
        )
        .about("Delete an organization with everything in it."),
        Endpoint::get("/organization/list", "list_organizations", Access::Session, list)
            .about("The own organizations."),
        check_slug,
        asked_by_get,
    ]
}

struct Create {
    name: String,
    slug: String,
    logo: Option<String>,
    metadata: Option<Map<String, Value>>,
    keep_active: bool,
}

impl FromFields for Create {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.some_text("name"),
            slug: fields.some_text("slug"),
            logo: fields.nullable_text("logo").flatten(),
            metadata: fields.optional_record("metadata"),
            keep_active: fields.flag("keepCurrentActiveOrganization").unwrap_or_default(),
        }
    }
}

fn text(metadata: Option<Map<String, Value>>) -> Result<Option<String>> {
    let text = metadata.map(|metadata| serde_json::to_string(&metadata)).transpose();
    text.map_err(|error| Error::Internal(error.into()))
}

async fn create(app: App, call: Call) -> Result<Answer> {
    let body: Create = call.body()?;
    let caller = caller_or(&app, &call, no::NOBODY).await?;
    let config = &app.config.organization;
    if !config.allow_user_to_create {
        return Err(no::MAY_NOT_CREATE.into());
    }
    slug::judge(config, &body.slug)?;
    let user = &caller.signed_in.user;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let count = store::count_of_user(&tx, user.id).await?.ok_or(no::NOBODY)?;
    if super::Config::reached(config.organization_limit, count) {
        return Err(no::TOO_MANY_ORGANIZATIONS.into());
    }
    let new = Organization {
        id: random::uuid(),
        name: body.name,
        slug: body.slug,
        logo: body.logo,
        created_at: call.now,
        metadata: text(body.metadata)?,
    };
    let organization = store::create(&tx, &new).await?.ok_or(no::ALREADY_EXISTS)?;
    let owner =
        members::new(random::uuid(), organization.id, user.id, &config.creator_role, call.now);
    let owner = members::create(&tx, &owner).await?;
    let mut team = None;
    if app.config.features.teams && config.default_team {
        let default =
            teams::create(&tx, organization.id, &organization.name, call.now, None).await?;
        teams::add_member(&tx, default.id, user.id, call.now, |_| false).await?;
        team = Some(default.id);
    }
    if !body.keep_active {
        let session = caller.signed_in.session.id;
        store::set_active(&tx, session, Some(organization.id), team, call.now).await?;
    }
    let event = Event::Organization {
        deed: Deed::Created,
        organization: organization.id,
        about: Some(organization.slug.clone()),
    };
    events::record(&app, &tx, &call, event, Some(user.id)).await?;
    tx.commit().await?;
    Answer::json(&organization.written(Some(owner)))
}

struct Update {
    organization: Option<String>,
    name: Option<String>,
    slug: Option<String>,
    logo: Option<Option<String>>,
    metadata: Option<Map<String, Value>>,
}

impl FromFields for Update {
    fn read(fields: &mut Fields) -> Self {
        let (name, slug, logo, metadata) = fields.object("data", |data| {
            (
                data.optional_some_text("name"),
                data.optional_some_text("slug"),
                data.nullable_text("logo"),
                data.optional_record("metadata"),
            )
        });
        Self { organization: fields.optional_text("organizationId"), name, slug, logo, metadata }
    }
}

async fn update(app: App, call: Call) -> Result<Answer> {
    let body: Update = call.body()?;
    let caller = caller_or(&app, &call, no::USER_NOT_FOUND).await?;
    let id = meant(body.organization.as_deref(), &caller).ok_or(no::ORGANIZATION_NOT_FOUND)?;
    let conn = connection(&app).await?;
    let membership =
        membership_of(&app, &conn, id, &caller).await?.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
    if !membership.may(&app, "organization", "update") {
        return Err(no::MAY_NOT_UPDATE.into());
    }
    if let Some(slug) = &body.slug
        && let Err(refusal) = slug::judge(&app.config.organization, slug)
        // One from before this was judged stays.
        && store::find_id(&conn, slug).await? != Some(id)
    {
        return Err(refusal.into());
    }
    let change = store::Change {
        name: body.name,
        slug: body.slug,
        logo: body.logo,
        metadata: text(body.metadata)?,
    };
    match store::update(&conn, id, &change).await? {
        Changed::Done(organization) => Answer::json(&organization.written(None)),
        Changed::SlugTaken => Err(no::SLUG_TAKEN.into()),
        Changed::Gone => Err(no::ORGANIZATION_NOT_FOUND.into()),
    }
}

struct Delete {
    organization: String,
}

impl FromFields for Delete {
    fn read(fields: &mut Fields) -> Self {
        Self { organization: fields.text("organizationId") }
    }
}

async fn delete(app: App, call: Call) -> Result<Answer> {
    let body: Delete = call.body()?;
    if !app.config.organization.allow_deletion {
        return Err(no::DELETION_DISABLED.into());
    }
    let caller = caller_or(&app, &call, no::NOBODY).await?;
    if body.organization.is_empty() {
        return Err(no::ORGANIZATION_NOT_FOUND.into());
    }
    let id = row_id(&body.organization);
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let organization = store::lock(&tx, id).await?;
    let membership =
        membership_of(&app, &tx, id, &caller).await?.ok_or(no::NO_MEMBER_OF_ORGANIZATION)?;
    if !membership.may(&app, "organization", "delete") {
        return Err(no::MAY_NOT_DELETE.into());
    }
    let organization = organization.ok_or(no::ORGANIZATION_NOT_FOUND)?;
    store::delete(&tx, id).await?;
    let event = Event::Organization {
        deed: Deed::Deleted,
        organization: id,
        about: Some(organization.slug.clone()),
    };
    events::record(&app, &tx, &call, event, Some(caller.signed_in.user.id)).await?;
    tx.commit().await?;
    Answer::json(&organization)
}

async fn list(app: App, call: Call) -> Result<Answer> {
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    Answer::json(&store::list(&conn, caller.signed_in.user.id).await?)
}

struct CheckSlug {
    slug: String,
}

impl FromFields for CheckSlug {
    fn read(fields: &mut Fields) -> Self {
        Self { slug: fields.text("slug") }
    }
}

async fn check_slug(app: App, call: Call) -> Result<Answer> {
    let body: CheckSlug = if call.method == Method::GET { call.query()? } else { call.body()? };
    session::required(&app, &call).await?;
    slug::judge(&app.config.organization, &body.slug)?;
    let conn = connection(&app).await?;
    match store::find_id(&conn, &body.slug).await? {
        None => Answer::json(&json!({ "status": true })),
        Some(_) => Err(no::SLUG_TAKEN.into()),
    }
}
