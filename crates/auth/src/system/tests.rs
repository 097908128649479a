use crate::testing::TestApp;

#[tokio::test]
async fn the_error_page_says_what_to_do_and_shows_the_code() {
    let app = TestApp::with(|config| config.production = false).await;
    let mut browser = app.browser();
    let known = browser.get(&app, "/error?error=account_not_linked").await;
    assert!(known.text.contains("Sign in the way you did before"), "{}", known.text);
    assert!(known.text.contains("<code>account_not_linked</code>"), "{}", known.text);
    let unknown =
        browser.get(&app, "/error?error=something_else&error_description=%3Cb%3Eno%3C/b%3E").await;
    assert!(unknown.text.contains("<code>something_else</code>"), "{}", unknown.text);
    assert!(unknown.text.contains("&lt;b&gt;no&lt;/b&gt;"), "{}", unknown.text);
}
