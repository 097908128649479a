//! Fifty guesses of one code at once, over two server processes on one database: none is left uncounted, and no code lets
//! two in.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use toml::toml;

use crate::conformance::profiles::{self, Place, merge};
use crate::http::{Http, client, get, post};
use crate::postgres::{Postgres, connect, free_port};
use crate::report::Counts;
use crate::server::{Profile, Server, build};

const GUESSES: usize = 50;

/// What is guessed at.
struct Code {
    name: &'static str,
    /// Who gets it: an address or a number.
    to: String,
    /// Asks for it.
    ask: (&'static str, Value),
    /// Tries it; the member of that name holds the guess.
    verify: (&'static str, Value, &'static str),
}

fn codes(round: u32) -> Vec<Code> {
    let email = format!("guess-{round}@example.com");
    let number = format!("+1555555{round:04}");
    vec![
        Code {
            name: "mailed code",
            to: email.clone(),
            ask: ("/email-otp/send-verification-otp", json!({ "email": email, "type": "sign-in" })),
            verify: ("/sign-in/email-otp", json!({ "email": email }), "otp"),
        },
        Code {
            name: "texted code",
            to: number.clone(),
            ask: ("/phone-number/send-otp", json!({ "phoneNumber": number })),
            verify: ("/phone-number/verify", json!({ "phoneNumber": number }), "code"),
        },
    ]
}

/// Two processes and their database.
struct World {
    servers: [Server; 2],
    http: Http,
    database: Client,
}

/// Makes every check, and counts what held.
pub(crate) async fn run() -> Result<Counts> {
    let binary = build(Profile::Dev).await?;
    let dir = tempfile::Builder::new().prefix("gatepost-guesses-").tempdir()?;
    let postgres = Postgres::start(&["max_connections=200"]).await?;
    let database_url = postgres.create_database("guesses").await?;
    let servers = [
        start(&binary, dir.path(), "one", &database_url).await?,
        start(&binary, dir.path(), "two", &database_url).await?,
    ];
    let world = World { servers, http: client(), database: connect(&database_url).await? };
    let mut counts = Counts::default();
    let mut note = |held: bool, what: String| {
        println!("{}  {what}", if held { "PASS" } else { "FAIL" });
        if held { counts.passed += 1 } else { counts.failed += 1 }
    };
    for round in 1..=2 {
        for code in codes(round) {
            for (held, what) in world.guess(&code).await? {
                note(held, format!("{} {round}: {what}", code.name));
            }
        }
        for (held, what) in world.take_over(round).await? {
            note(held, format!("one-time token {round}: {what}"));
        }
    }
    Ok(counts)
}

async fn start(binary: &Path, dir: &Path, name: &str, database_url: &str) -> Result<Server> {
    let place = Place { port: free_port()?, database_url, hashed_tokens: true, provider: None };
    let mut config = profiles::neon("default", &place);
    merge(
        &mut config,
        toml! {
            [email_otp]
            attempts = 50

            [phone_number]
            attempts = 50
            sign_up = true

            [one_time_token]
            enabled = true
        },
    );
    Server::start(binary, dir, name, &config, &client()).await
}

impl World {
    fn url(&self, index: usize, path: &str) -> String {
        let [one, two] = &self.servers;
        let server = if index.is_multiple_of(2) { one } else { two };
        format!("{}/api/auth{path}", server.origin)
    }

    fn origin(&self) -> &str {
        let [one, _] = &self.servers;
        &one.origin
    }

    async fn post(&self, path: &str, body: &Value) -> Result<http::Response<bytes::Bytes>> {
        post(&self.http, &self.url(0, path), self.origin(), body).await
    }

    /// The same request from everywhere at once, half of them to each server. The status of each answer.
    async fn at_once(&self, path: &str, body: &Value) -> Result<Vec<StatusCode>> {
        let gate = Arc::new(Barrier::new(GUESSES));
        let mut tasks = JoinSet::new();
        for index in 0..GUESSES {
            let (gate, http) = (Arc::clone(&gate), client());
            let (url, body) = (self.url(index, path), body.clone());
            let origin = "http://localhost:3000".to_owned();
            tasks.spawn(async move {
                gate.wait().await;
                post(&http, &url, &origin, &body).await.map(|answer| answer.status())
            });
        }
        tasks.join_all().await.into_iter().collect()
    }

    async fn code(&self, code: &Code) -> Result<String> {
        let (path, body) = &code.ask;
        let asked = self.post(path, body).await?;
        ensure!(asked.status() == StatusCode::OK, "{path}: {}", asked.status());
        let to = code.to.replace('+', "%2B");
        let answer = get(&self.http, &format!("{}/inbox/code?to={to}", self.origin())).await?;
        let found: Value = serde_json::from_slice(answer.body())?;
        found.get("otp").and_then(Value::as_str).map(str::to_owned).context("no code in the inbox")
    }

    async fn number(&self, sql: &str, of: &str) -> Result<i64> {
        Ok(self.database.query_one(sql, &[&of]).await?.try_get(0)?)
    }

    async fn guess(&self, code: &Code) -> Result<Vec<(bool, String)>> {
        let (path, body, member) = &code.verify;
        let with = |guess: &str| {
            let mut body = body.clone();
            if let Some(body) = body.as_object_mut() {
                body.insert((*member).to_owned(), guess.into());
            }
            body
        };
        let right = self.code(code).await?;
        let wrong = if right == "000000" { "000001" } else { "000000" };
        let answers = self.at_once(path, &with(wrong)).await?;
        let refused = answers.iter().filter(|status| **status == StatusCode::BAD_REQUEST).count();
        let counted = self.number(TRIES, &code.to).await?;
        let late = self.post(path, &with(&right)).await?.status();

        let right = self.code(code).await?;
        let answers = self.at_once(path, &with(&right)).await?;
        let let_in = answers.iter().filter(|status| **status == StatusCode::OK).count();
        let sessions = self.number(SESSIONS, &code.to).await?;
        Ok(vec![
            (
                refused == GUESSES && counted == 50,
                format!("{GUESSES} wrong guesses: {refused} refused, {counted} counted"),
            ),
            (late == StatusCode::FORBIDDEN, format!("the right one after them: {late}")),
            (
                let_in == 1 && sessions == 1,
                format!("{GUESSES} right guesses: {let_in} let in, {sessions} sessions"),
            ),
        ])
    }

    async fn take_over(&self, round: u32) -> Result<Vec<(bool, String)>> {
        let email = format!("owner-{round}@example.com");
        let user = json!({ "email": email, "password": "a good long password", "name": "Owner" });
        let answer = self.post("/sign-up/email", &user).await?;
        let cookie = answer
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
            .find(|cookie| cookie.contains("session_token="))
            .context("no session")?
            .to_owned();
        let request = http::Request::get(self.url(1, "/one-time-token/generate"))
            .header("cookie", cookie)
            .body(http_body_util::Full::default())?;
        let made = crate::http::send(&self.http, request).await?;
        let made: Value = serde_json::from_slice(made.body())?;
        let token = made.get("token").cloned().context("no token")?;
        let answers = self.at_once("/one-time-token/verify", &json!({ "token": token })).await?;
        let let_in = answers.iter().filter(|status| **status == StatusCode::OK).count();
        let refused = answers.iter().filter(|status| **status == StatusCode::BAD_REQUEST).count();
        let sessions = self.number(SESSIONS, &email).await?;
        Ok(vec![(
            let_in == 1 && refused == GUESSES - 1 && sessions == 1,
            format!("{GUESSES} uses: {let_in} let in, {refused} refused, {sessions} sessions"),
        )])
    }
}

/// The tries that a code's row has counted.
const TRIES: &str = "select substring(value from ':([0-9]+)$')::bigint from neon_auth.verification \
    where identifier like '%otp-' || $1";
const SESSIONS: &str = "select count(*) from neon_auth.session s join neon_auth.\"user\" u \
    on u.id = s.\"userId\" where u.email = $1 or u.\"phoneNumber\" = $1";
