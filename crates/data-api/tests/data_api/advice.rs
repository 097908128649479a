//! Advice over the fixture, and over every fault there is.

use gatepost_data_api::advise::{Advice, AdviceKind, advise};

use crate::support::Server;

async fn findings(server: &Server) -> Vec<Advice> {
    let (client, _task) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    advise(&client, &["api".to_owned()]).await.unwrap()
}

/// Runs every fix, each by itself.
async fn mend(server: &Server, all: &[Advice]) {
    let (client, _task) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    for Advice { fix, .. } in all {
        client.batch_execute(fix).await.unwrap_or_else(|error| panic!("{fix}: {error:?}"));
    }
}

const FAULTS: &str = r#"
CREATE POLICY slow ON api.secrets USING (token = auth.user_id());
CREATE POLICY trusting ON api.labels
  USING ((current_setting('request.jwt.claims')::json ->> 'name') = name);
CREATE TABLE api."odd ""name" ("user id" text, owner_id uuid, note text);
ALTER TABLE api."odd ""name" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "my policy; --" ON api."odd ""name" USING ("user id" = auth.user_id()) WITH CHECK ("user id" = auth.user_id());
CREATE POLICY "his 'plan'" ON api."odd ""name"
  USING ((current_setting('request.jwt.claims')::jsonb -> 'user_metadata' ->> 'plan') = 'pro');
CREATE POLICY correlated ON api.tasks FOR DELETE
  USING (EXISTS (SELECT FROM api.members m JOIN api.projects p ON p.team_id = m.team_id WHERE m.user_id = auth.user_id()));
CREATE TABLE api.parted (id int, team_id int REFERENCES api.teams, owner text) PARTITION BY LIST (id);
CREATE TABLE api.part_one PARTITION OF api.parted FOR VALUES IN (1);
ALTER TABLE api.parted ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON api.parted USING (owner = (SELECT auth.user_id()));
CREATE MATERIALIZED VIEW api.totals AS SELECT count(*) FROM api.tasks;
GRANT SELECT ON api.totals TO anonymous, PUBLIC;
CREATE MATERIALIZED VIEW api.unseen AS SELECT count(*) FROM api.tasks;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE api.far (id int) SERVER nowhere;
GRANT SELECT ON api.far TO authenticated;
CREATE VIEW private.inner AS SELECT * FROM neon_auth."user";
CREATE VIEW api.people WITH (security_invoker = true) AS SELECT id FROM private.inner;
GRANT SELECT ON api.people TO authenticated;
CREATE FUNCTION api.above(a int, b text DEFAULT 'x') RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM api.notes';
GRANT EXECUTE ON FUNCTION api.above TO PUBLIC;
CREATE FUNCTION api.pinned() RETURNS int SECURITY DEFINER SET search_path = '' LANGUAGE sql AS 'SELECT 1';
"#;

#[tokio::test]
async fn every_fault_is_found_and_its_fix_mends_it() {
    let server = Server::start("", |_| ()).await;
    server.sql(FAULTS).await;
    let found = findings(&server).await;
    let kinds: Vec<(AdviceKind, &str)> =
        found.iter().map(|advice| (advice.kind, advice.object.as_str())).collect();
    for expected in [
        (AdviceKind::NoRowSecurity, r#""api"."open_notes""#),
        (AdviceKind::NoRowSecurity, r#""api"."totals""#),
        (AdviceKind::NoRowSecurity, r#""api"."far""#),
        (AdviceKind::ViewBypassesPolicies, r#""api"."all_notes""#),
        (AdviceKind::ViewShowsAuth, r#""api"."people""#),
        (AdviceKind::FunctionBypassesPolicies, "api.above(integer,text)"),
        (AdviceKind::FunctionPerRow, r#""slow" on "api"."secrets""#),
        (AdviceKind::FunctionPerRow, r#""my policy; --" on "api"."odd ""name""#),
        (AdviceKind::FunctionPerRow, r#""correlated" on "api"."tasks""#),
        (AdviceKind::UserEditableClaim, r#""trusting" on "api"."labels""#),
        (AdviceKind::UserEditableClaim, r#""his 'plan'" on "api"."odd ""name""#),
        (AdviceKind::NoIndexUnderPolicy, r#""api"."notes""#),
        (AdviceKind::NoIndexUnderPolicy, r#""api"."odd ""name""#),
        (AdviceKind::NoIndexUnderPolicy, r#""api"."parted""#),
        (AdviceKind::NoIndexUnderForeignKey, r#""tasks_project_id_fkey" on "api"."tasks""#),
        (AdviceKind::NoIndexUnderForeignKey, r#""parted_team_id_fkey" on "api"."parted""#),
    ] {
        assert!(kinds.contains(&expected), "{expected:?} in {found:#?}");
    }
    for kind in AdviceKind::ALL {
        assert!(kinds.iter().any(|(found, _)| *found == kind), "{kind:?}");
    }
    for unconcerned in ["part_one", "unseen", "pinned", "open_tasks", "whoami"] {
        assert!(!kinds.iter().any(|(_, object)| object.contains(unconcerned)), "{unconcerned}");
    }
    mend(&server, &found).await;
    let left = findings(&server).await;
    // A column that a mended policy compares may want an index.
    let wanted = left.iter().all(|advice| advice.kind == AdviceKind::NoIndexUnderPolicy);
    assert!(wanted, "{left:#?}");
    mend(&server, &left).await;
    assert_eq!(findings(&server).await, []);
}

#[tokio::test]
async fn the_fix_of_a_policy_keeps_what_it_says() {
    let server = Server::start("", |_| ()).await;
    server
        .sql("DROP POLICY own ON api.notes; CREATE POLICY own ON api.notes USING (owner = auth.user_id())")
        .await;
    let found = findings(&server).await;
    mend(&server, &found).await;
    let seen = server.get("alice", "/notes?select=id").await;
    assert_eq!(seen.headers["content-range"], "0-1/*", "{}", seen.body);
}
