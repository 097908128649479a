//! `gatepost data-api`.

pub(crate) mod door;

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use gatepost_data_api::{
    Config, ConfigSource, RunError,
    advise::{Advice, advise},
    config::{EXAMPLE, Safety},
    schema, types,
};
use gatepost_outbound::{Outbound, Reach, Request};
use gatepost_postgres::connect;
use tokio::sync::watch;
use tokio_postgres::Client;

use crate::{
    args::{DataApi, DataApiCommand, Inspected, Language},
    config::{self, Environment, Process, Refused},
    log, output,
    serve::{self, Signals},
};

/// Serves, advises, prints types, settings or schemas.
///
/// # Errors
/// [`Refused`] for a configuration that cannot be used; findings of `advise`; a database that cannot be reached.
pub(crate) fn run(
    options: DataApi,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let process = config::load(path, environment)?.settings.process;
    let runtime = serve::runtime(process.workers)?;
    match options.command {
        Some(DataApiCommand::Advise(inspected)) => {
            runtime.block_on(print_advice(&inspected, &process))
        }
        Some(DataApiCommand::Types { lang, inspected }) => {
            runtime.block_on(print_types(lang, &inspected, &process))
        }
        None if options.example => output::print(EXAMPLE),
        None if options.dump_config => output::print(
            &runtime.block_on(source(options).dump()).map_err(|error| refusal(error.into()))?,
        ),
        None if options.dump_schema => {
            let catalog = runtime.block_on(source(options).catalog())?;
            output::print(&format!("{}\n", catalog.to_json()))
        }
        None if options.ready => runtime.block_on(ask_ready(&source(options))),
        None => {
            let context = runtime.enter();
            let logging = log::start(&process.log, &process.telemetry)?;
            let limit = Duration::from_secs(process.shutdown_timeout);
            let served = runtime.block_on(serve(source(options), limit));
            drop(logging);
            drop(context);
            // What is under way beyond the limit must not hold the process.
            runtime.shutdown_background();
            served
        }
    }
}

fn source(options: DataApi) -> ConfigSource {
    ConfigSource { path: options.file, environment: config::of_data_api() }
}

/// Prints the address of the admin server that says it is ready.
async fn ask_ready(source: &ConfigSource) -> anyhow::Result<()> {
    let config = source.base().map_err(|error| refusal(error.into()))?;
    let url = ready_url(&config)?;
    let outbound = Outbound::new(Reach::Anywhere)?;
    let answer = outbound.send(Request::get(&url)).await.with_context(|| url.clone())?;
    ensure!(answer.status.is_success(), "{url}: {}", answer.status);
    output::print(&format!("OK: {url}\n"))
}

fn ready_url(config: &Config) -> anyhow::Result<String> {
    let port = config.admin_server_port.filter(|_| config.admin_server_unix_socket.is_none());
    let port = port.context("there is no admin server to ask: set admin-server-port")?;
    let host = config.admin_server_host.as_str();
    match host {
        "*" | "*4" | "!4" | "*6" | "!6" => bail!(
            "the address {host} of the admin server says not where it is: set admin-server-host, or server-host, to \"localhost\""
        ),
        host if host.contains(':') && !host.starts_with('[') => {
            Ok(format!("http://[{host}]:{port}/ready"))
        }
        host => Ok(format!("http://{host}:{port}/ready")),
    }
}

async fn serve(source: ConfigSource, limit: Duration) -> anyhow::Result<()> {
    let shutdown = serve::on_signal(Signals::OfService)?;
    tokio::select! {
        served = gatepost_data_api::run(source, shutdown.clone()) => served.map_err(refusal)?,
        () = elapsed(shutdown, limit) => {
            tracing::warn!("requests under way were cut off");
        }
    }
    tracing::info!("ended");
    Ok(())
}

/// A configuration is for the user to change, everything else is a failure.
fn refusal(error: RunError) -> anyhow::Error {
    match error {
        RunError::Config(_) => Refused(vec![error.to_string()]).into(),
        RunError::Io(_) | RunError::Database(_) => error.into(),
    }
}

/// The end was asked for that long ago.
async fn elapsed(mut shutdown: watch::Receiver<bool>, limit: Duration) {
    let _ = shutdown.wait_for(|stop| *stop).await;
    tokio::time::sleep(limit).await;
}

async fn print_advice(inspected: &Inspected, process: &Process) -> anyhow::Result<()> {
    let client = open(inspected, process).await?;
    let findings = advise(&client, &inspected.schemas).await?;
    let text: String = findings.iter().map(described).collect();
    output::print(&text)?;
    match findings.len() {
        0 => Ok(()),
        1 => bail!("1 finding"),
        count => bail!("{count} findings"),
    }
}

/// A comment and a statement. A name may hold a line break, which must not end the comment.
fn described(advice: &Advice) -> String {
    let comment = format!("{} {}: {}", advice.kind.name(), advice.object, advice.problem)
        .replace(char::is_control, " ");
    format!("-- {comment}\n{}\n\n", advice.fix)
}

async fn print_types(
    lang: Language,
    inspected: &Inspected,
    process: &Process,
) -> anyhow::Result<()> {
    let mut client = open(inspected, process).await?;
    let mut config = Config::parse("", &BTreeMap::new(), &BTreeMap::new())?;
    config.db_schemas.clone_from(&inspected.schemas);
    let catalog = schema::load(&mut client, &config).await?;
    let shapes = types::shapes(&client, &inspected.schemas).await?;
    output::print(&match lang {
        Language::Typescript => types::typescript(&catalog, &shapes, &inspected.schemas),
        Language::Rust => types::rust(&catalog, &shapes, &inspected.schemas),
    })
}

/// Connects, and refuses schemas that are not there: a misspelt one would have no faults.
async fn open(inspected: &Inspected, process: &Process) -> anyhow::Result<Client> {
    let url = match &inspected.database_url {
        Some(url) => url.as_str(),
        None => process.database_url.reveal(),
    };
    if url.is_empty() {
        let how = "no database: give --database-url, or set DATABASE_URL";
        return Err(Refused(vec![how.to_owned()]).into());
    }
    let hidden = Safety::strict().hidden_schemas;
    if let Some(hidden) = inspected.schemas.iter().find(|schema| hidden.contains(schema)) {
        return Err(Refused(vec![format!("the schema '{hidden}' is never exposed")]).into());
    }
    let (client, _connection) = connect(url).await.context("the database cannot be reached")?;
    let missing = schema::missing(&client, &inspected.schemas).await?;
    if !missing.is_empty() {
        let lines = missing.iter().map(|name| format!("the database has no schema {name:?}"));
        return Err(Refused(lines.collect()).into());
    }
    Ok(client)
}
