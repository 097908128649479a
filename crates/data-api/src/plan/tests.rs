//! Request → SQL: the whole of the pure pipeline over a small catalogue.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::plan;
use super::types::Plan;
use crate::config::Config;
use crate::ident::{CatalogSql, Name};
use crate::request::{ApiRequest, HttpRequest};
use crate::schema::{Cardinality, Catalog, Column, Relationship, Table};
use crate::sql;

fn column(name: &str, kind: &str) -> Column {
    Column {
        name: name.to_owned(),
        description: None,
        nullable: true,
        base_type: kind.to_owned(),
        declared_type: CatalogSql::from_catalog(kind.to_owned()),
        max_length: None,
        default: None,
        labels: Vec::new(),
    }
}

fn table(name: &str, columns: &[(&str, &str)]) -> (Name, Table) {
    let name = Name::new("api", name);
    let table = Table {
        name: name.clone(),
        description: None,
        is_view: false,
        row_security: name.name != "open",
        shows_auth: false,
        insertable: true,
        updatable: true,
        deletable: true,
        primary_key: vec!["id".to_owned()],
        columns: columns.iter().map(|(name, kind)| column(name, kind)).collect(),
    };
    (name, table)
}

fn catalog() -> Catalog {
    let tables: HashMap<Name, Table> = [
        table(
            "tasks",
            &[("id", "integer"), ("title", "text"), ("project_id", "integer"), ("data", "jsonb")],
        ),
        table("projects", &[("id", "integer"), ("name", "text")]),
        table("open", &[("id", "integer")]),
        table("od\"d", &[("id", "integer"), ("a\"b", "text")]),
    ]
    .into();
    let (tasks, projects) = (Name::new("api", "tasks"), Name::new("api", "projects"));
    let constraint = "tasks_project_id_fkey".to_owned();
    let key = |table: &Name, foreign: &Name, cardinality| Relationship::Key {
        table: table.clone(),
        foreign: foreign.clone(),
        is_self: false,
        cardinality,
        view: false,
        foreign_view: false,
    };
    let columns = vec![("project_id".to_owned(), "id".to_owned())];
    let one =
        key(&tasks, &projects, Cardinality::ManyToOne { constraint: constraint.clone(), columns });
    let columns = vec![("id".to_owned(), "project_id".to_owned())];
    let many = key(&projects, &tasks, Cardinality::OneToMany { constraint, columns });
    let relationships = HashMap::from([
        ((tasks, "api".to_owned()), vec![one]),
        ((projects, "api".to_owned()), vec![many]),
    ]);
    Catalog { tables, relationships, handlers: crate::schema::built_in(), ..Catalog::default() }
}

fn config(text: &str) -> Config {
    Config::parse(&format!("db-schemas = \"api\"\n{text}"), &BTreeMap::new(), &BTreeMap::new())
        .unwrap()
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> HttpRequest {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect();
    HttpRequest {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

/// SQL with its parameters, or the code of the refusal.
fn sql_with(config: &Config, http: &HttpRequest) -> Result<(String, Vec<String>), String> {
    let catalog = catalog();
    let request = ApiRequest::parse(config, http).map_err(|error| error.code.clone())?;
    match plan(config, &catalog, &request, "anonymous").map_err(|error| error.code.clone())? {
        Plan::Crud(plan) => {
            let statement = sql::render(&request, &plan).main;
            let params = statement
                .params
                .iter()
                .map(|param| {
                    String::from_utf8(param.value.clone().unwrap_or_default().to_vec()).unwrap()
                })
                .collect();
            Ok((statement.text, params))
        }
        _ => Err("no rows".to_owned()),
    }
}

/// The rows of a read, without the frame around them.
fn rows(target: &str) -> String {
    let (text, _) = sql_with(&config(""), &request("GET", target, &[], "")).unwrap();
    let start = text.find('(').unwrap() + 1;
    let end = text.find(") SELECT null::bigint AS total").unwrap();
    text[start..end].to_owned()
}

fn params(target: &str) -> Vec<String> {
    sql_with(&config(""), &request("GET", target, &[], "")).unwrap().1
}

fn code(method: &str, target: &str, body: &str) -> String {
    sql_with(&config(""), &request(method, target, &[], body)).unwrap_err()
}

#[test]
fn a_bare_read_selects_everything() {
    assert_eq!(rows("/tasks"), r#"SELECT "api"."tasks".* FROM "api"."tasks""#);
}

#[test]
fn the_body_is_made_by_the_server_in_the_same_statement() {
    let (text, params) = sql_with(&config(""), &request("GET", "/projects", &[], "")).unwrap();
    assert_eq!(
        text,
        "WITH pgrst_source AS (SELECT \"api\".\"projects\".* FROM \"api\".\"projects\") SELECT null::bigint AS \
         total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(pg_catalog.json_agg(_postgrest_t), '[]') AS body, \
         nullif(pg_catalog.current_setting('response.headers', true), '') AS response_headers, \
         nullif(pg_catalog.current_setting('response.status', true), '') AS response_status, null::int AS response_inserted \
         FROM (SELECT * FROM pgrst_source) _postgrest_t"
    );
    assert!(params.is_empty());
}

#[test]
fn filters_carry_their_values_as_parameters() {
    assert_eq!(
        rows("/tasks?id=eq.1&title=like.a*"),
        r#"SELECT "api"."tasks".* FROM "api"."tasks" WHERE "api"."tasks"."id" = $1 AND "api"."tasks"."title" LIKE $2"#
    );
    assert_eq!(params("/tasks?id=eq.1&title=like.a*"), ["1", "a%"]);
}

#[test]
fn a_list_is_one_parameter() {
    assert!(rows("/tasks?id=in.(1,2)").ends_with(r#""api"."tasks"."id" = ANY($1)"#));
    assert_eq!(params(r#"/tasks?title=in.("a,b",c"d)"#), [r#"{"a,b","c\"d"}"#]);
}

#[test]
fn logic_nests() {
    assert!(rows("/tasks?or=(id.eq.1,not.and(id.gt.2,title.is.null))").ends_with(
        r#"("api"."tasks"."id" = $1 OR NOT ("api"."tasks"."id" > $2 AND "api"."tasks"."title" IS NULL))"#
    ));
}

#[test]
fn json_keys_are_parameters() {
    assert_eq!(
        rows("/tasks?select=data->a->>0"),
        r#"SELECT "api"."tasks"."data"->$1->>$2::int AS "a" FROM "api"."tasks""#
    );
}

#[test]
fn a_column_that_is_not_json_goes_through_to_jsonb() {
    assert!(
        rows("/tasks?select=title->x")
            .starts_with(r#"SELECT pg_catalog.to_jsonb("api"."tasks"."title")->$1 AS "x""#)
    );
}

#[test]
fn an_embed_is_a_lateral_join() {
    assert_eq!(
        rows("/tasks?select=id,projects(name)"),
        r#"SELECT "api"."tasks"."id", pg_catalog.row_to_json("tasks_projects_1".*)::jsonb AS "projects" FROM "api"."tasks" LEFT JOIN LATERAL (SELECT "projects_1"."name" FROM "api"."projects" AS "projects_1" WHERE "projects_1"."id" = "api"."tasks"."project_id") AS "tasks_projects_1" ON TRUE"#
    );
}

#[test]
fn a_to_many_embed_is_aggregated() {
    assert_eq!(
        rows("/projects?select=name,tasks!inner(id)&tasks.limit=1"),
        r#"SELECT "api"."projects"."name", COALESCE("projects_tasks_1"."projects_tasks_1", '[]') AS "tasks" FROM "api"."projects" INNER JOIN LATERAL (SELECT pg_catalog.json_agg("projects_tasks_1")::jsonb AS "projects_tasks_1" FROM (SELECT "tasks_1"."id" FROM "api"."tasks" AS "tasks_1" WHERE "tasks_1"."project_id" = "api"."projects"."id" LIMIT 1) AS "projects_tasks_1") AS "projects_tasks_1" ON "projects_tasks_1" IS NOT NULL"#
    );
}

#[test]
fn order_and_range_are_rendered() {
    assert!(
        rows("/tasks?order=id.desc.nullslast&limit=2&offset=1")
            .ends_with(r#"ORDER BY "api"."tasks"."id" DESC NULLS LAST LIMIT 2 OFFSET $1"#)
    );
    assert_eq!(params("/tasks?order=id.desc.nullslast&limit=2&offset=1"), ["1"]);
}

#[test]
fn the_row_cap_holds_at_every_level() {
    let config = config("db-max-rows = 5");
    let (text, _) = sql_with(
        &config,
        &request("GET", "/projects?select=id,tasks(id)&limit=9&tasks.limit=7", &[], ""),
    )
    .unwrap();
    assert_eq!(text.matches(" LIMIT ").count(), 2);
    assert_eq!(text.matches(" LIMIT 5").count(), 2);
}

#[test]
fn an_insert_takes_the_body_as_one_parameter() {
    let body = r#"{"id":1,"title":"x'); DROP TABLE tasks; --"}"#;
    let (text, params) = sql_with(&config(""), &request("POST", "/tasks", &[], body)).unwrap();
    assert!(text.starts_with(
        r#"WITH pgrst_source AS (INSERT INTO "api"."tasks"("id", "title") SELECT "pgrst_body"."id", "pgrst_body"."title" FROM (SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT "id", "title" FROM pg_catalog.json_to_record(pgrst_payload.json_data) AS _("id" integer, "title" text)) pgrst_body RETURNING 1)"#
    ));
    assert_eq!(params, [body]);
}

#[test]
fn an_update_of_no_column_touches_nothing() {
    let (text, _) = sql_with(&config(""), &request("PATCH", "/tasks?id=eq.1", &[], "{}")).unwrap();
    assert!(text.contains(r#"SELECT NULL FROM "api"."tasks" WHERE false"#));
}

#[test]
fn a_delete_returns_what_the_response_needs() {
    let http = request(
        "DELETE",
        "/tasks?id=eq.1&select=title",
        &[("prefer", "return=representation")],
        "",
    );
    let (text, _) = sql_with(&config(""), &http).unwrap();
    assert!(text.contains(r#"DELETE FROM "api"."tasks" WHERE "api"."tasks"."id" = $1 RETURNING "api"."tasks"."id", "api"."tasks"."title""#));
}

#[test]
fn da_02_identifiers_are_matched_exactly_and_quoted() {
    assert_eq!(
        rows("/od%22d?select=%22a%5C%22b%22"),
        "SELECT \"api\".\"od\"\"d\".\"a\"\"b\" FROM \"api\".\"od\"\"d\""
    );
    assert_eq!(code("GET", "/TASKS", ""), "PGRST205");
    assert_eq!(code("GET", "/tasks%00", ""), "PGRST205");
}

#[test]
fn da_24_numbers_out_of_range_are_refused() {
    assert_eq!(code("GET", "/tasks?limit=-1", ""), "PGRST103");
    let http = request("GET", "/tasks", &[("range", "5-1")], "");
    assert_eq!(sql_with(&config(""), &http).unwrap_err(), "PGRST103");
}

#[test]
fn da_26_broken_literals_are_refused_or_bound() {
    assert_eq!(code("GET", "/tasks?id=in.(1", ""), "PGRST100");
    assert_eq!(code("GET", "/tasks?or=(id.eq.1", ""), "PGRST100");
    assert_eq!(params(r"/tasks?title=cs.{a,%22b\\%22}"), [r#"{a,"b\\"}"#]);
    assert_eq!(params("/tasks?title=eq.%27%3B--"), ["';--"]);
}

#[test]
fn da_25_bodies_that_are_no_json_are_refused() {
    for body in ["", "{", "NaN", "{\"a\":1}}", "[{\"id\":1},{\"title\":2}]", "[1,{\"id\":1}]"] {
        assert_eq!(code("POST", "/tasks", body), "PGRST102", "{body}");
    }
    assert_eq!(code("POST", "/tasks", "{\"nothing\":1}"), "PGRST204");
}

#[test]
fn da_20_depth_terms_and_casts_are_capped_where_configured() {
    let mut strict = config("");
    strict.safety = crate::config::Safety::strict();
    let refused = |target: &str| sql_with(&strict, &request("GET", target, &[], "")).unwrap_err();
    let deep = format!("/tasks?select={}id{}", "projects(tasks(".repeat(5), "))".repeat(5));
    assert_eq!(refused(&deep), "GPDA002");
    assert_eq!(refused(&format!("/tasks?id=in.({})", vec!["1"; 2000].join(","))), "GPDA002");
    assert_eq!(refused("/tasks?select=id::regclass"), "GPDA002");
    assert_eq!(sql_with(&strict, &request("DELETE", "/tasks", &[], "")).unwrap_err(), "GPDA002");
}

#[test]
fn da_11_a_table_without_row_security_does_not_exist_for_anonymous() {
    let mut strict = config("");
    strict.safety = crate::config::Safety::strict();
    assert_eq!(sql_with(&strict, &request("GET", "/open", &[], "")).unwrap_err(), "GPDA001");
    assert!(sql_with(&config(""), &request("GET", "/open", &[], "")).is_ok());
}

#[test]
fn an_empty_json_key_names_no_column_of_the_response() {
    let (text, params) =
        sql_with(&config(""), &request("GET", "/tasks?select=data->%22%22", &[], "")).unwrap();
    assert!(text.contains("->$1 AS \"data\""), "{text}");
    assert_eq!(params, [""]);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn shape(target: &str) -> Result<String, String> {
        sql_with(&config(""), &request("GET", target, &[], "")).map(|(text, _)| text)
    }

    fn encoded(text: &str) -> String {
        crate::request::query::encode(text)
    }

    proptest! {
        #[test]
        fn no_query_string_makes_the_pipeline_fail(query in any::<String>()) {
            let _ = shape(&format!("/tasks?{query}"));
            let _ = shape(&format!("/tasks?{}", encoded(&query)));
            for key in ["select", "order", "or", "limit", "columns", "id", "projects.id", "on_conflict"] {
                let _ = shape(&format!("/tasks?{key}={}", encoded(&query)));
            }
        }

        #[test]
        fn no_structured_text_makes_the_pipeline_fail(query in "[a-z*.,:()!\"\\\\>-]{0,60}") {
            for key in ["select", "order", "or", "id", "data"] {
                let _ = shape(&format!("/tasks?{key}={}", encoded(&query)));
            }
        }

        #[test]
        fn no_body_makes_the_pipeline_fail(body in any::<Vec<u8>>(), kind in "(application/json|text/csv|application/x-www-form-urlencoded)") {
            let mut http = request("POST", "/tasks", &[("content-type", &kind)], "");
            http.body = Bytes::from(body);
            let _ = sql_with(&config(""), &http);
        }

        #[test]
        fn no_header_makes_the_pipeline_fail(value in "[ -~]{0,60}") {
            for name in ["prefer", "range", "accept", "content-type", "accept-profile"] {
                let _ = sql_with(&config(""), &request("GET", "/tasks", &[(name, &value)], ""));
            }
        }
    }
}
