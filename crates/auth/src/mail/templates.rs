//! The files that a mail is put into: two layouts, which an operator's directory may replace, for all mails or for one.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value};

use super::{message::Message, render::Rendered};

/// The only style sheet of the layout, apart from the attributes.
pub(super) const STYLE: &str = include_str!("templates/layout.css");
const LAYOUT_HTML: &str = include_str!("templates/layout.html");
const LAYOUT_TEXT: &str = include_str!("templates/layout.txt");

/// Templates, compiled.
pub(super) struct Templates {
    environment: Environment<'static>,
    directory: Option<PathBuf>,
}

impl Templates {
    /// The layouts, and the `.html` and `.txt` files of `directory` over them.
    ///
    /// # Errors
    /// A file that cannot be read, with its name and line.
    pub(super) fn load(directory: Option<&Path>) -> anyhow::Result<Self> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.set_formatter(write_value);
        environment.set_debug(true);
        environment.add_template("layout.html", LAYOUT_HTML)?;
        environment.add_template("layout.txt", LAYOUT_TEXT)?;
        let mut templates = Self { environment, directory: directory.map(Path::to_path_buf) };
        if let Some(directory) = directory {
            templates.add_files(directory)?;
        }
        Ok(templates)
    }

    fn add_files(&mut self, directory: &Path) -> anyhow::Result<()> {
        let files = std::fs::read_dir(directory)
            .with_context(|| format!("mail.templates: {}", directory.display()))?;
        for file in files {
            let path = file?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let wanted = name.ends_with(".html") || name.ends_with(".txt");
            if !wanted || !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("mail.templates: {}", path.display()))?;
            if let Err(error) = self.environment.add_template_owned(name.to_owned(), text) {
                bail!("mail.templates: {}", self.place(&error));
            }
        }
        Ok(())
    }

    /// Renders the template of one mail, or the layout of all.
    pub(super) fn render(
        &self,
        stem: &str,
        extension: &str,
        context: Value,
    ) -> Result<String, minijinja::Error> {
        let own = format!("{stem}.{extension}");
        let template = match self.environment.get_template(&own) {
            Ok(template) => template,
            Err(_) => self.environment.get_template(&format!("layout.{extension}"))?,
        };
        template.render(context)
    }

    /// An error with file and line.
    pub(super) fn place(&self, error: &minijinja::Error) -> String {
        let name = error.name().unwrap_or("?");
        let file = self.directory.as_ref().map(|directory| directory.join(name));
        let file = file.filter(|file| file.is_file());
        let file = file.map_or_else(|| name.to_owned(), |file| file.display().to_string());
        let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{file}{line}: {}{detail}", error.kind())
    }

    /// A mail without its code or link is of no use to anybody.
    pub(super) fn check(&self, message: &Message, rendered: &Rendered) -> anyhow::Result<()> {
        let Some(key) = message.key() else { return Ok(()) };
        for part in [key.otp, key.url].into_iter().flatten() {
            let missing = if !rendered.html.contains(&escaped(part)) {
                "HTML"
            } else if !rendered.text.contains(part) {
                "text"
            } else {
                continue;
            };
            bail!(
                "mail.templates: {}: the {missing} form of {} leaves out its code or link",
                self.directory.as_deref().unwrap_or(Path::new("")).display(),
                message.kind()
            );
        }
        Ok(())
    }
}

/// Writes a value as text, or escaped for HTML text and attributes.
fn write_value(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if value.is_undefined() {
        return Err(minijinja::Error::new(
            minijinja::ErrorKind::UndefinedError,
            "there is no such value",
        ));
    }
    let escapes = matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe();
    let text = value.to_string();
    output.write_str(&if escapes { escaped(&text) } else { text })?;
    Ok(())
}

/// Safe in text and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
