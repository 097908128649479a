//! What `gatepost dev` prints: where everything is, then one line per event.

use std::path::Path;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use gatepost_auth::{
    app::App,
    events::Happened,
    http::Layout,
    mail::deliver::{Outcome, Report},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{
    provider::StandIn,
    seed::{PASSWORD, USERS},
};
use crate::output;

/// Prints for people or for programs.
#[derive(Clone, Copy)]
pub(super) struct Printer {
    json: bool,
}

/// What the banner tells.
pub(super) struct Ready<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) origin: &'a str,
    pub(super) app: &'a App,
    pub(super) database_url: &'a str,
    pub(super) seeded: bool,
    pub(super) stand_in: &'a StandIn,
    pub(super) data_api: bool,
}

/// The first line for programs.
#[derive(Serialize)]
struct ReadyLine<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    better_auth_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_url: Option<&'a str>,
    inbox_url: &'a str,
    database_url: &'a str,
    /// Other providers that are stood in for.
    providers: Vec<&'a str>,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Something the user may want to know before everything is ready. Not on standard output for programs: `ready` comes first there.
    pub(super) fn notice(self, sentence: &str) {
        eprintln!("{}{sentence}", if self.json { "" } else { "  " });
    }

    pub(super) fn ready(self, ready: &Ready<'_>) {
        let mounts = &ready.app.mounts;
        let neon = mounts.iter().find(|mount| mount.layout == Layout::Neon);
        let better_auth = mounts.iter().find(|mount| mount.layout == Layout::BetterAuth);
        let inbox = format!("{}/inbox", ready.origin);
        let jwks = ready
            .app
            .config
            .features
            .jwt
            .then(|| format!("{}/.well-known/jwks.json", ready.origin));
        let data = format!("{}/{}/rest/v1", ready.origin, ready.app.config.project);
        let data = ready.data_api.then_some(data);
        if self.json {
            self.line(&ReadyLine {
                event: "ready",
                auth_url: neon.map(|mount| mount.base.as_str()),
                better_auth_url: better_auth.map(|mount| mount.base.as_str()),
                jwks_url: jwks.as_deref(),
                data_url: data.as_deref(),
                inbox_url: &inbox,
                database_url: ready.database_url,
                providers: ready.stand_in.ids(),
            });
            return;
        }
        let mut text = format!(
            "\n  Gatepost {} · development · data in {} (ignored by git)\n\n",
            env!("CARGO_PKG_VERSION"),
            ready.data_dir.display()
        );
        let mut row = |name: &str, value: &str| text.push_str(&format!("  {name:<12}{value}\n"));
        if let Some(mount) = neon {
            row("Auth", &format!("{}    for @neondatabase/auth and better-auth", mount.base));
        }
        if let Some(mount) = better_auth {
            row("", &format!("{}    for better-auth on your own origin", mount.base));
        }
        if let Some(jwks) = &jwks {
            row("JWKS", jwks);
        }
        if let Some(data) = &data {
            row("Data API", &format!("{data}    tables over HTTP, by Row Level Security"));
        }
        row("Inbox", &format!("{inbox}    every mail lands here"));
        let names = ready.stand_in.names();
        if !names.is_empty() {
            row("Providers", &format!("{}    a stand-in, no account needed", names.join(", ")));
        }
        row("Postgres", &format!("psql '{}'", ready.database_url));
        if ready.seeded {
            let names: Vec<&str> = USERS.iter().map(|(_, email, _)| *email).collect();
            row("Test users", &format!("{}  (password: {PASSWORD})", names.join(", ")));
        }
        text.push_str("\n  Ctrl-C ends everything.\n\n");
        self.write(&text);
    }

    /// A mail, with what its reader needs.
    pub(super) fn mail(self, report: &Report, now: DateTime<Utc>) {
        let outcome = match &report.outcome {
            Outcome::Delivered => None,
            Outcome::Postponed { error, .. } | Outcome::GaveUp { error } => Some(error.as_str()),
        };
        let key = report.message.as_ref().and_then(|message| message.key());
        let (otp, url) = (key.and_then(|key| key.otp), key.and_then(|key| key.url));
        if self.json {
            let mut line = json!({ "event": "mail", "at": at(now), "to": report.recipient, "kind": report.kind });
            let mut add = |name: &str, value: Option<&str>| {
                if let (Some(line), Some(value)) = (line.as_object_mut(), value) {
                    line.insert(name.to_owned(), value.into());
                }
            };
            add("code", otp);
            add("url", url);
            add("error", outcome);
            self.line(&line);
            return;
        }
        let what = [
            otp.map(|otp| format!("code {otp}")),
            url.map(str::to_owned),
            outcome.map(str::to_owned),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        let text = format!("{} to {}  {}", report.kind, report.recipient, what.join("  "));
        self.event(now, "mail", &text);
    }

    fn happened(self, happened: &Happened, now: DateTime<Utc>) {
        let Happened { event, user, address, request_id } = happened;
        let details = event.details();
        if self.json {
            let mut line = Map::new();
            line.insert("event".to_owned(), event.name().into());
            line.insert("at".to_owned(), at(now).into());
            if let Value::Object(details) = details {
                line.extend(details);
            }
            if let Some(user) = user {
                line.insert("user".to_owned(), user.to_string().into());
            }
            line.insert("address".to_owned(), address.as_str().into());
            line.insert("request_id".to_owned(), request_id.as_str().into());
            self.line(&Value::Object(line));
            return;
        }
        let mut text: Vec<String> = match details {
            // The reason first.
            Value::Object(mut details) => details
                .remove("why")
                .into_iter()
                .chain(details.into_iter().map(|(_, value)| value))
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
            _ => user.iter().map(ToString::to_string).collect(),
        };
        text.push(format!("request {request_id}"));
        self.event(now, event.name(), &text.join("  "));
    }

    fn event(self, now: DateTime<Utc>, name: &str, text: &str) {
        let time = now.with_timezone(&Local).format("%H:%M:%S");
        // Addresses and names are strangers' text: they must not steer the terminal.
        let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
        self.write(&format!("  {time}  {name:<24}  {text}\n"));
    }

    fn line(self, value: &impl Serialize) {
        let line = serde_json::to_string(value).unwrap_or_default();
        self.write(&format!("{line}\n"));
    }

    /// A terminal that is gone is no reason to end.
    fn write(self, text: &str) {
        if let Err(error) = output::print(text) {
            tracing::debug!(%error, "standard output is gone");
        }
    }
}

fn at(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Prints every event until nothing sends any more.
pub(super) async fn watch(app: App, printer: Printer) {
    let mut events = app.watchers.subscribe();
    loop {
        match events.recv().await {
            Ok(happened) => printer.happened(&happened, app.clock.now()),
            Err(RecvError::Lagged(missed)) => {
                printer.notice(&format!("{missed} events were too fast to print"))
            }
            Err(RecvError::Closed) => return,
        }
    }
}
