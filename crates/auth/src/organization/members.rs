//! Reading members: lists with filter, order and pages; the own membership.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    full::meant_by,
    membership_of, refusals as no, row_id,
    store::members::{self as store, Wanted},
};
use crate::{
    app::{App, connection},
    error::{Error, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session, wire,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/organization/list-members",
            "list_organization_members",
            Access::Session,
            list_members,
        )
        .about("Members with their users: filtered, sorted, by pages.")
        .with_query::<ListMembers>(),
        Endpoint::get(
            "/organization/get-active-member",
            "get_active_member",
            Access::Session,
            get_active_member,
        )
        .about("The own membership in the active organization."),
        Endpoint::get(
            "/organization/get-active-member-role",
            "get_active_member_role",
            Access::Session,
            get_active_member_role,
        )
        .about("The own roles in an organization, or those of another member.")
        .with_query::<WhoseRole>(),
    ]
}

const FIELDS: [&str; 5] = ["id", "organizationId", "userId", "role", "createdAt"];
const OPERATORS: &[&str] =
    &["eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "contains", "starts_with", "ends_with"];

struct ListMembers {
    limit: Option<String>,
    offset: Option<String>,
    sort_by: Option<String>,
    direction: Option<&'static str>,
    filter_field: Option<String>,
    filter_value: Option<Vec<String>>,
    filter_operator: Option<&'static str>,
    id: Option<String>,
    slug: Option<String>,
}

impl FromFields for ListMembers {
    fn read(fields: &mut Fields) -> Self {
        Self {
            limit: fields.optional_text("limit"),
            offset: fields.optional_text("offset"),
            sort_by: fields.optional_text("sortBy"),
            direction: fields.optional_choice("sortDirection", &["asc", "desc"]),
            filter_field: fields.optional_text("filterField"),
            filter_value: fields.optional_texts("filterValue"),
            filter_operator: fields.optional_choice("filterOperator", OPERATORS),
            id: fields.optional_text("organizationId"),
            slug: fields.optional_text("organizationSlug"),
        }
    }
}

fn invalid(name: &str, what: &str) -> Error {
    let message = format!("[query.{name}] Invalid {what}");
    Error::Explained(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
}

fn field<'a>(name: &str, given: Option<&'a str>) -> Result<Option<&'a str>> {
    match given.filter(|field| !field.is_empty()) {
        Some(field) if !FIELDS.contains(&field) => {
            Err(invalid(name, &format!("option: expected one of {}", FIELDS.join("|"))))
        }
        field => Ok(field),
    }
}

/// What is no number, and 0, stands for nothing given.
fn number(name: &str, given: Option<&str>) -> Result<Option<i64>> {
    let Some(number) = given.and_then(|text| text.trim().parse::<f64>().ok()) else {
        return Ok(None);
    };
    let whole = given.and_then(|text| text.trim().parse::<i64>().ok());
    match whole {
        Some(0) => Ok(None),
        Some(number) if number > 0 => Ok(Some(number)),
        _ if number.is_nan() => Ok(None),
        _ => Err(invalid(name, "input: expected a whole number that is not negative")),
    }
}

/// A time as the statement writes times, so that texts compare as times do.
fn normal(field: &str, value: String) -> String {
    if field != "createdAt" {
        return value;
    }
    let time = DateTime::parse_from_rfc3339(&value);
    time.map(|time| wire::time_text(time.with_timezone(&Utc))).unwrap_or(value)
}

impl ListMembers {
    fn wanted(&self, app: &App) -> Result<Wanted<'_>> {
        let filter = field("filterField", self.filter_field.as_deref())?.map(|field| {
            let values = self.filter_value.clone().unwrap_or_default();
            let values = values.into_iter().map(|value| normal(field, value)).collect();
            (field, self.filter_operator.unwrap_or("eq"), values)
        });
        let otherwise = i64::from(app.config.organization.membership_limit.max(1));
        Ok(Wanted {
            filter,
            sort_by: field("sortBy", self.sort_by.as_deref())?,
            descending: self.direction == Some("desc"),
            limit: number("limit", self.limit.as_deref())?.unwrap_or(otherwise),
            offset: number("offset", self.offset.as_deref())?.unwrap_or_default(),
        })
    }
}

async fn list_members(app: App, call: Call) -> Result<Answer> {
    let query: ListMembers = call.query()?;
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    let id = meant_by(&conn, query.id.as_deref(), query.slug.as_deref(), &caller).await?;
    membership_of(&app, &conn, id, &caller).await?.ok_or(no::NOT_A_MEMBER)?;
    let (members, total) = store::list(&conn, id, &query.wanted(&app)?).await?;
    Answer::json(&json!({ "members": members, "total": total }))
}

async fn get_active_member(app: App, call: Call) -> Result<Answer> {
    let caller = session::required(&app, &call).await?;
    let id = super::meant(None, &caller).ok_or(no::NO_ACTIVE_ORGANIZATION)?;
    let conn = connection(&app).await?;
    let membership = membership_of(&app, &conn, id, &caller).await?.ok_or(no::MEMBER_NOT_FOUND)?;
    Answer::json(&membership.with_user())
}

struct WhoseRole {
    user: Option<String>,
    id: Option<String>,
    slug: Option<String>,
}

impl FromFields for WhoseRole {
    fn read(fields: &mut Fields) -> Self {
        Self {
            user: fields.optional_text("userId"),
            id: fields.optional_text("organizationId"),
            slug: fields.optional_text("organizationSlug"),
        }
    }
}

async fn get_active_member_role(app: App, call: Call) -> Result<Answer> {
    let query: WhoseRole = call.query()?;
    let caller = session::required(&app, &call).await?;
    let conn = connection(&app).await?;
    let id = meant_by(&conn, query.id.as_deref(), query.slug.as_deref(), &caller).await?;
    let own = membership_of(&app, &conn, id, &caller).await?.ok_or(no::NOT_A_MEMBER)?;
    let other: Option<Uuid> = query.user.as_deref().filter(|user| !user.is_empty()).map(row_id);
    let role = match other {
        None => own.member.role,
        Some(user) => {
            let other = store::membership(&conn, id, user, false).await?;
            other.ok_or(no::NOT_A_MEMBER)?.member.role
        }
    };
    Answer::json(&json!({ "role": role }))
}
