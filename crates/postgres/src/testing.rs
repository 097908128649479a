//! Databases for tests: each test gets its own, cloned from a template, on a cluster that forgets durability for speed.
//!
//! The cluster belongs to the machine's user. Whichever test process comes first starts it, and it stops some seconds after the last
//! one has left. It lives in memory where the system has `/dev/shm`.

mod cluster;

use std::{fmt::Display, fs::File};

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::Client;

use crate::{Error, connect};

/// A database of one's own, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    /// Where it is, as a superuser (or as the role of the given server's URL).
    pub url: String,
    /// Its name.
    pub name: String,
    admin_url: String,
    _cluster: Option<File>,
}

/// Advisory lock under which templates are made: roles belong to the whole cluster, so two set-ups must not meet.
const TEMPLATES: i64 = 0x6761_7465_706f_7374;

/// Makes a database for one test.
///
/// `server` is the URL of a Postgres to use, whose role may create databases; `None` uses the shared test cluster. `template` says what
/// `prepare` does, for example a hash of the migrations: the first call with a new text runs `prepare` with the URL of an empty
/// database, all others clone the result.
///
/// # Errors
/// [`Error::Template`] when `prepare` fails; else as [`connect`] and [`crate::embedded::start`].
pub async fn database<F, P, E>(
    server: Option<&str>,
    template: &str,
    prepare: F,
) -> Result<TestDatabase, Error>
where
    F: FnOnce(String) -> P,
    P: Future<Output = Result<(), E>>,
    E: Display,
{
    let (admin_url, cluster) = match server {
        Some(url) => (url.to_owned(), None),
        None => {
            let (url, users) = tokio::task::spawn_blocking(cluster::attach)
                .await
                .map_err(|error| Error::Template(error.to_string()))??;
            (url, Some(users))
        }
    };
    let (admin, _task) = connect(&admin_url).await?;
    let template = template_name(template);
    let row = admin
        .query_one(
            "SELECT format('gatepost_test_%s_%s', extract(epoch FROM now())::bigint, replace(gen_random_uuid()::text, '-', '')),
                    EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate),
                    current_setting('fsync') = 'off' AND current_setting('server_version_num')::int >= 150000",
            &[&template],
        )
        .await?;
    let (name, prepared, copy): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if !prepared {
        make_template(&admin, &admin_url, &template, prepare).await?;
    }
    // Copying files is the fastest way without fsync and the slowest with it: it forces checkpoints.
    let strategy = if copy { "STRATEGY file_copy" } else { "" };
    admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}")).await?;
    Ok(TestDatabase { url: with_database(&admin_url, &name)?, name, admin_url, _cluster: cluster })
}

async fn make_template<F, P, E>(
    admin: &Client,
    admin_url: &str,
    template: &str,
    prepare: F,
) -> Result<(), Error>
where
    F: FnOnce(String) -> P,
    P: Future<Output = Result<(), E>>,
    E: Display,
{
    admin.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATES]).await?;
    let done = async {
        let made = admin
            .query_opt("SELECT FROM pg_database WHERE datname = $1 AND datistemplate", &[&template])
            .await?;
        if made.is_some() {
            return Ok(());
        }
        remove_stale(admin).await?;
        // What a set-up left that was killed.
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)")).await?;
        admin.batch_execute(&format!("CREATE DATABASE {template}")).await?;
        prepare(with_database(admin_url, template)?)
            .await
            .map_err(|error| Error::Template(error.to_string()))?;
        // Connections of the set-up would make cloning fail.
        admin
            .batch_execute(&format!("ALTER DATABASE {template} WITH ALLOW_CONNECTIONS false"))
            .await?;
        admin
            .execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                &[&template],
            )
            .await?;
        let now: i64 =
            admin.query_one("SELECT extract(epoch FROM now())::bigint", &[]).await?.get(0);
        admin.batch_execute(&format!("COMMENT ON DATABASE {template} IS '{now}'")).await?;
        admin.batch_execute(&format!("ALTER DATABASE {template} WITH IS_TEMPLATE true")).await?;
        Ok(())
    }
    .await;
    admin.execute("SELECT pg_advisory_unlock($1)", &[&TEMPLATES]).await?;
    done
}

/// Drops what killed tests left more than a day ago, and templates made more than a day ago.
async fn remove_stale(admin: &Client) -> Result<(), Error> {
    let stale = admin
        .query(
            "SELECT datname, datistemplate FROM pg_database
             WHERE coalesce(substring(datname FROM '^gatepost_test_([0-9]+)_'),
                            CASE WHEN datname LIKE 'gatepost\\_template\\_%' THEN shobj_description(oid, 'pg_database') END)::bigint
                   < extract(epoch FROM now()) - 86400",
            &[],
        )
        .await?;
    for row in stale {
        let (name, is_template): (String, bool) = (row.get(0), row.get(1));
        if is_template {
            admin.batch_execute(&format!("ALTER DATABASE {name} WITH IS_TEMPLATE false")).await?;
        }
        // Somebody may be cloning it.
        if let Err(error) =
            admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
        {
            tracing::debug!(%error, name, "a stale test database stays");
        }
    }
    Ok(())
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, name) = (self.admin_url.clone(), self.name.clone());
        // A thread with its own runtime: the test's runtime may be ending. What fails here is removed a day later.
        let dropping = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let (admin, _task) = connect(&url).await.ok()?;
                admin
                    .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                    .await
                    .ok()
            })
        });
        let _ = dropping.join();
    }
}

fn template_name(template: &str) -> String {
    let hash = digest(&SHA256, template.as_bytes());
    let short: String = hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("gatepost_template_{short}")
}

/// The same server and role, another database.
///
/// # Errors
/// [`Error::Url`] for anything but a URL.
pub fn with_database(url: &str, database: &str) -> Result<String, Error> {
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| Error::Url("it has no scheme".to_owned()))?;
    let (address, query) =
        rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let server = address.split_once('/').map_or(address, |(server, _)| server);
    let database = utf8_percent_encode(database, NON_ALPHANUMERIC);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{scheme}://{server}/{database}{query}"))
}
