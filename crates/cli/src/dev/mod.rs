//! `gatepost dev`: everything for development, from nothing.

mod database;
mod lines;
mod ports;
mod provider;
mod seed;
mod state;

use std::path::Path;

use gatepost_auth::{
    app::{App, Clock},
    config::Config as Auth,
};
use gatepost_postgres::{PoolOptions, pool};

use crate::{
    args::Dev,
    background,
    config::{self, DatabaseUrl, Environment, Loaded, Log, Process},
    data_api, log, serve, server,
};

use self::{
    database::{Database, Place},
    lines::Printer,
    provider::StandIn,
};

/// Runs until Ctrl-C, SIGTERM, or the end of the terminal.
///
/// # Errors
/// What is missing, and how to get it.
pub(crate) fn run(
    options: &Dev,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let loaded = config::load(path, environment)?;
    let given = |key: &str| loaded.given.iter().any(|path| path == key);
    let log_level = if given("log.level") { &loaded.settings.process.log.level } else { "warn" };
    let runtime = serve::runtime(loaded.settings.process.workers)?;
    let context = runtime.enter();
    let logging = log::start(
        &Log { level: log_level.to_owned(), ..loaded.settings.process.log },
        &loaded.settings.process.telemetry,
    )?;
    let printer = Printer::new(options.json);
    if options.database_url.is_none() && environment.names_database() {
        printer.notice(
            "DATABASE_URL is left alone: development has a Postgres of its own (--database-url takes another)",
        );
    }
    let secret = state::prepare(&options.data_dir)?;
    let npm_registry = options.npm_registry.as_deref().or(environment.npm_registry());
    let database = Database::start(options, npm_registry, &printer)?;
    let served = runtime.block_on(develop(options, &loaded, secret, &database, &printer));
    database.stop();
    // The last traces need the runtime.
    drop(logging);
    drop(context);
    served
}

async fn develop(
    options: &Dev,
    loaded: &Loaded,
    secret: String,
    database: &Database,
    printer: &Printer,
) -> anyhow::Result<()> {
    let shutdown = serve::on_signal(serve::Signals::WithTerminal)?;
    let place = database.prepare(printer).await?;
    let (listeners, port) = ports::listen(options.port).await?;
    if port != options.port && options.port != 0 {
        printer.notice(&format!("port {} is taken, using {port}", options.port));
    }
    let origin = format!("http://localhost:{port}");
    let process = process(loaded, &place, printer);
    let mut auth = settings(loaded, secret, &origin, &place.project);
    auth.jwt.session_id |= process.data_api.looks_up_sessions();
    let stand_in = StandIn::prepare(&mut auth, &origin);

    let pool = pool(&place.server_url, &PoolOptions::default())?;
    let app = App::new(auth, pool, Clock::System)?;
    let seeded = seed::seed(&app, place.own).await?;
    let data_api = data_api::door::open(&app, &process.data_api).await?;
    let background = start_background(&app, &process, &shutdown, printer);
    let watching = tokio::spawn(lines::watch(app.clone(), *printer));
    printer.ready(&lines::Ready {
        data_dir: &options.data_dir,
        origin: &origin,
        app: &app,
        database_url: &place.shown_url,
        seeded,
        data_api: data_api.is_some(),
        stand_in: &stand_in,
    });

    let router = serve::router(&app, &process, &background.wakes, data_api.as_ref())
        .merge(stand_in.router(&app));
    let servers: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let limits = serve::limits(&process);
            tokio::spawn(server::serve(listener, router.clone(), limits, shutdown.clone()))
        })
        .collect();
    for server in servers {
        server.await?;
    }
    background.ended().await;
    if let Some(data_api) = data_api {
        data_api.loading.abort();
    }
    watching.abort();
    Ok(())
}

fn start_background(
    app: &App,
    process: &Process,
    shutdown: &tokio::sync::watch::Receiver<bool>,
    printer: &Printer,
) -> background::Background {
    let (printer, clock) = (*printer, app.clock.clone());
    background::start(app, process, shutdown.clone(), move |report| {
        printer.mail(report, clock.now());
    })
}

/// The settings of the process: the Data API is open wherever it can log in.
fn process(loaded: &Loaded, place: &Place, printer: &Printer) -> Process {
    let given = |key: &str| loaded.given.iter().any(|path| path == key);
    let mut process = loaded.settings.process.clone();
    process.database_url = DatabaseUrl::new(place.server_url.as_str());
    process.shutdown_timeout = 2;
    let data_api = &mut process.data_api;
    if let Some(login) = &place.data_api {
        data_api.database_url = DatabaseUrl::new(login.as_str());
        data_api.explain_database_url = Some(DatabaseUrl::new(place.shown_url.as_str()));
    }
    if !given("data_api.enabled") {
        data_api.enabled = !data_api.database_url.is_empty();
        if !data_api.enabled {
            printer.notice(
                "no Data API: [data_api] database_url has to name a login for it (docs/database-roles.md)",
            );
        }
    }
    process
}

/// The settings of the file, as far as development leaves them.
fn settings(loaded: &Loaded, secret: String, origin: &str, project: &str) -> Auth {
    let mut auth = loaded.settings.auth.clone();
    origin.clone_into(&mut auth.public_url);
    project.clone_into(&mut auth.project);
    auth.secret = gatepost_protocol::secret::Secret::new(secret);
    auth.previous_secrets.clear();
    auth.production = false;
    auth.allow_localhost = true;
    auth.outbound.private_networks = true;
    // Real people must not get mail from a test.
    auth.mail.smtp = None;
    auth.inbox.enabled = true;
    if !loaded.given.iter().any(|key| key == "rate_limit.enabled") {
        // As Better Auth does outside production: tests sign in often.
        auth.rate_limit.enabled = false;
    }
    // Off in production until somebody decides on the domain that keys are bound to for good.
    if !loaded.given.iter().any(|key| key == "passkey.enabled") {
        auth.passkey.enabled = true;
    }
    if !loaded.given.iter().any(|key| key == "features.two_factor") {
        auth.features.two_factor = true;
    }
    auth
}
