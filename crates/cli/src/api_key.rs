//! `gatepost api-key`: what only the operator may say about a key.

use std::path::Path;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use gatepost_auth::{
    api_key::{self, ApiKey, Grant, NewKey, store},
    app::App,
    permissions::Statements,
    user::{Email, User, store as users},
};
use uuid::Uuid;

use crate::{
    args::ApiKeyCommand,
    config::{self, Environment, Refused},
    database, output,
    user::{parse, read_secret, refusal},
};

/// Runs an API key command.
///
/// # Errors
/// What is wrong, for the operator.
pub(crate) fn run(
    command: ApiKeyCommand,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let settings = config::load_for_production(path, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = database::app(&settings).await?;
        match command {
            ApiKeyCommand::Create { email, name, permit, uses, days } => {
                let user = owner(&app, &parse(&email)?).await?;
                let new = NewKey {
                    name,
                    remaining: uses,
                    expires_in: days.map(|days| f64::from(days) * 24.0 * 3600.0),
                    permissions: permissions(&permit)?,
                    ..NewKey::of(Grant::User(user.id))
                };
                create(&app, &new).await
            }
            ApiKeyCommand::List { email } => {
                let user = owner(&app, &parse(&email)?).await?;
                list(&app, &user).await
            }
            ApiKeyCommand::Delete { id } => delete(&app, id).await,
            ApiKeyCommand::Verify { permit } => verify(&app, permissions(&permit)?).await,
        }
    })
}

async fn owner(app: &App, email: &Email) -> anyhow::Result<User> {
    let found = users::find_user_by_email(&app.db.get().await?, email).await;
    found
        .map_err(|error| refusal(&error))?
        .with_context(|| format!("{} has no account", email.as_str()))
}

/// `files:read` and its like as actions by resource.
fn permissions(words: &[String]) -> anyhow::Result<Option<Statements>> {
    let mut statements = Statements::new();
    for word in words {
        let Some((resource, action)) = word.split_once(':') else {
            let how = format!("{word:?} is not of the form resource:action");
            return Err(Refused(vec![how]).into());
        };
        statements.entry(resource.to_owned()).or_default().push(action.to_owned());
    }
    Ok((!statements.is_empty()).then_some(statements))
}

async fn create(app: &App, new: &NewKey) -> anyhow::Result<()> {
    let conn = app.db.get().await?;
    let (key, row) = api_key::create(&app.config.api_key, &conn, new, app.clock.now())
        .await
        .map_err(|error| refusal(&error))?;
    eprintln!("{}; shown this once:", line(&row));
    output::print(&format!("{key}\n"))
}

async fn list(app: &App, user: &User) -> anyhow::Result<()> {
    let conn = app.db.get().await?;
    let keys = store::list(&conn, &user.id.to_string(), false, None, false).await;
    let keys = keys.map_err(|error| refusal(&error))?;
    output::print(&keys.iter().map(|key| line(key) + "\n").collect::<String>())
}

fn line(key: &ApiKey) -> String {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let end = key.expires_at.map_or("no end".to_owned(), |end| format!("until {}", instant(end)));
    let state = if key.enabled == Some(false) { "off" } else { "on" };
    let used =
        key.last_request.map_or("never used".to_owned(), |at| format!("used {}", instant(at)));
    // A name is the owner's own text: it must not steer the terminal.
    let name: String =
        key.name.as_deref().unwrap_or("-").chars().filter(|letter| !letter.is_control()).collect();
    let (id, start) = (key.id, key.start.as_deref().unwrap_or_default());
    format!("{id}  {start}…  {state}  {end}  {used}  {name}")
}

async fn delete(app: &App, id: Uuid) -> anyhow::Result<()> {
    let deleted = store::delete(&app.db.get().await?, id).await;
    if !deleted.map_err(|error| refusal(&error))? {
        bail!("there is no key {id}");
    }
    output::print(&format!("key {id} is gone\n"))
}

/// Counts as a use of the key.
async fn verify(app: &App, asked: Option<Statements>) -> anyhow::Result<()> {
    let key = read_secret("key")?;
    let conn = app.db.get().await?;
    let (config, now) = (&app.config.api_key, app.clock.now());
    let verdict = api_key::verify(config, &conn, &key, asked.as_ref(), now).await;
    match verdict.map_err(|error| refusal(&error))? {
        Ok(verified) => output::print(&format!("{}\n", line(&verified.key))),
        Err(refused) => Err(Refused(vec![refused.refusal().message.to_owned()]).into()),
    }
}
