use std::collections::{HashMap, HashSet};

use super::{bytes, digits, token, uuid};

#[test]
fn se_07_tokens_are_of_the_alphabet_distinct_and_uniform() {
    let mut seen = HashSet::new();
    let mut counts = HashMap::<char, u64>::new();
    for _ in 0..100_000 {
        let token = token(32);
        assert_eq!(token.len(), 32);
        for character in token.chars() {
            *counts.entry(character).or_default() += 1;
        }
        assert!(seen.insert(token));
    }
    assert_eq!(counts.len(), 62);
    let expected = 100_000.0 * 32.0 / 62.0;
    for (character, count) in counts {
        assert!(character.is_ascii_alphanumeric());
        // Seven standard deviations.
        let deviation = (f64::from(u32::try_from(count).unwrap()) - expected).abs();
        assert!(deviation < 7.0 * expected.sqrt(), "{character} occurs {count} times");
    }
}

#[test]
fn digits_are_decimal_and_all_of_them_occur() {
    let text = digits(10_000);
    assert_eq!(text.len(), 10_000);
    for digit in '0'..='9' {
        let count = text.chars().filter(|&other| other == digit).count();
        assert!((700..1300).contains(&count), "{digit} occurs {count} times");
    }
    assert_eq!(digits(6).len(), 6);
    assert_eq!(digits(0), "");
}

#[test]
fn uuids_are_version_4_and_bytes_differ() {
    assert_eq!(uuid().get_version_num(), 4);
    assert_ne!(uuid(), uuid());
    assert_ne!(bytes::<32>(), bytes::<32>());
}
