mod config;
mod database;
mod delivery;
mod flows;
mod inbox;
mod languages;
mod rendering;
mod smtp;
mod smtp_server;
mod templates;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use gatepost_protocol::{sealed::Sealer, secret::Secret};

use super::{
    Message, Outbox,
    config::{MailConfig, SmtpConfig},
    samples::samples,
};

fn noon() -> DateTime<Utc> {
    "2030-05-01T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

fn config() -> MailConfig {
    serde_json::from_value(serde_json::json!({
        "from": "no-reply@gatepost.example",
        "app_name": "Gätepost 東京",
    }))
    .unwrap()
}

fn sealer() -> Sealer {
    Sealer::single(&Secret::new("a secret of this test, long enough"), &[])
}

/// Without a mail server the inbox is all there is.
fn outbox(smtp: Option<SmtpConfig>) -> Arc<Outbox> {
    Arc::new(Outbox::new(&MailConfig { smtp, ..config() }, sealer(), false).unwrap())
}

fn verify(token: &str) -> Message {
    Message::VerifyEmail {
        url: format!("https://app.test/api/auth/verify-email?token={token}&callbackURL=%2F"),
        token: token.to_owned(),
    }
}
