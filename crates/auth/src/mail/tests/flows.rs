//! Every kind of mail through a real SMTP server: what is received there, and only that, leads on.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    config::Config,
    mail::{deliver::deliver_due, samples::samples},
    testing::{Browser, ORIGIN, PASSWORD, TestApp},
};

use super::smtp_server::SmtpServer;

const ADA: &str = "ada@example.com";
const NEW_PASSWORD: &str = "correct horse battery staple";

#[test]
fn every_kind_of_mail_has_a_flow() {
    for message in samples() {
        let slug = message.kind().replace([':', '-'], "_");
        let tested = include_str!("flows.rs").contains(&format!("async fn {slug}_"));
        assert!(tested, "{}", message.kind());
    }
}

struct World {
    app: TestApp,
    server: SmtpServer,
}

/// A mail as the server received it.
struct Received {
    text: String,
    html: String,
}

async fn world(change: impl FnOnce(&mut Config)) -> World {
    let server = SmtpServer::start(&json!({})).await;
    let smtp = server.config();
    let app = TestApp::with(|config| {
        config.mail.from = "no-reply@gatepost.example".parse().unwrap();
        config.mail.smtp = Some(smtp);
        change(config);
    })
    .await;
    World { app, server }
}

impl World {
    /// Delivers what waits; the last of it is for `to` and of this kind.
    async fn receive(&mut self, to: &str, kind: &str) -> Received {
        let mut last = None;
        loop {
            let now = self.app.app.clock.now();
            let reports = deliver_due(&self.app.app.db, &self.app.app.outbox, now).await.unwrap();
            if reports.is_empty() {
                break;
            }
            for report in reports {
                let mail = self.server.next("mail").await;
                last = Some((report.kind, mail));
            }
        }
        let (last_kind, mail) = last.expect("a mail");
        assert_eq!(last_kind, kind);
        assert_eq!(mail["envelope_to"], json!([to]));
        let form = |name: &str| mail[name].as_str().unwrap().replace("\r\n", "\n");
        Received { text: form("text"), html: form("html") }
    }

    async fn signed_in(&self, email: &str, password: &str) -> u16 {
        let body = json!({ "email": email, "password": password });
        self.app.browser().post(&self.app, "/sign-in/email", body).await.status.as_u16()
    }

    async fn user(&self) -> Value {
        let rows = self
            .app
            .sql("select to_jsonb(u) from neon_auth.\"user\" u order by \"createdAt\" limit 1")
            .await;
        rows.first().map_or(Value::Null, |row| row.get(0))
    }
}

impl Received {
    /// The link on a line of its own; the button and the link below it in the HTML form lead there too.
    fn link(&self) -> String {
        let link = self.text.lines().find(|line| line.starts_with("https://")).unwrap();
        let href = format!("href=\"{}\"", link.replace('&', "&#38;"));
        assert_eq!(self.html.matches(&href).count(), 2, "{}", self.html);
        assert!(link.starts_with(ORIGIN), "{link}");
        link.to_owned()
    }

    fn code(&self) -> String {
        let code = self.text.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
        assert!(self.html.contains(&format!(">{code}</td>")), "{}", self.html);
        code.to_owned()
    }

    fn leads_nowhere(&self) {
        assert!(!self.text.contains("https://") && !self.html.contains("href="), "{}", self.text);
    }
}

fn token(link: &str) -> &str {
    link.split_once("token=").unwrap().1.split('&').next().unwrap()
}

async fn send_code(world: &World, kind: &str) {
    let ask = json!({ "email": ADA, "type": kind });
    let reply = world.app.browser().post(&world.app, "/email-otp/send-verification-otp", ask).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn verify_email_link_proves_the_address() {
    let mut world = world(|config| config.email_verification.send_on_sign_up = Some(true)).await;
    world.app.signed_up("ada").await;
    let link = world.receive(ADA, "verify-email").await.link();
    assert_eq!(world.user().await["emailVerified"], false);
    let page = world.app.browser().get(&world.app, &link).await;
    assert!(page.text.contains("<form method=post>"), "{}", page.text);
    let body = json!({ "token": token(&link), "callbackURL": "/" });
    let reply = world.app.browser().post(&world.app, "/verify-email", body).await;
    assert_eq!(reply.status, StatusCode::FOUND, "{}", reply.text);
    assert_eq!(world.user().await["emailVerified"], true);
}

#[tokio::test]
async fn reset_password_link_leads_to_a_new_password() {
    let mut world = world(|_| {}).await;
    world.app.signed_up("ada").await;
    let ask = json!({ "email": ADA, "redirectTo": "/new-password" });
    world.app.browser().post(&world.app, "/request-password-reset", ask).await;
    let link = world.receive(ADA, "reset-password").await.link();
    let page = world.app.browser().get(&world.app, &link).await;
    let token = page.header("location").split_once("token=").unwrap().1.to_owned();
    let body = json!({ "newPassword": NEW_PASSWORD, "token": token });
    let reply = world.app.browser().post(&world.app, "/reset-password", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(world.signed_in(ADA, NEW_PASSWORD).await, 200);
}

#[tokio::test]
async fn existing_user_sign_up_is_told_to_the_owner_alone() {
    let mut world = world(|config| config.email_password.require_verification = true).await;
    let body = json!({ "name": "Ada", "email": ADA, "password": PASSWORD });
    for kind in ["verify-email", "existing-user-sign-up"] {
        let reply = world.app.browser().post(&world.app, "/sign-up/email", body.clone()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let mail = world.receive(ADA, kind).await;
        if kind == "existing-user-sign-up" {
            mail.leads_nowhere();
        }
    }
}

#[tokio::test]
async fn change_email_confirmation_asks_the_old_address_and_then_the_new_one() {
    let mut world = world(|_| {}).await;
    let mut ada = world.app.signed_up("ada").await;
    world.app.sql("update neon_auth.\"user\" set \"emailVerified\" = true").await;
    let body = json!({ "newEmail": "ada@new.example" });
    let reply = ada.post(&world.app, "/change-email", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let link = world.receive(ADA, "change-email-confirmation").await.link();
    assert_eq!(ada.get(&world.app, &link).await.status, StatusCode::FOUND);
    assert_eq!(world.user().await["email"], ADA);
    let link = world.receive("ada@new.example", "verify-email").await.link();
    assert_eq!(ada.get(&world.app, &link).await.status, StatusCode::FOUND);
    assert_eq!(world.user().await["email"], "ada@new.example");
}

#[tokio::test]
async fn delete_account_link_deletes_the_account() {
    let mut world = world(|config| config.delete_user.confirm_by_mail = true).await;
    let mut ada = world.app.signed_up("ada").await;
    let reply = ada.post(&world.app, "/delete-user", json!({ "callbackURL": "/bye" })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let link = world.receive(ADA, "delete-account").await.link();
    let gone = ada.get(&world.app, &link).await;
    assert_eq!(gone.status, StatusCode::FOUND, "{}", gone.text);
    assert_eq!(world.user().await, Value::Null);
}

#[tokio::test]
async fn password_changed_is_told() {
    let mut world = world(|_| {}).await;
    let mut ada = world.app.signed_up("ada").await;
    let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    assert_eq!(ada.post(&world.app, "/change-password", body).await.status, 200);
    world.receive(ADA, "password-changed").await.leads_nowhere();
}

#[tokio::test]
async fn suspicious_sign_in_is_told_with_the_address() {
    let mut world = world(|config| {
        config.rate_limit.enabled = true;
        config.rate_limit.account_failures = 2;
    })
    .await;
    world.app.signed_up("ada").await;
    for _ in 0..2 {
        assert_eq!(world.signed_in(ADA, "wrong-Horse-1").await, 401);
    }
    let mail = world.receive(ADA, "suspicious-sign-in").await;
    mail.leads_nowhere();
    assert!(mail.text.contains("192.0.2.1"), "{}", mail.text);
}

#[tokio::test]
async fn magic_link_shows_a_page_whose_button_signs_in() {
    let mut world = world(|_| {}).await;
    let mut ada: Browser = world.app.browser();
    ada.post(&world.app, "/sign-in/magic-link", json!({ "email": ADA })).await;
    let link = world.receive(ADA, "magic-link").await.link();
    assert!(ada.get(&world.app, &link).await.text.contains("<form method=post>"));
    let body = json!({ "token": token(&link) });
    let reply = ada.post(&world.app, "/magic-link/verify", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(ada.is_signed_in(&world.app).await);
}

#[tokio::test]
async fn email_otp_sign_in_code_signs_in() {
    let mut world = world(|_| {}).await;
    send_code(&world, "sign-in").await;
    let code = world.receive(ADA, "email-otp:sign-in").await.code();
    let mut ada = world.app.browser();
    let body = json!({ "email": ADA, "otp": code });
    assert_eq!(ada.post(&world.app, "/sign-in/email-otp", body).await.status, 200);
    assert!(ada.is_signed_in(&world.app).await);
}

#[tokio::test]
async fn email_otp_email_verification_code_proves_the_address() {
    let mut world = world(|_| {}).await;
    world.app.signed_up("ada").await;
    send_code(&world, "email-verification").await;
    let code = world.receive(ADA, "email-otp:email-verification").await.code();
    let body = json!({ "email": ADA, "otp": code });
    let reply = world.app.browser().post(&world.app, "/email-otp/verify-email", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(world.user().await["emailVerified"], true);
}

#[tokio::test]
async fn email_otp_forget_password_code_sets_a_new_password() {
    let mut world = world(|_| {}).await;
    world.app.signed_up("ada").await;
    send_code(&world, "forget-password").await;
    let code = world.receive(ADA, "email-otp:forget-password").await.code();
    let body = json!({ "email": ADA, "otp": code, "password": NEW_PASSWORD });
    let reply = world.app.browser().post(&world.app, "/email-otp/reset-password", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(world.signed_in(ADA, NEW_PASSWORD).await, 200);
}

#[tokio::test]
async fn email_otp_change_email_code_moves_to_the_new_address() {
    let mut world = world(|_| {}).await;
    let mut ada = world.app.signed_up("ada").await;
    send_code(&world, "email-verification").await;
    let current = world.receive(ADA, "email-otp:email-verification").await.code();
    let body = json!({ "newEmail": "ada@new.example", "otp": current });
    let reply = ada.post(&world.app, "/email-otp/request-email-change", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let code = world.receive("ada@new.example", "email-otp:change-email").await.code();
    let body = json!({ "newEmail": "ada@new.example", "otp": code });
    let reply = ada.post(&world.app, "/email-otp/change-email", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(world.user().await["email"], "ada@new.example");
}

#[tokio::test]
async fn two_factor_otp_code_finishes_signing_in() {
    let mut world = world(|_| {}).await;
    let mut ada = world.app.signed_up("ada").await;
    let enable = json!({ "password": PASSWORD, "method": "otp" });
    let reply = ada.post(&world.app, "/two-factor/enable", enable).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let mut ada = world.app.browser();
    let body = json!({ "email": ADA, "password": PASSWORD });
    let reply = ada.post(&world.app, "/sign-in/email", body).await;
    assert_eq!(reply.body["twoFactorRedirect"], true, "{}", reply.text);
    assert!(!ada.is_signed_in(&world.app).await);
    ada.post(&world.app, "/two-factor/send-otp", json!({})).await;
    let code = world.receive(ADA, "two-factor-otp").await.code();
    let reply = ada.post(&world.app, "/two-factor/verify-otp", json!({ "code": code })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(ada.is_signed_in(&world.app).await);
}

#[tokio::test]
async fn org_invitation_link_leads_to_a_member() {
    let mut world = world(|_| {}).await;
    let mut ada = world.app.signed_up("ada").await;
    let mut bob = world.app.signed_up("bob").await;
    world.app.sql("update neon_auth.\"user\" set \"emailVerified\" = true").await;
    let body = json!({ "name": "Acme", "slug": "acme" });
    let reply = ada.post(&world.app, "/organization/create", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let id = reply.body["id"].clone();
    let body = json!({ "email": "bob@example.com", "role": "member", "organizationId": id });
    let reply = ada.post(&world.app, "/organization/invite-member", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let mail = world.receive("bob@example.com", "org-invitation").await;
    assert!(mail.text.contains("Acme") && mail.text.contains("Your role: member"), "{}", mail.text);
    let link = mail.link();
    assert_eq!(bob.get(&world.app, &link).await.status, 200);
    let invitation = reply.body["id"].as_str().unwrap();
    assert!(link.contains(invitation), "{link}");
    let body = json!({ "invitationId": invitation });
    let reply = bob.post(&world.app, "/organization/accept-invitation", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(world.app.sql("select from neon_auth.member").await.len(), 2);
}
