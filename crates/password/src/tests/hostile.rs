use proptest::prelude::*;

use super::{Refused, identify, verify};

fn refused(stored: &str) -> Refused {
    verify(stored, "password").expect_err(stored)
}

#[test]
fn pw_13_hostile_parameters_are_refused_before_any_work() {
    let (salt, key) = ("c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    for stored in [
        format!("$argon2id$v=19$m=4194304,t=1000000,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=4194304,t=1,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=1000000,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=4294967297,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=99999999999999999999,t=1,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1000${salt}${key}"),
        format!("$scrypt$ln=40,r=8,p=1${salt}${key}"),
        format!("$scrypt$ln=63,r=8,p=1${salt}${key}"),
        format!("$scrypt$ln=64,r=8,p=1${salt}${key}"),
        format!("$scrypt$ln=99999999999999999999,r=8,p=1${salt}${key}"),
        format!("$scrypt$ln=14,r=18446744073709551615,p=1${salt}${key}"),
        format!("$scrypt$ln=14,r=8,p=1073741823${salt}${key}"),
        format!("$scrypt$ln=14,r=8,p=100000${salt}${key}"),
        format!("scrypt:1099511627776:8:1$salt${}", "00".repeat(64)),
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        format!("$pbkdf2-sha256$i=4294967295,l=32${salt}${key}"),
        format!("$pbkdf2-sha256$i=99999999999999999999${salt}${key}"),
        format!("pbkdf2_sha256$1000000000$salt${key}="),
        format!("$fbscrypt$v=1,n=40,r=8,p=1,ss=Bw==,sk={key}=${salt}=${key}="),
    ] {
        assert_eq!(refused(&stored), Refused::TooCostly, "{stored}");
    }
}

#[test]
fn pw_13_malformed_hashes_are_refused() {
    let (salt, key) = ("c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    let (salt16, key64) = ("00".repeat(16), "00".repeat(64));
    let key63 = &key64[2..];
    for stored in [
        // Better Auth: empty salt, truncated, too long, other characters.
        format!(":{key64}"),
        format!("{salt16}:{key63}"),
        format!("{salt16}:00"),
        format!("{}:{key64}", &salt16[2..]),
        format!("{salt16}00:{key64}"),
        format!("{salt16}:{key64}00"),
        // argon2: no salt, no key, cut off, parameters missing, twice, of others, zero, odd numbers.
        format!("$argon2id$v=19$m=19456,t=2,p=1$${key}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$CTFhFdXPJO1a"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1$c29t${key}"),
        format!("$argon2id$v=19$m=19456,t=2${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=2,t=2${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1,x=1${salt}${key}"),
        format!("$argon2id$v=19$m=0,t=2,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=0,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=2,p=0${salt}${key}"),
        format!("$argon2id$v=19$m=+19456,t=2,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=019456,t=2,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=-1,t=2,p=1${salt}${key}"),
        format!("$argon2id$v=20$m=19456,t=2,p=1${salt}${key}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${key}$"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}!${key}"),
        "$argon2id$".to_owned(),
        // scrypt: not a power of two, zero, truncated key that would match by its beginning.
        format!("scrypt:1000:8:1$salt${key64}"),
        format!("scrypt:0:8:1$salt${key64}"),
        format!("scrypt:1:8:1$salt${key64}"),
        format!("scrypt:1024:0:1$salt${key64}"),
        format!("scrypt:1024:8:0$salt${key64}"),
        format!("scrypt:1024:8:1$${key64}"),
        format!("scrypt:1024:8:1$salt${}", &key64[64..]),
        format!("$scrypt$ln=10,r=8,p=1${salt}$AAAA"),
        format!("$scrypt$ln=10,r=8,p=1$${key}"),
        format!("$scrypt$ln=0,r=8,p=1${salt}${key}"),
        "$2a$05$".to_owned(),
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe".to_owned(),
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW".to_owned(),
        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        "$2a$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        format!("$2a$05${}", "ä".repeat(27)),
        // PBKDF2: no iterations, empty salt, keys of another length than the digest.
        format!("pbkdf2_sha256$0$salt${key}="),
        format!("pbkdf2_sha256$$salt${key}="),
        format!("pbkdf2_sha256$1000$${key}="),
        "pbkdf2_sha256$1000$salt$AAAA".to_owned(),
        format!("pbkdf2:sha256$salt${key64}"),
        format!("pbkdf2:sha256:1000$salt${key64}"),
        format!("$pbkdf2-sha256$i=1000,l=64${salt}${key}"),
        format!("$pbkdf2-sha512$i=1000${salt}${key}"),
        format!("$pbkdf2-sha256$i=1000$${key}"),
        // Firebase: hash and signer key of different lengths, no salt, other version.
        format!("$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={key}=${salt}=$AAAA"),
        format!("$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={key}=$${key}="),
        format!("$fbscrypt$v=2,n=14,r=8,p=1,ss=Bw==,sk={key}=${salt}=${key}="),
        format!("$fbscrypt$v=1,n=14,r=8,p=1${salt}=${key}="),
        format!("$argon2id$v=19$m=19456,t=2,p=1${}${key}", "A".repeat(2_000)),
    ] {
        assert_eq!(refused(&stored), Refused::Malformed, "{stored}");
    }
}

#[test]
fn pw_13_unknown_schemes_are_refused() {
    for stored in [
        "",
        ":",
        "password",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "{SSHA}AAAA",
        "$1$salt$hash",
        "$5$salt$hash",
        "$6$rounds=5000$salt$hash",
        "$apr1$salt$hash",
        "$argon2$v=19$m=1,t=1,p=1$AAAA$AAAA",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "md5$salt$hash",
        "plain:password",
        "pbkdf2_md5$1000$salt$AAAA",
        "ä:ö",
    ] {
        assert_eq!(refused(stored), Refused::Unknown, "{stored}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parsers_panic(stored in ".{0,200}", password in ".{0,8}") {
        let _ = identify(&stored);
        let _ = verify(&stored, &password);
    }

    #[test]
    fn no_text_that_begins_well_makes_the_parsers_panic(
        prefix in prop::sample::select(vec![
            "$argon2id$", "$argon2i$v=19$", "$2b$", "$2a$04$", "$scrypt$", "scrypt:", "$fbscrypt$v=1,",
            "pbkdf2_sha256$", "pbkdf2:sha256:", "$pbkdf2-sha256$", "$pbkdf2$", "00:",
        ]),
        rest in "[$:,=a-zA-Z0-9+/.ä-]{0,120}",
    ) {
        let stored = format!("{prefix}{rest}");
        prop_assert!(identify(&stored).is_some() || prefix == "00:");
        let _ = verify(&stored, "password");
    }

    #[test]
    fn cheap_parameters_of_any_shape_end_in_a_verdict(
        ln in 0_u64..12, r in 0_u64..10, p in 0_u64..4, memory in 0_u64..512, passes in 0_u64..3,
        salt in "[A-Za-z0-9+/]{0,24}", key in "[A-Za-z0-9+/]{0,90}", password in ".{0,40}",
    ) {
        for stored in [
            format!("$scrypt$ln={ln},r={r},p={p}${salt}${key}"),
            format!("$argon2id$v=19$m={memory},t={passes},p={p}${salt}${key}"),
            format!("$pbkdf2-sha256$i={memory}${salt}${key}"),
            format!("$2b$04${salt}{key}"),
            format!("$fbscrypt$v=1,n={ln},r={r},p={p},sk={key}${salt}${key}"),
        ] {
            let _ = verify(&stored, &password);
        }
    }
}
