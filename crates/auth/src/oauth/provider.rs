//! A provider as the settings and the table of kinds describe it together.

use std::{collections::BTreeMap, fmt, sync::Arc};

use anyhow::{Context, bail, ensure};
use gatepost_protocol::secret::Secret;
use tokio::sync::Mutex;
use url::Url;

use super::{
    apple::AppleKey,
    config::{self, SignUp, TokenAuth},
    endpoints::{Endpoints, Found, Issuer, Keys},
    known::{APPLE, KINDS, Known, MICROSOFT, OAUTH2, OIDC},
    profile::Profile,
};

/// Every provider that is configured, by id.
#[derive(Debug, Default)]
pub struct Providers(BTreeMap<String, Arc<Provider>>);

impl Providers {
    /// Checks the settings of every provider (OA-11, OA-34).
    ///
    /// # Errors
    /// What is missing or cannot be meant, in words for the operator.
    pub fn new(config: &config::Config) -> anyhow::Result<Self> {
        for id in &config.trusted_providers {
            ensure!(
                config.providers.contains_key(id),
                "social.trusted_providers: there is no provider {id:?}"
            );
        }
        let provider = |(id, settings): (&String, &config::Provider)| {
            let provider = Provider::new(id, settings, config)
                .with_context(|| format!("social.providers.{id}"))?;
            Ok((id.clone(), Arc::new(provider)))
        };
        config.providers.iter().map(provider).collect::<anyhow::Result<_>>().map(Self)
    }

    /// The provider of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Provider>> {
        self.0.get(id)
    }

    /// None is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How this application proves itself at the token endpoint.
pub(super) enum Client {
    /// The secret goes into the header or the form; unset: as discovery says.
    Secret(Secret, Option<TokenAuth>),
    /// A token signed by this key.
    Apple(AppleKey),
    /// Not at all.
    Public,
}

/// One provider.
pub struct Provider {
    /// Its id: in the callback URL and in `account.providerId`.
    pub id: String,
    /// For people.
    pub name: String,
    pub(super) kind: &'static Known,
    pub(super) settings: config::Provider,
    pub(super) client: Client,
    pub(super) profile: Profile,
    /// Its addresses count as proven by the operator's word.
    pub(super) trusted: bool,
    /// `None`: discovery tells.
    pub(super) fixed: Option<Arc<Endpoints>>,
    pub(super) found: Mutex<Option<Found>>,
    pub(super) keys: Mutex<Option<Keys>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Provider {
    fn new(id: &str, settings: &config::Provider, all: &config::Config) -> anyhow::Result<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        ensure!(
            !id.is_empty() && id.len() <= 64 && id.bytes().all(plain) && id != "credential",
            "an id is made of letters, digits, `-`, `_` and `.`, and is not `credential`"
        );
        let kind = if settings.kind.is_empty() { id } else { &settings.kind };
        let Some(kind) = KINDS.iter().find(|known| known.kind == kind) else {
            let kinds: Vec<&str> = KINDS.iter().map(|known| known.kind).collect();
            bail!("kind: {kind:?} is none of {}", kinds.join(", "));
        };
        ensure!(!settings.client_id.is_empty(), "client_id is missing");
        let provider = Self {
            id: id.to_owned(),
            name: [&settings.name, kind.name, id]
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or(id)
                .to_owned(),
            client: client(kind, settings)?,
            profile: Profile::new(kind, &settings.profile),
            trusted: all.trusted_providers.iter().any(|trusted| trusted == id),
            fixed: fixed(kind, settings)?.map(Arc::new),
            found: Mutex::default(),
            keys: Mutex::default(),
            settings: settings.clone(),
            kind,
        };
        provider.discovery_url()?;
        Ok(provider)
    }

    /// Where the discovery document is.
    pub(super) fn discovery_url(&self) -> anyhow::Result<String> {
        let settings = &self.settings;
        if self.fixed.is_some() || !settings.discovery_url.is_empty() {
            return Ok(settings.discovery_url.clone());
        }
        ensure!(!settings.issuer.is_empty(), "issuer is missing");
        Ok(format!("{}{WELL_KNOWN}", settings.issuer.trim_end_matches('/')))
    }

    /// The issuer that the discovery document must name (OA-08).
    pub(super) fn expected_issuer(&self) -> Option<String> {
        let settings = &self.settings;
        if settings.issuer.is_empty() {
            return settings.discovery_url.strip_suffix(WELL_KNOWN).map(str::to_owned);
        }
        Some(settings.issuer.clone())
    }

    /// Whose id tokens are meant for this application (OA-11).
    pub(super) fn audiences(&self) -> Vec<String> {
        std::iter::once(&self.settings.client_id)
            .chain(&self.settings.more_client_ids)
            .cloned()
            .collect()
    }

    /// Where the provider sends the browser back to, below a mount.
    pub(super) fn callback_path(&self) -> String {
        let older = if self.settings.older_callback { "/oauth2" } else { "" };
        format!("{older}/callback/{}", self.id)
    }

    /// The authorization request carries a challenge (RFC 7636).
    pub(super) fn pkce(&self) -> bool {
        self.settings.pkce.unwrap_or(self.kind.pkce)
    }

    /// A first sign-in creates a user.
    pub(super) fn signs_up(&self, requested: bool) -> bool {
        match self.settings.sign_up {
            SignUp::Allowed => true,
            SignUp::Requested => requested,
            SignUp::Never => false,
        }
    }

    /// The origin that posts the answer of an authorization request (Apple's `form_post`).
    pub(super) fn posts_from(&self) -> Option<String> {
        let fixed = self.fixed.as_ref()?;
        Some(Url::parse(&fixed.authorization).ok()?.origin().ascii_serialization())
    }
}

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

fn client(kind: &Known, settings: &config::Provider) -> anyhow::Result<Client> {
    if kind.kind == APPLE && !settings.private_key.reveal().is_empty() {
        return AppleKey::new(settings).map(Client::Apple);
    }
    match (settings.token_auth, settings.client_secret.reveal().is_empty()) {
        (Some(TokenAuth::None), true) => Ok(Client::Public),
        (Some(TokenAuth::None), false) => bail!("token_auth = \"none\" takes no client_secret"),
        (_, true) => bail!("client_secret is missing"),
        (auth, false) => {
            let usual = kind.basic.then_some(TokenAuth::Basic);
            let usual = usual.or((kind.kind != OIDC).then_some(TokenAuth::Post));
            Ok(Client::Secret(settings.client_secret.clone(), auth.or(usual)))
        }
    }
}

/// The addresses that are known without asking; `None`: of an OpenID Connect issuer.
fn fixed(kind: &Known, settings: &config::Provider) -> anyhow::Result<Option<Endpoints>> {
    if kind.kind == OIDC {
        return Ok(None);
    }
    let tenant = if settings.tenant.is_empty() { "common" } else { &settings.tenant };
    let base = if settings.issuer.is_empty() { kind.base } else { &settings.issuer };
    let base = base.trim_end_matches('/');
    let made = |own: &str, known: &str| {
        let own = if own.is_empty() { known } else { own };
        own.replace("{base}", base).replace("{tenant}", tenant)
    };
    let some = |text: String| (!text.is_empty()).then_some(text);
    let endpoints = Endpoints {
        authorization: made(&settings.authorization_url, kind.authorization),
        token: made(&settings.token_url, kind.token),
        userinfo: some(made(&settings.userinfo_url, kind.userinfo)),
        keys: some(made(&settings.jwks_url, kind.keys)),
        issuer: match kind.kind {
            MICROSOFT => Issuer::Directories { base: base.to_owned(), tenant: tenant.to_owned() },
            OAUTH2 if !settings.issuer.is_empty() => Issuer::One(vec![settings.issuer.clone()]),
            _ => Issuer::One(kind.issuers.iter().map(|&issuer| issuer.to_owned()).collect()),
        },
        names_itself: false,
        openid: false,
        basic: false,
    };
    for (name, url) in [
        ("authorization_url", Some(&endpoints.authorization)),
        ("token_url", Some(&endpoints.token)),
        ("userinfo_url", endpoints.userinfo.as_ref()),
        ("jwks_url", endpoints.keys.as_ref()),
    ] {
        let Some(url) = url else { continue };
        ensure!(!url.is_empty(), "{name} is missing");
        Url::parse(url).with_context(|| format!("{name}: {url:?} is not a URL"))?;
    }
    Ok(Some(endpoints))
}
