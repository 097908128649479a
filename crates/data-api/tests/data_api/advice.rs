//! Advice, explanations and types over the fixture.

use gatepost_data_api::advise::{AdviceKind, advise};
use gatepost_data_api::explain_denial::{Connections, Denial, explain_denial};
use gatepost_data_api::request::HttpRequest;
use gatepost_data_api::types;
use gatepost_data_api::verify::Identity;

use crate::support::Server;

async fn kinds(server: &Server) -> Vec<(AdviceKind, String)> {
    let (client, _task) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    let all = advise(&client, &["api".to_owned()]).await.unwrap();
    all.into_iter().map(|advice| (advice.kind, advice.object)).collect()
}

#[tokio::test]
async fn every_fault_of_the_fixture_is_found_and_its_fix_mends_it() {
    let server = Server::start("", |_| ()).await;
    server
        .sql(
            "CREATE POLICY slow ON api.secrets USING (token = auth.user_id());
             CREATE POLICY trusting ON api.labels USING ((current_setting('request.jwt.claims')::json ->> 'name') = name);",
        )
        .await;
    let found = kinds(&server).await;
    for expected in [
        (AdviceKind::NoRowSecurity, "\"api\".\"open_notes\""),
        (AdviceKind::ViewBypassesPolicies, "\"api\".\"all_notes\""),
        (AdviceKind::FunctionPerRow, "\"slow\" on \"api\".\"secrets\""),
        (AdviceKind::UserEditableClaim, "\"trusting\" on \"api\".\"labels\""),
        (AdviceKind::NoIndexUnderPolicy, "\"api\".\"notes\""),
        (AdviceKind::NoIndexUnderForeignKey, "\"tasks_project_id_fkey\" on \"api\".\"tasks\""),
    ] {
        assert!(found.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {found:#?}");
    }
    let (client, _task) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    for advice in advise(&client, &["api".to_owned()]).await.unwrap() {
        if advice.kind != AdviceKind::UserEditableClaim {
            client.batch_execute(&advice.fix).await.unwrap();
        }
    }
    let left = kinds(&server).await;
    assert!(left.iter().all(|(kind, _)| *kind == AdviceKind::UserEditableClaim), "{left:#?}");
}

async fn explain(server: &Server, who: &str, method: &str, target: &str, body: &str) -> Denial {
    let connections =
        Connections::open(&server.admin_url, &server.state.config().db_uri).await.unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let http = HttpRequest {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::copy_from_slice(body.as_bytes()),
    };
    let claims = serde_json::json!({ "sub": who }).as_object().unwrap().clone();
    let identity = Identity { role: "authenticated".to_owned(), claims };
    let catalog = server.state.catalog().unwrap();
    explain_denial(&connections, &server.state.config(), &catalog, &http, &identity).await.unwrap()
}

#[tokio::test]
async fn a_hidden_row_is_explained_by_the_policy_that_hides_it() {
    let server = Server::start("", |_| ()).await;
    let denial = explain(&server, "alice", "GET", "/notes?id=in.(1,2)&order=id", "").await;
    assert!(denial.granted && denial.row_security);
    assert_eq!(denial.rows.len(), 2);
    assert_eq!(denial.policies.len(), 1);
    assert_eq!(denial.policies[0].name, "own");
    assert_eq!(denial.policies[0].holds, Some(vec![true, false]));
}

#[tokio::test]
async fn a_refused_insert_is_explained_over_the_row_it_would_have_written() {
    let server = Server::start("", |_| ()).await;
    let denial = explain(&server, "alice", "POST", "/notes", r#"{"owner":"bob","body":"x"}"#).await;
    assert_eq!(denial.policies[0].clause, "WITH CHECK");
    assert_eq!(denial.policies[0].holds, Some(vec![false]));
    // Without an owner the default counts.
    let denial = explain(&server, "alice", "POST", "/notes", r#"{"body":"y"}"#).await;
    assert_eq!(denial.policies[0].holds, Some(vec![true]));
    assert_eq!(server.get("bob", "/notes?select=id").await.body, r#"[{"id":2}]"#);
}

#[tokio::test]
async fn a_refused_update_is_explained_before_and_after() {
    let server = Server::start("", |_| ()).await;
    let denial = explain(&server, "alice", "PATCH", "/notes?id=eq.1", r#"{"owner":"bob"}"#).await;
    let holds: Vec<_> = denial
        .policies
        .iter()
        .map(|verdict| (verdict.clause, verdict.holds.clone().unwrap()))
        .collect();
    assert_eq!(holds, [("USING", vec![true]), ("WITH CHECK", vec![false])]);
}

#[tokio::test]
async fn a_policy_over_other_tables_is_evaluated_with_the_subjects_rights() {
    let server = Server::start("", |_| ()).await;
    let denial = explain(&server, "bob", "GET", "/tasks?id=in.(1,5)&order=id", "").await;
    assert_eq!(denial.policies[0].holds, Some(vec![false, true]), "{denial:?}");
    let none = explain(&server, "bob", "GET", "/secrets", "").await;
    assert!(none.policies.is_empty() && none.row_security, "no policy at all hides everything");
}

#[tokio::test]
async fn the_catalogue_becomes_types() {
    let server = Server::start("", |_| ()).await;
    let catalog = server.state.catalog().unwrap();
    let text = types::typescript(&catalog, &["api".to_owned()]);
    for part in [
        "  api: {\n    Tables: {\n",
        "          state: Database[\"api\"][\"Enums\"][\"state\"]\n",
        "          state?: Database[\"api\"][\"Enums\"][\"state\"]\n",
        "          assignee?: string | null\n",
        "          tags: string[]\n",
        "          meta: Json\n",
        "      state: \"open\" | \"active\" | \"done\"\n",
        "{ foreignKeyName: \"tasks_project_id_fkey\"; columns: [\"project_id\"]; isOneToOne: false; referencedRelation: \"projects\"; referencedColumns: [\"id\"] }",
        "      add: { Args: { a: number; b?: number }; Returns: number }\n",
        "Returns: Database[\"api\"][\"Tables\"][\"tasks\"][\"Row\"][] }",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = types::rust(&catalog, &["api".to_owned()]);
    assert!(
        text.contains(
            "pub struct TaskLabels {\n        pub task_id: i32,\n        pub label_id: i32,\n    }"
        ),
        "{text}"
    );
    assert!(text.contains("pub parent_id: Option<i32>"));
}
