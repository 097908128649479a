use http::Method;
use serde_json::json;

use super::requests::{self, BASES, body, component, endpoints, everything, path, post};
use crate::testing::{APP, Browser, ORIGIN, Reply, TestApp, send};

/// Targets that some parser reads as another site.
pub(crate) const ELSEWHERE: [&str; 27] = [
    "//evil.com",
    "///evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "/\\/evil.com",
    "https:evil.com",
    "https:/evil.com",
    "https:\\\\evil.com",
    "http://evil.com",
    "evil.com",
    "/%2f%2fevil.com",
    "/%5cevil.com",
    "/.//evil.com",
    "/..//evil.com",
    "?//evil.com",
    "https://app.test@evil.com",
    "https://app.test%40evil.com",
    "https://a@b@evil.com",
    "https://app.test:80@evil.com",
    "https://app.test\\@evil.com",
    "https://app.test%2eevil.com",
    "https://app.test#@evil.com",
    "https:///evil.com",
    "/%2F/evil.com",
    "/a/%2e%2e//evil.com",
    "javascript:alert(1)",
    "https://evil.com",
];

const CONTROLS: [&str; 9] = [
    "/\t/evil.com",
    "/%09/evil.com",
    "/\n/evil.com",
    "ht\ntps://evil.com",
    "/%0d%0aSet-Cookie:x=1",
    "/\r\nSet-Cookie:x=1",
    " https://app.test",
    "\u{feff}https://app.test",
    "/\u{0}",
];

const FIELDS: [(&str, &str); 4] = [
    ("callbackURL", "INVALID_CALLBACK_URL"),
    ("redirectTo", "INVALID_REDIRECT_URL"),
    ("errorCallbackURL", "INVALID_ERROR_CALLBACK_URL"),
    ("newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL"),
];

fn refused(reply: &Reply, place: &str) {
    assert!(matches!(reply.status.as_u16(), 400 | 403), "{place}: {} {}", reply.status, reply.text);
    assert_eq!(reply.header("location"), "", "{place}");
    assert!(!reply.text.contains("evil.com"), "{place}: {}", reply.text);
    assert!(!reply.headers.contains_key("set-cookie"), "{place}");
}

/// Every target in every field of every endpoint that reads a body.
async fn bodies(app: &TestApp, targets: &[&str]) {
    let browser = app.browser();
    for endpoint in endpoints(app, &Method::POST) {
        if endpoint.body.is_none() {
            continue;
        }
        for target in targets {
            for (field, code) in FIELDS {
                let place = format!("{} {field}={target:?}", endpoint.path);
                let mut body = body(&endpoint);
                body[field] = json!(target);
                let headers = [("origin", APP)];
                let reply = post(app, &browser, &path(&endpoint), &headers, &body).await;
                refused(&reply, &place);
                assert_eq!(reply.code(), code, "{place}");
            }
            // A target in the body goes before one in the query, which nobody reads then.
            if body(&endpoint).get("callbackURL").is_some() {
                continue;
            }
            let place = format!("{}?callbackURL={target:?}", endpoint.path);
            let with_query = format!("{}?callbackURL={}", path(&endpoint), component(target));
            let headers = [("origin", APP)];
            let reply = post(app, &browser, &with_query, &headers, &body(&endpoint)).await;
            refused(&reply, &place);
        }
    }
}

/// Somebody signed in, and the beginnings of the links that were mailed to them.
async fn with_links(app: &TestApp) -> (Browser, Vec<String>) {
    let mut ada = app.signed_up("ada").await;
    let email = "ada@example.com";
    let mut links = Vec::new();
    let requests = [
        ("/send-verification-email", json!({ "email": email })),
        ("/request-password-reset", json!({ "email": email, "redirectTo": "/new" })),
        ("/delete-user", json!({})),
    ];
    for (path, body) in requests {
        let reply = ada.post(app, path, body).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        let (token, url) = app.last_link(email).await;
        let link =
            url.split("callbackURL=").next().unwrap().trim_end_matches(['?', '&']).to_owned();
        assert!(link.contains(&token), "{link}");
        links.push(link);
    }
    (ada, links)
}

fn with_target(link: &str, target: &str) -> String {
    let glue = if link.contains('?') { '&' } else { '?' };
    format!("{link}{glue}callbackURL={}", component(target))
}

async fn follow_all(app: &TestApp, targets: &[&str]) {
    let (ada, links) = with_links(app).await;
    for link in &links {
        for target in targets {
            let address = with_target(link, target);
            let path = address.strip_prefix(ORIGIN).unwrap();
            let reply = requests::send(app, &ada, Method::GET, path, &[], "").await;
            refused(&reply, &address);
        }
    }
    let rows = app.sql("select count(*) from neon_auth.\"user\" where not \"emailVerified\"").await;
    assert_eq!(rows[0].get::<_, i64>(0), 1, "nothing was done on the way");
}

async fn confirming() -> TestApp {
    everything(|config| config.delete_user.confirm_by_mail = true).await
}

#[tokio::test]
async fn rd_01_no_field_of_any_endpoint_leads_elsewhere() {
    bodies(&confirming().await, &ELSEWHERE).await;
}

#[tokio::test]
async fn rd_01_no_mailed_link_leads_elsewhere() {
    follow_all(&confirming().await, &ELSEWHERE).await;
}

#[tokio::test]
async fn rd_01_the_error_page_stays_where_it_is() {
    let app = confirming().await;
    let mut browser = app.browser();
    for target in ELSEWHERE {
        let target = component(target);
        let path = format!("/error?error={target}&error_description={target}&callbackURL={target}");
        let reply = browser.get(&app, &path).await;
        assert!(
            reply.header("location").starts_with("/?error=UNKNOWN"),
            "{}",
            reply.header("location")
        );
    }
}

#[tokio::test]
async fn rd_02_control_characters_in_targets_are_refused() {
    let app = confirming().await;
    bodies(&app, &CONTROLS).await;
    follow_all(&app, &CONTROLS).await;
}

#[tokio::test]
async fn rd_07_a_target_is_judged_again_when_it_is_used() {
    let app = confirming().await;
    let (ada, links) = with_links(&app).await;
    let (_, router) = app.replica(|config| config.trusted_origins.clear());
    for link in &links {
        let address = with_target(link, "https://app.test/new");
        let path = address.strip_prefix(ORIGIN).unwrap();
        let request = ada.request(Method::GET, path).body("".into()).unwrap();
        // Refused where the user is, not sent to a default page: that is what Better Auth answers.
        refused(&send(&router, ada.address, request).await, &address);
    }
    let (_, link) = app.last_link("ada@example.com").await;
    assert!(link.starts_with(ORIGIN));
}

#[tokio::test]
async fn rd_08_tokens_in_addresses_stay_with_trusted_pages() {
    let app = confirming().await;
    let (ada, links) = with_links(&app).await;
    for link in &links {
        let address = with_target(link, "https://app.test/new");
        let path = address.strip_prefix(ORIGIN).unwrap();
        let reply = requests::send(&app, &ada, Method::GET, path, &[], "").await;
        assert_eq!(reply.status, 302, "{link}: {}", reply.text);
        assert!(reply.header("location").starts_with("https://app.test/new"), "{link}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{link}");
        assert_eq!(reply.header("cache-control"), "no-store", "{link}");
        assert_eq!(reply.text, "");
    }
}

#[tokio::test]
async fn rd_08_pages_ask_nothing_of_others_and_send_no_referrer() {
    let app = everything(|config| config.production = false).await;
    for base in BASES {
        let mut browser = app.browser();
        base.clone_into(&mut browser.base);
        for path in ["/error?error=X&error_description=y", "/reference", "/nothing-here"] {
            let reply = browser.get(&app, path).await;
            assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
            for tag in ["<script", "<img", "<link", "<iframe", "url(", "@import"] {
                assert!(!reply.text.contains(tag), "{path}: {tag}");
            }
        }
    }
}
