//! Proof that a person is there: Cloudflare Turnstile, Google reCAPTCHA (v2 and v3) and hCaptcha, as Better Auth's plugin.
//!
//! The page sends what its widget gave in `x-captcha-response`; the provider is asked before an endpoint looks anything
//! up. It fails closed (RL-16): without an answer of the provider nobody gets in.

use std::collections::HashSet;

use gatepost_outbound::Request;
use gatepost_protocol::secret::Secret;
use http::StatusCode;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

use crate::{
    app::App,
    error::{Refusal, Result},
    events::{self, Refused},
    http::{Call, Endpoint},
    limits::rules,
};

/// Proof that a person is there.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who judges.
    pub provider: Provider,
    /// The secret that the provider gave for the site.
    pub secret_key: Secret,
    /// The public key of the site: hCaptcha refuses answers for another one then.
    pub site_key: String,
    /// Paths that ask for it, such as `/sign-in/email` or `/sign-in/*`; empty: sign-up, sign-in and reset by password.
    pub endpoints: Vec<String>,
    /// The lowest score of reCAPTCHA v3 that is a person, from 0 to 1.
    pub min_score: f64,
    /// The action an answer must be for (Turnstile, reCAPTCHA v3); empty: any.
    pub expected_action: String,
    /// Hosts whose pages an answer may come from; empty: any.
    pub allowed_hostnames: Vec<String>,
    /// Another address to ask than the provider's own; empty: that one.
    pub verify_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            provider: Provider::None,
            secret_key: Secret::default(),
            site_key: String::new(),
            endpoints: Vec::new(),
            min_score: 0.5,
            expected_action: String::new(),
            allowed_hostnames: Vec::new(),
            verify_url: String::new(),
        }
    }
}

/// Who judges.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Nobody: nothing is asked.
    #[default]
    None,
    /// Cloudflare Turnstile.
    CloudflareTurnstile,
    /// Google reCAPTCHA, v2 and v3.
    GoogleRecaptcha,
    /// hCaptcha.
    Hcaptcha,
}

impl Provider {
    const fn verify_url(self) -> &'static str {
        match self {
            Self::None => "",
            Self::CloudflareTurnstile => {
                "https://challenges.cloudflare.com/turnstile/v0/siteverify"
            }
            Self::GoogleRecaptcha => "https://www.google.com/recaptcha/api/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
        }
    }
}

const DEFAULT_ENDPOINTS: [&str; 3] =
    ["/sign-up/email", "/sign-in/email", "/request-password-reset"];
/// What the page sends.
const HEADER: &str = "x-captcha-response";
/// The longest answer of a widget, in bytes; those of the providers have at most about 2 KiB.
const LONGEST: usize = 8 * 1024;

const MISSING: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "MISSING_RESPONSE", "Missing CAPTCHA response");
const FAILED: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "VERIFICATION_FAILED", "Captcha verification failed");
const UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "SERVICE_UNAVAILABLE",
    "CAPTCHA service unavailable",
);

/// Which endpoints ask for proof.
#[derive(Debug, Default)]
pub struct Captcha {
    /// By name, so that another spelling of an endpoint is no way around (RL-06).
    guarded: HashSet<&'static str>,
}

impl Captcha {
    /// The endpoints that the configuration names.
    ///
    /// # Errors
    /// In the operator's words: a secret is missing, a path names nothing, or a setting does not fit the provider.
    pub fn new(config: &Config, endpoints: &[Endpoint]) -> anyhow::Result<Self> {
        if config.provider == Provider::None {
            return Ok(Self::default());
        }
        if config.secret_key.reveal().is_empty() {
            anyhow::bail!(
                "captcha.secret_key: it is missing; the provider shows it beside the site key"
            );
        }
        if !config.expected_action.is_empty() && config.provider == Provider::Hcaptcha {
            anyhow::bail!("captcha.expected_action: hCaptcha knows no actions; remove it");
        }
        let mut guarded = HashSet::new();
        if config.endpoints.is_empty() {
            guarded.extend(DEFAULT_ENDPOINTS.iter().flat_map(|path| named(endpoints, path)));
        }
        for path in &config.endpoints {
            let found: Vec<_> = named(endpoints, path).collect();
            if found.is_empty() {
                anyhow::bail!("captcha.endpoints: {path:?} is no endpoint that takes a POST here");
            }
            guarded.extend(found);
        }
        Ok(Self { guarded })
    }

    /// Asks for proof, where the configuration wants it.
    ///
    /// # Errors
    /// `MISSING_RESPONSE`, `VERIFICATION_FAILED`, `SERVICE_UNAVAILABLE`.
    pub async fn check(&self, app: &App, endpoint: &Endpoint, call: &Call) -> Result<()> {
        if endpoint.method != http::Method::POST || !self.guarded.contains(endpoint.name) {
            return Ok(());
        }
        let response = call.header(HEADER).filter(|response| !response.is_empty());
        let response = response.ok_or(MISSING)?;
        let config = &app.config.captcha;
        let judged = if response.len() > LONGEST {
            Err(Why::TooLong)
        } else {
            ask(app, config, response, &call.client.stored).await?.judge(config)
        };
        if let Err(why) = judged {
            tracing::warn!(?why, provider = ?config.provider, "captcha refused");
            events::refused(app, call, Refused::Captcha, None).await;
            return Err(FAILED.into());
        }
        Ok(())
    }
}

/// POST endpoints whose path fits a pattern. A link in a mail is a GET and cannot carry the header.
fn named<'a>(
    endpoints: &'a [Endpoint],
    pattern: &'a str,
) -> impl Iterator<Item = &'static str> + 'a {
    endpoints
        .iter()
        .filter(move |endpoint| {
            endpoint.method == http::Method::POST && rules::matches(pattern, endpoint.path)
        })
        .map(|endpoint| endpoint.name)
}

/// What a provider says. Only what is there and `true` is a yes.
#[derive(Deserialize)]
struct Verdict {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    score: Option<f64>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default, rename = "error-codes")]
    codes: Vec<String>,
}

/// Why an answer is not taken, for the log.
#[derive(Debug)]
#[expect(dead_code, reason = "the log shows what is inside")]
enum Why {
    TooLong,
    Refused(Vec<String>),
    Score(f64),
    Action(Option<String>),
    Hostname(Option<String>),
}

impl Verdict {
    fn judge(self, config: &Config) -> Result<(), Why> {
        if !self.success {
            return Err(Why::Refused(self.codes));
        }
        // An answer of v2 has none.
        if let Some(score) = self.score.filter(|score| *score < config.min_score)
            && config.provider == Provider::GoogleRecaptcha
        {
            return Err(Why::Score(score));
        }
        let action = &config.expected_action;
        if !action.is_empty() && self.action.as_ref() != Some(action) {
            return Err(Why::Action(self.action));
        }
        let hosts = &config.allowed_hostnames;
        let from_elsewhere = self.hostname.as_ref().is_none_or(|host| !hosts.contains(host));
        if !hosts.is_empty() && from_elsewhere {
            return Err(Why::Hostname(self.hostname));
        }
        Ok(())
    }
}

/// The provider's word. A provider that is away, falls silent or talks nonsense refuses everybody.
async fn ask(app: &App, config: &Config, response: &str, address: &str) -> Result<Verdict> {
    let url = match config.verify_url.as_str() {
        "" => config.provider.verify_url(),
        url => url,
    };
    let mut fields = vec![("secret", config.secret_key.reveal()), ("response", response)];
    if !address.is_empty() {
        fields.push(("remoteip", address));
    }
    if config.provider == Provider::Hcaptcha && !config.site_key.is_empty() {
        fields.push(("sitekey", config.site_key.as_str()));
    }
    let asked = async {
        let answer = app.outbound.send(Request::post(url).form(&fields)).await?;
        if !answer.status.is_success() {
            anyhow::bail!("it answered {}", answer.status);
        }
        Ok(answer.json::<Verdict>()?)
    };
    asked.await.map_err(|cause| {
        tracing::error!(cause = format!("{cause:#}"), provider = ?config.provider, "captcha unavailable");
        UNAVAILABLE.into()
    })
}
