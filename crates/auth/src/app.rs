//! What every request shares.

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use gatepost_outbound::Outbound;
use gatepost_postgres::Pool;
use gatepost_protocol::{body, cookie_cache::CookieCache, sealed::Sealer};
use http::Method;
use tokio::sync::broadcast;
use url::Url;

use crate::{
    admin,
    captcha::Captcha,
    config::Config,
    error::Result,
    events::Happened,
    http::{
        Endpoint, Mount,
        address::ClientAddress,
        origin::{Rules, TrustedOrigins},
    },
    keys::Keys,
    mail::Outbox,
    metrics::Metrics,
    oauth::Providers,
    password::Hasher,
    permissions::Roles,
    phone_number::Texts,
    session::{self, Live, Reader},
    throttle::Throttle,
    wire,
};

/// What every request shares. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// See [`App`].
pub struct Inner {
    /// Settings.
    pub config: Config,
    /// Connections.
    pub db: Pool,
    /// Time.
    pub clock: Clock,
    /// Trusted origins and redirect targets.
    pub origins: TrustedOrigins,
    /// Whose word about the client's address is taken.
    pub addresses: ClientAddress,
    /// Copies of sessions in browsers, where they are on.
    pub cookie_cache: Option<CookieCache>,
    /// Rate limits.
    pub limits: Throttle,
    /// Proof that a person is there.
    pub captcha: Captcha,
    /// Members of users and sessions that the wire shows.
    pub features: body::Features,
    /// `iss` of tokens.
    pub issuer: String,
    /// `aud` of tokens.
    pub audience: String,
    /// Those who watch what happens.
    pub watchers: broadcast::Sender<Happened>,
    /// Signing keys.
    pub keys: Keys,
    /// Mail on its way.
    pub outbox: Arc<Outbox>,
    /// Password hashing, a bounded number at a time.
    pub hasher: Hasher,
    /// Session look-ups, many in one statement.
    pub sessions: Reader,
    /// What the roles of organizations grant, as configured.
    pub organization_roles: Roles,
    /// What of a token still holds, many look-ups in one statement.
    pub live: Live,
    /// Seals what is secret at rest.
    pub sealer: Sealer,
    /// Calls to other machines.
    pub outbound: Outbound,
    /// Where users may sign in besides here.
    pub providers: Providers,
    /// Numbers for Prometheus.
    pub metrics: Metrics,
    /// What roles of the admin feature may do.
    pub admin_roles: Roles,
    /// Every endpoint that is switched on.
    pub endpoints: Vec<Endpoint>,
    /// Where the API is mounted.
    pub mounts: Vec<Arc<Mount>>,
    routes: HashMap<Method, matchit::Router<usize>>,
}

impl App {
    /// Puts the server together. Reads nothing from the network: connections are opened when they are first needed.
    ///
    /// # Errors
    /// A setting that cannot be followed, with the words for the operator.
    pub fn new(config: Config, db: Pool, clock: Clock) -> anyhow::Result<Self> {
        let public_url = Url::parse(&config.public_url)
            .with_context(|| format!("public_url: {:?} is not a URL", config.public_url))?;
        config.device.check(&public_url)?;
        let origins = trusted_origins(&config, &public_url)?;
        let sealer = sealer(&config);
        let endpoints = crate::endpoints(&config);
        let routes = routes(&endpoints)?;
        let origin = public_url.origin().ascii_serialization();
        let or_origin = |text: &str| if text.is_empty() { origin.clone() } else { text.to_owned() };
        let organization_roles = config.organization.all_roles()?;
        let (watchers, _) = broadcast::channel(256);
        Ok(Self(Arc::new(Inner {
            addresses: config.client_address.resolver(),
            limits: Throttle::new(&config.rate_limit, &db)?,
            captcha: Captcha::new(&config.captcha, &endpoints)?,
            cookie_cache: session::cache::cache(&config),
            keys: Keys::default(),
            outbox: Arc::new(
                Outbox::new(
                    &config.mail.named(&config.app_name),
                    self::sealer(&config),
                    config.inbox.enabled,
                )?
                .with_texts(Texts::new(&config, &sealer, &clock)?),
            ),
            hasher: Hasher::new(&config.email_password),
            sessions: Reader::start(&db),
            live: Live::start(&db),
            mounts: Mount::all(&config, &public_url).into_iter().map(Arc::new).collect(),
            outbound: Outbound::new(config.outbound.reach())?,
            providers: Providers::new(&config.social)?,
            metrics: Metrics::default(),
            admin_roles: admin::configured_roles(&config.admin),
            features: wire::features(&config.features),
            issuer: or_origin(&config.jwt.issuer),
            audience: or_origin(&config.jwt.audience),
            organization_roles,
            watchers,
            sealer,
            origins,
            endpoints,
            routes,
            config,
            db,
            clock,
        })))
    }

    /// The endpoint for a request, and what a `{name}` in its path stood for.
    #[must_use]
    pub fn route(&self, method: &Method, path: &str) -> Option<(&Endpoint, Option<String>)> {
        let found = self.routes.get(method)?.at(path).ok()?;
        let parameter = found.params.iter().next().map(|(_, value)| value.to_owned());
        Some((self.endpoints.get(*found.value)?, parameter))
    }
}

fn trusted_origins(config: &Config, public_url: &Url) -> anyhow::Result<TrustedOrigins> {
    let rules = Rules {
        production: config.production,
        allow_localhost: config.allow_localhost,
        ambiguous_redirects: config.ambiguous_redirects,
    };
    TrustedOrigins::parse(public_url, &config.trusted_origins, rules)
        .map_err(|bad| anyhow::anyhow!("trusted_origins: {:?}: {}", bad.entry, bad.why))
}

/// The newest secret seals without a version, as Better Auth does with one secret; earlier ones still open.
fn sealer(config: &Config) -> Sealer {
    Sealer::single(&config.secret, &config.previous_secrets)
}

fn routes(endpoints: &[Endpoint]) -> anyhow::Result<HashMap<Method, matchit::Router<usize>>> {
    let mut routes: HashMap<Method, matchit::Router<usize>> = HashMap::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        routes.entry(endpoint.method.clone()).or_default().insert(endpoint.path, index)?;
    }
    Ok(routes)
}

#[cfg(test)]
impl App {
    /// The parts, as long as nobody shares them: a test puts a broken one in.
    pub(crate) fn parts(&mut self) -> Option<&mut Inner> {
        Arc::get_mut(&mut self.0)
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

/// Where time comes from: the system, or a test that turns it by hand (milliseconds since the epoch).
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved.
    Adjustable(Arc<AtomicI64>),
}

impl Clock {
    /// The present, with millisecond precision, as the wire shows it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let milliseconds = match self {
            #[expect(clippy::disallowed_methods, reason = "the system clock is read here only")]
            Self::System => Utc::now().timestamp_millis(),
            Self::Adjustable(milliseconds) => milliseconds.load(Ordering::Relaxed),
        };
        DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
    }
}

/// A client for one request.
///
/// # Errors
/// Unavailable, when none can be had in time.
pub async fn connection(app: &App) -> Result<deadpool_postgres::Client> {
    Ok(app.db.get().await?)
}
