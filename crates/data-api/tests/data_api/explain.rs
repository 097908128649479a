//! Explanations: which policy said no.

use gatepost_data_api::explain_denial::{Connections, explain_denial};
use gatepost_data_api::request::HttpRequest;
use gatepost_data_api::verify::Identity;
use serde_json::{Value, json};

use crate::support::{Answer, Server};

async fn server(sql: &str) -> Server {
    let server = Server::strict().await;
    server.sql(sql).await;
    assert!(gatepost_data_api::reload(&server.state).await);
    server
}

/// A request that is both made and explained.
#[derive(Clone, Copy)]
struct Asked<'a> {
    who: &'a str,
    method: &'a str,
    target: &'a str,
    prefer: &'a str,
    body: &'a str,
}

const fn asked<'a>(who: &'a str, method: &'a str, target: &'a str, body: &'a str) -> Asked<'a> {
    Asked { who, method, target, prefer: "", body }
}

async fn explained(server: &Server, asked: Asked<'_>) -> Result<Value, (u16, String)> {
    let role = if asked.who == "-" { "anonymous" } else { "authenticated" };
    explained_as(server, asked, role).await
}

async fn explained_as(
    server: &Server,
    asked: Asked<'_>,
    role: &str,
) -> Result<Value, (u16, String)> {
    explained_by(server, asked, role, &server.admin_url).await
}

async fn explained_by(
    server: &Server,
    asked: Asked<'_>,
    role: &str,
    above: &str,
) -> Result<Value, (u16, String)> {
    let connections = Connections::open(above, &server.state.config().db_uri).await.unwrap();
    let (path, query) = asked.target.split_once('?').unwrap_or((asked.target, ""));
    let mut headers = http::HeaderMap::new();
    if !asked.prefer.is_empty() {
        headers.insert("prefer", asked.prefer.parse().unwrap());
    }
    let http = HttpRequest {
        method: asked.method.parse().unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: bytes::Bytes::copy_from_slice(asked.body.as_bytes()),
    };
    let mut claims = json!({ "role": role });
    if asked.who != "-" {
        claims["sub"] = asked.who.into();
    }
    let identity = Identity { role: role.to_owned(), claims: claims.as_object().unwrap().clone() };
    let catalog = server.state.catalog().unwrap();
    let explanation =
        explain_denial(&connections, &server.state.config(), &catalog, &http, &identity).await;
    match explanation {
        Ok(explanation) => Ok(serde_json::to_value(explanation).unwrap()),
        Err(error) => Err((error.status, error.message.clone())),
    }
}

async fn explain(server: &Server, asked: Asked<'_>) -> Value {
    explained(server, asked).await.unwrap()
}

async fn made(server: &Server, asked: Asked<'_>) -> Answer {
    let headers = [("prefer", asked.prefer)];
    server.call(asked.who, asked.method, asked.target, &headers, asked.body).await
}

/// `name: what it says of each row`.
fn said(explanation: &Value) -> Vec<String> {
    let policies = explanation["policies"].as_array().unwrap();
    policies
        .iter()
        .map(|verdict| {
            let told = match verdict["error"].as_str() {
                Some(error) => error.to_owned(),
                None => verdict["holds"].to_string(),
            };
            let applies = if verdict["applies"] == true { "" } else { "not for the role, " };
            let (name, of) = (verdict["name"].as_str().unwrap(), verdict["of"].as_str().unwrap());
            format!("{name} over {of}: {applies}{told}")
        })
        .collect()
}

#[tokio::test]
async fn a_hidden_row_is_explained_by_the_policy_that_hides_it() {
    let server = server("").await;
    let denial = explain(&server, asked("alice", "GET", "/notes?id=in.(1,2)", "")).await;
    assert_eq!((&denial["granted"], &denial["row_security"]), (&json!(true), &json!(true)));
    assert_eq!(denial["rows"][1]["body"], "gold");
    assert_eq!(denial["allowed"], json!([true, false]));
    assert_eq!(said(&denial), ["own over stored: [true,false]"]);
}

#[tokio::test]
async fn a_refused_insert_is_explained_over_the_row_it_would_have_written() {
    let server = server("").await;
    let foreign = asked("alice", "POST", "/notes", r#"{"owner":"bob","body":"x"}"#);
    let denial = explain(&server, foreign).await;
    assert_eq!(denial["policies"][0]["clause"], "WITH CHECK");
    assert_eq!((&denial["rows"][0]["owner"], &denial["allowed"]), (&json!("bob"), &json!([false])));
    // Without an owner the default counts; a row that lacks what another has is NULL there, as it is written.
    let own = explain(&server, asked("alice", "POST", "/notes", r#"{"body":"y"}"#)).await;
    assert_eq!((&own["rows"][0]["owner"], &own["allowed"]), (&json!("alice"), &json!([true])));
    let mixed = r#"[{"body":"y"},{"body":"z","owner":"alice"}]"#;
    let two = Asked { target: "/notes?columns=body,owner", ..asked("alice", "POST", "", mixed) };
    assert_eq!(explain(&server, two).await["allowed"], json!([false, true]));
    let defaults = Asked { prefer: "missing=default", ..two };
    assert_eq!(explain(&server, defaults).await["allowed"], json!([true, true]));
    let dropped = asked("alice", "POST", "/notes?columns=body", r#"{"body":"y","owner":"bob"}"#);
    assert_eq!(explain(&server, dropped).await["allowed"], json!([true]));
    assert_eq!(server.get("bob", "/notes?select=id").await.body, r#"[{"id":2}]"#);
}

#[tokio::test]
async fn a_refused_update_is_explained_before_and_after() {
    let server = server("").await;
    let give = asked("alice", "PATCH", "/notes?id=in.(1,2)", r#"{"owner":"bob"}"#);
    assert_eq!(made(&server, give).await.status, 403);
    let denial = explain(&server, give).await;
    assert_eq!(said(&denial), ["own over stored: [true,false]", "own over written: [false,false]"]);
    assert_eq!(denial["allowed"], json!([false, false]));
    let remove = explain(&server, asked("alice", "DELETE", "/notes?id=eq.2", "")).await;
    assert_eq!((&remove["command"], &remove["allowed"]), (&json!("DELETE"), &json!([false])));
}

#[tokio::test]
async fn a_policy_over_other_tables_is_evaluated_with_the_subjects_rights() {
    let server = server("").await;
    let denial = explain(&server, asked("bob", "GET", "/tasks?id=in.(1,5)", "")).await;
    assert_eq!(said(&denial), ["own_team over stored: [false,true]"]);
    let none = explain(&server, asked("bob", "GET", "/secrets", "")).await;
    assert_eq!(
        (none["policies"].as_array().unwrap().len(), &none["row_security"]),
        (0, &json!(true))
    );
    assert_eq!(none["allowed"], json!([false, false]), "no policy at all hides everything");
}

const PRODUCT: &str = "
CREATE TABLE api.doc (
  id serial PRIMARY KEY, owner text, data jsonb NOT NULL DEFAULT '{}', item text, given text, place int,
  price numeric NOT NULL DEFAULT 2, total numeric GENERATED ALWAYS AS (price * 2) STORED,
  locked boolean NOT NULL DEFAULT false, moment timestamptz NOT NULL DEFAULT now());
ALTER TABLE api.doc ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON api.doc TO authenticated;
GRANT USAGE ON SEQUENCE api.doc_id_seq TO authenticated;
INSERT INTO api.doc (owner, data, locked) VALUES ('alice', '{\"open\": true}', false), ('alice', '{}', true), ('bob', '{}', false);
";

#[tokio::test]
async fn permissive_restrictive_and_public_policies_are_put_together_as_the_database_does() {
    let server = server(&format!(
        "{PRODUCT}
         CREATE POLICY own ON api.doc FOR SELECT TO public USING (owner = auth.user_id());
         CREATE POLICY open ON api.doc FOR SELECT TO authenticated USING (data ->> 'open' = 'true');
         CREATE POLICY unlocked ON api.doc AS RESTRICTIVE TO authenticated USING (NOT locked);
         CREATE POLICY staff ON api.doc FOR SELECT TO pg_monitor USING (true);"
    ))
    .await;
    for who in ["alice", "bob"] {
        let read = asked(who, "GET", "/doc?order=id", "");
        let denial = explain(&server, read).await;
        let seen: Value = serde_json::from_str(&made(&server, read).await.body).unwrap();
        let told: Vec<&Value> = std::iter::zip(
            denial["rows"].as_array().unwrap(),
            denial["allowed"].as_array().unwrap(),
        )
        .filter_map(|(row, allowed)| (allowed == true).then_some(&row["id"]))
        .collect();
        let ids: Vec<&Value> = seen.as_array().unwrap().iter().map(|row| &row["id"]).collect();
        assert_eq!(told, ids, "{who}: {denial}");
    }
    let denial = explain(&server, asked("alice", "GET", "/doc", "")).await;
    assert_eq!(
        said(&denial),
        [
            "open over stored: [true,false,false]",
            "own over stored: [true,true,false]",
            "staff over stored: not for the role, [true,true,true]",
            "unlocked over stored: [true,false,true]",
        ]
    );
}

#[tokio::test]
async fn a_role_has_the_policies_of_roles_whose_rights_it_inherits_and_of_no_others() {
    let name = |suffix: &str| format!("explain_{}_{suffix}", std::process::id());
    let (inherited, settable, caller) = (name("inherited"), name("settable"), name("caller"));
    let server = server(&format!(
        "{PRODUCT}
         CREATE ROLE {inherited}; CREATE ROLE {settable}; CREATE ROLE {caller} NOINHERIT;
         GRANT {inherited} TO authenticated; GRANT {settable} TO {caller}; GRANT {caller} TO authenticator;
         GRANT USAGE ON SCHEMA api TO {caller}; GRANT SELECT ON api.doc TO {caller};
         CREATE POLICY a_inherited ON api.doc TO {inherited} USING (true);
         CREATE POLICY b_settable ON api.doc TO {settable} USING (true);",
    ))
    .await;
    let read = asked("alice", "GET", "/doc?id=eq.1", "");
    let denial = explain(&server, read).await;
    assert_eq!(
        said(&denial),
        ["a_inherited over stored: [true]", "b_settable over stored: not for the role, [true]"]
    );
    let denial = explained_as(&server, read, &caller).await.unwrap();
    assert_eq!(
        said(&denial),
        [
            "a_inherited over stored: not for the role, [true]",
            "b_settable over stored: not for the role, [true]"
        ],
        "a member that would have to say SET ROLE has no policy of the role"
    );
    server
        .sql(&format!(
            "DROP OWNED BY {inherited}, {settable}, {caller}; DROP ROLE {inherited}, {settable}, {caller};"
        ))
        .await;
}

#[tokio::test]
async fn a_row_that_its_writer_may_not_read_back_is_explained_by_the_policy_for_reading() {
    let server = server(&format!(
        "{PRODUCT}
         CREATE POLICY write ON api.doc FOR INSERT TO authenticated WITH CHECK (true);
         CREATE POLICY change ON api.doc FOR UPDATE TO authenticated USING (true);
         CREATE POLICY read ON api.doc FOR SELECT TO authenticated USING (owner = auth.user_id());"
    ))
    .await;
    let silent = asked("alice", "POST", "/doc", r#"{"owner":"bob"}"#);
    assert_eq!(made(&server, silent).await.status, 201);
    assert_eq!(explain(&server, silent).await["allowed"], json!([true]));
    let returned = Asked { prefer: "return=representation", ..silent };
    assert_eq!(made(&server, returned).await.status, 403);
    let denial = explain(&server, returned).await;
    assert_eq!(said(&denial), ["read over written: [false]", "write over written: [true]"]);
    assert_eq!(denial["allowed"], json!([false]));
    let change = asked("alice", "PATCH", "/doc?id=in.(1,3)", r#"{"owner":"bob"}"#);
    assert_eq!(made(&server, change).await.status, 403);
    let denial = explain(&server, change).await;
    assert_eq!(
        said(&denial),
        [
            "change over stored: [true,true]",
            "change over written: [true,true]",
            "read over stored: [true,false]",
            "read over written: [false,false]"
        ]
    );
}

#[tokio::test]
async fn an_upsert_is_explained_by_the_row_that_it_meets() {
    let server = server("").await;
    let steal = Asked {
        prefer: "resolution=merge-duplicates",
        ..asked(
            "alice",
            "POST",
            "/notes?on_conflict=id",
            r#"{"id":2,"owner":"alice","body":"mine"}"#,
        )
    };
    assert_eq!(made(&server, steal).await.status, 403);
    let denial = explain(&server, steal).await;
    assert_eq!(denial["command"], "UPSERT");
    assert_eq!(denial["conflicting"][0]["body"], "gold");
    assert_eq!(said(&denial), ["own over written: [true]", "own over stored: [false]"]);
    assert_eq!(denial["allowed"], json!([false]));
    let put = asked("alice", "PUT", "/notes?id=eq.2", r#"{"id":2,"owner":"alice","body":"mine"}"#);
    assert_eq!(made(&server, put).await.status, 403);
    assert_eq!(explain(&server, put).await["allowed"], json!([false]));
    let fresh = Asked { body: r#"{"id":9,"owner":"alice","body":"mine"}"#, ..steal };
    let denial = explain(&server, fresh).await;
    assert_eq!((&denial["conflicting"], &denial["allowed"]), (&json!([]), &json!([true])));
}

#[tokio::test]
async fn defaults_and_generated_columns_are_computed_and_column_names_stand_in_nobodys_way() {
    let server = server(&format!(
        "{PRODUCT}
         CREATE POLICY cheap ON api.doc TO authenticated USING (total < 10 AND data <> '[]' AND place IS NULL AND item IS NULL);"
    ))
    .await;
    let insert = |body| asked("alice", "POST", "/doc", body);
    let plain = explain(&server, insert(r#"{"owner":"alice"}"#)).await;
    assert_eq!(plain["rows"][0]["total"], 4, "{plain}");
    assert_eq!(said(&plain), ["cheap over written: [true]"]);
    let dear = insert(r#"{"owner":"alice","price":7}"#);
    assert_eq!(made(&server, dear).await.status, 403);
    let denial = explain(&server, dear).await;
    assert_eq!((&denial["rows"][0]["total"], &denial["allowed"]), (&json!(14), &json!([false])));
    let update = explain(&server, asked("alice", "PATCH", "/doc?id=eq.1", r#"{"price":6}"#)).await;
    assert_eq!(said(&update), ["cheap over stored: [true]", "cheap over written: [false]"]);
    let csv = HttpRequest {
        method: http::Method::POST,
        path: "/doc".to_owned(),
        query: String::new(),
        headers: [(http::header::CONTENT_TYPE, "text/csv".parse().unwrap())].into_iter().collect(),
        body: "owner,price\nalice,1\nalice,9".into(),
    };
    let connections =
        Connections::open(&server.admin_url, &server.state.config().db_uri).await.unwrap();
    let identity = Identity { role: "authenticated".to_owned(), claims: serde_json::Map::new() };
    let catalog = server.state.catalog().unwrap();
    let config = server.state.config();
    let lines = explain_denial(&connections, &config, &catalog, &csv, &identity).await.unwrap();
    assert_eq!(serde_json::to_value(lines).unwrap()["allowed"], json!([true, false]));
}

#[tokio::test]
async fn missing_privileges_are_named_with_their_columns() {
    let server = server(&format!(
        "{PRODUCT}
         CREATE POLICY all_of_it ON api.doc TO authenticated USING (true);
         REVOKE ALL ON api.doc, api.doc_id_seq FROM authenticated;
         GRANT SELECT (id, owner), INSERT (owner), UPDATE (owner) ON api.doc TO authenticated;
         REVOKE ALL ON api.secrets FROM authenticated;
         REVOKE EXECUTE ON FUNCTION api.whoami() FROM authenticated;"
    ))
    .await;
    for (method, target, body, missing) in [
        ("GET", "/doc?select=id,owner", "", json!([])),
        ("GET", "/doc?select=id,data", "", json!(["SELECT (data) on api.doc"])),
        ("GET", "/doc?select=id&price=eq.1", "", json!(["SELECT (price) on api.doc"])),
        ("PATCH", "/doc?id=eq.1", r#"{"owner":"x"}"#, json!([])),
        (
            "PATCH",
            "/doc?id=eq.1",
            r#"{"owner":"x","item":"y"}"#,
            json!(["UPDATE (item) on api.doc"]),
        ),
        ("POST", "/doc", r#"{"owner":"x"}"#, json!(["USAGE on sequence api.doc_id_seq"])),
        ("DELETE", "/doc?id=eq.1", "", json!(["DELETE on api.doc"])),
        ("GET", "/tasks?select=id,secrets(token)", "", json!(["SELECT on api.secrets"])),
        ("GET", "/rpc/whoami", "", json!(["EXECUTE on function api.whoami()"])),
    ] {
        let request = asked("alice", method, target, body);
        let answer = made(&server, request).await;
        let refused = missing != json!([]);
        assert_eq!(answer.status == 403, refused, "{target}: {}", answer.body);
        let denial = explain(&server, request).await;
        assert_eq!(denial["missing"], missing, "{method} {target}");
        assert_eq!(denial["granted"], !refused, "{method} {target}");
    }
}

#[tokio::test]
async fn nothing_that_a_policy_calls_can_write_wait_or_use_rights_beyond_the_subjects() {
    let server = server(&format!(
        "{PRODUCT}
         CREATE TABLE api.trail (at text);
         CREATE FUNCTION api.writes() RETURNS boolean SECURITY DEFINER LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO api.trail VALUES ('was here'); RETURN true; END $$;
         CREATE FUNCTION api.unlocks() RETURNS boolean LANGUAGE plpgsql AS
           $$ BEGIN SET TRANSACTION READ WRITE; RETURN true; END $$;
         CREATE FUNCTION api.waits() RETURNS boolean LANGUAGE plpgsql AS
           $$ BEGIN PERFORM set_config('statement_timeout', '0', false); PERFORM pg_sleep(600); RETURN true; END $$;
         CREATE FUNCTION api.is_above() RETURNS boolean LANGUAGE sql AS $$ SELECT current_user <> 'authenticated' $$;
         CREATE FUNCTION api.peeks(api.doc) RETURNS boolean LANGUAGE sql AS $$ SELECT api.writes() $$;
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO authenticated;
         CREATE POLICY a ON api.doc TO authenticated USING (api.writes());
         CREATE POLICY b ON api.doc TO authenticated USING (api.unlocks());
         CREATE POLICY c ON api.doc TO authenticated USING (api.waits());
         CREATE POLICY d ON api.doc TO authenticated USING (api.is_above());
         CREATE POLICY e ON api.doc TO authenticated USING (nextval('api.doc_id_seq') > 0);
         CREATE POLICY f ON api.doc TO authenticated USING (EXISTS (SELECT FROM private.vault));"
    ))
    .await;
    let denial = explain(&server, asked("alice", "GET", "/doc?id=eq.1", "")).await;
    assert_eq!(
        said(&denial),
        [
            "a over stored: cannot execute INSERT in a read-only transaction",
            "b over stored: transaction read-write mode must be set before any query",
            "c over stored: canceling statement due to statement timeout",
            "d over stored: [false]",
            "e over stored: cannot execute nextval() in a read-only transaction",
            "f over stored: permission denied for table vault",
        ]
    );
    // A filter that is a function would run above Row Level Security.
    let by_function = asked("alice", "GET", "/doc?peeks=is.true", "");
    assert_eq!(explained(&server, by_function).await.unwrap_err().0, 501);
    let (client, _connection) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    let trail: i64 = client.query_one("SELECT count(*) FROM api.trail", &[]).await.unwrap().get(0);
    assert_eq!(trail, 0);
}

#[tokio::test]
async fn what_the_data_api_itself_refuses_is_explained_too() {
    let server = server("").await;
    let open = asked("-", "GET", "/open_notes", "");
    assert_eq!(made(&server, open).await.status, 403);
    let denial = explain(&server, open).await;
    assert_eq!(
        (&denial["refused"], &denial["row_security"], &denial["allowed"]),
        (&json!("GPDA001"), &json!(false), &json!([true]))
    );
    let (status, message) =
        explained(&server, asked("alice", "GET", "/open_tasks", "")).await.unwrap_err();
    assert_eq!(status, 501);
    assert!(message.contains("Views"), "{message}");
}

#[tokio::test]
async fn a_login_that_is_not_above_row_level_security_is_no_ground_for_an_explanation() {
    let server = server("").await;
    let login = server.state.config().db_uri.clone();
    server.sql("GRANT USAGE ON SCHEMA api TO authenticator; GRANT SELECT ON api.notes TO authenticator").await;
    let connections = Connections::open(&login, &login).await.unwrap();
    let http = HttpRequest {
        method: http::Method::GET,
        path: "/notes".to_owned(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    let identity = Identity { role: "authenticated".to_owned(), claims: serde_json::Map::new() };
    let catalog = server.state.catalog().unwrap();
    let error = explain_denial(&connections, &server.state.config(), &catalog, &http, &identity)
        .await
        .unwrap_err();
    assert!(error.message.contains("row-level security"), "{}", error.message);
}

#[tokio::test]
async fn the_documented_login_sees_enough_to_explain() {
    let server = Server::strict().await;
    let role = format!("explainer_{}", std::process::id());
    server
        .sql(&format!(
            "CREATE ROLE {role} LOGIN BYPASSRLS; GRANT USAGE ON SCHEMA api TO {role};
             GRANT SELECT ON ALL TABLES IN SCHEMA api TO {role};"
        ))
        .await;
    let above = server.state.config().db_uri.replace("authenticator", &role);
    let steal = Asked {
        prefer: "resolution=merge-duplicates,return=representation",
        ..asked(
            "alice",
            "POST",
            "/notes?on_conflict=id",
            r#"{"id":2,"owner":"alice","body":"mine"}"#,
        )
    };
    for request in [
        steal,
        asked("alice", "GET", "/tasks?id=eq.5", ""),
        asked("alice", "POST", "/rpc/add", r#"{"a":1}"#),
    ] {
        let told = explained_by(&server, request, "authenticated", &above).await.unwrap();
        assert_eq!(told, explain(&server, request).await);
    }
    server.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
