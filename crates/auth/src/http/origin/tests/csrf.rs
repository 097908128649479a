use http::Method;

use super::{attacked, recorded};
use crate::http::origin::{CsrfInput, OriginRefusal, PathKind};

fn post<'a>(origins: &'a [&'a str]) -> CsrfInput<'a> {
    CsrfInput {
        method: &Method::POST,
        path: PathKind::Ordinary,
        origins,
        referer: None,
        host: Some("localhost:4100"),
        has_cookie: false,
        sec_fetch_site: None,
        sec_fetch_mode: None,
        sec_fetch_dest: None,
    }
}

fn first_login<'a>(origins: &'a [&'a str]) -> CsrfInput<'a> {
    CsrfInput { path: PathKind::FirstLogin, ..post(origins) }
}

fn code(result: Result<(), OriginRefusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code(), |()| "allowed")
}

#[test]
fn cs_01_a_cookie_makes_the_origin_mandatory() {
    let origins = recorded();
    let with_cookie = |input: CsrfInput<'_>| {
        code(origins.check_request(&CsrfInput { has_cookie: true, ..input }))
    };
    assert_eq!(with_cookie(post(&[])), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(with_cookie(post(&[""])), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(with_cookie(post(&["null"])), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(with_cookie(post(&["https://evil.test"])), "INVALID_ORIGIN");
    assert_eq!(with_cookie(post(&["http://localhost:3000"])), "allowed");
    assert_eq!(with_cookie(post(&["http://localhost:4100"])), "allowed");
    assert_eq!(
        with_cookie(CsrfInput { referer: Some("http://localhost:3000/a?b#c"), ..post(&[""]) }),
        "allowed"
    );
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(
            with_cookie(CsrfInput { method: &method, ..post(&[]) }),
            "MISSING_OR_NULL_ORIGIN"
        );
    }
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        assert_eq!(
            with_cookie(CsrfInput { method: &method, ..post(&["https://evil.test"]) }),
            "allowed"
        );
    }
}

#[test]
fn cs_03_a_foreign_origin_is_refused_without_cookies_where_a_session_or_mail_starts() {
    let origins = recorded();
    for path in [
        "/sign-in/email",
        "/sign-up/email",
        "/sign-in/magic-link",
        "/email-otp/send-verification-otp",
        "/request-password-reset",
        "/forget-password",
    ] {
        let input = CsrfInput { path: PathKind::of(path), ..post(&["https://evil.test"]) };
        assert_eq!(code(origins.check_request(&input)), "INVALID_ORIGIN", "{path}");
        let from_referer =
            CsrfInput { origins: &[], referer: Some("https://evil.test/x"), ..input };
        assert_eq!(code(origins.check_request(&from_referer)), "INVALID_ORIGIN", "{path}");
        let trusted = CsrfInput { origins: &["http://localhost:3000"], ..input };
        assert_eq!(code(origins.check_request(&trusted)), "allowed", "{path}");
    }
    for path in ["/sign-in/username", "/sign-in/social", "/sign-in/anonymous", "/update-user"] {
        let input = CsrfInput { path: PathKind::of(path), ..post(&["https://evil.test"]) };
        assert_eq!(code(origins.check_request(&input)), "allowed", "{path}: as recorded");
    }
}

#[test]
fn cs_04_fetch_metadata_without_an_origin_is_refused_on_a_first_login() {
    let origins = recorded();
    let metadata = |site, mode, from| {
        let input = CsrfInput { sec_fetch_site: site, sec_fetch_mode: mode, ..first_login(from) };
        code(origins.check_request(&input))
    };
    let trusted: &[&str] = &["http://localhost:3000"];
    assert_eq!(
        metadata(Some("cross-site"), Some("navigate"), &[]),
        "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED"
    );
    assert_eq!(
        metadata(Some("cross-site"), Some("navigate"), trusted),
        "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED"
    );
    assert_eq!(metadata(Some("cross-site"), Some("cors"), &[]), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(metadata(Some("cross-site"), Some("no-cors"), &[]), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(metadata(Some("cross-site"), Some("cors"), trusted), "allowed");
    assert_eq!(metadata(Some("same-origin"), Some("cors"), &[]), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(
        metadata(Some("same-site"), Some("cors"), &["http://other.localhost:3000"]),
        "INVALID_ORIGIN"
    );
    assert_eq!(metadata(Some("none"), Some("navigate"), &[]), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(metadata(None, Some("cors"), &[]), "MISSING_OR_NULL_ORIGIN");
    assert_eq!(metadata(Some(" "), Some(""), &[]), "allowed");
    let dest_only = CsrfInput { sec_fetch_dest: Some("document"), ..first_login(&[]) };
    assert_eq!(code(origins.check_request(&dest_only)), "MISSING_OR_NULL_ORIGIN");
}

#[test]
fn cs_10_a_form_on_a_foreign_page_cannot_sign_its_visitor_in() {
    let origins = recorded();
    let form = CsrfInput {
        sec_fetch_site: Some("cross-site"),
        sec_fetch_mode: Some("navigate"),
        sec_fetch_dest: Some("document"),
        ..first_login(&["https://evil.test"])
    };
    let refusal = origins.check_request(&form).unwrap_err();
    assert_eq!(refusal.code(), "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED");
    assert_eq!(
        refusal.to_string(),
        "Cross-site navigation login blocked. This request appears to be a CSRF attack."
    );
    let with_cookie = CsrfInput { has_cookie: true, ..form };
    assert_eq!(code(origins.check_request(&with_cookie)), "INVALID_ORIGIN");
}

#[test]
fn cs_15_a_referer_counts_by_its_host() {
    let origins = attacked();
    let refered = |referer| {
        code(origins.check_request(&CsrfInput {
            has_cookie: true,
            referer: Some(referer),
            ..post(&[])
        }))
    };
    assert_eq!(refered("https://evil.com/https://app.test"), "INVALID_ORIGIN");
    assert_eq!(refered("https://app.test.evil.com"), "INVALID_ORIGIN");
    assert_eq!(refered("https://app.test/page?x=https://evil.com"), "allowed");
}

#[test]
fn cs_19_a_server_without_origin_or_cookie_is_allowed() {
    let origins = recorded();
    assert_eq!(code(origins.check_request(&first_login(&[]))), "allowed");
    assert_eq!(
        code(origins.check_request(&post(&["https://evil.example"]))),
        "allowed",
        "bearer calls, as recorded"
    );
    let with_cookie = CsrfInput { has_cookie: true, ..first_login(&[]) };
    assert_eq!(code(origins.check_request(&with_cookie)), "MISSING_OR_NULL_ORIGIN");
}

#[test]
fn a_null_origin_counts_as_the_own_one_only_on_the_browsers_word() {
    let origins = recorded();
    let null =
        CsrfInput { has_cookie: true, sec_fetch_site: Some("same-origin"), ..post(&["null"]) };
    assert_eq!(code(origins.check_request(&null)), "allowed");
    assert_eq!(
        code(origins.check_request(&CsrfInput { host: Some("evil.test"), ..null })),
        "INVALID_ORIGIN"
    );
    assert_eq!(
        code(origins.check_request(&CsrfInput { host: Some("x@localhost:4100"), ..null })),
        "INVALID_ORIGIN"
    );
    let same_site = CsrfInput { sec_fetch_site: Some("same-site"), ..null };
    assert_eq!(code(origins.check_request(&same_site)), "MISSING_OR_NULL_ORIGIN");
}

#[test]
fn a_refused_origin_names_the_received_and_the_trusted_ones_in_its_detail_only() {
    let refusal = recorded()
        .check_request(&CsrfInput { has_cookie: true, ..post(&["https://evil.test"]) })
        .unwrap_err();
    assert_eq!(refusal.to_string(), "Invalid origin");
    assert_eq!(
        refusal.detail(),
        "received \"https://evil.test\"; trusted are http://localhost:4100, http://localhost:3000, \
         https://*.trusted.example, myapp://"
    );
    assert_eq!(OriginRefusal::MissingOrNullOrigin.to_string(), "Missing or null Origin");
}

#[test]
fn cs_05_two_origin_headers_are_refused() {
    let origins = attacked();
    let two = CsrfInput { has_cookie: true, ..post(&["https://app.test", "https://evil.com"]) };
    assert_eq!(code(origins.check_request(&two)), "INVALID_ORIGIN");
}
