//! Area A: credential stuffing and rate limits.

use std::net::{IpAddr, Ipv6Addr};

use axum::body::Body;
use futures_util::{StreamExt, future::join_all, stream};
use http::{Method, Request, header};
use serde_json::json;

use super::world::{
    address, browser_at, credentials, number, posted, signed_in, with_cookies, without_database,
};
use crate::{
    config::{AddressMode, ClientAddress, Config, LimitRule},
    mail::Message,
    testing::{APP, PASSWORD, TestApp, send},
};

async fn limited() -> TestApp {
    TestApp::with(|config| config.rate_limit.enabled = true).await
}

fn behind_proxies(config: &mut Config) {
    config.rate_limit.enabled = true;
    config.client_address =
        ClientAddress { mode: AddressMode::Proxies, trusted: vec!["10.0.0.0/8".parse().unwrap()] };
}

const PROXY: [u8; 4] = [10, 0, 0, 5];

/// What a wrong sign-in with these `X-Forwarded-For` headers is answered, each for an account of its own.
async fn guesses(app: &TestApp, peer: IpAddr, forwarded_for: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (i, value) in forwarded_for.iter().enumerate() {
        let mut browser = app.browser();
        browser.address = peer;
        browser.headers.push(("x-forwarded-for".to_owned(), (*value).to_owned()));
        let body = credentials(&format!("nobody{i}"), "wrong");
        statuses.push(browser.post(app, "/sign-in/email", body).await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn rl_01_the_fourth_guess_from_one_client_is_refused_before_any_hash() {
    let app = limited().await;
    app.signed_up("alice").await;
    let before = app.app.hasher.runs();
    let mut mallory = app.browser();
    for i in 0..3 {
        let body = credentials("alice", &format!("wrong-{i}"));
        assert_eq!(mallory.post(&app, "/sign-in/email", body).await.status, 401);
    }
    let refused = mallory.post(&app, "/sign-in/email", credentials("alice", "wrong-3")).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(refused.header("retry-after"), refused.header("x-retry-after"));
    assert_eq!(app.app.hasher.runs() - before, 3);
    app.pass(10);
    let again = mallory.post(&app, "/sign-in/email", credentials("alice", "wrong-4")).await;
    assert_eq!(again.status, 401);

    let mut statuses = Vec::new();
    for i in 0..4 {
        let body = json!({ "email": format!("user{i}@example.com") });
        let reply = mallory.post(&app, "/request-password-reset", body).await;
        statuses.push(reply.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[tokio::test]
async fn rl_02_spoofed_forwarding_headers_make_no_further_clients() {
    let app = limited().await;
    app.signed_up("alice").await;
    let mut guessed = 0;
    for i in 1..=20 {
        let mut mallory = app.browser();
        for (name, value) in [
            ("x-forwarded-for", format!("198.51.100.{i}")),
            ("x-forwarded-for", format!("198.51.100.{i}, 203.0.113.{i}")),
            ("x-real-ip", format!("198.51.100.{i}")),
            ("cf-connecting-ip", format!("198.51.100.{i}")),
            ("forwarded", format!("for=198.51.100.{i}")),
            ("x_forwarded_for", format!("198.51.100.{i}")),
        ] {
            mallory.headers.push((name.to_owned(), value));
        }
        let reply = mallory.post(&app, "/sign-in/email", credentials("alice", "wrong")).await;
        guessed += usize::from(reply.status == 401);
        assert!(reply.status == 401 || reply.status == 429, "{}", reply.text);
    }
    assert_eq!(guessed, 3);
    let sql = "select distinct address from neon_auth.gatepost_audit where event = 'refused'";
    let addresses: Vec<String> = app.sql(sql).await.iter().map(|row| row.get(0)).collect();
    assert_eq!(addresses, ["192.0.2.1"]);
}

#[tokio::test]
async fn rl_03_behind_proxies_the_right_most_foreign_hop_is_counted() {
    let app = TestApp::with(behind_proxies).await;
    let rotated = [1, 2, 3, 4].map(|i| format!("203.0.113.{i}, 198.51.100.10"));
    let rotated: Vec<&str> = rotated.iter().map(String::as_str).collect();
    assert_eq!(guesses(&app, PROXY.into(), &rotated).await, [401, 401, 401, 429]);
    let nobody = ["10.0.0.7", "10.0.0.7, 10.0.0.8", "203.0.113.1, junk", "198.51.100.77, "];
    assert_eq!(guesses(&app, PROXY.into(), &nobody).await, [401, 401, 401, 429]);
}

#[tokio::test]
async fn rl_04_an_unparsable_address_is_counted_and_skips_no_step() {
    let app = TestApp::with(|config| {
        behind_proxies(config);
        config.rate_limit.account_failures = 100;
        config
            .rate_limit
            .rules
            .insert("/sign-in/email".to_owned(), LimitRule { window: 60, max: 6 });
    })
    .await;
    app.signed_up("alice").await;
    let long = "1,".repeat(5 * 1024);
    let before = app.app.hasher.runs();
    for (value, status) in [
        ("a", 401),
        ("", 401),
        (",", 401),
        ("unknown", 401),
        ("fe80::1%eth0", 401),
        (long.as_str(), 401),
        ("b", 429),
    ] {
        let mut mallory = app.browser();
        mallory.address = PROXY.into();
        mallory.headers.push(("x-forwarded-for".to_owned(), value.to_owned()));
        let reply = mallory.post(&app, "/sign-in/email", credentials("alice", "wrong")).await;
        assert_eq!(reply.status, status, "{value:.20}: {}", reply.text);
        assert!(mallory.cookies.is_empty());
    }
    assert_eq!(app.app.hasher.runs() - before, 6);
}

#[tokio::test]
async fn rl_05_one_ipv6_network_and_all_spellings_of_an_address_are_one_client() {
    let app = limited().await;
    let mut guessed = 0;
    for i in 0..1000 {
        let mut mallory = app.browser();
        mallory.address = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, i, 0, 0, 1).into();
        let body = credentials(&format!("nobody{i}"), "wrong");
        guessed += usize::from(mallory.post(&app, "/sign-in/email", body).await.status == 401);
    }
    assert_eq!(guessed, 3);

    let app = TestApp::with(behind_proxies).await;
    for spellings in [
        ["2001:DB8::1", "2001:db8:0::1", "2001:0db8:0000:0000::0001", "2001:db8::"],
        ["::ffff:192.0.2.77", "::ffff:c000:24d", "192.0.2.77", "::FFFF:C000:024D"],
    ] {
        let statuses = guesses(&app, PROXY.into(), &spellings).await;
        assert_eq!(statuses, [401, 401, 401, 429], "{spellings:?}");
    }
}

const SPELLINGS: [&str; 10] = [
    "//sign-up/email",
    "/sign-up//email",
    "/sign-up/email/",
    "/sign-up/./email",
    "/x/../sign-up/email",
    "/sign-up%2Femail",
    "/sign-up%252Femail",
    "/SIGN-UP/EMAIL",
    "/sign-up/email;a=b",
    "/sign-up/email%00",
];

#[tokio::test]
async fn rl_06_other_spellings_of_a_path_neither_open_it_nor_count_apart() {
    let sign_up = |i: usize| json!({ "name": "M", "email": format!("m{i}@example.com"), "password": PASSWORD });
    let app = TestApp::with(|config| config.email_password.sign_up = false).await;
    for base in ["/api/auth", "/app/auth"] {
        let mut mallory = app.browser();
        mallory.base = base.to_owned();
        for path in SPELLINGS {
            let reply = mallory.post(&app, path, sign_up(0)).await;
            assert_eq!((reply.status.as_u16(), reply.text.as_str()), (404, ""), "{base}{path}");
        }
        for path in ["/sign-up/email", "/sign-up/email?x=1"] {
            let reply = mallory.post(&app, path, sign_up(0)).await;
            assert_eq!(reply.code(), "EMAIL_PASSWORD_SIGN_UP_DISABLED", "{base}{path}");
        }
    }
    assert_eq!(number(&app, r#"select count(*) from neon_auth."user""#).await, 0);

    let app = limited().await;
    let mut mallory = app.browser();
    for path in SPELLINGS {
        assert_eq!(mallory.post(&app, path, sign_up(0)).await.status, 404, "{path}");
    }
    let mut statuses = Vec::new();
    for i in 0..5 {
        // The other mount counts in the same place.
        mallory.base = (if i % 2 == 0 { "/api/auth" } else { "/app/auth" }).to_owned();
        let path = format!("/sign-up/email?x={i}");
        statuses.push(mallory.post(&app, &path, sign_up(i)).await.status.as_u16());
        mallory.cookies.clear();
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);

    let mut statuses = Vec::new();
    for path in ["/request-password-reset", "/forget-password", "/forget-password/email"].repeat(2)
    {
        let body = json!({ "email": "nobody@example.com" });
        statuses.push(mallory.post(&app, path, body).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429, 429]);
}

#[tokio::test]
async fn rl_08_guessing_from_everywhere_slows_down_and_does_not_lock_the_owner_out() {
    let app = limited().await;
    app.signed_up("alice").await;
    let mut alice = signed_in(&app, "alice").await;
    let before = app.app.hasher.runs();
    let mut guessed = 0;
    for i in 0..200 {
        let body = credentials("alice", &format!("wrong-{i}"));
        let reply = browser_at(&app, i).post(&app, "/sign-in/email", body).await;
        guessed += usize::from(reply.status == 401);
        assert!(reply.status == 401 || reply.status == 429, "{}", reply.text);
    }
    assert_eq!((guessed, app.app.hasher.runs() - before), (5, 5));

    let known = alice.post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await;
    assert_eq!(known.status, 200, "{}", known.text);
    let mut new_device = browser_at(&app, 300);
    let refused = new_device.post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await;
    assert_eq!(refused.status, 429);
    app.pass(refused.header("retry-after").parse().unwrap());
    let admitted = new_device.post(&app, "/sign-in/email", credentials("alice", PASSWORD)).await;
    assert_eq!(admitted.status, 200, "{}", admitted.text);
    let mails = app.mails("alice@example.com").await;
    let warnings =
        mails.iter().filter(|mail| matches!(mail, Message::SuspiciousSignIn { .. })).count();
    assert_eq!(warnings, 1);
}

#[tokio::test]
async fn rl_10_parallel_guesses_over_two_replicas_verify_at_most_five_passwords() {
    let app = limited().await;
    app.signed_up("alice").await;
    let (second, router) = app.replica(|_| {});
    let before = app.app.hasher.runs();
    let tries = (0..50).map(|i| {
        let browser = browser_at(&app, i);
        let body = credentials("alice", &format!("wrong-{i}"));
        let request = posted(&browser, "/sign-in/email", &body);
        let (app, router) = (&app, &router);
        async move {
            if i % 2 == 0 {
                app.send(browser.address, request).await
            } else {
                send(router, browser.address, request).await
            }
        }
    });
    let statuses: Vec<u16> =
        join_all(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(app.app.hasher.runs() - before + second.hasher.runs(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 45);
}

#[tokio::test]
async fn rl_12_without_the_limiter_table_sign_ins_are_still_limited() {
    let app = limited().await;
    app.signed_up("alice").await;
    app.sql("alter table neon_auth.gatepost_limit rename to away").await;
    let mut statuses = Vec::new();
    for i in 0..5 {
        let body = credentials(&format!("nobody{i}"), "wrong");
        statuses.push(app.browser().post(&app, "/sign-in/email", body).await.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let mut guessed = 0;
    for i in 0..10 {
        let reply =
            browser_at(&app, i).post(&app, "/sign-in/email", credentials("alice", "wrong")).await;
        guessed += usize::from(reply.status == 401);
    }
    assert_eq!(guessed, 5);

    let alone = without_database(&app);
    let mut statuses = Vec::new();
    for i in 0..5 {
        let browser = app.browser();
        let request =
            posted(&browser, "/sign-in/email", &credentials(&format!("nobody{i}"), "wrong"));
        statuses.push(send(&alone, browser.address, request).await.status.as_u16());
    }
    assert_eq!(statuses, [503, 503, 503, 429, 429]);
}

#[tokio::test]
async fn rl_15_more_sign_ins_than_can_be_hashed_are_sent_away_and_sessions_still_answer() {
    let app = TestApp::with(|config| {
        config.rate_limit.enabled = true;
        config.email_password.hashes_at_once = 1;
    })
    .await;
    let mut alice = app.signed_up("alice").await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, started) = tokio::sync::oneshot::channel();
    let hasher = app.app.hasher.clone();
    let occupied = tokio::spawn(async move {
        let occupy = move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        };
        hasher.run(occupy).await.unwrap();
    });
    started.await.unwrap();
    let before = app.app.hasher.runs();

    let tries = (0..300).map(|i| {
        let (app, mut browser) = (&app, browser_at(&app, i));
        let body = credentials(&format!("user{i}"), "wrong");
        async move { browser.post(app, "/sign-in/email", body).await }
    });
    let mut tries = Box::pin(stream::iter(tries).buffer_unordered(300));
    // One thread, 32 places in its queue: everybody else is told at once.
    for _ in 0..300 - 32 {
        let reply = tries.next().await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "SERVER_BUSY"), "{}", reply.text);
        assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    assert!(alice.is_signed_in(&app).await);
    let body = json!({ "name": "B", "email": "bob@example.com", "password": PASSWORD });
    let sign_up = browser_at(&app, 400).post(&app, "/sign-up/email", body).await;
    assert_eq!(sign_up.status, 503);
    assert_eq!(app.app.hasher.runs(), before);

    release.send(()).unwrap();
    occupied.await.unwrap();
    while let Some(reply) = tries.next().await {
        assert_eq!(reply.status, 401);
    }
    assert_eq!(app.app.hasher.runs() - before, 32);
    assert_eq!(number(&app, r#"select count(*) from neon_auth."user""#).await, 1);
}

#[tokio::test]
async fn rl_17_one_mailbox_gets_five_mails_an_hour_whoever_asks_and_for_whatever() {
    let app = TestApp::with(|config| {
        config.rate_limit.enabled = true;
        config.email_password.require_verification = true;
    })
    .await;
    app.signed_up("vic").await;
    for i in 0..100 {
        let email = json!("vic@example.com");
        let (path, body) = match i % 4 {
            0 => ("/request-password-reset", json!({ "email": email })),
            1 => ("/send-verification-email", json!({ "email": email })),
            2 => ("/forget-password/email", json!({ "email": email })),
            _ => ("/sign-up/email", json!({ "name": "V", "email": email, "password": PASSWORD })),
        };
        let reply = browser_at(&app, i).post(&app, path, body).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
    assert_eq!(app.mails("vic@example.com").await.len(), 5);
    app.pass(3600);
    let body = json!({ "email": "vic@example.com" });
    browser_at(&app, 200).post(&app, "/request-password-reset", body).await;
    assert_eq!(app.mails("vic@example.com").await.len(), 6);
}

#[tokio::test]
async fn rl_18_users_behind_a_trusted_proxy_are_counted_one_by_one_and_nobody_else_can_name_them() {
    let app = TestApp::with(behind_proxies).await;
    let users: Vec<String> = (0..20).map(|i| address(i).to_string()).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    assert_eq!(guesses(&app, PROXY.into(), &users).await, [401; 20]);
    let stranger = [203, 0, 113, 9].into();
    assert_eq!(guesses(&app, stranger, &users[..4]).await, [401, 401, 401, 429]);
}

#[tokio::test]
async fn rl_01_a_malformed_request_is_counted_as_well() {
    let app = limited().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/auth/sign-in/email")
            .header(header::ORIGIN, APP)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{"))
            .unwrap();
        statuses.push(app.send(address(1), request).await.status.as_u16());
    }
    assert_eq!(statuses, [400, 400, 400, 429]);
    assert_eq!(
        with_cookies(&app, &[]).post(&app, "/sign-in/email", json!({})).await.status,
        400,
        "another client"
    );
}
