//! A Data API over a database of one's own, called without a socket.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_data_api::config::Safety;
use gatepost_data_api::{Config, State, reload, router};
use gatepost_postgres::testing::{TestDatabase, database};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

pub const SECRET: &str = "a secret that only these tests know, long enough";
const FIXTURE: &str = include_str!("../../../../conformance/data-api/fixture.sql");

/// A signed token.
pub fn token(header: &str, claims: &str, secret: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// The `Authorization` header of a caller named in a case; `-` has none.
pub fn authorization(who: &str) -> Option<String> {
    let user =
        |name: &str, role: &str| format!(r#"{{"sub":"{name}","role":"{role}","exp":9999999999}}"#);
    let hs256 = r#"{"alg":"HS256"}"#;
    let value = match who {
        "-" => return None,
        "alice" | "bob" => token(hs256, &user(who, "authenticated"), SECRET),
        "expired" => token(hs256, r#"{"sub":"alice","role":"authenticated","exp":1}"#, SECRET),
        "forged" => token(
            hs256,
            &user("alice", "authenticated"),
            "another secret, as long as the first one",
        ),
        "none" => token(r#"{"alg":"none"}"#, &user("alice", "authenticated"), SECRET),
        "nobody" => token(hs256, &user("alice", "no_such_role"), SECRET),
        "superuser" => token(hs256, &user("alice", "postgres"), SECRET),
        "garbage" => "x.y.z".to_owned(),
        other => panic!("no caller {other}"),
    };
    Some(format!("Bearer {value}"))
}

/// What holds within the server.
pub fn strict(config: &mut Config) {
    config.safety = Safety::strict();
}

/// A server with its database.
pub struct Server {
    pub state: State,
    pub admin_url: String,
    _database: TestDatabase,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Server {
    /// Starts over the fixture; `adjust` changes the configuration.
    pub async fn start(settings: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        // What the server logs is shown when a test fails. A second server of a test finds it set up.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let prepare = |url: String| async move {
            let (client, _task) =
                gatepost_postgres::connect(&url).await.map_err(|error| error.to_string())?;
            client.batch_execute(FIXTURE).await.map_err(|error| error.to_string())
        };
        let database = database(None, FIXTURE, prepare).await.unwrap();
        let (scheme, rest) = database.url.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        let uri = format!("{scheme}://authenticator@{place}");
        let text = format!(
            "db-uri = \"{uri}\"\ndb-schemas = \"api\"\ndb-extra-search-path = \"\"\ndb-anon-role = \"anonymous\"\n\
             db-config = false\njwt-secret = \"{SECRET}\"\n{settings}"
        );
        let mut config = Config::parse(&text, &BTreeMap::new(), &BTreeMap::new()).unwrap();
        adjust(&mut config);
        let state = State::new(config).unwrap();
        assert!(reload(&state).await, "the catalogue loads");
        Self { state, admin_url: database.url.clone(), _database: database }
    }

    /// One as strict as within the server.
    pub async fn strict() -> Self {
        Self::start("", strict).await
    }

    /// Sends a request as `who`.
    pub async fn call(
        &self,
        who: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        if let Some(value) = authorization(who) {
            request = request.header("authorization", value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = router(self.state.clone()).oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// GET without headers.
    pub async fn get(&self, who: &str, target: &str) -> Answer {
        self.call(who, "GET", target, &[], "").await
    }

    /// Runs SQL as the owner of the database.
    pub async fn sql(&self, text: &str) {
        let (client, _task) = gatepost_postgres::connect(&self.admin_url).await.unwrap();
        client.batch_execute(text).await.unwrap();
    }
}

/// Percent-encodes what a request line cannot carry.
pub fn target(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'!'..=b'~' if !b"\"<>\\^`{|}".contains(&byte) => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
