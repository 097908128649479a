use lettre::message::Mailbox;
use serde_json::{Value, json};

use crate::mail::{
    Message, Outbox, Rendered,
    config::{MailConfig, SmtpConfig, TlsMode},
    deliver::{Outcome, Report, deliver_due},
    enqueue,
};

use super::{
    config,
    database::{Database, database},
    later, noon, outbox, samples, sealer,
    smtp_server::{Certificates, SmtpServer},
    verify,
};

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let headers = mail["headers"].as_array().unwrap();
    let found: Vec<_> = headers.iter().filter(|header| header[0] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {headers:?}");
    found[0][1].as_str().unwrap()
}

async fn attempt(database: &Database, outbox: &Outbox, message: &Message) -> Report {
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, outbox, "ada@x.test", message, noon()).await.unwrap();
    deliver_due(&database.pool, outbox, noon()).await.unwrap().remove(0)
}

fn with_user(
    server: &SmtpServer,
    tls: TlsMode,
    certificates: &Certificates,
    password: &str,
) -> SmtpConfig {
    SmtpConfig {
        tls,
        username: Some("gatepost".to_owned()),
        password: Some(password.to_owned().into()),
        ca_file: Some(certificates.path("ca.pem")),
        ..server.config()
    }
}

#[tokio::test]
async fn every_kind_arrives_whole() {
    let database = database().await;
    let mut server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    for message in samples() {
        let kind = message.kind();
        let report = attempt(&database, &outbox, &message).await;
        assert_eq!(report.outcome, Outcome::Delivered, "{kind}");
        let mail = server.next("mail").await;
        assert_eq!(mail["envelope_to"], json!(["ada@x.test"]));
        assert_eq!(mail["envelope_from"], "no-reply@gatepost.example");
        assert_eq!(header(&mail, "From"), "Gätepost 東京 <no-reply@gatepost.example>");
        assert_eq!(header(&mail, "To"), "ada@x.test");
        assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
        assert_eq!(header(&mail, "Date"), "Wed, 01 May 2030 12:00:00 +0000");
        let Rendered { subject, text, html } = outbox.render(&message, None).unwrap();
        assert_eq!(header(&mail, "Subject"), subject);
        let unix =
            |value: &Value| value.as_str().unwrap().replace("\r\n", "\n").trim_end().to_owned();
        assert_eq!(unix(&mail["text"]), text, "{kind}");
        assert_eq!(unix(&mail["html"]), html.trim_end(), "{kind}");
    }
}

#[tokio::test]
async fn starttls_and_tls_with_a_user_deliver_encrypted() {
    let certificates = Certificates::new();
    for (tls, name) in [(TlsMode::Starttls, "starttls"), (TlsMode::Tls, "tls")] {
        let database = database().await;
        let mut server = SmtpServer::start(&certificates.settings(name)).await;
        let outbox = outbox(Some(with_user(&server, tls, &certificates, "right")));
        let report = attempt(&database, &outbox, &verify("t")).await;
        assert_eq!(report.outcome, Outcome::Delivered, "{name}");
        let mail = server.next("mail").await;
        assert_eq!((&mail["encrypted"], &mail["user"]), (&json!(true), &json!("gatepost")));
    }
}

#[tokio::test]
async fn a_wrong_password_delays_mail_until_it_is_put_right() {
    let database = database().await;
    let certificates = Certificates::new();
    let mut server = SmtpServer::start(&certificates.settings("starttls")).await;
    let wrong = outbox(Some(with_user(&server, TlsMode::Starttls, &certificates, "wrong")));
    let report = attempt(&database, &wrong, &verify("t")).await;
    let Outcome::Postponed { error, .. } = &report.outcome else { panic!("{report:?}") };
    assert!(error.contains("535"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
    assert_eq!(server.next("authentication").await["good"], false);

    let right = outbox(Some(with_user(&server, TlsMode::Starttls, &certificates, "right")));
    let reports = deliver_due(&database.pool, &right, later(60)).await.unwrap();
    assert_eq!(reports[0].outcome, Outcome::Delivered);
    server.next("mail").await;
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_cannot_prove_who_it_is() {
    let certificates = Certificates::new();
    let database = database().await;
    let server = SmtpServer::start(&certificates.settings("starttls")).await;
    let stranger = Certificates::new();
    let untrusted = with_user(&server, TlsMode::Starttls, &stranger, "right");
    let other_name = SmtpConfig {
        host: "localhost".to_owned(),
        ..with_user(&server, TlsMode::Starttls, &certificates, "right")
    };
    for smtp in [untrusted, other_name] {
        let report = attempt(&database, &outbox(Some(smtp)), &verify("t")).await;
        assert!(matches!(report.outcome, Outcome::Postponed { .. }), "{report:?}");
    }
    assert_eq!(server.stop().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing_in_the_clear() {
    let database = database().await;
    let server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(SmtpConfig { tls: TlsMode::Starttls, ..server.config() }));
    let report = attempt(&database, &outbox, &verify("t")).await;
    assert!(matches!(report.outcome, Outcome::Postponed { .. }), "{report:?}");
    assert_eq!(server.stop().await, Vec::<Value>::new());
}

#[tokio::test]
async fn in_08_no_name_ends_a_header() {
    let database = database().await;
    let mut server = SmtpServer::start(&json!({})).await;
    let config = MailConfig {
        app_name: "Acme\r\nBcc: a@evil.test\r\n\r\nbody".to_owned(),
        reply_to: Some("help@acme.example".parse().unwrap()),
        smtp: Some(server.config()),
        ..config()
    };
    let outbox = Outbox::new(&config, sealer(), false).unwrap();
    let Some(Message::OrganizationInvitation(mut invitation)) =
        samples().into_iter().find(|message| message.kind() == "org-invitation")
    else {
        panic!("no sample")
    };
    invitation.organization_name = "x\r\nBcc: a@evil.test\r\n".to_owned();
    let report = attempt(&database, &outbox, &Message::OrganizationInvitation(invitation)).await;
    assert_eq!(report.outcome, Outcome::Delivered);
    let mail = server.next("mail").await;
    assert!(mail["headers"].as_array().unwrap().iter().all(|header| header[0] != "Bcc"));
    assert_eq!(mail["envelope_to"], json!(["ada@x.test"]));
    assert_eq!(header(&mail, "Reply-To"), "help@acme.example");
    let from: Mailbox = header(&mail, "From").parse().unwrap();
    assert_eq!(from.email.to_string(), "no-reply@gatepost.example");
}
