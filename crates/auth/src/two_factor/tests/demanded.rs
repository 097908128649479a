//! Users who must have a second factor; and sessions that are made fresh again.

use serde_json::json;

use super::{Enrolled, code, enrolled, verify};
use crate::testing::{PASSWORD, TestApp};

#[tokio::test]
async fn who_must_have_a_second_factor_can_set_one_up_and_nothing_else() {
    let app = TestApp::with(|config| {
        config.two_factor.required_for_roles = vec!["admin".to_owned()];
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    assert_eq!(ada.get(&app, "/list-accounts").await.status, 200);
    app.sql(r#"update neon_auth."user" set role = 'user,admin'"#).await;
    for path in ["/list-accounts", "/list-sessions", "/token"] {
        assert_eq!(ada.get(&app, path).await.code(), "TWO_FACTOR_REQUIRED", "{path}");
    }
    let session = ada.get(&app, "/get-session").await;
    assert_eq!(session.header("x-auth-reason"), "two-factor-required");
    assert_eq!(session.header("set-auth-jwt"), "");
    let reply = ada.post(&app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
    let uri = reply.body["totpURI"].as_str().unwrap().to_owned();
    assert_eq!(ada.get(&app, "/list-accounts").await.code(), "TWO_FACTOR_REQUIRED");
    assert_eq!(verify(&app, &mut ada, &code(&app, &uri, 0)).await.status, 200);
    assert_eq!(ada.get(&app, "/list-accounts").await.status, 200);
    assert_ne!(ada.get(&app, "/get-session").await.header("set-auth-jwt"), "");
}

#[tokio::test]
async fn an_organization_may_demand_a_second_factor_of_its_members() {
    for (setting, metadata) in [("names", "{}"), ("decides", r#"{"requireTwoFactor": true}"#)] {
        let app = TestApp::with(|config| match setting {
            "names" => config.two_factor.required_in_organizations = vec!["acme".to_owned()],
            _ => config.two_factor.organizations_decide = true,
        })
        .await;
        let (mut ada, mut bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
        app.sql(&format!(
            r#"with o as (insert into neon_auth.organization (name, slug, "createdAt", metadata)
                 values ('Acme', 'acme', now(), '{metadata}') returning id)
               insert into neon_auth.member ("organizationId", "userId", role, "createdAt")
               select o.id, u.id, 'member', now() from o, neon_auth."user" u where u.name = 'ada'"#
        ))
        .await;
        assert_eq!(
            ada.get(&app, "/list-accounts").await.code(),
            "TWO_FACTOR_REQUIRED",
            "{setting}"
        );
        assert_eq!(bob.get(&app, "/list-accounts").await.status, 200, "{setting}");
    }
}

#[tokio::test]
async fn a_password_or_a_second_factor_makes_a_session_fresh_again() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, uri, codes } = enrolled(&app).await;
    for proof in ["password", "totp", "backup"] {
        app.pass(86_400);
        assert_eq!(ada.get(&app, "/list-sessions").await.code(), "SESSION_NOT_FRESH", "{proof}");
        let (path, body) = match proof {
            "password" => ("/verify-password", json!({ "password": PASSWORD })),
            "totp" => ("/two-factor/verify-totp", json!({ "code": code(&app, &uri, 0) })),
            _ => ("/two-factor/verify-backup-code", json!({ "code": codes[0] })),
        };
        assert_eq!(ada.post(&app, path, body).await.status, 200, "{proof}");
        assert_eq!(ada.get(&app, "/list-sessions").await.status, 200, "{proof}");
    }
}

#[tokio::test]
async fn a_wrong_proof_leaves_a_session_as_it_is() {
    let app = TestApp::new().await;
    let Enrolled { mut ada, .. } = enrolled(&app).await;
    app.pass(86_400);
    ada.post(&app, "/verify-password", json!({ "password": "not the password" })).await;
    verify(&app, &mut ada, "000000").await;
    assert_eq!(ada.get(&app, "/list-sessions").await.code(), "SESSION_NOT_FRESH");
}

#[tokio::test]
async fn a_user_without_a_password_needs_a_fresh_session() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    app.sql("delete from neon_auth.account").await;
    let reply = ada.post(&app, "/two-factor/enable", json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    app.pass(86_400);
    let reply = ada.post(&app, "/two-factor/enable", json!({})).await;
    assert_eq!(reply.code(), "SESSION_NOT_FRESH");
}

#[tokio::test]
async fn where_a_password_is_always_asked_for_who_has_none_is_refused() {
    let app = TestApp::with(|config| config.two_factor.allow_passwordless = false).await;
    let mut ada = app.signed_up("ada").await;
    let reply = ada.post(&app, "/two-factor/enable", json!({})).await;
    assert_eq!(reply.code(), "VALIDATION_ERROR");
    app.sql("delete from neon_auth.account").await;
    let reply = ada.post(&app, "/two-factor/enable", json!({ "password": PASSWORD })).await;
    assert_eq!(reply.code(), "INVALID_PASSWORD");
}
