//! Roles that an organization makes for itself (Better Auth `dynamicAccessControl`).
//!
//! Nobody grants what they do not hold: a role is made or changed only by who may do everything it grants.

use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    Config, Of, membership_of,
    permissions::{Membership, is_name, is_resource, predefined},
    refusals as no, row_id,
    rows::OwnRole,
    store::{
        members, organizations,
        roles::{self as store, Which},
    },
};
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    events::{self, Deed, Event},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    permissions::Statements,
    session::{self, Current},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<Create, _>(
            "/organization/create-role",
            "create_organization_role",
            Access::Session,
            create,
        )
        .about("Make a role that grants some of what the caller may do."),
        Endpoint::post::<Update, _>(
            "/organization/update-role",
            "update_organization_role",
            Access::Session,
            update,
        )
        .about("Rename a role or change what it grants."),
        Endpoint::post::<Named, _>(
            "/organization/delete-role",
            "delete_organization_role",
            Access::Session,
            delete,
        )
        .about("Delete a role that no member holds."),
        Endpoint::get("/organization/list-roles", "list_organization_roles", Access::Session, list)
            .about("The roles that an organization made.")
            .with_query::<Of>(),
        Endpoint::get("/organization/get-role", "get_organization_role", Access::Session, get)
            .about("One of them, by name or id.")
            .with_query::<Named>(),
    ]
}

/// The organization that is named, even by an empty text, or else the active one.
fn meant(named: Option<&str>, caller: &Current, refusal: Refusal) -> Result<Uuid> {
    let active = caller.signed_in.session.active_organization_id.as_deref();
    let meant = named.or(active).filter(|text| !text.is_empty());
    Ok(meant.map(row_id).ok_or(refusal)?)
}

/// The caller's membership, which must allow the action on roles.
async fn member_who_may(
    app: &App,
    conn: &impl GenericClient,
    organization: Uuid,
    caller: &Current,
    action: &str,
    refusal: Refusal,
) -> Result<Membership> {
    let own = membership_of(app, conn, organization, caller).await?.ok_or(no::NOT_A_MEMBER)?;
    if own.may(app, "ac", action) { Ok(own) } else { Err(refusal.into()) }
}

fn is_predefined(app: &App, role: &str) -> bool {
    app.organization_roles.knows(role) || predefined().knows(role)
}

/// The refusal that names the permissions which the caller lacks.
fn lacking(
    app: &App,
    own: &Membership,
    permission: &Statements,
    refusal: Refusal,
) -> Result<Option<Answer>> {
    let missing = own.lacks(app, permission);
    if missing.is_empty() {
        return Ok(None);
    }
    let mut answer = Answer::json(&json!({
        "message": refusal.message,
        "code": refusal.code,
        "missingPermissions": missing,
    }))?;
    answer.status = StatusCode::FORBIDDEN;
    Ok(Some(answer))
}

fn check_resources(app: &App, permission: &Statements) -> Result<()> {
    if permission.keys().all(|resource| is_resource(app, resource)) {
        Ok(())
    } else {
        Err(no::INVALID_RESOURCE.into())
    }
}

async fn record(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    organization: Uuid,
    caller: &Current,
    about: &str,
) -> Result<()> {
    let about = Some(about.to_owned());
    let event = Event::Organization { deed: Deed::PermissionsChanged, organization, about };
    events::record(app, conn, call, event, Some(caller.signed_in.user.id)).await
}

struct Create {
    organization: Option<String>,
    role: String,
    permission: Statements,
}

impl FromFields for Create {
    fn read(fields: &mut Fields) -> Self {
        let organization = fields.optional_text("organizationId");
        let role = fields.text("role");
        let permission = fields.statements("permission");
        fields.optional_record("additionalFields");
        Self { organization, role, permission }
    }
}

async fn create(app: App, call: Call) -> Result<Answer> {
    let body: Create = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller, no::NO_ORGANIZATION_FOR_ROLE)?;
    let role = body.role.to_lowercase();
    if is_predefined(&app, &role) {
        return Err(no::ROLE_NAME_TAKEN.into());
    }
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let refusal = no::MAY_NOT_CREATE_ROLE;
    let own = member_who_may(&app, &tx, id, &caller, "create", refusal).await?;
    let limit = app.config.organization.maximum_roles;
    if Config::reached(limit, store::count(&tx, id).await?) {
        return Err(no::TOO_MANY_ROLES.into());
    }
    check_resources(&app, &body.permission)?;
    if let Some(answer) = lacking(&app, &own, &body.permission, refusal)? {
        return Ok(answer);
    }
    if !is_name(&role) {
        return Err(no::INVALID_ROLE_NAME.into());
    }
    if store::find(&tx, id, &Which::Name(role.clone())).await?.is_some() {
        return Err(no::ROLE_NAME_TAKEN.into());
    }
    let new = OwnRole {
        id: random::uuid(),
        organization_id: id,
        role,
        permission: body.permission,
        created_at: call.now,
        updated_at: None,
    };
    let made = store::create(&tx, &new).await?;
    record(&app, &call, &tx, id, &caller, &made.role).await?;
    tx.commit().await?;
    let statements = made.permission.clone();
    Answer::json(&json!({ "success": true, "roleData": made, "statements": statements }))
}

fn which(fields: &mut Fields) -> Option<Which> {
    fields.either(|fields| {
        let name = fields.optional_text("roleName").filter(|name| !name.is_empty());
        let id = fields.optional_text("roleId").filter(|id| !id.is_empty());
        name.map(Which::Name).or(id.map(|id| Which::Id(row_id(&id))))
    })
}

struct Named {
    organization: Option<String>,
    which: Which,
}

impl FromFields for Named {
    const FORM: Form = Form::ObjectAndEither;

    fn read(fields: &mut Fields) -> Self {
        let organization = fields.optional_text("organizationId");
        let which = which(fields).unwrap_or(Which::Id(Uuid::nil()));
        Self { organization, which }
    }
}

async fn delete(app: App, call: Call) -> Result<Answer> {
    let body: Named = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(body.organization.as_deref(), &caller, no::NO_ACTIVE_ORGANIZATION)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    member_who_may(&app, &tx, id, &caller, "delete", no::MAY_NOT_DELETE_ROLE).await?;
    if matches!(&body.which, Which::Name(name) if is_predefined(&app, name)) {
        return Err(no::PREDEFINED_ROLE.into());
    }
    let role = store::find(&tx, id, &body.which).await?.ok_or(no::ROLE_NOT_FOUND)?;
    if members::count_holders(&tx, id, &role.role).await? > 0 {
        return Err(no::ROLE_IN_USE.into());
    }
    store::delete(&tx, role.id).await?;
    record(&app, &call, &tx, id, &caller, &role.role).await?;
    tx.commit().await?;
    Answer::json(&json!({ "success": true }))
}

async fn list(app: App, call: Call) -> Result<Answer> {
    let query: Of = call.query()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(query.organization.as_deref(), &caller, no::NO_ACTIVE_ORGANIZATION)?;
    let conn = connection(&app).await?;
    member_who_may(&app, &conn, id, &caller, "read", no::MAY_NOT_LIST_ROLES).await?;
    Answer::json(&store::list(&conn, id).await?)
}

async fn get(app: App, call: Call) -> Result<Answer> {
    let query: Named = call.query()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(query.organization.as_deref(), &caller, no::NO_ACTIVE_ORGANIZATION)?;
    let conn = connection(&app).await?;
    member_who_may(&app, &conn, id, &caller, "read", no::MAY_NOT_READ_ROLE).await?;
    Answer::json(&store::find(&conn, id, &query.which).await?.ok_or(no::ROLE_NOT_FOUND)?)
}

struct Update {
    named: Named,
    new_name: Option<String>,
    permission: Option<Statements>,
}

impl FromFields for Update {
    const FORM: Form = Form::ObjectAndEither;

    fn read(fields: &mut Fields) -> Self {
        let organization = fields.optional_text("organizationId");
        let (permission, new_name) = fields.object("data", |data| {
            (data.optional_statements("permission"), data.optional_text("roleName"))
        });
        let which = which(fields).unwrap_or(Which::Id(Uuid::nil()));
        let new_name = new_name.filter(|name| !name.is_empty());
        Self { named: Named { organization, which }, new_name, permission }
    }
}

async fn update(app: App, call: Call) -> Result<Answer> {
    let Update { named, new_name, permission } = call.body()?;
    let caller = session::required(&app, &call).await?;
    let id = meant(named.organization.as_deref(), &caller, no::NO_ACTIVE_ORGANIZATION)?;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    organizations::lock(&tx, id).await?;
    let refusal = no::MAY_NOT_UPDATE_ROLE;
    let own = member_who_may(&app, &tx, id, &caller, "update", refusal).await?;
    let role = store::find(&tx, id, &named.which).await?.ok_or(no::ROLE_NOT_FOUND)?;
    if let Some(permission) = &permission {
        check_resources(&app, permission)?;
        if let Some(answer) = lacking(&app, &own, permission, refusal)? {
            return Ok(answer);
        }
    }
    let new_name = new_name.map(|name| name.to_lowercase());
    if let Some(name) = &new_name {
        let taken = is_predefined(&app, name)
            || store::find(&tx, id, &Which::Name(name.clone())).await?.is_some();
        if taken {
            return Err(no::ROLE_NAME_TAKEN.into());
        }
        if !is_name(name) {
            return Err(no::INVALID_ROLE_NAME.into());
        }
    }
    store::update(&tx, role.id, new_name.as_deref(), permission.as_ref(), call.now).await?;
    record(&app, &call, &tx, id, &caller, &role.role).await?;
    tx.commit().await?;
    // The time of the last change is that of the one before, as in Better Auth.
    let changed = OwnRole {
        role: new_name.unwrap_or(role.role),
        permission: permission.unwrap_or(role.permission),
        ..role
    };
    Answer::json(&json!({ "success": true, "roleData": changed }))
}
