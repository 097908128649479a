//! What mails say: a file per language, built in, and completed or changed by files of the operator.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    message::Message,
    render::{self, Named},
    samples::samples,
};

/// The languages that come with Gatepost.
pub(super) const BUILT_IN: [(&str, &str); 6] = [
    ("de", include_str!("languages/de.toml")),
    ("en", include_str!("languages/en.toml")),
    ("es", include_str!("languages/es.toml")),
    ("fr", include_str!("languages/fr.toml")),
    ("ja", include_str!("languages/ja.toml")),
    ("zh", include_str!("languages/zh.toml")),
];

/// Every language there is.
#[derive(Debug)]
pub struct Languages {
    default: String,
    all: BTreeMap<String, Words>,
}

/// A language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub name: String,
    pub common: Common,
    mail: BTreeMap<String, Section>,
}

/// What several mails say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    pub button_fallback: String,
    pub sent_by: String,
    pub help: String,
    pub unknown_address: String,
    pub roles: BTreeMap<String, String>,
}

/// What one mail says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    pub subject: String,
    pub title: String,
    pub text: Vec<String>,
    #[serde(default)]
    pub button: String,
    pub note: String,
}

impl Section {
    /// The words of a text message are made where it is sent.
    pub(super) fn of_text() -> Self {
        let text = || "{text}".to_owned();
        let (button, note) = (String::new(), String::new());
        Self { subject: text(), title: text(), text: Vec::new(), button, note }
    }

    /// Every text of it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        [&self.subject, &self.title, &self.button, &self.note].into_iter().chain(&self.text)
    }
}

impl Words {
    /// The section of a mail; every language has one for each, which is checked at the start.
    pub(super) fn section(&self, message: &Message) -> Option<&Section> {
        self.mail.get(message.kind())
    }

    /// The kinds it has words for.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.mail.keys().map(String::as_str)
    }
}

impl Languages {
    /// The built-in languages with those of `directory` over them.
    ///
    /// # Errors
    /// A file that cannot be read, with its name and line, or a default that there is not.
    pub(super) fn load(directory: Option<&Path>, default: &str) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        for (code, text) in BUILT_IN {
            all.insert(code.to_owned(), read(text.parse()?, code, text)?);
        }
        if let Some(directory) = directory.map(|directory| directory.join("languages"))
            && directory.is_dir()
        {
            let files = std::fs::read_dir(&directory)
                .with_context(|| format!("mail.templates: {}", directory.display()))?;
            for file in files {
                let path = file?.path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    let (code, words) = load_file(&path)?;
                    all.insert(code, words);
                }
            }
        }
        if !all.contains_key(default) {
            let known: Vec<&str> = all.keys().map(String::as_str).collect();
            bail!("mail.language: {default:?} is none of {}", known.join(", "));
        }
        Ok(Self { default: default.to_owned(), all })
    }

    /// The codes, in order.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// What a language calls itself.
    #[must_use]
    pub fn name(&self, code: &str) -> Option<&str> {
        self.all.get(code).map(|words| words.name.as_str())
    }

    /// The language for whoever says nothing else.
    #[must_use]
    pub fn default_code(&self) -> &str {
        &self.default
    }

    /// A language as somebody names it: `de-CH` is `de` where there is no `de-CH`.
    #[must_use]
    pub fn find(&self, tag: &str) -> Option<&str> {
        let tag = tag.trim();
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        [tag, primary]
            .into_iter()
            .find_map(|tag| self.codes().find(|code| code.eq_ignore_ascii_case(tag)))
    }

    /// The language that an `Accept-Language` header prefers (RFC 9110 section 12.5.4).
    #[must_use]
    pub fn negotiate(&self, accept: Option<&str>) -> &str {
        let ranges = accept.unwrap_or_default().split(',').take(32).filter_map(|range| {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=");
            let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
            Some((self.find(tag)?, weight)).filter(|(_, weight)| *weight > 0.0)
        });
        // Of equals the first counts.
        ranges
            .fold(None, |best: Option<(&str, f32)>, range| match best {
                Some(best) if best.1 >= range.1 => Some(best),
                _ => Some(range),
            })
            .map_or(&self.default, |(code, _)| code)
    }

    /// The words of a language that a row names; of the default, should it be gone.
    pub(super) fn words<'a>(&'a self, code: &'a str) -> Option<(&'a str, &'a Words)> {
        let pair = |code: &'a str| self.all.get(code).map(|words| (code, words));
        pair(code).or_else(|| pair(&self.default))
    }
}

/// An operator's file: for a built-in language it need only hold what is different.
fn load_file(path: &Path) -> anyhow::Result<(String, Words)> {
    let place = || format!("mail.templates: {}", path.display());
    let code = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let well_formed = (2..=16).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !well_formed {
        bail!("{}: a file is named after its language, such as pt.toml or pt-BR.toml", place());
    }
    let text = std::fs::read_to_string(path).with_context(place)?;
    let own: Table = text.parse().with_context(place)?;
    let mut table = match BUILT_IN.iter().find(|(built_in, _)| *built_in == code) {
        Some((_, base)) => base.parse()?,
        None => Table::new(),
    };
    merge(&mut table, own);
    let words = read(table, &path.display().to_string(), &text);
    Ok((code, words.context("mail.templates")?))
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The words of a table, complete and with no name in braces that nothing fills in.
fn read(table: Table, file: &str, text: &str) -> anyhow::Result<Words> {
    let words: Words = Value::Table(table).try_into().with_context(|| file.to_owned())?;
    let line = |needle: &str| {
        let found = text.lines().position(|line| line.contains(needle));
        found.map_or_else(|| file.to_owned(), |index| format!("{file}:{}", index + 1))
    };
    let samples = samples();
    for message in &samples {
        let kind = message.kind();
        let Some(section) = words.section(message) else {
            bail!("{file}: there are no words for {kind}: [mail.{kind:?}] is missing");
        };
        if message.key().is_some_and(|key| key.url.is_some()) && section.button.is_empty() {
            bail!("{}: {kind} leads somewhere and needs a `button`", line(kind));
        }
        let values = render::values(message, &words.common, "");
        for text in section.texts() {
            if let Err(Named(name)) = render::fill(text, &values) {
                let known: Vec<String> =
                    values.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                bail!(
                    "{}: nothing fills {{{name}}} in; {kind} has {}",
                    line(&format!("{{{name}}}")),
                    known.join(", ")
                );
            }
        }
    }
    if let Err(Named(name)) = render::fill(&words.common.sent_by, &[("app", String::new())]) {
        bail!("{}: nothing fills {{{name}}} in; `sent_by` has {{app}}", line("sent_by"));
    }
    if let Some(unknown) =
        words.kinds().find(|kind| !samples.iter().any(|message| message.kind() == *kind))
    {
        bail!("{}: there is no mail {unknown:?}", line(unknown));
    }
    Ok(words)
}
