//! `GET /admin/list-users`: searched, filtered, sorted, in pages.
//!
//! Fields are named from a list; a field that is not on it finds nobody, as in Better Auth, so that no hidden column can
//! be guessed by sorting or filtering (AD-13).

use chrono::{DateTime, SecondsFormat, Utc};
use deadpool_postgres::GenericClient;
use futures_util::future::try_join;
use gatepost_protocol::body::Shown;
use http::StatusCode;
use serde::Serialize;
use tokio_postgres::types::ToSql;

use super::access;
use crate::{
    app::{App, connection},
    config::Features,
    database::statements::Statement,
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    user::{User, columns, from_row},
    wire,
};

const NOT_ALLOWED: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS",
    "You are not allowed to list users",
);
/// Users in a page for which no size is asked, as in Better Auth; and at most.
const PAGE: i64 = 100;
const LARGEST_PAGE: i64 = 1000;

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/list-users", "list_users", Access::Session, list_users)
            .about("Users, searched, filtered and sorted, at most 1000 at a time.")
            .with_query::<Query>(),
    ]
}

/// Times as text that sorts as they do.
macro_rules! time {
    ($column:literal) => {
        concat!(
            "to_char(u.\"",
            $column,
            "\" at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
        )
    };
}

/// The field that a parameter names, as text.
macro_rules! field {
    ($name:literal) => {
        concat!(
            "case ",
            $name,
            " when 'id' then u.id::text when 'name' then u.name when 'email' then u.email",
            " when 'emailVerified' then u.\"emailVerified\"::text when 'image' then u.image",
            " when 'role' then u.role when 'banned' then u.banned::text when 'banReason' then u.\"banReason\"",
            " when 'phoneNumber' then u.\"phoneNumber\" when 'phoneNumberVerified' then u.\"phoneNumberVerified\"::text",
            " when 'username' then u.username when 'displayUsername' then u.\"displayUsername\"",
            " when 'isAnonymous' then u.\"isAnonymous\"::text when 'twoFactorEnabled' then u.\"twoFactorEnabled\"::text",
            " when 'lastLoginMethod' then u.\"lastLoginMethod\"",
            " when 'createdAt' then ", time!("createdAt"),
            " when 'updatedAt' then ", time!("updatedAt"),
            " when 'banExpires' then ", time!("banExpires"),
            " end"
        )
    };
}

/// $1, $2: field and pattern of the search. $3, $4, $5: field, operator and values of the filter.
macro_rules! wanted {
    () => {
        concat!(
            r#"from neon_auth."user" u
where ($1::text is null or ("#,
            field!("$1"),
            r#") like $2::text)
  and ($3::text is null or case $4::text
    when 'eq' then ("#,
            field!("$3"),
            r#") = ($5::text[])[1]
    when 'ne' then ("#,
            field!("$3"),
            r#") <> ($5::text[])[1]
    when 'in' then ("#,
            field!("$3"),
            r#") = any ($5::text[])
    when 'not_in' then ("#,
            field!("$3"),
            r#") <> all ($5::text[])
    when 'lt' then ("#,
            field!("$3"),
            r#") < ($5::text[])[1]
    when 'lte' then ("#,
            field!("$3"),
            r#") <= ($5::text[])[1]
    when 'gt' then ("#,
            field!("$3"),
            r#") > ($5::text[])[1]
    when 'gte' then ("#,
            field!("$3"),
            r#") >= ($5::text[])[1]
    else ("#,
            field!("$3"),
            r#") like ($5::text[])[1] end)"#
        )
    };
}

/// The planner sees the parameters' values and reduces every `case` to one column.
pub(super) const LIST: Statement = Statement::new(
    "admin.list_users",
    concat!(
        "select ",
        columns!(),
        " ",
        wanted!(),
        r#"
order by
  case when not $7::boolean then case $6::text when 'createdAt' then u."createdAt" when 'updatedAt' then u."updatedAt" when 'banExpires' then u."banExpires" end end,
  case when $7 then case $6 when 'createdAt' then u."createdAt" when 'updatedAt' then u."updatedAt" when 'banExpires' then u."banExpires" end end desc,
  case when not $7 and $6 not in ('createdAt', 'updatedAt', 'banExpires') then "#,
        field!("$6"),
        r#" end,
  case when $7 and $6 not in ('createdAt', 'updatedAt', 'banExpires') then "#,
        field!("$6"),
        r#" end desc,
  u."createdAt", u.id
limit $8 offset $9"#
    ),
);

pub(super) const COUNT: Statement =
    Statement::new("admin.count_users", concat!("select count(*) ", wanted!()));

const OPERATORS: &[&str] =
    &["eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "contains", "starts_with", "ends_with"];

struct Query {
    search_value: Option<String>,
    search_field: Option<&'static str>,
    search_operator: Option<&'static str>,
    limit: Option<String>,
    offset: Option<String>,
    sort_by: Option<String>,
    sort_direction: Option<&'static str>,
    filter_field: Option<String>,
    filter_values: Option<Vec<String>>,
    filter_operator: Option<&'static str>,
}

impl FromFields for Query {
    fn read(fields: &mut Fields) -> Self {
        Self {
            search_value: fields.optional_text("searchValue"),
            search_field: fields.optional_choice("searchField", &["email", "name"]),
            search_operator: fields
                .optional_choice("searchOperator", &["contains", "starts_with", "ends_with"]),
            limit: fields.optional_text("limit"),
            offset: fields.optional_text("offset"),
            sort_by: fields.optional_text("sortBy"),
            sort_direction: fields.optional_choice("sortDirection", &["asc", "desc"]),
            filter_field: fields.optional_text("filterField"),
            filter_values: fields.optional_texts("filterValue"),
            filter_operator: fields.optional_choice("filterOperator", OPERATORS),
        }
    }
}

/// A question that the database can answer.
struct Wanted {
    search: Option<(&'static str, String)>,
    filter: Option<(String, &'static str, Vec<String>)>,
    sort: Option<String>,
    descending: bool,
    limit: i64,
    offset: i64,
}

#[derive(Serialize)]
struct Found<'a> {
    users: Vec<Shown<'a, User>>,
    total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<serde_json::Number>,
}

async fn list_users(app: App, call: Call) -> Result<Answer> {
    let query: Query = call.query()?;
    access::caller(&app, &call, ("user", "list"), NOT_ALLOWED).await?;
    let Some(wanted) = wanted(app.config.features, &query) else {
        return Answer::json(&Found { users: Vec::new(), total: 0, limit: None, offset: None });
    };
    let (users, total) = find(&connection(&app).await?, &wanted).await?;
    Answer::json(&Found {
        users: users.iter().map(|user| wire::user(&app, user)).collect(),
        total,
        limit: number(query.limit.as_deref()).map(shown),
        offset: number(query.offset.as_deref()).map(shown),
    })
}

/// `None`: such a question finds nobody.
fn wanted(features: Features, query: &Query) -> Option<Wanted> {
    let search = query.search_value.as_deref().filter(|value| !value.is_empty()).map(|value| {
        let operator = query.search_operator.unwrap_or("contains");
        (query.search_field.unwrap_or("email"), pattern(operator, value))
    });
    let filter = match &query.filter_values {
        Some(values) => {
            let field = query.filter_field.as_deref().filter(|field| !field.is_empty());
            let field = field.unwrap_or("email");
            let operator = query.filter_operator.unwrap_or("eq");
            Some((field.to_owned(), operator, operands(features, field, operator, values)?))
        }
        None => None,
    };
    let sort = query.sort_by.clone().filter(|field| !field.is_empty());
    if sort.as_deref().is_some_and(|field| kind(features, field).is_none()) {
        return None;
    }
    let whole = |text: &Option<String>| number(text.as_deref()).map(|number| number.trunc());
    let (limit, offset) = (whole(&query.limit), whole(&query.offset).unwrap_or(0.0));
    if limit.is_some_and(|limit| limit < 0.0) || offset < 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
    Some(Wanted {
        search,
        filter,
        sort,
        descending: query.sort_direction == Some("desc"),
        limit: limit.map_or(PAGE, |limit| (limit as i64).min(LARGEST_PAGE)),
        offset: offset as i64,
    })
}

/// What is compared with a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Id,
    Flag,
    Time,
}

/// The fields that the wire shows; `None`: not one of them.
fn kind(features: Features, field: &str) -> Option<Kind> {
    let shown = match field {
        "role" | "banned" | "banReason" | "banExpires" => features.admin,
        "phoneNumber" | "phoneNumberVerified" => features.phone_number,
        "username" | "displayUsername" => features.username,
        "isAnonymous" => features.anonymous,
        "twoFactorEnabled" => features.two_factor,
        "lastLoginMethod" => features.last_login_method,
        _ => true,
    };
    let kind = match field {
        "id" => Kind::Id,
        "name" | "email" | "image" | "role" | "banReason" | "phoneNumber" | "username"
        | "displayUsername" | "lastLoginMethod" => Kind::Text,
        "emailVerified" | "banned" | "phoneNumberVerified" | "isAnonymous" | "twoFactorEnabled" => {
            Kind::Flag
        }
        "createdAt" | "updatedAt" | "banExpires" => Kind::Time,
        _ => return None,
    };
    shown.then_some(kind)
}

/// The values of a filter as the field's text; `None`: they do not fit it.
fn operands(
    features: Features,
    field: &str,
    operator: &str,
    values: &[String],
) -> Option<Vec<String>> {
    let kind = kind(features, field)?;
    if matches!(operator, "contains" | "starts_with" | "ends_with") {
        let [value] = values else { return None };
        return (kind == Kind::Text).then(|| vec![pattern(operator, value)]);
    }
    // A name that appears twice in a query is a list; once, it is none.
    let fits = match operator {
        "in" => values.len() > 1,
        "not_in" => true,
        _ => values.len() == 1,
    };
    if !fits {
        return None;
    }
    let operand = |value: &String| match kind {
        Kind::Text => Some(value.clone()),
        Kind::Id => uuid::Uuid::parse_str(value).ok().map(|id| id.to_string()),
        // As Better Auth reads it: what is not the word is the opposite.
        Kind::Flag => Some((value == "true").to_string()),
        Kind::Time => moment(value),
    };
    values.iter().map(operand).collect()
}

fn moment(text: &str) -> Option<String> {
    let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()).or_else(|| {
        let day = text.parse::<chrono::NaiveDate>().ok()?;
        Some(DateTime::<Utc>::from_naive_utc_and_offset(day.and_hms_opt(0, 0, 0)?, Utc))
    })?;
    Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A text as a `like` pattern that stands for itself.
fn pattern(operator: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    match operator {
        "starts_with" => format!("{value}%"),
        "ends_with" => format!("%{value}"),
        _ => format!("%{value}%"),
    }
}

/// A number as JavaScript reads it from a text; zero and what is none count as not sent.
fn number(text: Option<&str>) -> Option<f64> {
    let number: f64 = text?.trim().parse().ok()?;
    (number.is_finite() && number != 0.0).then_some(number)
}

/// Whole numbers are written without a point.
fn shown(number: f64) -> serde_json::Number {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
    let whole = number as i64;
    serde_json::Number::from_f64(number)
        .filter(|_| number.fract() != 0.0)
        .unwrap_or_else(|| whole.into())
}

async fn find(conn: &impl GenericClient, wanted: &Wanted) -> Result<(Vec<User>, i64)> {
    let (list, count) =
        (conn.prepare_cached(LIST.sql).await?, conn.prepare_cached(COUNT.sql).await?);
    let search_field = wanted.search.as_ref().map(|(field, _)| *field);
    let search = wanted.search.as_ref().map(|(_, pattern)| pattern.as_str());
    let field = wanted.filter.as_ref().map(|(field, _, _)| field.as_str());
    let operator = wanted.filter.as_ref().map(|(_, operator, _)| *operator);
    let values = wanted.filter.as_ref().map(|(_, _, values)| values.as_slice());
    let sort = wanted.sort.as_deref();
    // Both travel together: one round trip.
    let (descending, limit, offset) = (wanted.descending, wanted.limit, wanted.offset);
    let listed: &[&(dyn ToSql + Sync)] =
        &[&search_field, &search, &field, &operator, &values, &sort, &descending, &limit, &offset];
    let counted: &[&(dyn ToSql + Sync)] = &[&search_field, &search, &field, &operator, &values];
    let both = try_join(conn.query(&list, listed), conn.query_one(&count, counted));
    let (rows, total) = both.await?;
    let users = rows.iter().map(|row| from_row(row, 0)).collect::<Result<Vec<_>>>()?;
    Ok((users, total.try_get(0)?))
}
