//! From what a provider says to who it is: a stable subject, an address, a name, a picture. Nothing else is taken (OA-30).

use gatepost_outbound::Request;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Failure, config,
    endpoints::Endpoints,
    exchange::Tokens,
    id_token::{self, Claims},
    known::{Image, Known, OAUTH2, OIDC, Source, Verified},
    provider::Provider,
};
use crate::{app::App, http::Call, user::Email};

/// Where the members of a profile stand: the kind's, or those of the settings.
#[derive(Debug)]
pub(super) struct Profile {
    source: Source,
    subject: Vec<String>,
    name: Vec<String>,
    email: String,
    verified: Proof,
    image: Picture,
    placeholder: &'static str,
}

#[derive(Debug)]
enum Proof {
    Member(String),
    Among(&'static [&'static str]),
    GitHub,
}

#[derive(Debug)]
enum Picture {
    Member(String),
    Made(&'static str, &'static str, &'static str),
}

impl Profile {
    pub(super) fn new(kind: &Known, pointers: &config::Pointers) -> Self {
        let members = &kind.profile;
        let several = |own: &String, known: &[&str]| {
            if own.is_empty() {
                known.iter().map(|&pointer| pointer.to_owned()).collect()
            } else {
                vec![own.clone()]
            }
        };
        let own = |own: &String| (!own.is_empty()).then(|| own.clone());
        Self {
            source: members.source,
            subject: several(&pointers.subject, members.subject),
            name: several(&pointers.name, members.name),
            email: own(&pointers.email).unwrap_or_else(|| members.email.to_owned()),
            verified: match (own(&pointers.email_verified), members.verified) {
                (Some(own), _) => Proof::Member(own),
                (None, Verified::Member(known)) => Proof::Member(known.to_owned()),
                (None, Verified::Among(known)) => Proof::Among(known),
                (None, Verified::GitHub) => Proof::GitHub,
            },
            image: match (own(&pointers.image), members.image) {
                (Some(own), _) => Picture::Member(own),
                (None, Image::Member(known)) => Picture::Member(known.to_owned()),
                (None, Image::Made(address, first, second)) => {
                    Picture::Made(address, first, second)
                }
            },
            placeholder: members.placeholder,
        }
    }
}

/// Somebody as a provider knows them.
#[derive(Clone)]
pub(super) struct Identity {
    /// What never changes: `account.accountId`.
    pub(super) subject: String,
    /// In lower case; `None`: the provider named none that is one.
    pub(super) email: Option<Email>,
    /// The provider says that it has verified the address.
    pub(super) email_verified: bool,
    /// May be empty.
    pub(super) name: String,
    /// URL of a picture.
    pub(super) image: Option<String>,
    /// What the provider said, for `/account-info`.
    pub(super) said: Map<String, Value>,
}

/// The longest subject that OpenID Connect knows (Core 1.0, section 2).
const LONGEST_SUBJECT: usize = 255;
const LONGEST_NAME: usize = 256;
const LONGEST_IMAGE: usize = 2048;

/// What is expected of an id token.
#[derive(Clone, Copy)]
pub(super) enum Expected<'a> {
    /// It answers a request that had this nonce.
    Nonce(Option<&'a str>),
    /// Nothing further: it was stored.
    Nothing,
}

/// Who the holder of these tokens is; `None`: nobody that can be relied on.
///
/// # Errors
/// The provider cannot be reached.
pub(super) async fn identity(
    app: &App,
    call: &Call,
    provider: &Provider,
    endpoints: &Endpoints,
    tokens: &Tokens,
    expected: Expected<'_>,
) -> Result<Option<Identity>, Failure> {
    let claims = match claims(app, call, provider, endpoints, tokens, expected).await {
        Stated::Claims(claims) => Some(claims),
        Stated::Nothing => None,
        Stated::Lies => return Ok(None),
    };
    let suffices = |claims: &Claims| match provider.profile.source {
        Source::IdToken => true,
        Source::Either => text(claims, &provider.profile.email).is_some(),
        Source::Userinfo => false,
    };
    if let Some(claims) = claims.as_ref().filter(|claims| suffices(claims)) {
        return Ok(judge(provider, claims.clone(), None, true));
    }
    let (Some(url), Some(access)) = (&endpoints.userinfo, &tokens.access) else { return Ok(None) };
    let Some(said) = userinfo(app, url, access).await? else { return Ok(None) };
    // The id token says who it is; the endpoint may not say something else (OA-15).
    let subject = |said: &Map<String, Value>| said.get("sub").and_then(canonical);
    if let Some(claims) = &claims
        && subject(claims) != subject(&said)
    {
        return Ok(None);
    }
    let emails = match provider.profile.verified {
        Proof::GitHub => emails(app, url, access).await?,
        _ => None,
    };
    Ok(judge(provider, said, emails, false))
}

enum Stated {
    Claims(Claims),
    Nothing,
    /// A token that is not what it should be: nothing beside it is believed.
    Lies,
}

async fn claims(
    app: &App,
    call: &Call,
    provider: &Provider,
    endpoints: &Endpoints,
    tokens: &Tokens,
    expected: Expected<'_>,
) -> Stated {
    let Some(token) = &tokens.id else { return Stated::Nothing };
    if endpoints.keys.is_none() {
        let direct =
            provider.settings.unverified_id_token && matches!(expected, Expected::Nonce(_));
        let claims = direct.then(|| id_token::direct(provider, token, call.now)).flatten();
        return claims.map_or(Stated::Nothing, Stated::Claims);
    }
    let claims = id_token::verify(app, provider, endpoints, token, call.now).await;
    match (claims, expected) {
        (Some(claims), Expected::Nonce(Some(nonce)))
            if !id_token::has_nonce(provider, &claims, nonce) =>
        {
            Stated::Lies
        }
        (Some(claims), _) => Stated::Claims(claims),
        // What was stored may have run out.
        (None, Expected::Nothing) => Stated::Nothing,
        (None, Expected::Nonce(_)) => Stated::Lies,
    }
}

/// Who the claims of an id token are about.
pub(super) fn of_claims(provider: &Provider, claims: Claims) -> Option<Identity> {
    judge(provider, claims, None, true)
}

async fn userinfo(
    app: &App,
    url: &str,
    access: &str,
) -> Result<Option<Map<String, Value>>, Failure> {
    let request = Request::get(url)
        .bearer(access)
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    let answer = app.outbound.send(request).await?;
    if answer.status != StatusCode::OK {
        return Ok(None);
    }
    Ok(Some(answer.json()?))
}

/// GitHub's list of addresses. The one that the profile shows may be missing, or not verified.
async fn emails(app: &App, url: &str, access: &str) -> Result<Option<Vec<Value>>, Failure> {
    let request = Request::get(&format!("{}/emails", url.trim_end_matches('/')))
        .bearer(access)
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    let answer = app.outbound.send(request).await?;
    // Without the scope there is no list, and no address is verified.
    Ok(if answer.status == StatusCode::OK { answer.json().ok() } else { None })
}

fn judge(
    provider: &Provider,
    mut said: Map<String, Value>,
    emails: Option<Vec<Value>>,
    by_token: bool,
) -> Option<Identity> {
    if is_shut_out(&said) {
        return None;
    }
    let profile = &provider.profile;
    let member = |pointer: &str| find(&said, pointer);
    let subject = profile.subject.iter().find_map(|pointer| canonical(member(pointer)?))?;
    let (mut email, listed) = listed(&said, &profile.email, emails);
    let email_verified = match &profile.verified {
        Proof::Member(pointer) => member(pointer).is_some_and(is_true),
        Proof::Among(pointers) => email
            .as_deref()
            .is_some_and(|email| pointers.iter().any(|pointer| names(member(pointer), email))),
        Proof::GitHub => listed,
    };
    if email.is_none() && !profile.placeholder.is_empty() {
        email = Some(format!("{subject}@{}.placeholder.invalid", profile.placeholder));
    }
    let name = profile.name.iter().find_map(|pointer| text(&said, pointer)).map(tidy);
    let image = match &profile.image {
        Picture::Member(pointer) => text(&said, pointer).map(str::to_owned),
        Picture::Made(address, first, second) => match (text(&said, first), text(&said, second)) {
            (Some(first), Some(second)) => {
                Some(address.replace("{0}", first).replace("{1}", second))
            }
            _ => None,
        },
    };
    let image = image.filter(|image| is_picture(image));
    if [OIDC, OAUTH2].contains(&provider.kind.kind) {
        as_recorded(&mut said, email_verified, by_token);
    }
    Some(Identity {
        subject,
        email: email.as_deref().and_then(Email::parse),
        email_verified,
        name: name.unwrap_or_default(),
        image,
        said,
    })
}

/// The members that Better Auth adds to what a generic provider says.
fn as_recorded(said: &mut Map<String, Value>, email_verified: bool, by_token: bool) {
    let picture = said.get("picture").cloned();
    let subject = said.get("sub").cloned();
    if let (true, Some(subject)) = (by_token, subject) {
        said.entry("id").or_insert(subject);
    }
    said.insert("emailVerified".to_owned(), json!(email_verified));
    if let Some(picture) = picture {
        said.entry("image").or_insert(picture);
    }
}

/// GitLab says so of users who may not sign in there.
fn is_shut_out(said: &Map<String, Value>) -> bool {
    let inactive = said.get("state").and_then(Value::as_str).is_some_and(|state| state != "active");
    let gitlab = said.contains_key("avatar_url") && said.contains_key("username");
    gitlab && (inactive || said.get("locked") == Some(&json!(true)))
}

/// The address, and whether a list of the user's addresses says that it is verified.
fn listed(
    said: &Map<String, Value>,
    pointer: &str,
    emails: Option<Vec<Value>>,
) -> (Option<String>, bool) {
    let shown = text(said, pointer).map(str::to_owned);
    let Some(emails) = emails else { return (shown, false) };
    let is = |entry: &Value, name: &str| entry.get(name) == Some(&json!(true));
    let address = |entry: &Value| Some(entry.get("email")?.as_str()?.to_owned());
    let primary = emails.iter().find(|entry| is(entry, "primary")).or(emails.first());
    let email = shown.or_else(|| address(primary?));
    let verified = emails.iter().any(|entry| is(entry, "verified") && address(entry) == email);
    (email, verified)
}

fn find<'a>(said: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = match pointer.strip_prefix('/')?.split_once('/') {
        Some((first, rest)) => (first, format!("/{rest}")),
        None => (pointer.strip_prefix('/')?, String::new()),
    };
    said.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(&rest)
}

fn text<'a>(said: &'a Map<String, Value>, pointer: &str) -> Option<&'a str> {
    find(said, pointer)?.as_str().filter(|text| !text.trim().is_empty())
}

/// One spelling of a subject: a number and its digits are the same. What cannot tell two people apart is none (OA-13).
pub(super) fn canonical(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    let empty = ["", "0", "undefined", "null", "NaN", "[object Object]"];
    let fine = text.len() <= LONGEST_SUBJECT
        && text.trim() == text
        && !empty.contains(&text.as_str())
        && !text.chars().any(char::is_control);
    fine.then_some(text)
}

/// Some providers write truth values as words.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(word) => word.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn names(value: Option<&Value>, email: &str) -> bool {
    let is = |value: &Value| value.as_str().is_some_and(|one| one.eq_ignore_ascii_case(email));
    match value {
        Some(Value::Array(several)) => several.iter().any(is),
        Some(one) => is(one),
        None => false,
    }
}

fn tidy(name: &str) -> String {
    name.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

fn is_picture(address: &str) -> bool {
    let parsed = Url::parse(address).ok();
    address.len() <= LONGEST_IMAGE
        && parsed.is_some_and(|url| ["https", "http"].contains(&url.scheme()) && url.has_host())
}

/// Apple's `user`: `{"name":{"firstName":…,"lastName":…}}`.
pub(super) fn name_of_form(user: &str) -> Option<String> {
    let user: Value = serde_json::from_str(user).ok()?;
    let part = |pointer: &str| user.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Some(tidy(&format!("{} {}", part("/name/firstName"), part("/name/lastName"))))
}
