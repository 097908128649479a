use serde_json::json;

use crate::mail::{
    Colour, Recipient,
    config::{MailConfig, SmtpConfig, TlsMode},
};

#[test]
fn ml_06_only_one_plain_address_is_a_recipient() {
    for good in
        ["ada@example.com", "a.b+c@x.test", "o'neil@sub.xn--bcher-kva.example", "ada@localhost"]
    {
        assert_eq!(Recipient::parse(good).unwrap().as_str(), good);
    }
    let long_local = format!("{}@x.test", "a".repeat(65));
    let long = format!("{}@{}", "a".repeat(64), ["b".repeat(63).as_str(); 3].join("."));
    for bad in [
        "",
        "ada",
        "@x.test",
        "ada@",
        "a@evil.test,vic@x.test",
        "vic@x.test;a@evil.test",
        "\"e@attacker.com\"@victim.com",
        "vic@x.test\r\nBcc: a@evil.test",
        "vic@x.test\n",
        " vic@x.test",
        "vic @x.test",
        "<a@evil.test>vic@x.test",
        "vic@x.test%0aBcc:",
        "attacker@evil.com@company.com",
        "a@b..c",
        ".a@x.test",
        "a.@x.test",
        "a..b@x.test",
        "a@x.test.",
        "a@-x.test",
        "a@[1.2.3.4]",
        "a(comment)@x.test",
        "vi\u{0}c@x.test",
        "\u{212a}evin@x.test",
        "ada@bücher.example",
        long_local.as_str(),
        long.as_str(),
    ] {
        assert!(Recipient::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn unknown_keys_bad_colours_and_bad_addresses_are_refused() {
    for (key, value) in [
        ("form", json!("x")),
        ("colour", json!("red")),
        ("colour", json!("#12345")),
        ("colour", json!("#+12345")),
        ("reply_to", json!("nobody")),
        ("logo_url", json!("javascript:alert(1)")),
        ("smtp", json!({ "host": "x", "tls": "maybe" })),
        ("smtp", json!({ "host": "x", "pasword": "typo" })),
    ] {
        let mut config = json!({ "from": "no-reply@x.test" });
        config[key] = value.clone();
        assert!(serde_json::from_value::<MailConfig>(config).is_err(), "{key}: {value}");
    }
}

#[test]
fn the_port_follows_the_kind_of_tls() {
    for (tls, port) in [(TlsMode::None, 25), (TlsMode::Starttls, 587), (TlsMode::Tls, 465)] {
        let config: SmtpConfig = serde_json::from_value(json!({ "host": "x" })).unwrap();
        assert_eq!(config.tls, TlsMode::Starttls);
        assert_eq!(SmtpConfig { tls, ..config }.port(), port);
    }
}

#[test]
fn lg_07_debug_output_hides_the_password() {
    let config: SmtpConfig =
        serde_json::from_value(json!({ "host": "x", "password": "hunter2" })).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_colour_is_shown_as_it_is_written() {
    assert_eq!("#0aFFb3".parse::<Colour>().unwrap().to_string(), "#0affb3");
}
