//! Where text messages go, once the outbox has one.

use chrono::{DateTime, Utc};
use gatepost_outbound::{Outbound, Reach};
use gatepost_postgres::Pool;
use gatepost_protocol::sealed::Sealer;
use uuid::Uuid;

use super::{
    TextCode,
    config::{Delivery, Gateway},
    gateway, webhook,
};
use crate::{
    app::Clock,
    config::Config,
    keys::{self, Keys, Source},
    mail::{Failure, reason},
};

/// Where text messages go.
#[derive(Debug, Default)]
pub enum Texts {
    /// Nowhere: the development inbox shows them.
    #[default]
    Inbox,
    /// To a service.
    Gateway(Box<ToGateway>),
    /// To the application.
    Webhook(Box<ToWebhook>),
}

/// See [`Texts::Gateway`].
#[derive(Debug)]
pub struct ToGateway {
    settings: Gateway,
    outbound: Outbound,
}

/// See [`Texts::Webhook`].
#[derive(Debug)]
pub struct ToWebhook {
    url: String,
    project: String,
    outbound: Outbound,
    keys: Keys,
    sealer: Sealer,
    jwt: keys::Config,
    clock: Clock,
}

/// A message under way.
pub(crate) struct Sending<'a> {
    /// Names the row, the same for every attempt.
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    /// From 1.
    pub attempt: i32,
    pub to: &'a str,
    pub message: &'a TextCode,
    pub now: DateTime<Utc>,
}

impl Texts {
    /// Where the configuration wants them.
    ///
    /// # Errors
    /// A setting that cannot be followed, in the operator's words.
    pub fn new(config: &Config, sealer: &Sealer, clock: &Clock) -> anyhow::Result<Self> {
        let settings = &config.phone_number;
        // The operator names both: they may well be neighbours.
        let outbound = || Outbound::new(Reach::Anywhere);
        Ok(match settings.delivery {
            _ if !config.features.phone_number => Self::Inbox,
            Delivery::Inbox => Self::Inbox,
            Delivery::Gateway => {
                gateway::check(&settings.gateway)?;
                let settings = settings.gateway.clone();
                Self::Gateway(Box::new(ToGateway { settings, outbound: outbound()? }))
            }
            Delivery::Webhook => {
                let url = settings.webhook.url.clone();
                anyhow::ensure!(
                    !url.is_empty(),
                    "phone_number.webhook.url: messages need a place to go"
                );
                Self::Webhook(Box::new(ToWebhook {
                    url,
                    project: config.project.clone(),
                    outbound: outbound()?,
                    keys: Keys::default(),
                    sealer: sealer.clone(),
                    jwt: config.jwt.clone(),
                    clock: clock.clone(),
                }))
            }
        })
    }

    /// Hands a message over.
    ///
    /// # Errors
    /// Permanent, when the code has expired or the message is refused; temporary, when another attempt may succeed.
    pub(crate) async fn send(&self, db: &Pool, sending: Sending<'_>) -> Result<(), Failure> {
        if matches!(self, Self::Inbox) {
            return Ok(());
        }
        if sending.message.expires_at <= sending.now {
            return Err(Failure::Permanent("the code has expired".to_owned()));
        }
        match self {
            Self::Inbox => Ok(()),
            Self::Gateway(to) => {
                let request = gateway::request(&to.settings, sending.to, sending.message)?;
                gateway::judge(&to.settings, &call(&to.outbound, request).await?)
            }
            Self::Webhook(to) => {
                let source = Source { db, sealer: &to.sealer, config: &to.jwt, clock: &to.clock };
                let ring = to.keys.ring(source).await.map_err(|_| {
                    Failure::Temporary("the signing keys cannot be read".to_owned())
                })?;
                let event = webhook::Event {
                    id: sending.id,
                    created_at: sending.created_at,
                    attempt: sending.attempt,
                    to: sending.to,
                    message: sending.message,
                    project: &to.project,
                    now: sending.now,
                };
                let request = webhook::request(&to.url, &event, &ring.signing)?;
                webhook::judge(&call(&to.outbound, request).await?)
            }
        }
    }
}

async fn call(
    outbound: &Outbound,
    request: gatepost_outbound::Request,
) -> Result<gatepost_outbound::Answer, Failure> {
    outbound.send(request).await.map_err(|failure| match failure {
        gatepost_outbound::Failure::Transport(_) => Failure::Temporary(reason(&failure)),
        other => Failure::Permanent(reason(&other)),
    })
}
