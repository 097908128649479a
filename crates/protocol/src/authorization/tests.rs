use super::Authorization::{self, Absent, Bearer, Malformed, Other};

fn parse(header: &str) -> Authorization<'_> {
    Authorization::parse([header.as_bytes()].into_iter())
}

#[test]
fn a_bearer_token_is_read_whatever_the_case_of_the_scheme() {
    for header in ["Bearer abc.def", "bearer abc.def", "BEARER   abc.def ", " Bearer abc.def"] {
        assert_eq!(parse(header), Bearer("abc.def"), "{header}");
    }
    assert_eq!(parse("Bearer a%2Fb%3D"), Bearer("a%2Fb%3D"));
    assert_eq!(Authorization::parse(std::iter::empty()), Absent);
}

#[test]
fn se_24_malformed_headers_are_told_apart_and_nothing_panics() {
    let megabyte = format!("Bearer {}", "a".repeat(1 << 20));
    for header in [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "bearer\tX",
        "Bearer a b",
        "Bearer a\tb",
        "Bearer ü",
        "Bearer a\0",
        "Bearer a\n",
        &megabyte,
    ] {
        assert_eq!(parse(header), Malformed, "{header:.30}");
    }
    for header in ["Basic x", "Basic", "BearerX abc", "Bear", "Digest a=b", "ü x"] {
        assert_eq!(parse(header), Other, "{header}");
    }
    // Percent signs that decode to nothing are for the cookie's verification to refuse.
    assert_eq!(parse("Bearer %"), Bearer("%"));
    assert_eq!(parse("Bearer %E0%A4%A"), Bearer("%E0%A4%A"));
    for token in ["%", "%E0%A4%A", "a.%", "%.%"] {
        assert_eq!(crate::cookie::verify(b"secret", token), None);
    }
    assert_eq!(Authorization::parse([&b"Bearer \xff"[..]].into_iter()), Malformed);
    assert_eq!(Authorization::parse([&b"Bearer a"[..], b"Bearer a"].into_iter()), Malformed);
}

#[test]
fn lg_07_debug_hides_the_token() {
    assert_eq!(format!("{:?}", parse("Bearer abc")), "Bearer(…)");
}
