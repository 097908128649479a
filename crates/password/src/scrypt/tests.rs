use super::{Cost, derive};

fn hex_of(password: &str, salt: &str, n: u64, r: u64, p: u64) -> String {
    let mut key = [0; 64];
    assert!(derive(password.as_bytes(), salt.as_bytes(), Cost { n, r, p }, 1 << 31, &mut key));
    hex::encode(key)
}

/// RFC 7914 section 12.
#[test]
fn the_vectors_of_rfc_7914_hold() {
    let vectors = [
        (
            "",
            "",
            16,
            1,
            1,
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
        ),
        (
            "password",
            "NaCl",
            1024,
            8,
            16,
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
        ),
        (
            "pleaseletmein",
            "SodiumChloride",
            16384,
            8,
            1,
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
        ),
    ];
    for (password, salt, n, r, p, expected) in vectors {
        assert_eq!(hex_of(password, salt, n, r, p), expected);
    }
}

#[test]
fn pw_13_invalid_parameters_and_too_much_memory_are_refused() {
    let refused = |n, r, p, memory| !derive(b"x", b"y", Cost { n, r, p }, memory, &mut [0; 32]);
    for (n, r, p) in [
        (0, 8, 1),
        (1, 8, 1),
        (3, 8, 1),
        (16, 0, 1),
        (16, 1, 0),
        (1 << 40, 8, 1),
        (16, 1 << 30, 1),
        (16, 8, 1 << 30),
        (u64::MAX, 8, 1),
        (16, u64::MAX, 1),
        (16, 8, u64::MAX),
    ] {
        assert!(refused(n, r, p, 1 << 27), "{n} {r} {p}");
    }
    assert!(refused(16384, 16, 1, 1 << 20));
    assert!(!derive(b"x", b"y", Cost { n: 16, r: 1, p: 1 }, 1 << 20, &mut []));
}

#[test]
fn memory_and_work_of_huge_parameters_do_not_overflow() {
    let huge = Cost { n: u64::MAX, r: u64::MAX, p: u64::MAX };
    assert_eq!((huge.memory(), huge.work()), (None, None));
    let ours = Cost { n: 16384, r: 16, p: 1 };
    assert_eq!(ours.memory(), Some(128 * 16 * (16384 + 3)));
}
