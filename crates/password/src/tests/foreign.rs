use super::{FOREIGN, Format, MATCH, MISMATCH, Refused, identify, verify};

/// Stored hash, its format, its password. Small costs, so that the suite stays quick; computed with
/// Python's hashlib (OpenSSL) unless said otherwise.
const FOREIGN_HASHES: [(&str, Format, &str); 14] = [
    (
        "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=",
        Format::Pbkdf2Django,
        "correct horse",
    ),
    (
        "pbkdf2_sha1$1000$seasalt$iQvkNOF1wEL4Khh8eogJ8rUhipM=",
        Format::Pbkdf2Django,
        "correct horse",
    ),
    (
        "pbkdf2:sha256:1000$seasalt$9909ee7926a46fbe3ccea0400b5b6659566c65b8b6ccf1996ab1334c675f9aca",
        Format::Pbkdf2Werkzeug,
        "correct horse",
    ),
    (
        "pbkdf2:sha512:1000$seasalt$081c76ae4a6f8f2100a28a4d56e45958e3b14d3470a15e898eb1c04590265a84467fb06597ff8deadb55ff8816bed775e8d27de0ea55a591e6e3821d32b1542e",
        Format::Pbkdf2Werkzeug,
        "correct horse",
    ),
    // Keycloak's 64 bytes of SHA-256, a plain PHC string, and passlib's spelling.
    (
        "$pbkdf2-sha256$i=1000,l=64$AAECAwQFBgcICQoLDA0ODw$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQVykgYqFUkGDPSqmamlmDo91gX1JZ69LgWiJuFkmT+UQ",
        Format::Pbkdf2Phc,
        "correct horse",
    ),
    (
        "$pbkdf2-sha512$i=1000$AAECAwQFBgcICQoLDA0ODw$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA",
        Format::Pbkdf2Phc,
        "correct horse",
    ),
    (
        "$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQ",
        Format::Pbkdf2Phc,
        "correct horse",
    ),
    (
        "scrypt:1024:8:1$seasalt$6fdbea39ed01e47661d9fd7443d44f37d38534fb666fe7b3a7960e96766c250d2f4392377aaf19b7b18532ea90e7cc42c5322f54bd5008bfcf4d7116afe44d1c",
        Format::ScryptWerkzeug,
        "correct horse",
    ),
    (
        "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        Format::ScryptPhc,
        "correct horse",
    ),
    // crypt_blowfish's own test vectors.
    ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", Format::Bcrypt, "U*U"),
    ("$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", Format::Bcrypt, "U*U*U"),
    // The Argon2 reference implementation's own test vectors.
    (
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        Format::Argon2,
        "password",
    ),
    (
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        Format::Argon2,
        "password",
    ),
    // Firebase's own example: separator `Bw==`, the project's signer key, eight rounds, 2^14.
    (
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
        Format::FirebaseScrypt,
        "user1password",
    ),
];

#[test]
fn hashes_of_other_systems_verify_and_ask_to_be_replaced() {
    for (stored, format, password) in FOREIGN_HASHES {
        assert_eq!(identify(stored), Some(format), "{stored}");
        assert_eq!(verify(stored, password), FOREIGN, "{stored}");
        for other in [format!("{password} "), password.to_uppercase(), String::new()] {
            if other != password {
                assert_eq!(verify(stored, &other), MISMATCH, "{stored} {other:?}");
            }
        }
    }
}

#[test]
fn argon2id_of_todays_cost_stays_as_it_is() {
    let reference =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert_eq!(verify(reference, "password"), MATCH);
    assert_eq!(verify(reference, "Password"), MISMATCH);
}

#[test]
fn the_three_spellings_of_bcrypt_are_one() {
    for version in ["2a", "2b", "2y"] {
        let stored = format!("${version}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
        assert_eq!(verify(&stored, "U*U"), FOREIGN);
    }
    // `2x` is of a broken implementation.
    assert_eq!(identify("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), None);
}

#[test]
fn pw_02_bcrypt_refuses_what_it_would_truncate() {
    let password = "a".repeat(72);
    let stored = bcrypt::hash(&password, 4).unwrap();
    assert_eq!(verify(&stored, &password), FOREIGN);
    assert_eq!(verify(&stored, &"a".repeat(71)), MISMATCH);
    for longer in [format!("{password}a"), format!("{password}b"), "a".repeat(128)] {
        assert_eq!(verify(&stored, &longer), Err(Refused::PasswordTooLong));
    }
    // 72 bytes, not characters.
    assert_eq!(verify(&stored, &"ä".repeat(37)), Err(Refused::PasswordTooLong));
}
