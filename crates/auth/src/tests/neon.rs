//! The Neon layout, where it differs from Better Auth's.

use crate::testing::TestApp;

#[tokio::test]
async fn the_neon_layout_serves_its_keys_at_the_well_known_path_alone() {
    let app = TestApp::new().await;
    let mut browser = app.browser();
    assert_eq!(browser.get(&app, "/jwks").await.status, 200, "the Better Auth layout has both");
    browser.base = "/app/auth".to_owned();
    let unknown = browser.get(&app, "/jwks").await;
    assert_eq!((unknown.status.as_u16(), unknown.text.as_str()), (404, ""));
    let keys = browser.get(&app, "/.well-known/jwks.json").await;
    assert_eq!(keys.body["keys"][0]["crv"], "Ed25519");
    let listed = browser.get(&app, "/open-api/generate-schema").await;
    assert!(listed.body["paths"].get("/jwks").is_none(), "an unserved path is not described");
}
