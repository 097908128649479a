//! The way out: one SMTP server, or none.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message as Mime, Tokio1Executor,
    message::{Mailbox, MultiPart, header},
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use uuid::Uuid;

use super::{
    config::{SmtpConfig, TlsMode},
    recipient::Recipient,
    render::Rendered,
};

/// What a mail server says is kept up to this many characters.
const LONGEST_REASON: usize = 300;

/// Where mail goes.
#[derive(Clone)]
pub enum Mailer {
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Nowhere: the development inbox shows it.
    Inbox,
}

/// Why an attempt failed. The reason is one line and may be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another attempt may succeed: the server is away, busy or set up wrongly.
    Temporary(String),
    /// The server will never take this mail.
    Permanent(String),
}

/// A mail ready to go.
pub(super) struct Letter<'a> {
    pub message_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub from: &'a Mailbox,
    pub reply_to: Option<&'a Mailbox>,
    pub to: &'a Recipient,
    pub rendered: Rendered,
}

impl Mailer {
    /// Sets the transport up; connects when the first mail goes out.
    ///
    /// # Errors
    /// When TLS cannot be set up or the certificate file cannot be read.
    pub fn smtp(config: &SmtpConfig) -> anyhow::Result<Self> {
        let tls = match config.tls {
            TlsMode::None => Tls::None,
            TlsMode::Starttls => Tls::Required(tls_parameters(config)?),
            TlsMode::Tls => Tls::Wrapper(tls_parameters(config)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port())
            .tls(tls)
            .timeout(Some(Duration::from_secs(config.timeout_seconds)))
            .pool_config(PoolConfig::new().max_size(config.connections));
        if let Some(username) = &config.username {
            let password = config.password.as_ref().map_or("", |password| password.reveal());
            builder = builder.credentials(Credentials::new(username.clone(), password.to_owned()));
        }
        Ok(Self::Smtp(builder.build()))
    }
}

fn tls_parameters(config: &SmtpConfig) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path)
            .map_err(|error| anyhow::anyhow!("mail.smtp.ca_file {}: {error}", path.display()))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem)?);
    }
    Ok(builder.build_rustls()?)
}

/// Sends one mail. The same row always makes the same `Message-ID` and `Date`, so that a repetition can be recognised.
pub(super) async fn send(
    transport: &AsyncSmtpTransport<Tokio1Executor>,
    letter: Letter<'_>,
) -> Result<(), Failure> {
    let mime = mime(letter).map_err(|error| Failure::Permanent(reason(&error)))?;
    match transport.send(mime).await {
        Ok(_) => Ok(()),
        Err(error) if is_final(&error) => Err(Failure::Permanent(reason(&error))),
        Err(error) => Err(Failure::Temporary(reason(&error))),
    }
}

fn mime(letter: Letter<'_>) -> Result<Mime, lettre::error::Error> {
    let domain = letter.from.email.domain();
    let mut builder = Mime::builder()
        .message_id(Some(format!("<{}@{domain}>", letter.message_id)))
        .date(letter.created_at.into())
        .from(letter.from.clone())
        .to(Mailbox::new(None, letter.to.address()))
        .subject(letter.rendered.subject)
        .raw_header(auto_submitted());
    if let Some(reply_to) = letter.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    builder.multipart(MultiPart::alternative_plain_html(letter.rendered.text, letter.rendered.html))
}

/// Keeps out-of-office replies away (RFC 3834 section 5).
fn auto_submitted() -> header::HeaderValue {
    header::HeaderValue::new(
        header::HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    )
}

/// 5xx is final, except where it refuses us and not the mail: a wrong password is put right by an operator, and the mails wait
/// for that (RFC 4954 section 6).
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(u16::from);
    error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538))
}

/// An error and its sources in one short line without control characters, as servers choose their words (LG-02).
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(LONGEST_REASON)
        .collect()
}
