use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Cached, CookieCache, Strategy, chunk_names, join, jwe::JweKey, split};
use crate::{
    body::Features,
    cookie::{CookieProfile, Cookies},
    jwk::{decode, encode},
    secret::Secret,
};

const VECTORS: &str = include_str!("../../../../conformance/better-auth/vectors.json");
const ALL: [(Strategy, &str); 3] =
    [(Strategy::Compact, "compact"), (Strategy::Jwt, "jwt"), (Strategy::Jwe, "jwe")];
/// What the recorded server had on.
const FEATURES: Features = Features {
    admin: true,
    organization: true,
    teams: false,
    phone_number: false,
    username: false,
    anonymous: false,
    two_factor: true,
    last_login_method: false,
};

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn secret() -> Secret {
    Secret::new(vectors()["secret"].as_str().unwrap())
}

fn cache(strategy: Strategy) -> CookieCache {
    CookieCache::new(strategy, "1", &secret(), &[])
}

fn sample(name: &str) -> String {
    vectors()["cookieCache"]["samples"][name].as_str().unwrap().to_owned()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_204_663 + seconds, 0).unwrap()
}

/// What the sample holds, whoever's it is.
fn open(cache: &CookieCache, value: &str) -> Cached {
    let token = match cache.strategy {
        Strategy::Compact => {
            let envelope: Value = serde_json::from_slice(&decode(value).unwrap()).unwrap();
            envelope["session"]["session"]["token"].clone()
        }
        Strategy::Jwt => {
            let payload = value.split('.').nth(1).unwrap();
            let payload: Value = serde_json::from_slice(&decode(payload).unwrap()).unwrap();
            payload["session"]["token"].clone()
        }
        Strategy::Jwe => {
            let plain = JweKey::derive(&secret()).unwrap().decrypt(value).unwrap();
            serde_json::from_slice::<Value>(&plain).unwrap()["session"]["token"].clone()
        }
    };
    cache.read(value, token.as_str().unwrap(), at(0)).unwrap()
}

fn write(cache: &CookieCache, cached: &Cached, now: DateTime<Utc>, max_age: Option<i64>) -> String {
    let (session, user) = (cached.session.shown(FEATURES), cached.user.shown(FEATURES));
    cache.write(session, user, now, max_age).unwrap()
}

#[test]
fn recorded_cookies_of_every_form_are_read() {
    for (strategy, name) in ALL {
        let cached = open(&cache(strategy), &sample(name));
        assert_eq!(cached.user.name, "Vec");
        assert!(cached.user.email.starts_with("vec-"));
        assert_eq!(cached.session.user_id, cached.user.id);
        assert_eq!(cached.session.user_agent.as_deref(), Some("node"));
        assert_eq!(cached.session.token.len(), 32);
        assert_eq!(cached.expires_at.timestamp(), 1_795_204_963);
    }
}

#[test]
fn compact_and_jwt_are_written_to_the_byte() {
    for (strategy, name) in [(Strategy::Compact, "compact"), (Strategy::Jwt, "jwt")] {
        let (cache, recorded) = (cache(strategy), sample(name));
        let cached = open(&cache, &recorded);
        assert_eq!(write(&cache, &cached, cached.updated_at, Some(300)), recorded);
    }
}

#[test]
fn the_recorded_jwe_opens_with_its_kid_and_ours_has_the_same_header() {
    let recorded = vectors()["jweDirect"]["token"].as_str().unwrap().to_owned();
    let key = JweKey::derive(&secret()).unwrap();
    let payload: Value = serde_json::from_slice(&key.decrypt(&recorded).unwrap()).unwrap();
    assert_eq!(payload["a"], json!(1));
    let ours = key.encrypt(b"{}").unwrap();
    assert_eq!(ours.split('.').next(), recorded.split('.').next());
    assert_eq!(key.decrypt(&ours).unwrap(), b"{}");
    assert_ne!(key.encrypt(b"{}").unwrap(), ours);
}

#[test]
fn what_is_written_is_read_until_it_ends() {
    for (strategy, name) in ALL {
        let cache = cache(strategy);
        let original = open(&cache, &sample(name));
        let token = original.session.token.clone();
        let value = write(&cache, &original, at(0), Some(300));
        let read = |now| cache.read(&value, &token, now);
        assert_eq!(read(at(0)).unwrap().session, original.session);
        assert_eq!(read(at(0)).unwrap().user, original.user);
        assert!(read(at(299)).is_some() && read(at(301)).is_none(), "{name}");
        // A session that ends with the browser: a minute, or five.
        let brief = write(&cache, &original, at(0), None);
        let life = if strategy == Strategy::Compact { 60 } else { 300 };
        assert!(cache.read(&brief, &token, at(life - 1)).is_some());
        assert!(cache.read(&brief, &token, at(life + 1)).is_none());
    }
}

#[test]
fn a_copy_never_outlives_its_session() {
    for (strategy, name) in ALL {
        let cache = cache(strategy);
        let mut cached = open(&cache, &sample(name));
        cached.session.expires_at = at(100);
        let value = write(&cache, &cached, at(0), Some(300));
        let token = cached.session.token.as_str();
        assert!(cache.read(&value, token, at(99)).is_some());
        assert!(cache.read(&value, token, at(101)).is_none());
    }
}

#[test]
fn a_copy_is_bound_to_session_user_version_and_secret() {
    for (strategy, name) in ALL {
        let cache = cache(strategy);
        let cached = open(&cache, &sample(name));
        let (value, token) =
            (write(&cache, &cached, at(0), Some(300)), cached.session.token.as_str());
        for other in ["", "another", &token.to_lowercase()] {
            assert!(cache.read(&value, other, at(0)).is_none(), "{name} {other}");
        }
        let newer = CookieCache::new(strategy, "2", &secret(), &[]);
        assert!(newer.read(&value, token, at(0)).is_none());
        let rotated = CookieCache::new(strategy, "1", &Secret::generate(), &[]);
        assert!(rotated.read(&value, token, at(0)).is_none());

        let mut swapped = cached.clone();
        swapped.user.id = crate::random::uuid();
        let value = write(&cache, &swapped, at(0), Some(300));
        assert!(cache.read(&value, token, at(0)).is_none());
    }
    // The encrypted form is still read under an older secret.
    let cached = open(&cache(Strategy::Jwe), &sample("jwe"));
    let rotated = CookieCache::new(Strategy::Jwe, "1", &Secret::generate(), &[secret()]);
    assert!(rotated.read(&sample("jwe"), &cached.session.token, at(0)).is_some());
}

#[test]
fn every_tampered_cookie_is_refused() {
    for (strategy, name) in ALL {
        let cache = cache(strategy);
        let value = sample(name);
        let token = open(&cache, &value).session.token;
        for position in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(bytes).unwrap();
            assert!(cache.read(&other, &token, at(0)).is_none(), "{name} {position}");
        }
        for length in (0..value.len()).step_by(7) {
            assert!(cache.read(&value[..length], &token, at(0)).is_none());
        }
        for other in
            [format!("{value}="), format!("{value}."), format!(" {value}"), format!("{value}A")]
        {
            assert!(cache.read(&other, &token, at(0)).is_none());
        }
        // One form is not another.
        for (_, foreign) in ALL.iter().filter(|(other, _)| *other != strategy) {
            assert!(cache.read(&sample(foreign), &token, at(0)).is_none());
        }
    }
}

#[test]
fn a_compact_cookie_cannot_be_stretched_or_reshaped() {
    let cache = cache(Strategy::Compact);
    let value = sample("compact");
    let token = open(&cache, &value).session.token;
    let text = String::from_utf8(decode(&value).unwrap()).unwrap();
    for (from, to) in [
        (r#""expiresAt":1795204963378,"#, r#""expiresAt":1795999999999,"#),
        (
            r#""expiresAt":1795204963378,"#,
            r#""expiresAt":1795204963378,"expiresAt":1795999999999,"#,
        ),
        (r#""expiresAt":1795204963378,"#, r#""expiresAt":1795204963378.0,"#),
        (r#""role":"user""#, r#""role":"admin""#),
        (r#"{"session":{"session""#, r#"{"session": {"session""#),
        (r#""signature":""#, r#""extra":1,"signature":""#),
        (r#""version":"1"}"#, r#""version":"1","role":"admin"}"#),
    ] {
        assert!(text.contains(from), "{from}");
        let other = encode(text.replacen(from, to, 1));
        // A space between members outside the signed text is harmless, everything else is refused.
        let verdict = cache.read(&other, &token, at(0));
        assert!(verdict.is_none() || from == r#"{"session":{"session""#, "{to}");
    }
    for other in ["{}", "[]", "null", r#"{"session":{},"expiresAt":1,"signature":""}"#] {
        assert!(cache.read(&encode(other), &token, at(0)).is_none());
    }
}

#[test]
fn jw_11_a_mail_token_is_no_cache_cookie_and_the_reverse() {
    let mail = vectors()["emailVerificationToken"]["sample"].as_str().unwrap().to_owned();
    let cache = cache(Strategy::Jwt);
    let value = sample("jwt");
    let token = open(&cache, &value).session.token;
    assert!(cache.read(&mail, &token, at(0)).is_none());
    let verdict = crate::hs256::verify::<crate::hs256::EmailVerification>(&secret(), &value, at(0));
    assert_eq!(verdict, Err(crate::hs256::Refused::Invalid));
}

#[test]
fn large_cookies_are_cut_and_put_together_again() {
    let profile = CookieProfile::neon("neon-auth");
    let name = profile.names.session_data.clone();
    let value: String = ('a'..='z').cycle().take(10_000).collect();
    let parts = split(profile.set(&name, value.clone(), Some(300)));
    assert_eq!(parts.len(), 3);
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(part.name, format!("{name}.{index}"));
        assert!(part.to_string().len() <= 4050);
    }
    // In any order, among others.
    let header = parts.iter().rev().map(|part| format!("{}={}; x=y; ", part.name, part.value));
    let header: String = header.collect();
    let parse = |header: &str| join(&Cookies::parse([header].into_iter()), &name);
    assert_eq!(parse(&header), Some(value));
    let cookies = Cookies::parse([header.as_str()].into_iter());
    assert_eq!(
        chunk_names(&cookies, &name),
        parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>()
    );

    // A part missing, twice, or misspelt.
    assert_eq!(parse(&format!("{name}.0=a; {name}.2=c")), None);
    assert_eq!(parse(&format!("{name}.1=b")), None);
    assert_eq!(parse(&format!("{name}.0=a; {name}.0=b")), None);
    assert_eq!(
        parse(&format!("{name}.0=a; {name}.01=b; {name}.x=c; {name}.-1=d; {name}.+1=e")),
        Some("a".to_owned())
    );
    assert_eq!(parse(&format!("{name}=whole; {name}.0=a")), Some("whole".to_owned()));
    assert_eq!(parse(&format!("{name}=one; {name}=two")), None);
    assert_eq!(parse("other=1"), None);

    assert_eq!(split(profile.set(&name, "v".to_owned(), None)).len(), 1);
    assert!(split(profile.set(&name, "v".repeat(500_000), None)).is_empty());
}

#[test]
fn recorded_times_are_kept_to_the_millisecond() {
    let cached = open(&cache(Strategy::Compact), &sample("compact"));
    assert_eq!(cached.updated_at.timestamp_millis(), 1_795_204_663_378);
    assert_eq!(cached.expires_at - cached.updated_at, TimeDelta::seconds(300));
}
