//! From a message to what a mail program shows: words in a language, in the clothes of the brand.
//!
//! [`Look::render`] is the only way from a [`Message`] to text. A new kind of mail is a variant of [`Message`], a sample, a
//! section in every language file, and a line in [`values`] if its words name something; a test tells what is missing.

use std::{collections::BTreeMap, fmt};

use minijinja::{Value, context};

use super::{
    brand::Brand,
    config::MailConfig,
    languages::{Common, Languages, Section},
    message::Message,
    samples::samples,
    templates::{STYLE, Templates},
};

/// Fonts that are there. Single quotes: they stand in attributes.
const LATIN: &str = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial";
/// The same for codes.
const MONO: &str = "ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";
/// How much of a name that a user chose is shown.
const LONGEST_NAME: usize = 64;

/// A mail as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A mail of every kind in every language, as [`Look::previews`] makes it.
pub struct Preview {
    /// The code of the language.
    pub language: String,
    /// The kind, fit for a file name.
    pub name: String,
    pub rendered: Rendered,
}

/// How mails look and what they say.
pub struct Look {
    brand: Brand,
    languages: Languages,
    templates: Templates,
}

/// Why a mail cannot be rendered. What comes with Gatepost always can; what an operator brings is checked at the start.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A language lacks the words.
    #[error("no words for {0}")]
    Words(&'static str),
    /// Words name what the mail does not have.
    #[error("nothing fills {{{0}}} in")]
    Name(String),
    /// A template fails.
    #[error(transparent)]
    Template(#[from] minijinja::Error),
}

impl Look {
    /// Loads languages and templates. What the operator brings is tried with every mail in every language.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub fn new(config: &MailConfig) -> anyhow::Result<Self> {
        let directory = config.templates.as_deref();
        let look = Self {
            brand: config.brand(),
            languages: Languages::load(directory, &config.language)?,
            templates: Templates::load(directory)?,
        };
        if directory.is_some() {
            look.previews()?;
        }
        Ok(look)
    }

    /// Every language there is.
    #[must_use]
    pub fn languages(&self) -> &Languages {
        &self.languages
    }

    /// Every mail in every language.
    ///
    /// # Errors
    /// What is wrong with a template, with file and line.
    pub fn previews(&self) -> anyhow::Result<Vec<Preview>> {
        let mut previews = Vec::new();
        for language in self.languages.codes() {
            for message in samples() {
                let rendered = match self.render(&message, language) {
                    Err(RenderError::Template(error)) => {
                        anyhow::bail!("mail.templates: {}", self.templates.place(&error));
                    }
                    other => other?,
                };
                self.templates.check(&message, &rendered)?;
                let name = file_stem(&message);
                previews.push(Preview { language: language.to_owned(), name, rendered });
            }
        }
        Ok(previews)
    }

    /// Renders a mail, both as text and as HTML, in a language or, should it be gone, in the default one.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn render(&self, message: &Message, language: &str) -> Result<Rendered, RenderError> {
        let words = || RenderError::Words(message.kind());
        let (language, found) = self.languages.words(language).ok_or_else(words)?;
        let text = Section::of_text();
        let section = match message {
            // Never mailed: what the development inbox shows of a text message.
            Message::PhoneOtp(_) => &text,
            _ => found.section(message).ok_or_else(words)?,
        };
        let values = values(message, &found.common, &self.brand.app_name);
        let fill = |text: &str| {
            fill(text, &values).map_err(|Named(name)| RenderError::Name(name.to_owned()))
        };
        let subject = fill(&section.subject)?;
        let paragraphs: Vec<String> =
            section.text.iter().map(|text| fill(text)).collect::<Result<_, _>>()?;
        let key = message.key();
        let context = context! {
            language,
            style => Value::from_safe_string(STYLE.to_owned()),
            font => Value::from_safe_string(fonts(language)),
            mono => Value::from_safe_string(MONO.to_owned()),
            brand => brand(&self.brand),
            common => context! {
                button_fallback => found.common.button_fallback.as_str(),
                sent_by => fill(&found.common.sent_by)?,
                help => found.common.help.as_str(),
            },
            mail => context! {
                kind => message.kind(),
                subject => subject.as_str(),
                title => fill(&section.title)?,
                preheader => paragraphs.first().cloned().unwrap_or_default(),
                paragraphs,
                note => fill(&section.note)?,
                button => fill(&section.button)?,
                url => key.and_then(|key| key.url).unwrap_or_default(),
                code => key.and_then(|key| key.otp).unwrap_or_default(),
            },
            values => values.iter().map(|(name, value)| (*name, value.clone())).collect::<BTreeMap<_, _>>(),
        };
        let stem = file_stem(message);
        Ok(Rendered {
            text: self.templates.render(&stem, "txt", context.clone())?,
            html: self.templates.render(&stem, "html", context)?,
            subject,
        })
    }
}

/// Chinese and Japanese write some characters differently: each has fonts of its own.
fn fonts(language: &str) -> String {
    let own = match language.split('-').next() {
        Some("ja") => ",'Hiragino Sans','Yu Gothic',Meiryo",
        Some("zh") => ",'PingFang SC','Microsoft YaHei'",
        _ => "",
    };
    format!("{LATIN}{own},sans-serif")
}

/// What template files of a mail are called: its kind without a colon.
fn file_stem(message: &Message) -> String {
    message.kind().replace(':', "-")
}

fn brand(brand: &Brand) -> Value {
    context! {
        name => brand.app_name.as_str(),
        logo_url => brand.logo_url.as_ref().map(url::Url::as_str).unwrap_or_default(),
        colour => brand.colour.to_string(),
        ink => brand.colour.ink(),
        support => brand.support.as_ref().map(ToString::to_string).unwrap_or_default(),
        footer => brand.footer.clone(),
    }
}

/// What the words of a mail may name, beside the name of the application.
pub(super) fn values(message: &Message, common: &Common, app: &str) -> Vec<(&'static str, String)> {
    let mut values = vec![("app", app.to_owned())];
    match message {
        Message::ChangeEmailConfirmation { new_email, .. } => {
            values.push(("new_email", untrusted(new_email)));
        }
        Message::SuspiciousSignIn { failures, address } => {
            let address = address.map(|address| address.to_string());
            values.push(("failures", failures.to_string()));
            values.push(("address", address.unwrap_or_else(|| common.unknown_address.clone())));
        }
        Message::PhoneOtp(code) => values.push(("text", code.text.clone())),
        Message::OrganizationInvitation(invitation) => {
            let role = common.roles.get(&invitation.role);
            values.extend([
                ("organization", untrusted(&invitation.organization_name)),
                ("inviter", untrusted(&invitation.inviter_name)),
                ("inviter_email", untrusted(&invitation.inviter_email)),
                ("role", role.cloned().unwrap_or_else(|| untrusted(&invitation.role))),
            ]);
        }
        Message::VerifyEmail { .. }
        | Message::ResetPassword { .. }
        | Message::ExistingUserSignUp
        | Message::DeleteAccount { .. }
        | Message::PasswordChanged
        | Message::MagicLink { .. }
        | Message::EmailOtp { .. }
        | Message::TwoFactorOtp { .. } => {}
    }
    values
}

/// A name in braces that nothing fills in.
#[derive(Debug)]
pub(super) struct Named<'a>(pub &'a str);

/// Puts values in the place of names in braces, each once: a value that looks like a name stays as it is.
pub(super) fn fill<'a>(
    text: &'a str,
    values: &[(&'static str, String)],
) -> Result<String, Named<'a>> {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(Named(after))?;
        let (_, value) = values.iter().find(|(known, _)| *known == name).ok_or(Named(name))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Text that a user chose, fit for a mail that others read: one line, not long, and nothing that a mail program turns
/// into a link, as it breaks wherever an address or host would need to hold together (ML-10).
pub(super) fn untrusted(text: &str) -> String {
    let line = one_line(text);
    let mut shown: String = line.chars().take(LONGEST_NAME).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    let mut broken = String::with_capacity(shown.len());
    for character in shown.chars() {
        broken.push(character);
        if matches!(character, '.' | ':' | '/' | '@') {
            broken.push('\u{200b}');
        }
    }
    broken.trim_end_matches('\u{200b}').to_owned()
}

/// Drops what ends a line, is invisible or turns the direction of writing; joins white space.
pub(super) fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .filter(|character| {
            !matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Look {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Look")
    }
}
