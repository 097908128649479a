//! `/callback/{provider}`: where a provider sends the browser back to. Every outcome is a redirect.

use std::sync::Arc;

use http::{Method, header};
use url::form_urlencoded;

use super::{
    exchange,
    link::{self, Arrival, Judged},
    profile::{self, Expected, Identity},
    provider::Provider,
    state::{self, Record},
};
use crate::{
    app::{App, connection},
    config::Config,
    error::Result,
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::{Accepts, Access},
        fields::{Fields, Form, FromFields},
        origin::Redirect,
    },
    session::{self, verifier},
    wire,
};

/// The operation that takes a provider's form.
pub(super) const POSTED: &str = "callback_posted";

pub(super) fn endpoints(config: &Config) -> Vec<Endpoint> {
    let returned = Endpoint::get("/callback/{id}", "callback", Access::Public, callback)
        .about("Where another provider sends the browser back to.")
        .with_query::<Returned>();
    let mut posted =
        Endpoint::post::<Returned, _>("/callback/{id}", POSTED, Access::Public, callback_posted)
            .about("The same by a form, as Apple sends it: leads to the other.");
    posted.accepts = Accepts::JsonAndForm;
    let mut endpoints = Vec::new();
    if config.older_routes {
        endpoints.push(returned.also(Method::GET, "/oauth2/callback/{id}"));
    }
    endpoints.extend([returned, posted]);
    endpoints
}

/// What a provider sends along.
struct Returned {
    code: Option<String>,
    error: Option<String>,
    device_id: Option<String>,
    error_description: Option<String>,
    state: Option<String>,
    user: Option<String>,
    iss: Option<String>,
}

impl FromFields for Returned {
    const FORM: Form = Form::OptionalObject;

    fn read(fields: &mut Fields) -> Self {
        Self {
            code: fields.optional_text("code"),
            error: fields.optional_text("error"),
            device_id: fields.optional_text("device_id"),
            error_description: fields.optional_text("error_description"),
            state: fields.optional_text("state"),
            user: fields.optional_text("user"),
            iss: fields.optional_text("iss"),
        }
    }
}

/// A form from another site arrives without the cookies of this one; the redirect brings them (OA-31).
async fn callback_posted(_: App, call: Call) -> Result<Answer> {
    let (body, query): (Returned, Returned) = (call.body()?, call.query()?);
    let pairs = [
        ("code", query.code.or(body.code)),
        ("error", query.error.or(body.error)),
        ("device_id", query.device_id.or(body.device_id)),
        ("error_description", query.error_description.or(body.error_description)),
        ("state", query.state.or(body.state)),
        ("user", query.user.or(body.user)),
        ("iss", query.iss.or(body.iss)),
    ];
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            text.append_pair(name, &value);
        }
    }
    let id = wire::component(call.parameter.as_deref().unwrap_or_default());
    let target = format!("{}/callback/{id}?{}", call.mount.base, text.finish());
    Answer::redirect(target.trim_end_matches('?'))
}

/// The end of a flow that did not work out: an error for the page that was named for it.
struct Failed {
    code: String,
    description: Option<String>,
}

impl Failed {
    fn of(code: &str) -> Self {
        Self { code: code.to_owned(), description: None }
    }
}

/// How a flow ends.
enum End {
    Failed(Failed),
    Done(Box<Answer>),
}

async fn callback(app: App, call: Call) -> Result<Answer> {
    let returned: Returned = call.query()?;
    let Some(state) = returned.state.as_deref().filter(|state| !state.is_empty()) else {
        return to_error_page(&app, &call, None, &Failed::of("state_not_found"));
    };
    let record = match state::take(&app, &call, state).await? {
        Ok(record) => record,
        Err(mismatch) => {
            events::refused(&app, &call, Refused::Social, None).await;
            let error_url = mismatch.error_url.as_deref();
            return to_error_page(&app, &call, error_url, &Failed::of("state_mismatch"));
        }
    };
    let answer = match finish(&app, &call, &record, &returned).await? {
        End::Done(answer) => *answer,
        End::Failed(failed) => to_error_page(&app, &call, record.error_url.as_deref(), &failed)?,
    };
    Ok(answer.with_cookies([state::forget(&call)]))
}

/// `errorCallbackURL` was checked when the flow began, and is again: the settings may have changed (RD-07).
fn to_error_page(
    app: &App,
    call: &Call,
    error_url: Option<&str>,
    failed: &Failed,
) -> Result<Answer> {
    let target = error_url.and_then(|url| app.origins.allows_redirect(url));
    let with = |target: Redirect| {
        let target = target.with_parameter("error", &failed.code);
        match &failed.description {
            Some(words) => target.with_parameter("error_description", words),
            None => target,
        }
    };
    if let Some(target) = target {
        return Answer::redirect(with(target).as_str());
    }
    let own = app.origins.allows_redirect(&format!("{}/error", call.mount.base));
    match own {
        Some(own) => Answer::redirect(with(own).as_str()),
        None => Answer::redirect(&format!("{}/error", call.mount.base)),
    }
}

/// Codes of providers are passed on as they are, if they are codes (RFC 6749, 4.1.2.1).
fn provider_error(code: &str, description: Option<&str>) -> Failed {
    let is_code = code.len() <= 64
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let words: Option<String> =
        description.map(|words| words.chars().filter(|c| !c.is_control()).take(256).collect());
    Failed {
        code: if is_code { code.to_owned() } else { "invalid_callback_request".to_owned() },
        description: words.filter(|words| !words.is_empty()),
    }
}

async fn finish(app: &App, call: &Call, record: &Record, returned: &Returned) -> Result<End> {
    let failed = |code: &str| Ok(End::Failed(Failed::of(code)));
    if let Some(code) = returned.error.as_deref().filter(|code| !code.is_empty()) {
        return Ok(End::Failed(provider_error(code, returned.error_description.as_deref())));
    }
    let Some(code) = returned.code.as_deref().filter(|code| !code.is_empty()) else {
        return failed("no_code");
    };
    let id = call.parameter.as_deref().unwrap_or_default();
    let Some(provider) = app.providers.get(id).map(Arc::clone) else {
        return failed("oauth_provider_not_found");
    };
    let (identity, tokens) = match who(app, call, &provider, record, returned, code).await? {
        Ok(found) => found,
        Err(code) => {
            events::refused(app, call, Refused::Social, None).await;
            return failed(code);
        }
    };
    if let Some(link) = &record.link {
        let mut conn = connection(app).await?;
        let tx = conn.transaction().await?;
        let linked = link::link(app, call, &tx, &provider, link, &identity, &tokens).await?;
        if let Err(why) = linked {
            return failed(why.code());
        }
        tx.commit().await?;
        let target = target(app, &record.callback_url)?;
        return Ok(End::Done(Box::new(Answer::redirect(target.as_str())?)));
    }
    let Some(email) = &identity.email else { return failed("email_not_found") };
    let arrival = Arrival {
        provider: &provider,
        identity: &identity,
        email,
        tokens: &tokens,
        sign_up_requested: record.request_sign_up.unwrap_or_default(),
        callback_url: Some(&record.callback_url),
    };
    sign_in(app, call, record, &arrival).await
}

type Found = (Identity, exchange::Tokens);

/// Who came back, or the code of what is wrong.
async fn who(
    app: &App,
    call: &Call,
    provider: &Provider,
    record: &Record,
    returned: &Returned,
    code: &str,
) -> Result<std::result::Result<Found, &'static str>> {
    // Begun at another provider: its code is not shown to this one (OA-04).
    if !state::is_of(app, call, &provider.id, &record.code_verifier) {
        return Ok(Err("invalid_code"));
    }
    let failed = |failure: &super::Failure| {
        tracing::warn!(provider = provider.id, cause = %failure, "a sign-in failed at the provider");
    };
    let endpoints = match provider.endpoints(app, call.now).await {
        Ok(endpoints) => endpoints,
        Err(failure) => {
            failed(&failure);
            return Ok(Err("temporarily_unavailable"));
        }
    };
    match returned.iss.as_deref().filter(|iss| !iss.is_empty()) {
        Some(named) if !endpoints.issuer.allows(named) => return Ok(Err("issuer_mismatch")),
        None if endpoints.names_itself => return Ok(Err("issuer_missing")),
        _ => {}
    }
    let nonce = record.id_token_nonce.as_deref();
    if provider.nonce(&endpoints) && nonce.is_none() {
        return Ok(Err("nonce_binding_missing"));
    }
    let back = format!("{}{}", call.mount.base, provider.callback_path());
    let verifier = &record.code_verifier;
    let redeemed =
        exchange::redeem(app, provider, &endpoints, code, verifier, &back, call.now).await;
    let tokens = match redeemed {
        Ok(tokens) => tokens,
        Err(failure) => {
            failed(&failure);
            return Ok(Err("invalid_code"));
        }
    };
    let expected = Expected::Nonce(nonce);
    let identity = match profile::identity(app, call, provider, &endpoints, &tokens, expected).await
    {
        Ok(identity) => identity,
        Err(failure) => {
            failed(&failure);
            None
        }
    };
    let Some(mut identity) = identity else { return Ok(Err("unable_to_get_user_info")) };
    // Apple tells the name once, beside the token; it is only shown.
    if identity.name.is_empty() {
        identity.name =
            returned.user.as_deref().and_then(profile::name_of_form).unwrap_or_default();
    }
    Ok(Ok((identity, tokens)))
}

async fn sign_in(app: &App, call: &Call, record: &Record, arrival: &Arrival<'_>) -> Result<End> {
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let (user, newcomer) = match link::judge(app, call, &tx, arrival).await? {
        Judged::In { user, newcomer } => (user, newcomer),
        Judged::Banned(user) => {
            let email = Some(user.email);
            let event = Event::Refused { why: Refused::Banned, email, detail: None };
            events::record(app, &tx, call, event, Some(user.id)).await?;
            tx.commit().await?;
            let description = Some(wire::BANNED_USER.message.to_owned());
            return Ok(End::Failed(Failed { code: "BANNED_USER".to_owned(), description }));
        }
        Judged::Refused(words) => {
            let (why, email) = (Refused::Social, Some(arrival.email.as_str().to_owned()));
            let event = Event::Refused { why, email, detail: None };
            events::record(app, &tx, call, event, None).await?;
            tx.commit().await?;
            return Ok(End::Failed(Failed::of(&words.replace(' ', "_"))));
        }
    };
    let method = session::Method::Social(arrival.provider.id.clone());
    let sign_in = session::SignIn::by(method, &user);
    let wanted = record.new_user_url.as_deref().filter(|_| newcomer);
    let target = target(app, wanted.unwrap_or(&record.callback_url))?;
    let challenge = record.challenge.as_ref();
    let answer = verifier::sign_in_and_return(app, call, &tx, sign_in, challenge, &target).await?;
    tx.commit().await?;
    Ok(End::Done(Box::new(as_given(answer, &target)?)))
}

/// Where the flow was to end; a target that is not trusted any more is the front page (RD-07).
fn target(app: &App, wanted: &str) -> Result<Redirect> {
    let front = || app.origins.allows_redirect("/");
    let target = app.origins.allows_redirect(wanted).or_else(front);
    target.ok_or_else(|| anyhow::anyhow!("the front page is not trusted").into())
}

/// Better Auth answers with the target as the application gave it, here alone.
fn as_given(mut answer: Answer, target: &Redirect) -> Result<Answer> {
    let own = target.absolute();
    let own = own.strip_suffix(target.as_str()).unwrap_or_default().to_owned();
    let location = answer.headers.iter().find(|(name, _)| *name == header::LOCATION);
    let relative = location.and_then(|(_, value)| {
        let path = value.to_str().ok()?.strip_prefix(own.as_str())?;
        path.starts_with('/').then(|| path.to_owned())
    });
    match relative {
        Some(path) if !own.is_empty() => {
            answer.headers.retain(|(name, _)| *name != header::LOCATION);
            answer.with_header(header::LOCATION, &path)
        }
        _ => Ok(answer),
    }
}
