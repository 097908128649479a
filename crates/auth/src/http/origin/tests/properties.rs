use proptest::prelude::*;
use url::Url;

use super::{AS_RECORDED, PRODUCTION, origins};

/// Says by the browsers' parser alone whether a target stays at home.
fn stays_trusted(target: &str) -> bool {
    let url = Url::parse("https://auth.test/neondb/auth/sign-in").unwrap().join(target).unwrap();
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {
            (["auth.test", "app.test"].contains(&host) || host.ends_with(".example.com"))
                && url.port().is_none()
        }
        scheme => scheme == "myapp",
    }
}

fn fragments() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => prop::sample::select(vec![
            "/", "//", "\\", "https:", "https://", "http://", "HTTPS://", "app.test", "auth.test", "a.example.com",
            "evil.com", "myapp:", "myapp://", "@", ":", ":443", ":80", "#", "?", "%2f", "%5c", "%2e", "%00", "..", ".", ";",
            "\t", "\n", " ", "\u{feff}", "。", "／", "ｔ", "\u{ad}", "xn--", "[::1]", "javascript:", "=", "&", "a", "%",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rd_12_whatever_is_accepted_has_a_trusted_origin_for_a_browser(text in fragments()) {
        for rules in [PRODUCTION, AS_RECORDED] {
            let origins = origins("https://auth.test", &["https://app.test", "*.example.com", "myapp://"], rules);
            if let Some(redirect) = origins.allows_redirect(&text) {
                prop_assert!(stays_trusted(redirect.as_str()), "{text:?} -> {redirect}");
                prop_assert!(stays_trusted(&text), "{text:?} as given");
                prop_assert!(redirect.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{text:?} -> {redirect}");
                prop_assert!(stays_trusted(redirect.with_parameter("error", &text).as_str()));
                prop_assert_eq!(origins.allows_redirect(redirect.as_str()), Some(redirect.clone()), "{} again", text);
            }
        }
    }

    #[test]
    fn cs_05_whatever_origin_is_accepted_is_a_trusted_one_for_a_browser(text in fragments()) {
        let origins = origins("https://auth.test", &["https://app.test", "*.example.com", "myapp://"], PRODUCTION);
        prop_assert!(!origins.allows_origin(&text) || stays_trusted(&text), "{text:?}");
    }
}
