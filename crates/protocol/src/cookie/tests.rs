use serde_json::Value;

use super::{
    CookieProfile, Cookies, Names, Opened, Presented, SameSite, open, sign, sign_plain, verify,
};

const VECTORS: &str = include_str!("../../../../conformance/better-auth/vectors.json");
const SECRET: &[u8] = b"golden-secret-0123456789abcdefghijklmnopqrstuvwxyz";
const TOKEN: &str = "abcdefghijklmnopqrstuvwxyzABCDEF";

fn parse(header: &str) -> Cookies<'_> {
    Cookies::parse([header].into_iter())
}

#[test]
fn the_recorded_cookie_is_signed_and_set_to_the_byte() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let recorded = &vectors["signedCookie"];
    let value = recorded["value"].as_str().unwrap();
    let secret = vectors["secret"].as_str().unwrap().as_bytes();
    assert_eq!(
        sign_plain(secret, value),
        format!("{value}.{}", recorded["signature"].as_str().unwrap())
    );

    let profile = CookieProfile::better_auth("better-auth", false);
    let cookie = profile.set_signed(&profile.names.session_token, value, secret, Some(604_800));
    assert_eq!(cookie.to_string(), recorded["setCookie"].as_str().unwrap());
    assert_eq!(verify(secret, &cookie.value).as_deref(), Some(value));
}

#[test]
fn both_spellings_of_a_signed_cookie_are_accepted() {
    let (encoded, decoded) = (sign(SECRET, TOKEN), sign_plain(SECRET, TOKEN));
    assert!(encoded.contains("%2F") && decoded.contains('/'));
    assert_eq!(verify(SECRET, &encoded).as_deref(), Some(TOKEN));
    assert_eq!(verify(SECRET, &decoded).as_deref(), Some(TOKEN));
    // Values with dots and characters of their own.
    for value in ["token:true", "a.b.c", "x!trust-device-AAAA", "größe", "100%"] {
        assert_eq!(verify(SECRET, &sign(SECRET, value)).as_deref(), Some(value));
    }
}

#[test]
fn se_06_every_tampered_signature_is_refused() {
    let decoded = sign_plain(SECRET, TOKEN);
    let encoded = sign(SECRET, TOKEN);
    let other = sign_plain(SECRET, "another");
    let signature = decoded.rsplit_once('.').unwrap().1;
    let refused = [
        String::new(),
        ".".to_owned(),
        TOKEN.to_owned(),
        format!("{TOKEN}."),
        format!(".{signature}"),
        format!("{TOKEN}.{}", other.rsplit_once('.').unwrap().1),
        format!("{TOKEN}.{}", signature.trim_end_matches('=')),
        format!("{TOKEN}.{signature}="),
        format!("{TOKEN}.{signature}=="),
        format!("{TOKEN}..{signature}"),
        format!("{TOKEN}.{signature} "),
        format!(" {decoded}"),
        format!("{decoded}\0"),
        decoded.replace('+', "-").replace('/', "_"),
        decoded.to_uppercase(),
        hex::encode(&decoded),
        // Percent-encodings that are not the one that was set.
        encoded.replace("%2F", "%2f"),
        encoded.replace("%3D", "="),
        encoded.replacen('a', "%61", 1),
        encoded.replace('%', "%25"),
        format!("{encoded}%"),
        format!("{encoded}%0"),
        format!("{encoded}%00"),
        format!("%E0%A4%A{encoded}"),
        format!("%FF{encoded}"),
    ];
    for text in refused {
        assert_eq!(verify(SECRET, &text), None, "{text}");
    }
    assert_eq!(verify(b"another secret", &decoded), None);
    // The last character carries two bits that decoders may ignore.
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars() {
        let text = format!("{}{last}=", &decoded[..decoded.len() - 2]);
        assert_eq!(verify(SECRET, &text).is_some(), text == decoded, "{text}");
    }
}

#[test]
fn se_06_no_single_flipped_bit_verifies() {
    for text in [sign_plain(SECRET, TOKEN), sign(SECRET, TOKEN)] {
        for position in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                if let Ok(other) = String::from_utf8(bytes) {
                    assert_eq!(verify(SECRET, &other), None, "{other}");
                }
            }
        }
    }
}

#[test]
fn se_25_truncated_extended_and_folded_cookies_are_refused() {
    let text = sign_plain(SECRET, TOKEN);
    for length in 0..text.len() {
        assert_eq!(verify(SECRET, &text[..length]), None);
        assert_eq!(verify(SECRET, &text[text.len() - length..]), None);
    }
    for junk in ["x", "\0", " ", "\n", "\t", ".", "=", "%20", ";"] {
        assert_eq!(verify(SECRET, &format!("{text}{junk}")), None);
        assert_eq!(verify(SECRET, &format!("{junk}{text}")), None);
    }
    assert_eq!(verify(SECRET, &text.to_lowercase()), None);
}

#[test]
fn se_02_only_the_exact_name_counts() {
    let cookies = parse("neon-auth.session_token=mallory; __Secure-neon-auth.session_token=alice");
    let names = Names::new("neon-auth", true);
    assert_eq!(cookies.get(&names.session_token), Presented::One("alice"));
    let cookies = parse("__Secure-neon-auth.session_token=alice; neon-auth.session_token=mallory");
    assert_eq!(cookies.get(&names.session_token), Presented::One("alice"));
    // An empty prefixed value beside a valid plain one is no session.
    let plain = format!(
        "__Secure-neon-auth.session_token=; neon-auth.session_token={}",
        sign(SECRET, TOKEN)
    );
    assert_eq!(open(SECRET, &parse(&plain).get(&names.session_token)), Opened::Absent);
    // Without `secure` the prefixed name is another cookie.
    assert_eq!(
        cookies.get(&Names::new("neon-auth", false).session_token),
        Presented::One("mallory")
    );
    assert_eq!(
        parse("__secure-neon-auth.session_token=x").get(&names.session_token),
        Presented::None
    );
}

#[test]
fn se_05_two_valid_cookies_of_one_name_are_ambiguous() {
    let (alice, mallory) = (sign(SECRET, "alice"), sign_plain(SECRET, "mallory"));
    for (first, second) in [(&alice, &mallory), (&mallory, &alice)] {
        let header = format!("n={first}; n={second}");
        let presented = parse(&header).get("n");
        assert_eq!(presented, Presented::Ambiguous(vec![first, second]));
        assert_eq!(presented.one(), None);
        assert_eq!(open(SECRET, &presented), Opened::Ambiguous);
        // Over two headers, and behind a third one.
        let headers = [format!("n={first}"), format!("n=junk; n={second}")];
        let cookies = Cookies::parse(headers.iter().map(String::as_str));
        assert_eq!(open(SECRET, &cookies.get("n")), Opened::Ambiguous);
    }
}

#[test]
fn the_first_of_several_counts_when_no_other_is_valid() {
    // Recorded: session/secure-prefixed-name.
    let alice = sign(SECRET, "alice");
    let valid_first = format!("a=1; n={alice}; n=zzz");
    assert_eq!(open(SECRET, &parse(&valid_first).get("n")), Opened::Valid("alice".to_owned()));
    let invalid_first = format!("n=zzz; n={alice}");
    assert_eq!(open(SECRET, &parse(&invalid_first).get("n")), Opened::Forged);
    let twice = format!("n={alice}; n={alice}");
    assert_eq!(open(SECRET, &parse(&twice).get("n")), Opened::Valid("alice".to_owned()));
}

#[test]
fn cookie_headers_are_read_tolerantly() {
    let cookies =
        parse("a=1;b=\"2\" ;\tc = 3 ; d; =e; f(=g; h=\u{7f}; i=a\"b; j=x=y; k=; l=\"; m=ü");
    let pairs: Vec<_> = cookies.iter().collect();
    assert_eq!(pairs, [("a", "1"), ("b", "2"), ("c", "3"), ("j", "x=y"), ("k", "")]);
    assert!(parse("").is_empty() && parse(";;; ;").is_empty());
    assert_eq!(open(SECRET, &parse("k=").get("k")), Opened::Absent);
    let many = "x=1; ".repeat(100_000);
    assert_eq!(parse(&many).iter().count(), 256);
}

#[test]
fn names_and_attributes_follow_the_profile() {
    let better_auth = CookieProfile::better_auth("better-auth", true);
    assert_eq!(better_auth.names.session_token, "__Secure-better-auth.session_token");
    assert_eq!(better_auth.names.dont_remember, "__Secure-better-auth.dont_remember");
    assert_eq!(
        better_auth.names.multi_session("AbC"),
        "__Secure-better-auth.session_token_multi-abc"
    );
    let crossing = CookieProfile { domain: Some("example.test".to_owned()), ..better_auth };
    assert_eq!(
        crossing.delete("n").to_string(),
        "n=; Max-Age=0; Domain=example.test; Path=/; HttpOnly; Secure; SameSite=Lax"
    );

    let neon = CookieProfile::neon("__Secure-neon-auth");
    assert_eq!(neon.names.session_token, "__Secure-neon-auth.session_token");
    assert_eq!(neon.names.named("local.session_data"), "__Secure-neon-auth.local.session_data");
    let cookie = neon.set("n", "v".to_owned(), Some(604_800));
    assert_eq!(
        cookie.to_string(),
        "n=v; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"
    );
    let session = neon.set("n", "v".to_owned(), None);
    assert_eq!(session.to_string(), "n=v; Path=/; HttpOnly; Secure; SameSite=None; Partitioned");
    let strict =
        CookieProfile { same_site: SameSite::Strict, ..CookieProfile::better_auth("x", false) };
    assert_eq!(
        strict.set("n", "v".to_owned(), None).to_string(),
        "n=v; Path=/; HttpOnly; SameSite=Strict"
    );
}

#[test]
fn lg_07_debug_of_a_set_cookie_hides_its_value() {
    let cookie = CookieProfile::neon("x").set_signed("n", TOKEN, SECRET, Some(1));
    assert!(!format!("{cookie:?}").contains(TOKEN));
}
