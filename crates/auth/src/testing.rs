//! The server as tests see it: the real router, a database of its own, mail read back from the real outbox, a clock that is
//! turned by hand.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::future::join_all;
use gatepost_postgres::{
    PoolOptions, pool,
    testing::{self, TestDatabase},
};
use gatepost_protocol::{secret::Secret, totp};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    app::{App, Clock, Inner},
    config::Config,
    database::{migrate, migrations::fingerprint},
    mail::{self, Message},
};

/// Password of everybody in tests.
pub(crate) const PASSWORD: &str = "Passw0rd!golden";
/// Where the server under test believes to be reached.
pub(crate) const ORIGIN: &str = "https://auth.test";
/// A page that is trusted.
pub(crate) const APP: &str = "https://app.test";
const START: i64 = 1_800_000_000_000;

/// A server and its world.
pub(crate) struct TestApp {
    pub app: App,
    router: Router,
    clock: Arc<AtomicI64>,
    _database: TestDatabase,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

/// A browser: cookies, an address, the page it shows.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub cookies: Vec<(String, String)>,
    pub address: IpAddr,
    pub headers: Vec<(String, String)>,
    pub base: String,
}

impl TestApp {
    /// With the default settings.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With changed settings. Rate limits are off unless they are switched on.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let database = testing::database(None, &fingerprint(), prepare).await.unwrap();
        Self::over(database, change, |_| {})
    }

    /// With a part exchanged before the server starts.
    pub(crate) async fn over_parts(exchange: impl FnOnce(&mut Inner)) -> Self {
        let database = testing::database(None, &fingerprint(), prepare).await.unwrap();
        Self::over(database, |_| {}, exchange)
    }

    fn over(
        database: TestDatabase,
        change: impl FnOnce(&mut Config),
        exchange: impl FnOnce(&mut Inner),
    ) -> Self {
        let mut config = Config {
            public_url: ORIGIN.to_owned(),
            secret: Secret::new("test-3f9a1c77e0b84d52a6c1-8d20b4f7e9"),
            project: "app".to_owned(),
            trusted_origins: vec![APP.to_owned()],
            ..Config::default()
        };
        config.rate_limit.enabled = false;
        config.inbox.enabled = true;
        change(&mut config);
        let pool = pool(&database.url, &PoolOptions::default()).unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let mut app = App::new(config, pool, Clock::Adjustable(Arc::clone(&clock))).unwrap();
        exchange(app.parts().unwrap());
        let router = crate::router(&app);
        Self { app, router, clock, _database: database }
    }

    /// A second server process, as far as it can be told from outside: the same database and clock, nothing else shared.
    pub(crate) fn replica(&self, change: impl FnOnce(&mut Config)) -> (App, Router) {
        let mut config = self.app.config.clone();
        change(&mut config);
        let pool = pool(&self._database.url, &PoolOptions::default()).unwrap();
        let app = App::new(config, pool, Clock::Adjustable(Arc::clone(&self.clock))).unwrap();
        let router = crate::router(&app);
        (app, router)
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// A browser without cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            cookies: Vec::new(),
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            headers: vec![("origin".to_owned(), APP.to_owned())],
            base: "/api/auth".to_owned(),
        }
    }

    /// A browser that just signed up as `{name}@example.com`.
    pub(crate) async fn signed_up(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let reply = browser
            .post(self, "/sign-up/email", json!({ "name": name, "email": format!("{name}@example.com"), "password": PASSWORD }))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        browser
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, peer: IpAddr, request: Request<Body>) -> Reply {
        send(&self.router, peer, request).await
    }

    /// The same POST many times at once, by turns to two servers on one database.
    pub(crate) async fn at_once(&self, count: usize, path: &str, body: &Value) -> Vec<Reply> {
        let (_second, router) = self.replica(|_| {});
        let post = |index: usize| {
            let browser = self.browser();
            let request = browser
                .request(Method::POST, path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            let router = &router;
            async move {
                if index.is_multiple_of(2) {
                    self.send(browser.address, request).await
                } else {
                    send(router, browser.address, request).await
                }
            }
        };
        join_all((0..count).map(post)).await
    }

    /// Runs SQL as a superuser.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<tokio_postgres::Row> {
        self.app.db.get().await.unwrap().query(sql, &[]).await.unwrap()
    }

    /// Every mail to an address so far, oldest first, as the outbox holds it.
    pub(crate) async fn mails(&self, to: &str) -> Vec<Message> {
        mail::outbox_of(&self.app, to).await
    }

    /// The last mail to an address that carries a token: the token and the link.
    pub(crate) async fn last_link(&self, to: &str) -> (String, String) {
        let mails = self.mails(to).await;
        let data = mails.iter().rev().map(Message::data).find(|data| data.contains_key("token"));
        let data = data.expect("a mail with a token");
        let text =
            |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("token"), text("url"))
    }
}

/// Sends a request to a router.
pub(crate) async fn send(router: &Router, peer: IpAddr, mut request: Request<Body>) -> Reply {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 50_000)));
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

async fn prepare(url: String) -> Result<(), String> {
    let (mut client, _task) =
        gatepost_postgres::connect(&url).await.map_err(|error| error.to_string())?;
    migrate(&mut client).await.map(|_| ()).map_err(|error| error.to_string())
}

impl Browser {
    pub(crate) async fn get(&mut self, app: &TestApp, path: &str) -> Reply {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        self.exchange(app, request).await
    }

    pub(crate) async fn post(&mut self, app: &TestApp, path: &str, body: Value) -> Reply {
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        self.exchange(app, request).await
    }

    /// A request with this browser's cookies and headers.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let path = path.strip_prefix(ORIGIN).unwrap_or(path);
        let uri = if path.starts_with(&self.base) {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        let mut request = Request::builder().method(method).uri(uri).header("host", "auth.test");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        request
    }

    /// Sends a request and keeps the cookies of the answer, as a browser does.
    pub(crate) async fn exchange(&mut self, app: &TestApp, request: Request<Body>) -> Reply {
        let reply = app.send(self.address, request).await;
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }

    /// The cookie whose name ends so.
    pub(crate) fn cookie(&self, ending: &str) -> Option<&str> {
        self.cookies
            .iter()
            .find(|(name, _)| name.ends_with(ending))
            .map(|(_, value)| value.as_str())
    }

    /// Whether a session is open: what get-session says.
    pub(crate) async fn is_signed_in(&mut self, app: &TestApp) -> bool {
        let reply = self.get(app, "/get-session").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        !reply.body.is_null()
    }
}

/// What shows somebody's codes (RFC 6238).
pub(crate) struct Authenticator(Vec<u8>);

impl Authenticator {
    /// From the link in the QR code.
    pub(crate) fn of(uri: &str) -> Self {
        let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        Self(totp::key(&format!("base32:{secret}")).unwrap())
    }

    /// The code that it shows now, or some steps later.
    pub(crate) fn code(&self, app: &TestApp, later: u64) -> String {
        let step = u64::try_from(app.app.clock.now().timestamp() / 30).unwrap();
        totp::code(&self.0, step + later)
    }

    /// Set up and proven by who is signed in here, with backup codes; the next code is shown.
    pub(crate) async fn enrolled(app: &TestApp, browser: &mut Browser) -> (Self, Vec<String>) {
        let reply = browser.post(app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let shown = Self::of(reply.body["totpURI"].as_str().unwrap());
        let codes = reply.body["backupCodes"].as_array().unwrap().iter();
        let codes = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
        let code = json!({ "code": shown.code(app, 0) });
        let reply = browser.post(app, "/two-factor/verify-totp", code).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        app.pass(30);
        (shown, codes)
    }
}

impl Reply {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
