//! `gatepost user`.

use std::{io::Read, path::Path};

use anyhow::{Context, bail};
use chrono::TimeDelta;
use deadpool_postgres::Transaction;
use gatepost_auth::{
    account::store as accounts,
    admin::{
        accounts::{self as admin, Created, NewAccount},
        store::Patched,
    },
    app::App,
    password,
    session::store as sessions,
    user::{Email, User, store as users},
    users_sync::{self, Outcome},
    verification::{self, Purpose},
};
use serde_json::{Map, json};

use crate::{
    args::UserCommand,
    config::{self, Environment, Refused},
    database, output,
};

/// Users per statement.
const PAGE: i64 = 500;

/// Runs a user command over the functions that the endpoints use.
///
/// # Errors
/// What is wrong, for the operator.
pub(crate) fn run(
    command: UserCommand,
    path: Option<&Path>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let settings = config::load_for_production(path, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = database::app(&settings).await?;
        match command {
            UserCommand::Create { email, name, password_stdin, verified, admin } => {
                let email = parse(&email)?;
                let password = if password_stdin { Some(read_password()?) } else { None };
                let new = New {
                    name: name.as_deref().unwrap_or_else(|| local_part(&email)),
                    email: &email,
                    password: password.as_deref(),
                    verified,
                    admin,
                };
                if let Some(password) = new.password {
                    password::check_new(&app, password, &[email.as_str(), new.name])
                        .await
                        .map_err(|refused| refusal(&refused))?;
                }
                let Some(user) = create(&app, &new).await? else {
                    bail!("{} has an account already", email.as_str());
                };
                output::print(&format!("created {} ({})\n", user.email, user.id))
            }
            UserCommand::List { json } => list(&app, json).await,
            UserCommand::Sync { source } => sync(&app, source.as_deref()).await,
            UserCommand::SetPassword { email } => set_password(&app, &parse(&email)?).await,
            UserCommand::SetRole { email, role } => {
                let outcome = format!("has the role {role}");
                change(&app, &parse(&email)?, &outcome, async |tx, user| {
                    admin::set_role(&app, tx, user, &role, app.clock.now()).await
                })
                .await
            }
            UserCommand::Ban { email, reason, hours } => {
                ban(&app, &parse(&email)?, reason.as_deref(), hours).await
            }
            UserCommand::Unban { email } => {
                change(&app, &parse(&email)?, "may sign in again", async |tx, user| {
                    admin::unban(tx, user.id, app.clock.now()).await
                })
                .await
            }
        }
    })
}

/// A user to be.
pub(crate) struct New<'a> {
    pub(crate) name: &'a str,
    pub(crate) email: &'a Email,
    pub(crate) password: Option<&'a str>,
    pub(crate) verified: bool,
    pub(crate) admin: bool,
}

/// Creates a user in one transaction; `None`: the address is taken.
///
/// # Errors
/// Those of the database and of hashing.
pub(crate) async fn create(app: &App, new: &New<'_>) -> anyhow::Result<Option<User>> {
    let now = app.clock.now();
    let hash = match new.password {
        Some(password) => Some(app.hasher.hash(password).await.map_err(|error| refusal(&error))?),
        None => None,
    };
    let mut set = Map::new();
    if new.verified {
        set.insert("emailVerified".to_owned(), json!(true));
    }
    if new.admin {
        let role = app.config.admin.admin_roles.first().map_or("admin", String::as_str);
        set.insert("role".to_owned(), json!(role));
    }
    let account = NewAccount { name: new.name, email: new.email, hash: hash.as_deref(), set: &set };
    let mut conn = app.db.get().await?;
    let tx = conn.transaction().await?;
    let created = admin::create(app, &tx, &account, now).await.map_err(|error| refusal(&error))?;
    let Created::Done(user) = created else { return Ok(None) };
    tx.commit().await?;
    Ok(Some(*user))
}

/// Shuts a user out and ends every session.
async fn ban(app: &App, email: &Email, reason: Option<&str>, hours: u32) -> anyhow::Result<()> {
    let now = app.clock.now();
    let reason = reason.unwrap_or(&app.config.admin.ban_reason);
    let until = (hours > 0).then(|| now + TimeDelta::hours(i64::from(hours)));
    change(app, email, "is banned", async |tx, user| {
        admin::ban(app, tx, user, reason, until, now).await
    })
    .await
}

/// Changes a user in one transaction.
async fn change(
    app: &App,
    email: &Email,
    outcome: &str,
    deed: impl AsyncFnOnce(&Transaction<'_>, &User) -> gatepost_auth::error::Result<Patched>,
) -> anyhow::Result<()> {
    let mut conn = app.db.get().await?;
    let tx = conn.transaction().await?;
    let found = users::find_user_by_email(&tx, email).await.map_err(|error| refusal(&error))?;
    let Some(user) = found else { bail!("{} has no account", email.as_str()) };
    deed(&tx, &user).await.map_err(|error| refusal(&error))?;
    tx.commit().await?;
    output::print(&format!("{} {outcome}\n", user.email))
}

async fn list(app: &App, json: bool) -> anyhow::Result<()> {
    let conn = app.db.get().await?;
    let mut offset = 0;
    loop {
        let page = users::list_users(&conn, PAGE, offset).await.map_err(|error| refusal(&error))?;
        let mut text = String::new();
        for user in &page {
            text.push_str(&if json { as_json(user) } else { as_line(user) });
            text.push('\n');
        }
        output::print(&text)?;
        if page.len() < PAGE as usize {
            return Ok(());
        }
        offset += PAGE;
    }
}

fn as_line(user: &User) -> String {
    let verified = if user.email_verified { "verified" } else { "not verified" };
    let banned = if user.banned == Some(true) { "  banned" } else { "" };
    let (id, role) = (user.id, user.role.as_deref().unwrap_or("user"));
    // A name is the user's own text: it must not steer the terminal.
    let name: String = user.name.chars().filter(|letter| !letter.is_control()).collect();
    format!("{id}  {}  {verified}  {role}{banned}  {name}", user.email)
}

fn as_json(user: &User) -> String {
    json!({
        "id": user.id,
        "email": user.email,
        "emailVerified": user.email_verified,
        "name": user.name,
        "role": user.role,
        "banned": user.banned,
        "createdAt": user.created_at,
    })
    .to_string()
}

async fn sync(app: &App, source: Option<&str>) -> anyhow::Result<()> {
    let listed = app.config.users_sync.sources.iter().filter(|(_, it)| it.has_list());
    let names: Vec<&str> = match source {
        Some(name) => vec![name],
        None => listed.map(|(name, _)| name.as_str()).collect(),
    };
    if names.is_empty() {
        bail!("no source under [users_sync.sources] has an api_key");
    }
    for name in names {
        let outcome = users_sync::sync(app, name, TimeDelta::zero())
            .await
            .with_context(|| format!("the full sync of {name}"))?;
        let Some(Outcome { listed, written, deleted }) = outcome else { continue };
        output::print(&format!("{name}: {listed} listed, {written} written, {deleted} deleted\n"))?;
    }
    Ok(())
}

async fn set_password(app: &App, email: &Email) -> anyhow::Result<()> {
    let password = read_password()?;
    let found = users::find_user_by_email(&app.db.get().await?, email).await;
    let Some(user) = found.map_err(|error| refusal(&error))? else {
        bail!("{} has no account", email.as_str());
    };
    password::check_new(app, &password, &[email.as_str(), &user.name])
        .await
        .map_err(|refused| refusal(&refused))?;
    let hash = app.hasher.hash(&password).await.map_err(|error| refusal(&error))?;
    let mut conn = app.db.get().await?;
    let tx = conn.transaction().await?;
    accounts::set_password(&tx, user.id, &hash, app.clock.now())
        .await
        .map_err(|error| refusal(&error))?;
    // An attacker who asked for a link before must not undo it (PW-07).
    verification::delete_all(&tx, Purpose::ResetPassword, &user.id.to_string())
        .await
        .map_err(|error| refusal(&error))?;
    let ended = sessions::delete_sessions(&tx, user.id).await.map_err(|error| refusal(&error))?;
    tx.commit().await?;
    output::print(&format!("{} has a new password; {ended} sessions ended\n", user.email))
}

/// An address as people type it.
///
/// # Errors
/// It is none.
pub(crate) fn parse(text: &str) -> anyhow::Result<Email> {
    Email::parse(text)
        .ok_or_else(|| Refused(vec![format!("{text:?} is not an email address")]).into())
}

fn local_part(email: &Email) -> &str {
    email.as_str().split('@').next().unwrap_or_default()
}

fn read_password() -> anyhow::Result<String> {
    read_secret("password")
}

/// Standard input without the line end that `echo` adds.
///
/// # Errors
/// Nothing came.
pub(crate) fn read_secret(what: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .with_context(|| format!("the {what} on standard input"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Refused(vec![format!("no {what} came on standard input")]).into());
    }
    Ok(secret.to_owned())
}

/// What an endpoint would have answered, for a terminal.
pub(crate) fn refusal(error: &gatepost_auth::error::Error) -> anyhow::Error {
    use gatepost_auth::error::Error;
    match error {
        Error::Refused(refusal) => Refused(vec![refusal.message.to_owned()]).into(),
        Error::Explained(_, _, message) => Refused(vec![message.clone()]).into(),
        Error::OAuth(refusal) => Refused(vec![refusal.description.to_string()]).into(),
        Error::Unavailable(cause) | Error::Internal(cause) => anyhow::anyhow!("{cause:#}"),
        Error::Limited(_) | Error::Busy(_) => anyhow::anyhow!("too much at once; try again"),
    }
}
