use serde_json::json;

use super::*;

#[test]
fn a_parameter_matches_any_segment() {
    let built = Built::of(&[("GET", "/reset-password/{token}"), ("POST", "/sign-in/email")]);
    assert!(built.has("GET", "/reset-password/abc?callbackURL=x"));
    assert!(built.has("GET", "/reset-password/{{rtok}}"));
    assert!(!built.has("GET", "/sign-in/email"));
    assert!(!built.has("POST", "/sign-in/email/more"));
}

#[test]
fn a_scenario_that_expects_404_of_an_unknown_operation_is_built() {
    let built = Built::of(&[]);
    let step = |path: &str, status: u16| json!({ "request": { "method": "POST", "path": path }, "expect": { "status": status, "bodyEmpty": status == 404 } });
    let scenario = |steps: Vec<Value>| json!({ "name": "x", "steps": steps });
    assert_eq!(built.lacks(&scenario(vec![step("/sign-in/email", 200), step("/nope", 404)])), None);
    assert_eq!(
        built.lacks(&scenario(vec![step("/sign-in/email", 200), step("/admin/ban-user", 200)])),
        Some("POST /admin/ban-user".to_owned())
    );
}
