use crate::limits::{CustomRule, RequestRules};

fn limit(rules: &RequestRules, path: &str) -> Option<(u32, u32)> {
    rules.of(path).map(|limit| (limit.window, limit.max))
}

fn custom(path: &str, limit: Option<(u32, u32)>) -> CustomRule {
    CustomRule { path: path.to_owned(), limit }
}

#[test]
fn rl_01_paths_have_the_limits_of_better_auth() {
    let rules = RequestRules::default();
    for (path, expected) in [
        ("/sign-in/email", (10, 3)),
        ("/sign-in/username", (10, 3)),
        ("/sign-in/social", (10, 3)),
        ("/sign-up/email", (10, 3)),
        ("/change-password", (10, 3)),
        ("/change-email", (10, 3)),
        ("/request-password-reset", (60, 3)),
        ("/send-verification-email", (60, 3)),
        ("/forget-password", (60, 3)),
        ("/forget-password/email-otp", (60, 3)),
        ("/sign-in/email-otp", (60, 3)),
        ("/email-otp/send-verification-otp", (60, 3)),
        ("/email-otp/reset-password", (60, 3)),
        ("/email-otp/change-email", (60, 3)),
        ("/sign-in/magic-link", (60, 5)),
        ("/magic-link/verify", (60, 5)),
        ("/phone-number/send-otp", (60, 10)),
        ("/two-factor/verify-totp", (10, 3)),
        ("/second-factor", (60, 20)),
        ("/device", (1800, 5)),
        ("/device/code", (10, 100)),
        ("/get-session", (10, 100)),
        ("/reset-password", (10, 100)),
        ("/", (10, 100)),
    ] {
        assert_eq!(limit(&rules, path), Some(expected), "{path}");
    }
}

#[test]
fn configured_rules_come_first_and_may_switch_a_limit_off() {
    let rules = RequestRules::new(
        vec![
            custom("/get-session", None),
            custom("/sign-in/*", Some((60, 10))),
            custom("/organization/**", Some((1, 5))),
            custom("/a*c/d", Some((2, 2))),
        ],
        Some((20, 7)),
    )
    .unwrap();
    for (path, expected) in [
        ("/get-session", None),
        ("/sign-in/email", Some((60, 10))),
        ("/sign-in/email/more", Some((10, 3))),
        ("/sign-in", Some((10, 3))),
        ("/organization/a/b/c", Some((1, 5))),
        ("/organizations/a", Some((20, 7))),
        ("/abbc/d", Some((2, 2))),
        ("/ac/d", Some((2, 2))),
        ("/a/c/d", Some((20, 7))),
        ("/sign-up/email", Some((10, 3))),
    ] {
        assert_eq!(limit(&rules, path), expected, "{path}");
    }
}

#[test]
fn rules_that_cannot_be_used_are_refused() {
    let refusal = |rule| RequestRules::new(vec![rule], None).unwrap_err().to_string();
    assert_eq!(
        refusal(custom("sign-in", None)),
        "rate limit rule for \"sign-in\" is refused: it begins with a slash"
    );
    assert_eq!(
        refusal(custom("/x", Some((0, 3)))),
        "rate limit rule for \"/x\" is refused: its window is at least one second"
    );
    assert!(RequestRules::new(Vec::new(), Some((0, 1))).is_err());
}
