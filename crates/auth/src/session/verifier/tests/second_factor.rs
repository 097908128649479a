//! Users with a second factor: asked for it on a page of this server before the verifier is given out.

use http::{Method, StatusCode, header};
use serde_json::json;
use url::Url;

use super::{
    ADA, PARAMETER, SESSION, Visitor, assert_nothing, exchange,
    provider::{World, world, world_with},
    sessions, set, verifier_in,
};
use crate::{
    mail::Message,
    testing::{APP, Authenticator, Browser, ORIGIN, PASSWORD, Reply, TestApp},
};

/// Ada, whose address is proven, with an authenticator and backup codes; she is signed in nowhere.
async fn enrolled(app: &TestApp) -> (Authenticator, Vec<String>) {
    let enrolled = Authenticator::enrolled(app, &mut app.signed_up("ada").await).await;
    app.sql(r#"update neon_auth."user" set "emailVerified" = true"#).await;
    app.sql("delete from neon_auth.session").await;
    enrolled
}

/// The page of this server, as a form of it is sent.
async fn give(app: &TestApp, tab: &mut Browser, form: &str) -> Reply {
    let mut from_page = tab.clone();
    from_page.headers = vec![("origin".to_owned(), ORIGIN.to_owned())];
    let request = from_page
        .request(Method::POST, "/second-factor")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned().into())
        .unwrap();
    tab.exchange(app, request).await
}

/// Signs in at the provider; the tab is on the page now.
async fn arrived(world: &World, visitor: &mut Visitor) -> Reply {
    let url = world.start(&mut visitor.page, json!({})).await;
    let callback = world.decide(&url, "account=ada@example.com").await;
    let reply = visitor.tab.get(&world.app, &callback).await;
    assert_eq!(reply.header("location"), "https://auth.test/app/auth/second-factor");
    visitor.tab.get(&world.app, "/second-factor").await
}

fn back(reply: &Reply) -> Url {
    assert_eq!(reply.status, StatusCode::FOUND, "{}", reply.text);
    Url::parse(reply.header("location")).unwrap()
}

#[tokio::test]
async fn a_second_factor_is_asked_for_here_before_the_page_gets_its_session() {
    let world = world().await;
    let (authenticator, _) = enrolled(&world.app).await;
    let mut ada = Visitor::new(&world.app);
    let page = arrived(&world, &mut ada).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("As <b>ada@example.com</b>"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(sessions(&world.app).await, 0);

    let wrong = give(&world.app, &mut ada.tab, "method=totp&code=000000").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("That is not the code."), "{}", wrong.text);
    assert_eq!(sessions(&world.app).await, 0);

    let form = format!("method=totp&code={}", authenticator.code(&world.app, 0));
    let reply = give(&world.app, &mut ada.tab, &form).await;
    let back = back(&reply);
    assert!(back.as_str().starts_with(&format!("{APP}/dash?keep=1&{PARAMETER}=")), "{back}");
    assert!(!set(&reply.headers).iter().any(|cookie| cookie.starts_with(SESSION)));
    assert!(ada.tab.cookie("two_factor").is_none());
    let taken = exchange(&world.app, &mut ada.page, &verifier_in(&back)).await;
    assert_eq!(taken.body["user"]["email"], ADA, "{}", taken.text);
    assert!(ada.page.is_signed_in(&world.app).await);
    assert_eq!(sessions(&world.app).await, 1);
}

#[tokio::test]
async fn a_mailed_code_and_a_backup_code_finish_it_too_each_once() {
    let world = world().await;
    let (_, codes) = enrolled(&world.app).await;
    let mut ada = Visitor::new(&world.app);
    arrived(&world, &mut ada).await;
    let page = give(&world.app, &mut ada.tab, "method=mail-a-code").await;
    assert!(page.text.contains("Code from the mail"), "{}", page.text);
    let mails = world.app.mails(ADA).await;
    let otp = mails.iter().rev().find_map(|mail| match mail {
        Message::TwoFactorOtp { otp } => Some(otp.clone()),
        _ => None,
    });
    let form = format!("method=otp&code=+{}+", otp.unwrap());
    let first = back(&give(&world.app, &mut ada.tab, &form).await);
    assert_eq!(exchange(&world.app, &mut ada.page, &verifier_in(&first)).await.status, 200);

    for status in [StatusCode::FOUND, StatusCode::UNAUTHORIZED] {
        let mut again = Visitor::new(&world.app);
        arrived(&world, &mut again).await;
        let form = format!("method=backup-code&code={}", codes[0]);
        assert_eq!(give(&world.app, &mut again.tab, &form).await.status, status);
    }
}

#[tokio::test]
async fn a_browser_that_is_trusted_there_goes_straight_on() {
    let world = world().await;
    let (authenticator, _) = enrolled(&world.app).await;
    let mut ada = Visitor::new(&world.app);
    arrived(&world, &mut ada).await;
    let form = format!("method=totp&trust=yes&code={}", authenticator.code(&world.app, 0));
    back(&give(&world.app, &mut ada.tab, &form).await);
    let url = world.start(&mut ada.page, json!({})).await;
    let callback = world.decide(&url, "account=ada@example.com").await;
    let reply = ada.tab.get(&world.app, &callback).await;
    let verifier = verifier_in(&back(&reply));
    assert_eq!(exchange(&world.app, &mut ada.page, &verifier).await.status, 200);
    // The other way round: another browser is asked.
    arrived(&world, &mut Visitor::new(&world.app)).await;
}

#[tokio::test]
async fn se_18_what_waits_for_the_page_opens_nothing_anywhere_else() {
    let world = world().await;
    let app = &world.app;
    let (authenticator, _) = enrolled(app).await;
    let mut ada = Visitor::new(app);
    arrived(&world, &mut ada).await;
    let code = json!({ "code": authenticator.code(app, 0) });
    let reply = ada.tab.post(app, "/two-factor/verify-totp", code.clone()).await;
    assert_eq!(reply.code(), "INVALID_TWO_FACTOR_COOKIE", "{}", reply.text);
    assert!(!ada.tab.is_signed_in(app).await && !ada.page.is_signed_in(app).await);

    // Nor does the page take what waits for those endpoints, nor what nobody signed.
    let mut password = Browser { base: "/app/auth".to_owned(), ..app.browser() };
    let body = json!({ "email": ADA, "password": PASSWORD });
    assert_eq!(password.post(app, "/sign-in/email", body).await.body["twoFactorRedirect"], true);
    let mut forged = ada.tab.clone();
    forged.cookies.iter_mut().for_each(|(_, value)| value.push('x'));
    for mut other in [password, forged, Browser { base: "/app/auth".to_owned(), ..app.browser() }] {
        assert_eq!(other.get(app, "/second-factor").await.status, StatusCode::UNAUTHORIZED);
        let form = format!("method=totp&code={}", authenticator.code(app, 0));
        let reply = give(app, &mut other, &form).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert!(reply.text.contains("This sign-in is over."), "{}", reply.text);
    }
    assert_eq!(sessions(app).await, 0);

    // A page of another site sends no form.
    let request = ada
        .tab
        .request(Method::POST, "/second-factor")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("origin", "https://evil.example")
        .body(format!("method=totp&code={}", authenticator.code(app, 0)).into())
        .unwrap();
    assert_eq!(app.send(ada.tab.address, request).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn guesses_on_the_page_count_and_end_the_sign_in_which_is_good_once_and_for_ten_minutes() {
    let world = world().await;
    let app = &world.app;
    let (authenticator, _) = enrolled(app).await;
    let mut ada = Visitor::new(app);
    arrived(&world, &mut ada).await;
    for _ in 0..5 {
        let reply = give(app, &mut ada.tab, "method=totp&code=000000").await;
        assert!(reply.text.contains("That is not the code."), "{}", reply.text);
    }
    let form = format!("method=totp&code={}", authenticator.code(app, 0));
    let reply = give(app, &mut ada.tab, &form).await;
    assert!(reply.text.contains("This sign-in is over."), "{}", reply.text);
    assert_eq!(sessions(app).await, 0);

    let mut late = Visitor::new(app);
    arrived(&world, &mut late).await;
    app.pass(600);
    let form = format!("method=totp&code={}", authenticator.code(app, 0));
    assert!(give(app, &mut late.tab, &form).await.text.contains("This sign-in is over."));

    let mut twice = Visitor::new(app);
    arrived(&world, &mut twice).await;
    let mut copy = twice.tab.clone();
    back(&give(app, &mut twice.tab, &form).await);
    app.pass(30);
    let form = format!("method=totp&code={}", authenticator.code(app, 0));
    assert!(give(app, &mut copy, &form).await.text.contains("This sign-in is over."));
    assert_eq!(sessions(app).await, 1);
}

#[tokio::test]
async fn oa_02_the_page_of_a_callback_that_somebody_else_made_signs_nobody_in_or_out() {
    let world = world().await;
    let app = &world.app;
    let (authenticator, _) = enrolled(app).await;
    let mut alice = Visitor::new(app);
    let body = json!({ "name": "Alice", "email": "alice@example.com", "password": PASSWORD });
    assert_eq!(alice.tab.post(app, "/sign-up/email", body).await.status, 200);
    // Ada made it, and tells Alice a code of hers.
    let mut ada = Visitor::new(app);
    let url = world.start(&mut ada.page, json!({})).await;
    let callback = world.decide(&url, "account=ada@example.com").await;
    alice.tab.get(app, &callback).await;
    let form = format!("method=totp&code={}", authenticator.code(app, 0));
    let verifier = verifier_in(&back(&give(app, &mut alice.tab, &form).await));
    let session = alice.tab.get(app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "alice@example.com", "{}", session.text);
    let taken = exchange(app, &mut alice.tab, &verifier).await;
    assert_eq!(taken.body["user"]["email"], "alice@example.com", "still herself");
    assert_nothing(&exchange(app, &mut ada.page, &verifier).await);
}

#[tokio::test]
async fn who_is_shut_out_or_has_no_second_factor_any_more_meanwhile_is_judged_anew() {
    let world = world().await;
    let app = &world.app;
    let (authenticator, _) = enrolled(app).await;
    let mut ada = Visitor::new(app);
    arrived(&world, &mut ada).await;
    app.sql(r#"update neon_auth."user" set banned = true"#).await;
    let form = format!("method=totp&code={}", authenticator.code(app, 0));
    let reply = give(app, &mut ada.tab, &form).await;
    assert_eq!((reply.status, sessions(app).await), (StatusCode::FORBIDDEN, 0));
    app.sql(r#"update neon_auth."user" set banned = false"#).await;
    app.sql(r#"delete from neon_auth."twoFactor""#).await;
    let reply = give(app, &mut ada.tab, &form).await;
    assert_eq!((reply.status, sessions(app).await), (StatusCode::BAD_REQUEST, 0));
}

#[tokio::test]
async fn a_guest_of_the_page_is_linked_when_it_takes_the_session() {
    let world = world_with(|config| config.features.anonymous = true).await;
    let app = &world.app;
    let (authenticator, _) = enrolled(app).await;
    let mut ada = Visitor::new(app);
    let reply = ada.page.post(app, "/sign-in/anonymous", json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    arrived(&world, &mut ada).await;
    let form = format!("method=totp&code={}", authenticator.code(app, 0));
    let verifier = verifier_in(&back(&give(app, &mut ada.tab, &form).await));
    let guests = r#"select 1 from neon_auth."user" where "isAnonymous""#;
    assert_eq!(app.sql(guests).await.len(), 1);
    assert_eq!(exchange(app, &mut ada.page, &verifier).await.status, 200);
    assert!(app.sql(guests).await.is_empty());
}

#[tokio::test]
async fn a_magic_link_asks_here_too_and_then_both_browsers_are_signed_in() {
    let app = TestApp::new().await;
    let (authenticator, _) = enrolled(&app).await;
    let mut ada = Visitor::new(&app);
    let page = ada.sign_in(&app, &format!("{APP}/dash")).await;
    assert_eq!(page.as_str(), "https://auth.test/app/auth/second-factor");
    let shown = ada.tab.get(&app, "/second-factor").await.text;
    // A mailed code after a mailed link proves nothing more.
    assert!(shown.contains("authenticator") && !shown.contains("Mail me a code"), "{shown}");
    let refused = give(&app, &mut ada.tab, "method=mail-a-code").await;
    assert_eq!(refused.code(), "OTP_NOT_CONFIGURED");
    let form = format!("method=totp&code={}", authenticator.code(&app, 0));
    let back = back(&give(&app, &mut ada.tab, &form).await);
    assert!(ada.tab.is_signed_in(&app).await);
    assert_eq!(exchange(&app, &mut ada.page, &verifier_in(&back)).await.status, 200);
    assert!(ada.page.is_signed_in(&app).await);
    assert_eq!(sessions(&app).await, 1);
}

#[tokio::test]
async fn a_page_on_the_same_site_asks_for_it_itself() {
    let world = world().await;
    let app = &world.app;
    let (authenticator, _) = enrolled(app).await;
    let mut ada = Visitor::new(app);
    let url = world.start(&mut ada.tab, json!({})).await;
    let callback = world.decide(&url, "account=ada@example.com").await;
    let back = back(&ada.tab.get(app, &callback).await);
    let asked =
        back.query_pairs().any(|(name, value)| name == "twoFactorRedirect" && value == "true");
    assert!(asked, "{back}");
    let code = json!({ "code": authenticator.code(app, 0) });
    assert_eq!(ada.tab.post(app, "/two-factor/verify-totp", code).await.status, 200);
    assert!(ada.tab.is_signed_in(app).await);
}
