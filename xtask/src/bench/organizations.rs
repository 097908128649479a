//! What applications ask on every page, over 10 000 organizations of 100 members, beside a database with ten.
//!
//! One request at a time, the two servers in turns: the ratio tells whether the work grows with the database.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use toml::toml;

use super::{Options, PASSWORD};
use crate::conformance::profiles::{self, Place};
use crate::http::{Http, client, post, send};
use crate::postgres::{Postgres, connect, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

const ORGANIZATIONS: u32 = 10_000;
const MEMBERS: u32 = 100;
/// Of the user who asks, in either database.
const OWN: usize = 10;
const REQUESTS: usize = 1500;

/// A server, and a user of ten organizations who is signed in.
struct Side {
    name: &'static str,
    server: Server,
    token: String,
    organizations: Vec<Value>,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Result<Counts> {
    let dir = tempfile::Builder::new().prefix("gatepost-bench-").tempdir()?;
    let settings = ["max_connections=100", "shared_buffers=512MB", "max_wal_size=4GB"];
    let postgres = Postgres::start(&settings).await?;
    let profile = if options.dev { Profile::Dev } else { Profile::Release };
    let binary = build(profile).await?;
    let http = client();
    let empty = side("few", &postgres, dir.path(), &binary, false, &http).await?;
    let full = side("many", &postgres, dir.path(), &binary, true, &http).await?;
    let operations: [Operation; 3] = [
        ("list", |_, _| (Method::GET, "/organization/list", None)),
        ("set-active", |side, at| {
            let id = side.organizations.get(at % OWN);
            (Method::POST, "/organization/set-active", Some(json!({ "organizationId": id })))
        }),
        ("has-permission", |side, at| {
            let body = json!({
                "organizationId": side.organizations.get((at + 5) % OWN),
                "permissions": { "member": ["create"] },
            });
            (Method::POST, "/organization/has-permission", Some(body))
        }),
    ];
    println!("{:<16}{:>12}{:>12}{:>8}", "median, µs", "10 orgs", "10 000", "ratio");
    for (name, question) in operations {
        let mut times = [Vec::new(), Vec::new()];
        for at in 0..REQUESTS {
            for (side, times) in [&empty, &full].into_iter().zip(&mut times) {
                let took = ask(side, &http, question(side, at)).await?;
                // The first hundred warm caches up.
                if at >= 100 {
                    times.push(took);
                }
            }
        }
        let [few, many] = times.map(median);
        println!("{name:<16}{few:>12.0}{many:>12.0}{:>8.2}", many / few);
    }
    Ok(Counts::default())
}

/// Method, path, body.
type Question = (Method, &'static str, Option<Value>);
/// Its name, and the question at a turn.
type Operation = (&'static str, fn(&Side, usize) -> Question);

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

async fn side(
    name: &'static str,
    postgres: &Postgres,
    dir: &Path,
    binary: &Path,
    many: bool,
    http: &Http,
) -> Result<Side> {
    let database_url = postgres.create_database(name).await?;
    let place = Place {
        port: free_port()?,
        database_url: &database_url,
        hashed_tokens: true,
        provider: None,
    };
    let mut config = profiles::neon("default", &place);
    profiles::merge(&mut config, toml! { organization = { organization_limit = 0 } });
    let server = Server::start(binary, dir, name, &config, http).await?;
    let user = json!({ "email": "ada@bench.local", "password": PASSWORD, "name": "Ada" });
    let url = format!("{}/api/auth/sign-up/email", server.origin);
    let answer = post(http, &url, &server.origin, &user).await?;
    let token = answer.headers().get("set-auth-token").context("no set-auth-token")?;
    let token = token.to_str()?.to_owned();
    let mut side = Side { name, server, token, organizations: Vec::new() };
    if many {
        println!("seeding {ORGANIZATIONS} organizations of {MEMBERS} members");
        seed(&database_url).await?;
    }
    for at in 0..OWN {
        let body = json!({ "name": "Own", "slug": format!("own-{at}") });
        let url = format!("{}/api/auth/organization/create", side.server.origin);
        let request = request(&side, Method::POST, &url, Some(&body))?;
        let answer: Value = serde_json::from_slice(send(http, request).await?.body())?;
        side.organizations.push(answer.get("id").context("no organization")?.clone());
    }
    let database = connect(&database_url).await?;
    database.batch_execute("vacuum analyze").await?;
    Ok(side)
}

/// Every user is in ten organizations.
async fn seed(database_url: &str) -> Result<()> {
    let users = ORGANIZATIONS * MEMBERS / 10;
    let script = format!(
        r#"set search_path to neon_auth;
insert into "user" (name, email, "emailVerified") select 'User', 'user' || n || '@bench.local', true
from generate_series(1, {users}) n;
insert into organization (name, slug, "createdAt") select 'Org', 'org-' || n, now() from generate_series(1, {ORGANIZATIONS}) n;
insert into member ("organizationId", "userId", role, "createdAt")
with u as (select id, row_number() over () - 1 as n from "user" where name = 'User'),
  o as (select id, row_number() over () - 1 as n from organization)
select o.id, u.id, case k when 0 then 'owner' else 'member' end, now()
from u cross join generate_series(0, 9) k join o on o.n = (u.n * 10 + k) % {ORGANIZATIONS};"#
    );
    connect(database_url).await?.batch_execute(&script).await.context("seed")
}

fn request(
    side: &Side,
    method: Method,
    url: &str,
    body: Option<&Value>,
) -> Result<Request<Full<bytes::Bytes>>> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("origin", &side.server.origin)
        .header("authorization", format!("Bearer {}", side.token));
    Ok(match body {
        Some(body) => {
            request.header("content-type", "application/json").body(Full::from(body.to_string()))?
        }
        None => request.body(Full::default())?,
    })
}

async fn ask(side: &Side, http: &Http, (method, path, body): Question) -> Result<Duration> {
    let url = format!("{}/api/auth{path}", side.server.origin.replace("localhost", "127.0.0.1"));
    let request = request(side, method, &url, body.as_ref())?;
    let start = Instant::now();
    let answer = send(http, request).await?;
    let took = start.elapsed();
    ensure!(answer.status() == 200, "{} {path}: {}", side.name, answer.status());
    Ok(took)
}
