//! `gatepost mail`.

use std::{fs, path::Path};

use anyhow::Context;
use gatepost_auth::mail::{Look, Preview};

use crate::{
    args::MailCommand,
    config::{self, Environment, Refused},
    output,
};

/// Runs a mail command. Needs no database.
///
/// # Errors
/// What is wrong with the settings, a template or the directory.
pub(crate) fn run(
    command: &MailCommand,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let settings = config::load(path, environment)?.settings;
    let MailCommand::Preview { directory } = command;
    let mail = settings.auth.mail.named(&settings.auth.app_name);
    let look = Look::new(&mail).map_err(|error| Refused(vec![format!("{error:#}")]))?;
    let previews = look.previews()?;
    for preview in &previews {
        write(directory, preview)?;
    }
    fs::write(directory.join("index.html"), index(&look, &previews))?;
    let count = previews.len();
    output::print(&format!("{count} mails in {}\n", directory.join("index.html").display()))
}

fn write(directory: &Path, preview: &Preview) -> anyhow::Result<()> {
    let directory = directory.join(&preview.language);
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let mail = &preview.rendered;
    fs::write(directory.join(format!("{}.html", preview.name)), &mail.html)?;
    let text = format!("Subject: {}\n\n{}\n", mail.subject, mail.text);
    fs::write(directory.join(format!("{}.txt", preview.name)), text)?;
    Ok(())
}

/// A page that leads to all of them.
fn index(look: &Look, previews: &[Preview]) -> String {
    let mut rows = String::new();
    let mut language = "";
    for preview in previews {
        if preview.language != language {
            language = &preview.language;
            let title = look.languages().name(language).unwrap_or(language);
            rows.push_str(&format!("<tr><th colspan=3>{}\n", escaped(title)));
        }
        let (name, subject) = (&preview.name, escaped(&preview.rendered.subject));
        rows.push_str(&format!(
            "<tr><td><a href=\"{language}/{name}.html\">{name}</a><td><a href=\"{language}/{name}.txt\">text</a><td>{subject}\n"
        ));
    }
    format!("<!doctype html><meta charset=utf-8><title>Mails</title><table>\n{rows}</table>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
