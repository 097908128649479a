//! The limits as endpoints use them: per client and path, per account, per mailbox.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use gatepost_postgres::Pool;
use gatepost_protocol::cookie::{Opened, SetCookie, open};

use crate::{
    app::{App, connection},
    config::{LimitStorage, RateLimit},
    error::{Error, Result},
    events::{self, Event},
    http::{Call, Endpoint},
    limits::{
        Limit, Limits, RetryAfter,
        account::{Backoff, Permit},
        rules::{CustomRule, RequestRules},
        text,
    },
    mail::{self, Message},
    phone_number::{self, PhoneNumber},
    user::{Email, User},
};

/// Every limit of the server.
pub struct Throttle {
    limits: Limits,
    rules: RequestRules,
    backoff: Backoff,
    known_devices: bool,
}

/// A try at an account's password that was let through and counted as a failure until it is taken back.
#[must_use]
pub struct Attempt {
    permit: Permit,
    budget: u32,
    email: String,
}

impl From<RetryAfter> for Error {
    fn from(wait: RetryAfter) -> Self {
        Self::Limited(u64::from(wait.0))
    }
}

impl Throttle {
    /// The limits that a configuration asks for.
    ///
    /// # Errors
    /// A rule or an address that cannot be used, in the operator's words.
    pub fn new(config: &RateLimit, db: &Pool) -> anyhow::Result<Self> {
        let limits = match (config.enabled, config.storage) {
            (false, _) => Limits::Off,
            (true, LimitStorage::Memory) => Limits::memory(),
            (true, LimitStorage::Postgres) => Limits::postgres(db.clone()),
            (true, LimitStorage::Redis) => Limits::redis(&config.redis_url, "gatepost:")?,
        };
        let custom = config.rules.iter().map(|(path, rule)| CustomRule {
            path: path.clone(),
            limit: (rule.max > 0).then_some((rule.window, rule.max)),
        });
        Ok(Self {
            limits,
            rules: RequestRules::new(custom.collect(), None)?,
            backoff: Backoff { budget: config.account_failures, ..Backoff::default() },
            known_devices: config.enabled && config.known_devices,
        })
    }

    /// Counts a request of this client to this path, before anything is read or looked up.
    ///
    /// # Errors
    /// Limited.
    pub async fn request(&self, app: &App, endpoint: &Endpoint, call: &Call) -> Result<()> {
        let Some(limit) = self.rules.of(endpoint.path) else { return Ok(()) };
        // By name: the other spellings of an endpoint count together (RL-06).
        let subject = [endpoint.name, call.client.bucket.as_str()];
        if let Err(wait) = self.limits.hit(limit, &subject, call.now).await {
            // Once per window is enough: a flood must not fill the audit table.
            events::announce(app, call, Event::Limited { path: endpoint.path.to_owned() }, None);
            return Err(wait.into());
        }
        Ok(())
    }

    /// Counts something that a feature bounds for itself.
    ///
    /// # Errors
    /// Limited.
    pub async fn hit(&self, limit: Limit, subject: &[&str], now: DateTime<Utc>) -> Result<()> {
        Ok(self.limits.hit(limit, subject, now).await?)
    }

    /// Counts a try to prove to be the owner of an address, before anything is computed (RL-08, RL-10, PW-15).
    ///
    /// # Errors
    /// Limited.
    pub async fn begin_attempt(&self, app: &App, call: &Call, email: &str) -> Result<Attempt> {
        let known = self.known_devices && self.is_known_device(app, call, email);
        let permit = self.limits.begin_attempt(&self.backoff, email, known, call.now).await?;
        Ok(Attempt { permit, budget: self.backoff.budget, email: email.to_owned() })
    }

    /// Whether a mailbox may get another mail; counts it (RL-17).
    pub async fn may_mail(&self, email: &Email, now: DateTime<Utc>) -> bool {
        self.limits.may_mail(email.as_str(), now).await
    }

    /// The same for an address as a row holds it; what is no address may not.
    pub async fn may_mail_to(&self, recipient: &str, now: DateTime<Utc>) -> bool {
        match Email::parse(recipient) {
            Some(email) => self.may_mail(&email, now).await,
            None => false,
        }
    }

    /// Counts a text message that this client asks for.
    ///
    /// # Errors
    /// Limited.
    pub async fn may_text(
        &self,
        limits: &phone_number::Limits,
        number: &PhoneNumber,
        call: &Call,
    ) -> Result<()> {
        let network = text::network(&call.address());
        Ok(self.limits.may_text(limits, number, &network, call.now).await?)
    }

    fn is_known_device(&self, app: &App, call: &Call, email: &str) -> bool {
        let cookies = call.cookies();
        let presented = cookies.get(&call.mount.cookies.names.named(KNOWN_DEVICE));
        matches!(open(app.config.secret.as_bytes(), &presented), Opened::Valid(value) if value == device(email))
    }

    /// The cookie by which this browser's next sign-in to the account is not slowed down by strangers.
    #[must_use]
    pub fn known_device(&self, app: &App, call: &Call, user: &User) -> Option<SetCookie> {
        let profile = &call.mount.cookies;
        self.known_devices.then(|| {
            let name = profile.names.named(KNOWN_DEVICE);
            profile.set_signed(
                &name,
                &device(&user.email),
                app.config.secret.as_bytes(),
                Some(YEAR),
            )
        })
    }
}

const KNOWN_DEVICE: &str = "known_device";
const YEAR: i64 = 365 * 24 * 60 * 60;

/// The signature covers the purpose too: no other signed value is taken for it.
fn device(email: &str) -> String {
    format!("known-device:{}", hex::encode(digest(&SHA256, email.as_bytes())))
}

impl Attempt {
    /// The password was right: the try is taken back.
    pub async fn succeeded(self, app: &App) {
        app.limits.limits.succeeded(self.permit).await;
    }

    /// The password was wrong. The owner is told when the last free try is used up.
    pub async fn failed(self, app: &App, call: &Call, owner: Option<&User>) {
        let Some(owner) = owner.filter(|_| self.permit.uses_up_budget()) else { return };
        let message = Message::SuspiciousSignIn {
            failures: self.budget,
            address: call.address().parse().ok(),
        };
        let told =
            async { mail::send(app, call, &connection(app).await?, &owner.email, &message).await };
        if let Err(error) = told.await {
            tracing::warn!(email = self.email, cause = ?error, "the owner could not be told of failed sign-ins");
        }
    }
}
