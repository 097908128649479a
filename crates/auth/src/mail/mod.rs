//! Mail: templates, the outbox, delivery, the development inbox.
//!
//! A request writes a mail into the outbox within its own transaction ([`enqueue`]); it goes out if and only if that commits. A
//! worker delivers it afterwards ([`deliver::run`]): nobody waits for a mail server, and no answer tells whether one was asked.

mod brand;
pub mod config;
pub mod deliver;
pub mod inbox;
mod languages;
mod message;
mod recipient;
mod render;
mod samples;
mod smtp;
pub(crate) mod store;
mod templates;
mod wake;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use gatepost_protocol::{random, sealed::Sealer};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use brand::{Brand, Colour, InvalidColour};
pub use languages::Languages;
pub use message::{Invitation, Key, Message, OtpPurpose};
pub use recipient::{InvalidRecipient, Recipient};
pub use render::{Look, Preview, RenderError, Rendered};
pub use smtp::Mailer;
pub(crate) use smtp::{Failure, reason};
pub use wake::{Wakes, listen};

use config::MailConfig;

use crate::{
    app::App,
    error::Error,
    http::Call,
    phone_number::{PhoneNumber, Texts},
};

/// Everything that mail needs besides the database.
pub struct Outbox {
    sealer: Sealer,
    look: Look,
    sender: Mailbox,
    reply_to: Option<Mailbox>,
    mailer: Mailer,
    texts: Texts,
    keeps_sent: bool,
    batch: i64,
}

/// Why a mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    #[error(transparent)]
    Recipient(#[from] InvalidRecipient),
    #[error("the message cannot be written down: {0}")]
    Message(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
}

impl Outbox {
    /// Without `[mail.smtp]` nothing leaves: [`Mailer::Inbox`]. `keeps_sent` (that is `[inbox] enabled`) leaves the sealed content
    /// in the database after delivery, so that the inbox can show it.
    ///
    /// # Errors
    /// When TLS to the mail server cannot be set up, or a template or language file of the operator is bad.
    pub fn new(config: &MailConfig, sealer: Sealer, keeps_sent: bool) -> anyhow::Result<Self> {
        Ok(Self {
            sealer,
            look: Look::new(config)?,
            sender: config.sender(),
            reply_to: config.reply_to.clone().map(|address| Mailbox::new(None, address)),
            mailer: config.smtp.as_ref().map_or(Ok(Mailer::Inbox), Mailer::smtp)?,
            texts: Texts::default(),
            keeps_sent,
            batch: config.smtp.as_ref().map_or(32, |smtp| i64::from(smtp.connections)),
        })
    }

    /// With a way for text messages, which otherwise go nowhere.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        Self { texts, ..self }
    }

    fn keeps(&self, message: Option<&Message>) -> bool {
        let nowhere = match message {
            Some(Message::PhoneOtp(_)) => matches!(self.texts, Texts::Inbox),
            _ => matches!(self.mailer, Mailer::Inbox),
        };
        self.keeps_sent || nowhere
    }

    /// The languages of mails.
    #[must_use]
    pub fn languages(&self) -> &Languages {
        self.look.languages()
    }

    /// The style sheets of the HTML forms, as they stand in them.
    fn style_sheets(&self) -> BTreeSet<String> {
        let mails = samples::samples();
        let mails = mails.iter().filter_map(|message| self.render(message, None).ok());
        mails
            .flat_map(|mail| {
                let after = mail.html.split("<style>").skip(1);
                let sheets = after.filter_map(|rest| rest.split_once("</style>"));
                sheets.map(|(sheet, _)| sheet.to_owned()).collect::<Vec<_>>()
            })
            .collect()
    }

    fn render(&self, message: &Message, language: Option<&str>) -> Result<Rendered, RenderError> {
        self.look.render(message, language.unwrap_or(self.languages().default_code()))
    }
}

/// Writes a mail in the caller's transaction; it is delivered after the commit.
///
/// # Errors
/// [`EnqueueError::Recipient`] for an address that endpoints should have refused before; otherwise a fault of the server.
pub async fn enqueue(
    conn: &impl GenericClient,
    outbox: &Outbox,
    to: &str,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<(), EnqueueError> {
    write_mail(conn, outbox, Draft { to, message, language: None, decoy: false }, now).await
}

/// Writes what [`enqueue`] would, but it is never delivered nor shown: for the branch of an endpoint where no mail may go out. A
/// transaction that writes waits for the disk and one that does not answers sooner, which tells who has an account (EN-06).
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_decoy(
    conn: &impl GenericClient,
    outbox: &Outbox,
    to: &str,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<(), EnqueueError> {
    write_mail(conn, outbox, Draft { to, message, language: None, decoy: true }, now).await
}

/// A mail, or a text message, to be written down.
struct Draft<'a> {
    to: &'a str,
    message: &'a Message,
    /// Unless the recipient chose another one.
    language: Option<&'a str>,
    decoy: bool,
}

/// What is sealed. A field to come gets a default, so that waiting rows can still be read.
#[derive(Serialize, Deserialize)]
struct Payload<M> {
    /// The row it belongs to: a payload moved into another row is not delivered to its recipient.
    id: Uuid,
    message: M,
}

async fn write_mail(
    conn: &impl GenericClient,
    outbox: &Outbox,
    draft: Draft<'_>,
    now: DateTime<Utc>,
) -> Result<(), EnqueueError> {
    let recipient = Recipient::parse(draft.to)?;
    // An address that stands in for none (RFC 6761, section 6.4) has no mail server to ask.
    let decoy = draft.decoy || draft.to.ends_with(".invalid");
    write(conn, outbox, Draft { to: recipient.as_str(), decoy, ..draft }, now).await
}

async fn write(
    conn: &impl GenericClient,
    outbox: &Outbox,
    draft: Draft<'_>,
    now: DateTime<Utc>,
) -> Result<(), EnqueueError> {
    let Draft { to: recipient, message, language, decoy } = draft;
    let message_id = random::uuid();
    let payload = outbox.seal(message_id, message)?;
    let kind = message.kind();
    let new = store::New { message_id, recipient, kind, payload: &payload, decoy, language, now };
    Ok(store::create_mail(conn, &new).await?)
}

impl Outbox {
    fn seal(&self, id: Uuid, message: &Message) -> Result<String, serde_json::Error> {
        Ok(self.sealer.seal(&serde_json::to_vec(&Payload { id, message })?))
    }

    /// `None` for what another secret sealed, or for another row.
    fn open(&self, id: Uuid, sealed: &str) -> Option<Message> {
        let plain = self.sealer.open(sealed).ok()?;
        let payload: Payload<Message> = serde_json::from_slice(&plain).ok()?;
        (payload.id == id).then_some(payload.message)
    }
}

/// Writes a mail in the caller's transaction, as an endpoint does it: in the language that the recipient chose, else in that
/// of the request.
///
/// # Errors
/// Those of Postgres; an address that endpoints should have refused is internal.
pub(crate) async fn send(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    to: &str,
    message: &Message,
) -> Result<(), Error> {
    Ok(write_mail(conn, &app.outbox, Draft::of(app, call, to, message), call.now).await?)
}

/// Does the work of [`send`] where nothing may go out, so that time does not tell (EN-06).
///
/// # Errors
/// As [`send`].
pub(crate) async fn pretend(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    to: &str,
    message: &Message,
) -> Result<(), Error> {
    let draft = Draft { decoy: true, ..Draft::of(app, call, to, message) };
    Ok(write_mail(conn, &app.outbox, draft, call.now).await?)
}

impl<'a> Draft<'a> {
    /// In the language of the request, where whoever asks is likely to be who reads.
    fn of(app: &'a App, call: &Call, to: &'a str, message: &'a Message) -> Self {
        let languages = app.outbox.languages();
        let language = match message {
            Message::SuspiciousSignIn { .. } => None,
            _ => Some(languages.negotiate(call.header("accept-language"))),
        };
        Self { to, message, language, decoy: false }
    }
}

/// Writes a text message in the caller's transaction; it is delivered after the commit.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn text(
    app: &App,
    conn: &impl GenericClient,
    to: &PhoneNumber,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let draft = Draft { to: to.as_str(), message, language: None, decoy: false };
    Ok(write(conn, &app.outbox, draft, now).await?)
}

/// Does the work of [`text`] where nothing may go out, so that time does not tell (EN-06).
///
/// # Errors
/// As [`text`].
pub(crate) async fn pretend_text(
    app: &App,
    conn: &impl GenericClient,
    to: &PhoneNumber,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let draft = Draft { to: to.as_str(), message, language: None, decoy: true };
    Ok(write(conn, &app.outbox, draft, now).await?)
}

impl From<EnqueueError> for Error {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Database(error) => error.into(),
            other => Self::Internal(other.into()),
        }
    }
}

/// Every message to an address so far, oldest first.
#[cfg(test)]
pub(crate) async fn outbox_of(app: &App, to: &str) -> Vec<Message> {
    let conn = app.db.get().await.unwrap();
    let sql = "select message_id, payload from neon_auth.gatepost_mail where recipient = $1 and not decoy order by id";
    let rows = conn.query(sql, &[&to]).await.unwrap();
    rows.iter().filter_map(|row| app.outbox.open(row.get(0), row.get(1))).collect()
}
