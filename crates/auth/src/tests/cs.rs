use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::requests::{self, BASES, body, endpoints, everything, path, post, touches_session};
use crate::http::endpoint::Accepts;
use crate::testing::{APP, Browser, PASSWORD, Reply, TestApp, send};

const EVIL: &str = "https://evil.test";

/// Trusted: `https://app.test` and `*.example.com`, as the attack cases say.
async fn attacked() -> TestApp {
    everything(|config| config.trusted_origins.push("*.example.com".to_owned())).await
}

async fn signed_up(app: &TestApp, base: &str, name: &str) -> Browser {
    let mut browser = app.browser();
    base.clone_into(&mut browser.base);
    let body =
        json!({ "name": name, "email": format!("{name}@example.com"), "password": PASSWORD });
    assert_eq!(browser.post(app, "/sign-up/email", body).await.status, 200);
    browser
}

async fn rows(app: &TestApp) -> (i64, i64, i64) {
    let counts = "select (select count(*) from neon_auth.\"user\"), (select count(*) from neon_auth.session),
        (select count(*) from neon_auth.verification)";
    let rows = app.sql(counts).await;
    (rows[0].get(0), rows[0].get(1), rows[0].get(2))
}

fn sign_in() -> Value {
    json!({ "email": "mallory@example.com", "password": PASSWORD })
}

#[tokio::test]
async fn cs_01_a_cookie_without_an_origin_changes_nothing() {
    let app = attacked().await;
    for (base, name) in BASES.into_iter().zip(["ada", "bob"]) {
        let mut browser = signed_up(&app, base, name).await;
        let before = rows(&app).await;
        for endpoint in endpoints(&app, &Method::POST) {
            for origin in [None, Some(("origin", "null")), Some(("referer", ""))] {
                let headers: Vec<(&str, &str)> = origin.into_iter().collect();
                let reply =
                    post(&app, &browser, &path(&endpoint), &headers, &body(&endpoint)).await;
                let seen = (reply.status.as_u16(), reply.code());
                assert_eq!(
                    seen,
                    (403, "MISSING_OR_NULL_ORIGIN"),
                    "{base}{} {origin:?}",
                    endpoint.path
                );
                assert!(!touches_session(&reply.headers), "{}", endpoint.path);
            }
        }
        assert_eq!(rows(&app).await, before);
        let session = browser.get(&app, "/get-session").await;
        assert_eq!(session.body["user"]["name"], name);
    }
}

#[tokio::test]
async fn cs_01_any_cookie_counts_in_whichever_header_it_stands() {
    let app = attacked().await;
    let browser = app.browser();
    let headers = [("cookie", ""), ("cookie", "a=b")];
    let reply = post(&app, &browser, "/sign-in/email", &headers, &sign_in()).await;
    assert_eq!(reply.code(), "MISSING_OR_NULL_ORIGIN");
}

#[tokio::test]
async fn cs_03_a_foreign_origin_starts_no_session_and_sends_no_mail() {
    let app = attacked().await;
    let mallory = signed_up(&app, BASES[0], "mallory").await;
    let stranger = app.browser();
    let before = rows(&app).await;
    let mails = app.mails("mallory@example.com").await.len();
    let email = json!({ "email": "mallory@example.com" });
    let sign_up = json!({ "name": "Vic", "email": "vic@example.com", "password": PASSWORD });
    for (path, body) in [
        ("/sign-in/email", &sign_in()),
        ("/sign-up/email", &sign_up),
        ("/request-password-reset", &email),
        ("/forget-password", &email),
        ("/forget-password/email", &email),
        ("/send-verification-email", &email),
    ] {
        for browser in [&stranger, &mallory] {
            for headers in [[("origin", EVIL)], [("referer", "https://evil.test/page")]] {
                let reply = post(&app, browser, path, &headers, body).await;
                let seen = (reply.status.as_u16(), reply.code());
                assert_eq!(seen, (403, "INVALID_ORIGIN"), "{path} {headers:?}");
                assert!(!touches_session(&reply.headers), "{path}");
            }
        }
    }
    assert_eq!(rows(&app).await, before);
    assert_eq!(app.mails("mallory@example.com").await.len(), mails);
    assert!(app.mails("vic@example.com").await.is_empty());
}

#[tokio::test]
async fn cs_04_fetch_metadata_of_foreign_pages_is_refused() {
    let app = attacked().await;
    signed_up(&app, BASES[0], "mallory").await;
    let browser = app.browser();
    let with = async |site: &str, mode: &str, origin: Option<&str>| {
        let mut headers = vec![("sec-fetch-site", site), ("sec-fetch-mode", mode)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        post(&app, &browser, "/sign-in/email", &headers, &sign_in()).await.status.as_u16()
    };
    for mode in ["navigate", "cors", "no-cors"] {
        assert_eq!(with("cross-site", mode, None).await, 403, "{mode}");
        assert_eq!(with("cross-site", mode, Some(EVIL)).await, 403, "{mode}");
        assert_eq!(with("same-site", mode, Some("https://other.app.test")).await, 403, "{mode}");
        assert_eq!(with("none", mode, None).await, 403, "{mode}");
    }
    assert_eq!(with("cross-site", "navigate", Some(APP)).await, 403);
    assert_eq!(with("cross-site", "cors", Some(APP)).await, 200);
    assert_eq!(with("same-origin", "cors", Some("https://auth.test")).await, 200);
}

const LOOK_ALIKES: [&str; 25] = [
    "https://app.test.evil.com",
    "https://evil-app.test",
    "https://app.test:444",
    "http://app.test",
    "https://app.test@evil.com",
    "https://evil-example.com",
    "https://evilexample.com",
    "https://example.com.evil.com",
    "https://example.com",
    "https://a.example.com.",
    "https://a%2eexample.com",
    "https://a\\.example.com",
    "https://evil.com/.example.com",
    "https://evil.com#.example.com",
    "https://evil.com?.example.com",
    "https://\u{430}pp.test",
    "https://a.example.com%00.evil.com",
    "https://app.test, https://evil.com",
    "https://app.test\t",
    "https://app.test ",
    " https://app.test",
    "//app.test",
    "app.test",
    "*.example.com",
    "https://*.example.com",
];

#[tokio::test]
async fn cs_05_origin_look_alikes_are_refused() {
    let app = attacked().await;
    let ada = signed_up(&app, BASES[0], "ada").await;
    let mallory = app.browser();
    for origin in LOOK_ALIKES {
        for (browser, path) in [(&ada, "/update-user"), (&mallory, "/sign-in/email")] {
            let reply = post(&app, browser, path, &[("origin", origin)], &sign_in()).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (403, "INVALID_ORIGIN"),
                "{origin:?}"
            );
            assert_eq!(reply.header("access-control-allow-origin"), "", "{origin:?}");
        }
    }
    let two = [("origin", APP), ("origin", "https://evil.com")];
    assert_eq!(post(&app, &ada, "/update-user", &two, &json!({ "name": "M" })).await.status, 403);
    let name = json!({ "name": "Ada" });
    for origin in ["HTTPS://APP.TEST", "https://a.example.com", "https://a.b.example.com"] {
        let reply = post(&app, &ada, "/update-user", &[("origin", origin)], &name).await;
        assert_eq!(reply.status, 200, "{origin}");
    }
}

#[tokio::test]
async fn cs_07_a_body_that_needs_no_preflight_is_refused() {
    let app = attacked().await;
    let mut ada = signed_up(&app, BASES[0], "ada").await;
    let before = rows(&app).await;
    for content_type in [
        "text/plain",
        "text/plain; application/json",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json;charset=utf-16",
        "application/json, text/plain",
        "",
    ] {
        for endpoint in endpoints(&app, &Method::POST) {
            if endpoint.body.is_none() {
                continue;
            }
            let headers = [("origin", APP), ("content-type", content_type)];
            let text = body(&endpoint).to_string();
            let reply =
                requests::send(&app, &ada, Method::POST, &path(&endpoint), &headers, text).await;
            assert_eq!(reply.status, 415, "{} {content_type:?}", endpoint.path);
        }
    }
    // Forms sign in, as Better Auth's do, and are guarded by their origin (CS-10); or they are part of OAuth.
    for endpoint in endpoints(&app, &Method::POST) {
        if endpoint.accepts != Accepts::Json || endpoint.body.is_none() {
            continue;
        }
        let headers = [("origin", APP), ("content-type", "application/x-www-form-urlencoded")];
        let reply =
            requests::send(&app, &ada, Method::POST, &path(&endpoint), &headers, "name=M").await;
        assert_eq!(reply.status, 415, "{}", endpoint.path);
    }
    // What does not say what it is is not read.
    let text = json!({ "name": "Mallory" }).to_string();
    let headers = [("origin", APP)];
    let reply = requests::send(&app, &ada, Method::POST, "/update-user", &headers, text).await;
    assert_eq!(reply.status, 400);
    assert_eq!(rows(&app).await, before);
    assert_eq!(ada.get(&app, "/get-session").await.body["user"]["name"], "ada");
}

#[tokio::test]
async fn cs_10_a_page_of_the_attacker_cannot_sign_its_visitor_in() {
    let app = attacked().await;
    signed_up(&app, BASES[0], "mallory").await;
    let visitor = app.browser();
    let before = rows(&app).await;
    let form = "email=mallory%40example.com&password=Passw0rd%21golden";
    let navigation = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    for origin in [EVIL, "null"] {
        for path in ["/sign-in/email", "/sign-up/email"] {
            let mut headers = navigation.to_vec();
            headers.push(("origin", origin));
            let reply = requests::send(&app, &visitor, Method::POST, path, &headers, form).await;
            assert_eq!(reply.code(), "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED", "{path} {origin}");
            assert!(!touches_session(&reply.headers));
            // A browser of before Fetch Metadata.
            let headers =
                [("content-type", "application/x-www-form-urlencoded"), ("origin", origin)];
            let reply = requests::send(&app, &visitor, Method::POST, path, &headers, form).await;
            assert_eq!(reply.status, 403, "{path} {origin}");
            assert!(!touches_session(&reply.headers));
        }
    }
    // A fetch in no-cors mode.
    let headers = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
        ("content-type", "text/plain"),
        ("origin", EVIL),
    ];
    let text = sign_in().to_string();
    let reply =
        requests::send(&app, &visitor, Method::POST, "/sign-in/email", &headers, text).await;
    assert!(reply.status == 403 || reply.status == 415, "{}", reply.status);
    assert!(!touches_session(&reply.headers));
    assert_eq!(rows(&app).await, before);
}

fn permission(reply: &Reply) -> (&str, &str) {
    (reply.header("access-control-allow-origin"), reply.header("access-control-allow-credentials"))
}

#[tokio::test]
async fn cs_11_only_trusted_origins_read_answers() {
    let app = attacked().await;
    let browser = app.browser();
    let exchange = async |method: Method, origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        requests::send(&app, &browser, method, "/get-session", &headers, "").await
    };
    for method in [Method::OPTIONS, Method::GET] {
        for origin in [APP, "https://a.example.com"] {
            let reply = exchange(method.clone(), origin).await;
            assert_eq!(permission(&reply), (origin, "true"), "{method}");
            assert!(reply.header("vary").contains("Origin"), "{method}");
        }
        for origin in LOOK_ALIKES.into_iter().chain(["null", EVIL, "*"]) {
            let reply = exchange(method.clone(), origin).await;
            assert_eq!(permission(&reply), ("", ""), "{method} {origin:?}");
            let told = |name: &str| name.starts_with("access-control");
            assert!(!reply.headers.keys().any(|name| told(name.as_str())), "{method} {origin:?}");
            assert!(reply.header("vary").contains("Origin"), "{method} {origin:?}");
        }
    }
    let evil = [("origin", EVIL)];
    let refused = post(&app, &browser, "/sign-in/email", &evil, &sign_in()).await;
    assert_eq!(permission(&refused), ("", ""));
}

#[tokio::test]
async fn cs_13_trust_of_one_server_does_not_reach_another_in_the_same_process() {
    let app = attacked().await;
    let servers: Vec<(String, axum::Router)> = ["one", "two", "three"]
        .map(|name| {
            let origin = format!("https://{name}.test");
            let (_, router) = app.replica(|config| config.trusted_origins = vec![origin.clone()]);
            (origin, router)
        })
        .into();
    let browser = app.browser();
    let requests = servers.iter().cycle().take(90).enumerate().map(|(index, (own, router))| {
        let (origin, _) = &servers[index / 3 % 3];
        let mut browser = browser.clone();
        browser.headers = vec![
            ("origin".to_owned(), origin.clone()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        let request = browser.request(Method::POST, "/sign-out").header("cookie", "a=b");
        let request = request.body("{}".into()).unwrap();
        async move {
            let reply = send(router, browser.address, request).await;
            assert_eq!(reply.status == 200, own == origin, "{own} {origin}");
        }
    });
    join_all(requests).await;
}
