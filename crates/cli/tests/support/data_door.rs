//! Callers of the Data API within the server.

use serde_json::{Value, json};

use super::{Answer, post, request};

/// The table of the documentation, and some that are less well kept.
pub fn tables() -> String {
    let documentation = include_str!("../../../../docs/data-api.md");
    let (_, sample) = documentation.split_once("\n    create table todos").unwrap();
    let (sample, _) = sample.split_once("\n\n").unwrap();
    format!("create table todos{sample}\n{OTHERS}")
}

const OTHERS: &str = "
create table public.open (id int primary key);
insert into public.open values (1);
grant select on public.open to anonymous, authenticated;
create table public.news (id int primary key);
alter table public.news enable row level security;
create policy everybody on public.news using (true);
insert into public.news values (7);
grant select on public.news to anonymous, authenticated;
create table public.hidden (id int);
";

pub fn sql(url: &str, text: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, _connection) = gatepost_postgres::connect(url).await.unwrap();
        client.batch_execute(text).await.unwrap();
    });
}

/// Somebody signed in, at the server's Better Auth mount.
pub struct Caller {
    pub auth: String,
    pub cookies: String,
    pub token: String,
}

impl Caller {
    fn new(auth: &str, answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut caller =
            Self { auth: auth.to_owned(), cookies: answer.cookies(), token: String::new() };
        let token = caller.auth("GET", "/token");
        caller.token = token.json()["token"].as_str().unwrap().to_owned();
        caller
    }

    pub fn sign_up(auth: &str, name: &str) -> Self {
        let email = format!("{name}@example.com");
        let body = json!({ "name": name, "email": email, "password": "correct horse 7" });
        Self::new(auth, &post(&format!("{auth}/sign-up/email"), &body))
    }

    pub fn sign_in(auth: &str, email: &str, password: &str) -> Self {
        let body = json!({ "email": email, "password": password });
        Self::new(auth, &post(&format!("{auth}/sign-in/email"), &body))
    }

    pub fn auth(&self, method: &str, path: &str) -> Answer {
        let origin: String = self.auth.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let headers = [("cookie", self.cookies.as_str()), ("origin", &origin)];
        let body = json!({});
        request(
            method,
            &format!("{}{path}", self.auth),
            &headers,
            (method == "POST").then_some(&body),
        )
    }

    pub fn call(&self, method: &str, url: &str, body: Option<&Value>) -> Answer {
        call(&self.token, method, url, body)
    }
}

pub fn call(token: &str, method: &str, url: &str, body: Option<&Value>) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("prefer", "return=representation")];
    request(method, url, &headers, body)
}

pub fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A table is there as soon as the schema is reloaded, which nobody has to ask for.
pub fn wait_for_table(caller: &Caller, data: &str, table: &str) {
    // The server is told by the database: each question takes a moment, and the telling does too.
    for _ in 0..2000 {
        if caller.call("GET", &format!("{data}/{table}"), None).status == 200 {
            return;
        }
    }
    panic!("{table} is never there");
}

pub fn text<'a>(ready: &'a Value, key: &str) -> &'a str {
    ready[key].as_str().unwrap_or_else(|| panic!("{key}: {ready}"))
}
