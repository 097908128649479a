use tokio_postgres::{Client, error::SqlState};

use super::{
    super::{
        Problem, Refusal, Repair, Roles, RolesError, check, create_roles, drift, excessive_powers,
        migrate,
    },
    Database, count, empty,
};

/// The page that tells people how to do by hand what `create_roles` does.
const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/database-roles.md"));

/// A database as a production installation has it. Roles belong to the cluster, so each test has its own.
pub(super) struct Installation {
    database: Database,
    owner: String,
    runtime: String,
}

impl Installation {
    async fn new() -> Self {
        let database = empty().await;
        let (owner, runtime) = (database.role("owner"), database.role("server"));
        Self { database, owner, runtime }
    }

    fn roles(&self) -> Roles<'_> {
        Roles { owner: &self.owner, runtime: &self.runtime, ..Roles::default() }
    }

    pub(super) async fn server(&self) -> Client {
        self.database.connect_as(&self.runtime).await
    }

    pub(super) async fn remove(self) {
        let Self { owner, runtime, .. } = &self;
        let sql = format!(
            "drop owned by {runtime}; drop owned by {owner} cascade; drop role {owner}, {runtime}"
        );
        self.database.connect().await.batch_execute(&sql).await.unwrap();
    }
}

/// Roles made, then migrated as the owner.
pub(super) async fn installed() -> Installation {
    let installation = Installation::new().await;
    let mut admin = installation.database.connect().await;
    create_roles(&mut admin, &installation.roles()).await.unwrap();
    let mut owner = installation.database.connect_as(&installation.owner).await;
    migrate(&mut owner).await.unwrap();
    installation
}

async fn refused(client: &Client, sql: &str) {
    let error = client.batch_execute(sql).await.expect_err(sql);
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error}");
}

/// What must hold for the server's role, however it was made.
async fn assert_least_privilege(installation: &Installation) {
    let server = installation.server().await;
    assert!(check(&server).await.is_ok());
    assert_eq!(drift(&server).await.unwrap(), []);
    assert_eq!(excessive_powers(&server).await.unwrap(), [""; 0]);

    let work = "begin;
        insert into neon_auth.\"user\" (name, email, \"emailVerified\") values ('A', 'a@example.com', true);
        update neon_auth.\"user\" set name = 'B';
        delete from neon_auth.\"user\";
        insert into neon_auth.gatepost_audit (at, event) values (now(), 'signed_in');
        rollback";
    server.batch_execute(work).await.unwrap();

    for sql in [
        "create table neon_auth.mine ()",
        "alter table neon_auth.\"user\" add column x text",
        "drop table neon_auth.session",
        "truncate neon_auth.session",
        "create function neon_auth.f() returns int language sql as 'select 1'",
        "create schema mine",
        "create role mine",
        "select * from pg_authid",
        "alter role current_user bypassrls",
        "update neon_auth.gatepost_migration set checksum = ''",
        "insert into neon_auth.gatepost_migration (number, name, checksum) values (9, 'x', 'x')",
        "delete from neon_auth.gatepost_audit",
        "update neon_auth.gatepost_audit set event = 'x'",
        "copy neon_auth.\"user\" to program 'cat'",
    ] {
        refused(&server, sql).await;
    }
    refused(&server, &format!("set role {}", installation.owner)).await;

    for role in ["anonymous", "authenticated"] {
        let admin = installation.database.connect().await;
        let held = format!(
            "pg_class where relnamespace = 'neon_auth'::regnamespace and relkind in ('r', 'v')
             and has_table_privilege('{role}', oid, 'select, insert, update, delete, truncate, references, trigger')"
        );
        assert_eq!(count(&admin, &held).await, 0);
        admin.batch_execute(&format!("set role {role}")).await.unwrap();
        refused(&admin, "select from neon_auth.users").await;
        refused(&admin, "select from neon_auth.\"user\"").await;
    }
}

#[tokio::test]
async fn the_server_may_read_and_write_rows_and_nothing_else() {
    let installation = installed().await;
    assert_least_privilege(&installation).await;
    installation.remove().await;
}

#[tokio::test]
async fn tables_of_later_migrations_are_covered() {
    let installation = installed().await;
    let owner = installation.database.connect_as(&installation.owner).await;
    owner.batch_execute("create table neon_auth.later (id int)").await.unwrap();
    let server = installation.server().await;
    server
        .batch_execute("insert into neon_auth.later values (1); delete from neon_auth.later")
        .await
        .unwrap();
    installation.remove().await;
}

#[tokio::test]
async fn roles_can_be_given_to_a_database_that_is_migrated_already() {
    let installation = Installation::new().await;
    let mut admin = installation.database.connect().await;
    migrate(&mut admin).await.unwrap();
    create_roles(&mut admin, &installation.roles()).await.unwrap();
    create_roles(&mut admin, &installation.roles()).await.unwrap();
    assert_least_privilege(&installation).await;
    installation.remove().await;
}

#[tokio::test]
async fn a_role_that_may_create_roles_is_enough_to_set_up() {
    let installation = Installation::new().await;
    let admin = installation.database.connect().await;
    let creator = installation.database.role("creator");
    let database: String =
        admin.query_one("select current_database()::text", &[]).await.unwrap().get(0);
    let sql = format!(
        "create role {creator} login createrole; grant create on database {database} to {creator}"
    );
    admin.batch_execute(&sql).await.unwrap();
    let mut client = installation.database.connect_as(&creator).await;
    create_roles(&mut client, &installation.roles()).await.unwrap();
    let mut owner = installation.database.connect_as(&installation.owner).await;
    migrate(&mut owner).await.unwrap();
    assert_least_privilege(&installation).await;
    admin.batch_execute(&format!("drop owned by {creator}; drop role {creator}")).await.unwrap();
    installation.remove().await;
}

#[tokio::test]
async fn passwords_are_set_without_showing_them_to_the_database() {
    let installation = Installation::new().await;
    let mut admin = installation.database.connect().await;
    let roles = Roles { runtime_password: Some("it's $$ a \\ secret"), ..installation.roles() };
    create_roles(&mut admin, &roles).await.unwrap();
    let stored = format!(
        "pg_authid where rolname = '{}' and rolpassword like 'SCRAM-SHA-256$%'",
        installation.runtime
    );
    assert_eq!(count(&admin, &stored).await, 1);
    installation.remove().await;
}

#[tokio::test]
async fn a_server_role_that_is_too_powerful_is_refused() {
    let installation = Installation::new().await;
    let mut admin = installation.database.connect().await;
    let Installation { owner, runtime, .. } = &installation;
    let sql = format!(
        "create role {owner}; create role {runtime} login bypassrls createdb; grant {owner} to {runtime}"
    );
    admin.batch_execute(&sql).await.unwrap();
    let error = create_roles(&mut admin, &installation.roles()).await.unwrap_err();
    let RolesError::TooPowerful { role, powers } = &error else { panic!("{error}") };
    assert_eq!(role, runtime);
    assert_eq!(
        powers,
        &["create databases", "bypass row level security", "act as the owner or a superuser"]
    );
    assert_eq!(count(&admin, "pg_namespace where nspname = 'neon_auth'").await, 0);
    installation.remove().await;
}

#[tokio::test]
async fn a_server_that_runs_as_superuser_is_told() {
    let database = empty().await;
    let admin = database.connect().await;
    let powers = excessive_powers(&admin).await.unwrap();
    assert!(powers.contains(&"superuser".to_owned()), "{powers:?}");
}

#[tokio::test]
async fn db_15_missing_grants_are_named_with_their_repair() {
    let installation = installed().await;
    let admin = installation.database.connect().await;
    let server = installation.server().await;
    let runtime = &installation.runtime;
    admin
        .batch_execute(&format!("revoke insert on neon_auth.session from {runtime}"))
        .await
        .unwrap();
    let differences = drift(&server).await.unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].problem, Problem::MissingRight("insert".to_owned()));
    let Repair::Safe(sql) = &differences[0].repair else { panic!() };
    admin.batch_execute(sql).await.unwrap();
    assert_eq!(drift(&server).await.unwrap(), []);

    admin.batch_execute(&format!("revoke usage on schema neon_auth from {runtime}")).await.unwrap();
    assert!(matches!(check(&server).await, Err(Refusal::Forbidden)));
    assert!(
        drift(&server).await.unwrap().iter().all(|d| matches!(d.problem, Problem::MissingRight(_)))
    );
    installation.remove().await;
}

#[tokio::test]
async fn the_views_show_no_secret() {
    let installation = installed().await;
    let admin = installation.database.connect().await;
    let secrets = "information_schema.columns where table_schema = 'neon_auth'
        and table_name in ('users', 'sessions', 'organizations', 'members', 'invitations')
        and column_name ~* 'password|token|key|secret|value'";
    assert_eq!(count(&admin, secrets).await, 0);
    installation.remove().await;
}

#[tokio::test]
async fn the_sql_of_the_documentation_does_the_same() {
    let installation = Installation::new().await;
    let admin = installation.database.connect().await;
    let (anonymous, authenticated) =
        (installation.database.role("anonymous"), installation.database.role("authenticated"));
    let login = installation.database.role("authenticator");
    let explainer = installation.database.role("explainer");
    let own = |sql: &str| {
        sql.replace("role authenticator", &format!("role {login}"))
            .replace(
                "grant anonymous, authenticated to authenticator",
                &format!("grant {anonymous}, {authenticated} to {login}"),
            )
            .replace("gatepost_server", &installation.runtime)
            .replace("to gatepost;", &format!("to {};", installation.owner))
            .replace("role gatepost ", &format!("role {} ", installation.owner))
            .replace("authorization gatepost;", &format!("authorization {};", installation.owner))
            .replace("role anonymous ", &format!("role {anonymous} "))
            .replace("role authenticated ", &format!("role {authenticated} "))
            .replace("explainer", &explainer)
    };
    let mut blocks =
        PAGE.split("```sql\n").skip(1).map(|rest| own(rest.split("```").next().unwrap()));
    admin.batch_execute(&blocks.next().unwrap()).await.unwrap();
    let mut owner = installation.database.connect_as(&installation.owner).await;
    migrate(&mut owner).await.unwrap();
    for block in blocks {
        // Only superusers make logins that no policy stops.
        let maker = if block.contains("bypassrls") { &admin } else { &owner };
        maker.batch_execute(&block).await.unwrap();
    }
    admin
        .batch_execute(&format!("drop owned by {explainer}; drop role {explainer}"))
        .await
        .unwrap();
    let create =
        |role| format!("do $$ begin create role {role}; exception when others then null; end $$");
    admin
        .batch_execute(&format!("{};{}", create("anonymous"), create("authenticated")))
        .await
        .unwrap();
    assert_least_privilege(&installation).await;
    admin.batch_execute(&format!("drop role {anonymous}, {authenticated}, {login}")).await.unwrap();
    installation.remove().await;
}
