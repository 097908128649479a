//! A full sync: the provider's list is read page by page, news are written down, and who is not on it is marked as deleted.

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use gatepost_outbound::Request;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    Provider, Source,
    profile::{self, Change, Profile},
    store,
};
use crate::app::{App, connection};

/// More pages than this is a list that never ends.
const MOST_PAGES: usize = 100_000;

/// What a full sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// On the provider's list.
    pub listed: u64,
    /// New or changed.
    pub written: u64,
    /// No longer on it.
    pub deleted: u64,
}

/// Reads a provider's list and brings the mirror in step; `None`: another process began one within `pause`.
///
/// # Errors
/// What is wrong, for the operator. Nobody is marked as deleted unless the whole list was read.
pub async fn sync(app: &App, name: &str, pause: TimeDelta) -> anyhow::Result<Option<Outcome>> {
    let source = app
        .config
        .users_sync
        .sources
        .get(name)
        .with_context(|| format!("users_sync.sources.{name} is not in the settings"))?;
    ensure!(
        source.has_list(),
        "users_sync.sources.{name}.api_key is empty: the list cannot be read"
    );
    let began = app.clock.now();
    let conn = connection(app).await.map_err(|error| refused(&error))?;
    if !store::begin(&conn, name, began, began - pause).await.map_err(|error| refused(&error))? {
        return Ok(None);
    }
    drop(conn);
    let mut outcome = Outcome::default();
    let token = token(app, source).await?;
    let mut next = Some(first_page(source)?);
    for _ in 0..MOST_PAGES {
        let Some(url) = next else {
            let conn = connection(app).await.map_err(|error| refused(&error))?;
            outcome.deleted = store::delete_unseen(&conn, name, began, app.clock.now())
                .await
                .map_err(|error| refused(&error))?;
            return Ok(Some(outcome));
        };
        let page = read(app, source, &url, &token).await?;
        let (users, following) = page_of(source, &url, &page)?;
        write(app, name, &users, began, &mut outcome).await?;
        next = following;
    }
    bail!("the list of {name} has more than {MOST_PAGES} pages")
}

fn refused(error: &crate::error::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

async fn write(
    app: &App,
    name: &str,
    users: &[Profile],
    began: DateTime<Utc>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let conn = connection(app).await.map_err(|error| refused(&error))?;
    let now = app.clock.now();
    for user in users {
        // Of a list without times of change, the moment before it was read: a webhook since then is newer.
        let at = user.updated_at.unwrap_or(began);
        let change = Change::Written(user.clone());
        let written =
            store::apply(&conn, name, &change, at, now).await.map_err(|error| refused(&error))?;
        outcome.written += u64::from(written);
    }
    let ids: Vec<String> = users.iter().map(|user| user.id.clone()).collect();
    store::seen(&conn, name, &ids, now).await.map_err(|error| refused(&error))?;
    outcome.listed += users.len() as u64;
    Ok(())
}

fn base(source: &Source) -> anyhow::Result<String> {
    let usual = match source.provider {
        Provider::StackAuth => "https://api.stack-auth.com",
        Provider::Clerk => "https://api.clerk.com",
        Provider::WorkOs => "https://api.workos.com",
        Provider::Auth0 | Provider::Generic => "",
    };
    let given = source.api_url.trim_end_matches('/');
    let base = if given.is_empty() { usual } else { given };
    ensure!(!base.is_empty(), "api_url is empty, and this provider has no usual one");
    Ok(base.to_owned())
}

fn first_page(source: &Source) -> anyhow::Result<Url> {
    let base = base(source)?;
    let url = match source.provider {
        Provider::StackAuth => format!("{base}/api/v1/users?limit=100"),
        Provider::Clerk => format!("{base}/v1/users?limit=100&offset=0&order_by=created_at"),
        Provider::WorkOs => format!("{base}/user_management/users?limit=100"),
        Provider::Auth0 => format!("{base}/api/v2/users?per_page=100&page=0&sort=created_at:1"),
        Provider::Generic => base,
    };
    Url::parse(&url).with_context(|| format!("api_url: {url:?} is not a URL"))
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

/// What the list is asked with. Auth0 gives a token for the client's credentials (RFC 6749, 4.4).
async fn token(app: &App, source: &Source) -> anyhow::Result<String> {
    let key = source.api_key.reveal();
    if source.provider != Provider::Auth0 || source.client_id.is_empty() {
        return Ok(key.to_owned());
    }
    let base = base(source)?;
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": source.client_id,
        "client_secret": key,
        "audience": format!("{base}/api/v2/"),
    });
    let answer =
        app.outbound.send(Request::post(&format!("{base}/oauth/token")).json(&body)?).await?;
    ensure!(answer.status.is_success(), "{base}/oauth/token answered {}", answer.status);
    Ok(answer.json::<Granted>()?.access_token)
}

async fn read(app: &App, source: &Source, url: &Url, token: &str) -> anyhow::Result<Value> {
    let mut request = Request::get(url.as_str());
    if source.provider == Provider::StackAuth {
        let mut secret =
            HeaderValue::from_str(token).context("api_key cannot stand in a header")?;
        secret.set_sensitive(true);
        let project = HeaderValue::from_str(&source.client_id).context("client_id")?;
        request = request
            .header(
                HeaderName::from_static("x-stack-access-type"),
                HeaderValue::from_static("server"),
            )
            .header(HeaderName::from_static("x-stack-project-id"), project)
            .header(HeaderName::from_static("x-stack-secret-server-key"), secret);
    } else {
        request = request.bearer(token);
    }
    let answer = app.outbound.send(request).await?;
    let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
    ensure!(answer.status.is_success(), "{place} answered {}", answer.status);
    answer.json().with_context(|| place)
}

/// The users of a page, and where the next one is.
fn page_of(
    source: &Source,
    url: &Url,
    page: &Value,
) -> anyhow::Result<(Vec<Profile>, Option<Url>)> {
    let items = match source.provider {
        Provider::StackAuth => page.get("items"),
        Provider::Clerk | Provider::Auth0 => Some(page),
        Provider::WorkOs => page.get("data"),
        Provider::Generic => page.pointer(&source.mapping.items),
    };
    let items =
        items.and_then(Value::as_array).context("the list holds no users where they should be")?;
    // A user that cannot be read must not be taken for one that is gone.
    let users: Vec<Profile> = items
        .iter()
        .map(|user| profile::profile(source, user).context("a user on the list has no id"))
        .collect::<anyhow::Result<_>>()?;
    let text =
        |pointer: &str| page.pointer(pointer).and_then(Value::as_str).filter(|it| !it.is_empty());
    let full = items.len() == 100;
    let next = match source.provider {
        Provider::StackAuth => text("/pagination/next_cursor").map(|it| with(url, "cursor", it)),
        Provider::WorkOs => text("/list_metadata/after").map(|it| with(url, "after", it)),
        Provider::Clerk => full.then(|| counted(url, "offset", 100)),
        Provider::Auth0 => full.then(|| counted(url, "page", 1)),
        Provider::Generic => text(&source.mapping.next).map(|it| url.join(it)).transpose()?,
    };
    // The key goes to where it belongs and nowhere else.
    if let Some(next) = &next {
        ensure!(next.origin() == url.origin(), "the next page is on another host: {next}");
    }
    Ok((users, next))
}

fn with(url: &Url, name: &str, value: &str) -> Url {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| key != name)
        .map(|(k, v)| (k.into(), v.into()))
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
    url
}

fn counted(url: &Url, name: &str, step: u64) -> Url {
    let current =
        url.query_pairs().find(|(key, _)| key == name).and_then(|(_, it)| it.parse().ok());
    with(url, name, &(current.unwrap_or(0) + step).to_string())
}
