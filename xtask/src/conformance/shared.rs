//! One database, two servers: Gatepost with plain tokens and Better Auth on Node accept each other's sessions,
//! passwords and signing keys.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::process::Child;

use super::profiles::{self, Place, RECORDED_SECRET};
use crate::command::program;
use crate::http::{Http, client, send, wait_for};
use crate::node;
use crate::postgres::{Postgres, free_port, log_tail};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

/// Where the other server's packages are.
const NODE: &str = "bench/better-auth";
const PASSWORD: &str = "a good long password";

/// A server that is asked.
struct Side {
    name: &'static str,
    origin: String,
}

/// Starts both over one database, and counts what they accept of each other.
pub(crate) async fn run() -> Result<Counts> {
    node::install(NODE).await?;
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-shared-").tempdir()?;
    let http = client();
    let postgres = Postgres::start(&["fsync=off"]).await?;
    let database_url = postgres.create_database("shared").await?;
    let place = Place {
        port: free_port()?,
        database_url: &database_url,
        hashed_tokens: false,
        provider: None,
    };
    let config = profiles::better_auth("main", &place).context("no such profile")?;
    let server = Server::start(&binary, dir.path(), "shared", &config, &http).await?;
    let (other, _process) = better_auth(&database_url, dir.path(), &http).await?;
    let own = Side { name: "Gatepost", origin: server.origin.clone() };
    let mut counts = Counts::default();
    for (from, to) in [(&own, &other), (&other, &own)] {
        let checks: [(&str, Result<()>); 4] = [
            ("session opens", session(&http, from, to).await),
            ("password signs in", password(&http, from, to).await),
            ("changed password signs in", changed_password(&http, from, to).await),
            ("token's key is published", token(&http, from, to).await),
        ];
        for (what, outcome) in checks {
            let name = format!("{}'s {what} at {}", from.name, to.name);
            match outcome {
                Ok(()) => {
                    counts.passed += 1;
                    println!("PASS  {name}");
                }
                Err(error) => {
                    counts.failed += 1;
                    println!("FAIL  {name}  - {error:#}");
                }
            }
        }
    }
    Ok(counts)
}

async fn better_auth(database_url: &str, dir: &Path, http: &Http) -> Result<(Side, Child)> {
    let port = free_port()?;
    let origin = format!("http://localhost:{port}");
    let log = dir.join("better-auth.log");
    let file = fs::File::create(&log)?;
    let mut command = program("node", NODE);
    command
        .arg("server.mjs")
        .env("DATABASE_URL", format!("{database_url}?options=-c%20search_path%3Dneon_auth"))
        .env("BETTER_AUTH_SECRET", RECORDED_SECRET)
        .env("BASE_URL", &origin)
        .env("PORT", port.to_string())
        .stdout(file.try_clone()?)
        .stderr(file);
    let child = command.spawn()?;
    let ok = format!("{origin}/api/auth/ok");
    let up = wait_for(http, &ok, Duration::from_secs(60)).await;
    up.with_context(|| log_tail(&log))?;
    Ok((Side { name: "Better Auth", origin }, child))
}

/// A session of one opens at the other; ended there, it is dead here.
async fn session(http: &Http, from: &Side, to: &Side) -> Result<()> {
    let (user, cookie) = sign_up(http, from, "session").await?;
    ensure!(email(http, to, &cookie).await? == user, "another user");
    let answer = call(http, to, Method::POST, "/sign-out", Some(&cookie), Some(&json!({}))).await?;
    ensure!(answer.status() == StatusCode::OK, "sign-out answers {}", answer.status());
    let here = call(http, from, Method::GET, "/get-session", Some(&cookie), None).await?;
    ensure!(here.body().as_ref() == b"null", "still signed in here");
    Ok(())
}

async fn password(http: &Http, from: &Side, to: &Side) -> Result<()> {
    let (user, _) = sign_up(http, from, "password").await?;
    sign_in(http, to, &user, PASSWORD).await
}

async fn changed_password(http: &Http, from: &Side, to: &Side) -> Result<()> {
    let (user, cookie) = sign_up(http, from, "changed").await?;
    let body = json!({ "currentPassword": PASSWORD, "newPassword": "another long password" });
    let answer =
        call(http, from, Method::POST, "/change-password", Some(&cookie), Some(&body)).await?;
    ensure!(answer.status() == StatusCode::OK, "change-password answers {}", answer.status());
    sign_in(http, to, &user, "another long password").await?;
    ensure!(sign_in(http, to, &user, PASSWORD).await.is_err(), "the old password still signs in");
    Ok(())
}

/// Both sign with the same sealed keys, so each publishes the key of the other's tokens.
async fn token(http: &Http, from: &Side, to: &Side) -> Result<()> {
    let (_, cookie) = sign_up(http, from, "token").await?;
    let answer = call(http, from, Method::GET, "/token", Some(&cookie), None).await?;
    let body: Value = serde_json::from_slice(answer.body())?;
    let token = body.get("token").and_then(Value::as_str).context("no token")?;
    let keys = call(http, to, Method::GET, "/jwks", None, None).await?;
    let keys: Value = serde_json::from_slice(keys.body())?;
    let published = keys.get("keys").and_then(Value::as_array).context("no keys")?;
    let kid = key_id(token).context("a token without a key id")?;
    let known = published.iter().any(|key| key.get("kid").and_then(Value::as_str) == Some(&*kid));
    ensure!(known, "key {kid} is not among {keys}");
    Ok(())
}

/// The `kid` of a JWT's header.
fn key_id(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    Some(header.get("kid")?.as_str()?.to_owned())
}

async fn sign_up(http: &Http, side: &Side, tag: &str) -> Result<(String, String)> {
    let email = format!("{tag}-{}@example.com", uuid::Uuid::new_v4());
    let body = json!({ "email": email, "password": PASSWORD, "name": "Shared" });
    let answer = call(http, side, Method::POST, "/sign-up/email", None, Some(&body)).await?;
    ensure!(
        answer.status() == StatusCode::OK,
        "{}: sign-up answers {}",
        side.name,
        answer.status()
    );
    let cookies = answer.headers().get_all("set-cookie").iter();
    let pairs: Vec<&str> =
        cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next()).collect();
    Ok((email, pairs.join("; ")))
}

async fn sign_in(http: &Http, side: &Side, email: &str, password: &str) -> Result<()> {
    let body = json!({ "email": email, "password": password });
    let answer = call(http, side, Method::POST, "/sign-in/email", None, Some(&body)).await?;
    ensure!(
        answer.status() == StatusCode::OK,
        "{}: sign-in answers {}",
        side.name,
        answer.status()
    );
    Ok(())
}

async fn email(http: &Http, side: &Side, cookie: &str) -> Result<String> {
    let answer = call(http, side, Method::GET, "/get-session", Some(cookie), None).await?;
    let body: Value = serde_json::from_slice(answer.body())?;
    let email = body.pointer("/user/email").and_then(Value::as_str);
    Ok(email.with_context(|| format!("{}: get-session answers {body}", side.name))?.to_owned())
}

async fn call(
    http: &Http,
    side: &Side,
    method: Method,
    path: &str,
    cookie: Option<&str>,
    body: Option<&Value>,
) -> Result<Response<bytes::Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}/api/auth{path}", side.origin))
        .header("origin", &side.origin);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Full::default, |body| Full::from(body.to_string()));
    send(http, request.body(body)?).await
}
