use url::Url;

use super::{AS_RECORDED, PRODUCTION, attacked, origins};
use crate::http::origin::{Rules, TrustedOrigins};

#[test]
fn cs_05_origins_that_look_alike_are_refused() {
    let origins = attacked();
    for value in [
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
        "https://аpp.test",
        "https://a.example.com%00.evil.com",
        "https://app.test, https://evil.com",
        "https://app.test,https://evil.com",
        "https://app.test https://evil.com",
        "https://app.test\t",
        "https://app.test ",
        " https://app.test",
        "\thttps://app.test",
        "https://app.\ttest",
        "https://app.test\u{0}",
        "https://user@app.test",
        "https://app.test\\@evil.com",
        "https://.example.com",
        "https://a..example.com",
        "https://*.example.com",
        "https://app.tesｔ",
        "https://app。test",
        "https://a.example.com:8443",
        "http://a.example.com",
        "https:app.test",
        "https:/app.test",
        "//app.test",
        "/app.test",
        "app.test",
        "null",
        "",
        "javascript://app.test",
        "wss://app.test",
        "https://",
        "https://[",
    ] {
        assert!(!origins.allows_origin(value), "{value:?}");
    }
    for value in
        ["https://app.test", "HTTPS://APP.TEST", "https://a.example.com", "https://a.b.example.com"]
    {
        assert!(origins.allows_origin(value), "{value:?}");
    }
    assert!(origins.allows_origin("https://auth.test"), "the server's own origin");
}

#[test]
fn cs_06_dangerous_patterns_are_refused_at_start_and_named() {
    for entry in [
        "*",
        "**",
        "https://*",
        "https://*/",
        "http://*",
        "*.com",
        "*.co.uk",
        "https://*.co.uk",
        "example.*",
        "https://example.*",
        "https://*example.com",
        "*example.com",
        "https://a.*.example.com",
        "http://app.test",
        "http://*.example.com",
        "https://app.test/path",
        "https://user@app.test",
        "https://(app|evil).test",
        "^https://app.test$",
        "https://app\\.test",
        "https://app.[a-z]+",
        "https://app?.test",
        "https://app.test:*",
        "http://localhost:*",
        "javascript://",
        "data://x",
        "app.test",
        "localhost:3000",
        "",
        " ",
        "https://",
        "https://app.test ",
        "https://аpp.test",
        "https://10.*",
        "https://*.10.0.0.1",
        "https://*.vercel.app",
        "https://*.github.io",
        "*.",
        "https://*.",
        "https://*.test",
        "myapp://*.evil",
        "myapp://cb/../x",
        "https:/x",
        "https://0x7f.1",
        "https://app.test:99999",
        "https://a,https://b",
        "http:app",
        "https",
    ] {
        let parsed = TrustedOrigins::parse(
            &Url::parse("https://auth.test").unwrap(),
            &[entry.to_owned()],
            PRODUCTION,
        );
        let error = parsed.map(|_| ()).expect_err(entry);
        assert_eq!(error.entry, entry);
        assert!(error.to_string().contains(&format!("{entry:?}")), "{error}");
    }
}

#[test]
fn entries_that_name_their_sites_are_accepted() {
    let production = [
        "https://app.test",
        "https://app.test/",
        "HTTPS://App.Test:8443",
        "https://*.example.com",
        "*.example.com",
        "*.Example.co.uk",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:3000",
        "myapp://",
        "com.example.app+dev://",
        "myapp:/",
        "myapp://callback",
        "exp://**",
        "http://*.localhost:3000",
        "https://xn--bcher-kva.example",
        "https://10.0.0.7",
    ];
    origins("https://auth.test", &production, PRODUCTION);
    let development =
        ["http://app.test", "http://localhost:*", "http://127.0.0.1:*", "https://localhost:*"];
    let origins = origins("https://auth.test", &development, AS_RECORDED);
    assert!(
        origins.allows_origin("http://localhost:5173")
            && origins.allows_origin("http://127.0.0.1:1")
    );
    assert!(!origins.allows_origin("http://localhost.evil.test:5173"));
}

#[test]
fn allow_localhost_means_localhost_with_any_port_and_nothing_else() {
    let rules = Rules { allow_localhost: true, ..PRODUCTION };
    let origins = origins("https://auth.test", &[], rules);
    for value in ["http://localhost", "http://localhost:3000", "https://localhost:8443"] {
        assert!(origins.allows_origin(value), "{value}");
    }
    for value in [
        "http://127.0.0.1:3000",
        "http://a.localhost",
        "http://localhost.evil.test",
        "http://localhost@evil",
    ] {
        assert!(!origins.allows_origin(value), "{value}");
    }
}
