use serde_json::json;

use super::{AS_RECORDED, PRODUCTION, attacked, origins, recorded};
use crate::{
    http::origin::{RedirectField, RedirectRefusal, TrustedOrigins},
    tests::rd::ELSEWHERE,
};

fn target(origins: &TrustedOrigins, text: &str) -> Option<String> {
    origins.allows_redirect(text).map(|redirect| redirect.to_string())
}

#[test]
fn rd_01_redirects_that_other_parsers_read_otherwise_are_refused() {
    for payload in ELSEWHERE {
        assert_eq!(target(&attacked(), payload), None, "{payload}");
    }
}

#[test]
fn rd_01_what_the_recorded_cases_accept_cannot_leave_the_trusted_origin() {
    let origins = origins("https://auth.test", &["https://app.test"], AS_RECORDED);
    let accepted: Vec<_> =
        ELSEWHERE.iter().filter_map(|payload| target(&origins, payload)).collect();
    assert_eq!(accepted, ["/evil.com", "/evil.com", "https://app.test/@evil.com", "/evil.com"]);
}

#[test]
fn rd_02_control_characters_are_refused() {
    for payload in [
        "/\t/evil.com",
        "/%09/evil.com",
        "/\n/evil.com",
        "ht\ntps://evil.com",
        "/%0d%0aSet-Cookie:x=1",
        " https://app.test",
        " /x",
        "\u{feff}https://app.test",
        "\u{feff}/x",
        "/ok\n",
        "/ok\u{0}",
        "/ok%00",
        "/ok%7f",
        "/ok\u{85}",
        "https://app.test/\r\nx",
        "https://app.test/x ",
    ] {
        assert_eq!(target(&attacked(), payload), None, "{payload:?}");
    }
}

#[test]
fn rd_04_a_host_is_compared_as_ascii_and_only_if_it_was_written_so() {
    for payload in [
        "https://evil。com",
        "https://app.test。evil.com",
        "／／evil.com",
        "https://app.tesｔ",
        "https://аpp.test",
        "https://xn--pp-7kc.test",
        "https://app\u{ad}.test",
        "https://app.test\u{200b}/",
    ] {
        assert_eq!(target(&attacked(), payload), None, "{payload:?}");
    }
    let origins = origins("https://auth.test", &["https://xn--bcher-kva.example"], PRODUCTION);
    assert!(target(&origins, "https://xn--bcher-kva.example/x").is_some());
}

#[test]
fn rd_05_a_pinned_application_address_covers_itself_and_what_is_below() {
    let origins =
        origins("https://auth.test", &["myapp://callback", "myapp://host/cb"], PRODUCTION);
    for payload in [
        "myapp://callback.attacker.tld",
        "myapp://host/cb/../evil",
        "myapp://host/cb%2f..%2fevil",
        "myapp://host/cbx",
        "otherapp://callback",
        "myapp://callback@evil",
        "myapp://host",
        "myapp:callback",
        "myapp://callback:80",
        "myapp://callback\\.evil",
        "myapp://call back",
    ] {
        assert_eq!(target(&origins, payload), None, "{payload}");
    }
    for accepted in [
        "myapp://callback",
        "myapp://callback/x?y#z",
        "MYAPP://Callback",
        "myapp://host/cb?x",
        "myapp://host/cb/x",
    ] {
        assert_eq!(target(&origins, accepted).as_deref(), Some(accepted));
    }
}

#[test]
fn rd_06_a_pinned_path_takes_no_dot_segments_in_any_spelling() {
    let origins = origins("https://auth.test", &["myapp://host/cb"], PRODUCTION);
    for path in
        ["/cb/..;/x", "/cb/%2e%2e/x", "/cb/..%252fx", "/cb//../x", "/cb/./x", "/cb;x", "/cb//x"]
    {
        assert_eq!(target(&origins, &format!("myapp://host{path}")), None, "{path}");
    }
}

#[test]
fn rd_09_a_malformed_or_endless_target_is_refused() {
    let endless = format!("/{}", "a".repeat(20 * 1024));
    for payload in
        ["http://[", "http://%", ":::", "http://", "https://app.test:99999", "://", "%", &endless]
    {
        assert_eq!(target(&attacked(), payload), None, "{payload:.30}");
    }
}

#[test]
fn rd_11_a_parameter_is_added_before_the_fragment_and_replaces_nothing() {
    let origins = recorded();
    let with = |text: &str| {
        origins.allows_redirect(text).unwrap().with_parameter("error", "A&B c").to_string()
    };
    assert_eq!(with("/cb"), "/cb?error=A%26B+c");
    assert_eq!(with("/cb?a=1#f"), "/cb?a=1&error=A%26B+c#f");
    assert_eq!(with("/cb?error=x"), "/cb?error=x&error=A%26B+c");
    assert_eq!(with("/cb?100%"), "/cb?100%&error=A%26B+c");
    assert_eq!(with("/cb?"), "/cb?error=A%26B+c");
    assert_eq!(with("myapp://reset"), "myapp://reset?error=A%26B+c");
    assert_eq!(with("http://localhost:3000#x?y"), "http://localhost:3000?error=A%26B+c#x?y");
    assert_eq!(
        origins.allows_redirect("/x?k=1").unwrap().absolute(),
        "http://localhost:4100/x?k=1"
    );
}

#[test]
fn recorded_redirects_are_answered_as_better_auth_does() {
    let origins = recorded();
    for given in [
        "/",
        "/ok",
        "/welcome?x=1",
        "/dashboard#a",
        "/ok/path?x=1&y=2",
        "/@evil.example",
        "http://localhost:3000/x",
        "http://localhost:3000/dashboard?x=1",
        "https://app.trusted.example/x",
        "https://a.b.trusted.example/x",
        "myapp://x",
        "myapp:cb",
        "MYAPP://cb",
        "http://localhost:4100",
        "http://localhost:4100/ok",
        "/x?a='b'",
    ] {
        assert_eq!(target(&origins, given).as_deref(), Some(given));
    }
    assert_eq!(target(&origins, "/path with space").as_deref(), Some("/path%20with%20space"));
    assert_eq!(
        target(&origins, "HTTP://LOCALHOST:3000/x").as_deref(),
        Some("http://localhost:3000/x")
    );
    assert_eq!(
        target(&origins, "http://localhost:3000\\@evil.example").as_deref(),
        Some("http://localhost:3000/@evil.example")
    );
    assert_eq!(target(&origins, "/.//evil.example").as_deref(), Some("/evil.example"));
    for refused in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/%5cevil",
        "/a%2fb",
        "ok",
        "http:///evil.example",
        "http://localhost:4100.evil.example",
        "data:text/html,x",
        "/ok%5Cx",
        "http://localhost:3000.evil.example/",
        "http://localhost:3001/",
        "https://trusted.example/x",
        "http://a.trusted.example/",
        "relative/path",
        "http://localhost:3000@evil.example/",
        "%2F%2Fevil.example",
        "https%3A%2F%2Fevil.example",
    ] {
        assert_eq!(target(&origins, refused), None, "{refused}");
    }
}

#[test]
fn refused_fields_have_the_recorded_codes_and_messages() {
    let origins = recorded();
    let check = |body: serde_json::Value, query: &[&str]| {
        origins
            .check_redirects(Some(&body), query)
            .map_err(|refusal| (refusal.status().as_u16(), refusal.code(), refusal.to_string()))
            .map(|redirects| redirects.callback.map(|callback| callback.to_string()))
    };
    let evil = "https://evil.example";
    let forbidden = |code, message: &str| Err((403, Some(code), message.to_owned()));
    assert_eq!(
        check(json!({"callbackURL": evil}), &[]),
        forbidden("INVALID_CALLBACK_URL", "Invalid callbackURL")
    );
    assert_eq!(
        check(json!({"redirectTo": evil}), &[]),
        forbidden("INVALID_REDIRECT_URL", "Invalid redirectURL")
    );
    assert_eq!(
        check(json!({"errorCallbackURL": evil}), &[]),
        forbidden("INVALID_ERROR_CALLBACK_URL", "Invalid errorCallbackURL")
    );
    assert_eq!(
        check(json!({"newUserCallbackURL": evil}), &[]),
        forbidden("INVALID_NEW_USER_CALLBACK_URL", "Invalid newUserCallbackURL")
    );
    let not_a_string = |label| Err((400, None, format!("Invalid {label}: expected a string")));
    assert_eq!(check(json!({"callbackURL": [evil]}), &[]), not_a_string("callbackURL"));
    assert_eq!(check(json!({"redirectTo": 5}), &[]), not_a_string("redirectURL"));
    assert_eq!(check(json!({}), &["/a", "/b"]), not_a_string("callbackURL"));
    assert_eq!(check(json!({}), &[evil]), forbidden("INVALID_CALLBACK_URL", "Invalid callbackURL"));
    assert_eq!(check(json!({"callbackURL": "/ok"}), &[evil]), Ok(Some("/ok".to_owned())));
    assert_eq!(check(json!({"callbackURL": ""}), &["/q"]), Ok(Some("/q".to_owned())));
    for absent in [
        json!({"callbackURL": null}),
        json!({"callbackURL": 0}),
        json!([1]),
        json!("x"),
        json!(null),
    ] {
        assert_eq!(check(absent, &[]), Ok(None));
    }
    let refusal = origins.check_redirect(RedirectField::Callback, Some(&json!(evil))).unwrap_err();
    assert!(
        matches!(refusal, RedirectRefusal::Untrusted { detail, .. } if detail.contains("\"https://evil.example\""))
    );
}
