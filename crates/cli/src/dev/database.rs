//! The database of a development server: a private cluster, or one that was named.

use anyhow::{Context, bail};
use gatepost_auth::database::{self, Roles, RolesError};
use gatepost_postgres::{
    connect,
    embedded::{self, Machine, Running},
    rights::missing_rights,
};
use tokio_postgres::{Client, error::SqlState};

use super::lines::Printer;
use crate::{
    args::Dev,
    config::{DatabaseUrl, Refused},
};

/// The database in the private cluster, and so the project.
const NAME: &str = "app";

pub(super) enum Database {
    Private(Running),
    Given(String),
}

/// Where everything is, once it is ready.
pub(super) struct Place {
    /// For the server.
    pub(super) server_url: String,
    /// For the developer's own tools.
    pub(super) shown_url: String,
    /// For the Data API, where it has a login of its own.
    pub(super) data_api: Option<String>,
    pub(super) project: String,
    /// Nobody else's: test users may be put into it.
    pub(super) own: bool,
}

impl Database {
    /// Starts the private cluster, unless a URL was given. Blocks.
    pub(super) fn start(
        options: &Dev,
        npm_registry: Option<&str>,
        printer: &Printer,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &options.database_url {
            return Ok(Self::Given(url.clone()));
        }
        let running = embedded::start(&embedded::Options {
            data_dir: options.data_dir.clone(),
            exe: std::env::current_exe()?,
            npm_registry: npm_registry.map(str::to_owned),
            machine: Machine::of_process(),
            notice: &|sentence| printer.notice(sentence),
        })?;
        Ok(Self::Private(running))
    }

    /// Roles, database and schema, as far as they are not there yet.
    pub(super) async fn prepare(&self, printer: &Printer) -> anyhow::Result<Place> {
        match self {
            Self::Private(running) => private(running).await,
            Self::Given(url) => given(url, printer).await,
        }
    }

    /// Waits until the private cluster has stopped, unless another process uses it.
    pub(super) fn stop(self) {
        if let Self::Private(running) = self {
            running.stop();
        }
    }
}

/// Tells the Data API of every change of the schema, so that a new table is there at once.
const RELOAD: &str = "
create or replace function neon_auth.gatepost_schema_changed() returns event_trigger
    language plpgsql set search_path = '' as $$ begin notify pgrst, 'reload schema'; end $$;
drop event trigger if exists gatepost_schema_changed;
create event trigger gatepost_schema_changed on ddl_command_end execute function neon_auth.gatepost_schema_changed();";

async fn private(running: &Running) -> anyhow::Result<Place> {
    let roles = Roles::default();
    let shown_url = running.url(NAME);
    let server_url = as_role(&shown_url, roles.runtime);
    let data_api = as_role(&shown_url, roles.data_api);
    if !is_ready(&server_url).await || connect(&data_api).await.is_err() {
        create_database(&running.url("postgres")).await?;
        let (mut superuser, _connection) = connect(&shown_url).await?;
        database::create_roles(&mut superuser, &roles).await?;
        let (mut owner, _connection) = connect(&as_role(&shown_url, roles.owner)).await?;
        migrate(&mut owner).await?;
        superuser.batch_execute(RELOAD).await?;
    }
    let data_api = Some(data_api);
    Ok(Place { server_url, shown_url, data_api, project: NAME.to_owned(), own: true })
}

async fn is_ready(server_url: &str) -> bool {
    match connect(server_url).await {
        Ok((client, _connection)) => database::check(&client).await.is_ok(),
        Err(_) => false,
    }
}

async fn create_database(maintenance_url: &str) -> anyhow::Result<()> {
    let (client, _connection) = connect(maintenance_url).await?;
    match client.batch_execute(&format!("create database {NAME}")).await {
        // From an earlier start, or made at this moment by another process.
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::DUPLICATE_DATABASE | &SqlState::UNIQUE_VIOLATION)
            ) =>
        {
            Ok(())
        }
        result => Ok(result?),
    }
}

/// The private cluster asks nobody for a password: its socket is its owner's alone.
fn as_role(url: &str, role: &str) -> String {
    match url.split_once("://").zip(url.split_once('@')) {
        Some(((scheme, _), (_, place))) => format!("{scheme}://{role}@{place}"),
        None => url.to_owned(),
    }
}

async fn given(url: &str, printer: &Printer) -> anyhow::Result<Place> {
    let (mut client, _connection) = connect(url).await?;
    let missing = missing_rights(&client).await?;
    if !missing.is_empty() {
        let mut lines = vec!["This database cannot be used yet; nothing was changed:".to_owned()];
        lines.extend(missing.into_iter().map(|right| format!("- {}", right.sentence)));
        return Err(Refused(lines).into());
    }
    create_roles(&mut client).await?;
    migrate(&mut client).await?;
    let project: String = client.query_one("select current_database()::text", &[]).await?.get(0);
    let used: bool =
        client.query_one(r#"select exists (select from neon_auth."user")"#, &[]).await?.get(0);
    if used {
        printer.notice("this database has users already: no test users are added");
    }
    Ok(Place {
        server_url: url.to_owned(),
        shown_url: DatabaseUrl::new(url).redacted(),
        data_api: None,
        project,
        own: !used,
    })
}

/// The given role owns and serves; a role for a server of its own is made for later.
async fn create_roles(client: &mut Client) -> anyhow::Result<()> {
    let owner: String = client.query_one("select current_user::text", &[]).await?.get(0);
    let roles = Roles { owner: &owner, ..Roles::default() };
    match database::create_roles(client, &roles).await {
        // The roles that are needed exist, or the right to make them would have been missing before.
        Err(RolesError::Postgres(error))
            if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) =>
        {
            Ok(())
        }
        result => Ok(result?),
    }
}

async fn migrate(client: &mut Client) -> anyhow::Result<()> {
    let report = database::migrate(client).await.context("the schema could not be installed")?;
    let wrong: String = report
        .differences
        .iter()
        .filter(|difference| difference.stops_server())
        .map(ToString::to_string)
        .collect();
    if !wrong.is_empty() {
        bail!("the schema neon_auth is not what it should be:\n{wrong}");
    }
    Ok(())
}
