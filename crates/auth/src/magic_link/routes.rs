//! `POST /sign-in/magic-link`, and `/magic-link/verify`: GET for the link in the mail, POST for the page's button.

use chrono::TimeDelta;
use deadpool_postgres::GenericClient;
use gatepost_protocol::{
    body::{self, Shown},
    random,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{INVALID_TARGET, UNREADABLE};
use crate::{
    app::{App, connection},
    error::{Error, Result},
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
        origin::Redirect,
    },
    mail::{self, Message},
    session::{
        self,
        verifier::{self, Bound, Challenge, Here, Return},
    },
    system, two_factor,
    user::{
        Email, User,
        proven::{self, Newcomer, Proven},
    },
    verification::{self, OneTime, Purpose},
    wire,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<SignIn, _>(
            "/sign-in/magic-link",
            "sign_in_magic_link",
            Access::Public,
            sign_in_magic_link,
        )
        .about("Mail a link that signs in. The answer does not tell whether the address is known.")
        .login(),
        Endpoint::get("/magic-link/verify", "magic_link_verify", Access::Public, open_link)
            .about("The link in the mail.")
            .with_query::<Link>(),
        Endpoint::post::<Link, _>(
            "/magic-link/verify",
            "magic_link_confirm",
            Access::Public,
            confirm,
        )
        .about("The button on the page that the link shows: signs in, once.")
        .login(),
    ]
}

struct SignIn {
    email: Email,
    name: Option<String>,
    callback_url: Option<String>,
    new_user_callback_url: Option<String>,
    error_callback_url: Option<String>,
}

impl FromFields for SignIn {
    fn read(fields: &mut Fields) -> Self {
        let read = Self {
            email: fields.email("email"),
            name: fields.optional_text("name"),
            callback_url: fields.optional_text("callbackURL"),
            new_user_callback_url: fields.optional_text("newUserCallbackURL"),
            error_callback_url: fields.optional_text("errorCallbackURL"),
        };
        fields.optional_record("metadata");
        read
    }
}

/// What the row remembers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(rename = "type")]
    kind: Kind,
    email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Of the browser that asked; under the Neon layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<Bound>,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "magic-link")]
    MagicLink,
}

async fn sign_in_magic_link(app: App, call: Call) -> Result<Answer> {
    let body: SignIn = call.body()?;
    let config = &app.config.magic_link;
    let token = random::token(32);
    let secret =
        OneTime { purpose: Purpose::MagicLink, secret: &token, storage: config.storage(&app) };
    let challenge = Challenge::begin(&call);
    let record = Record {
        kind: Kind::MagicLink,
        email: body.email.as_str().to_owned(),
        name: body.name.clone(),
        challenge: challenge.as_ref().map(Challenge::bound),
    };
    let record = serde_json::to_string(&record).map_err(|error| Error::Internal(error.into()))?;
    let url = link(&call, &token, &body);
    let lifetime = TimeDelta::seconds(i64::from(config.expires_in));
    let expires_at = call.now + lifetime;

    let may_send = app.limits.may_mail(&body.email, call.now).await;
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    // Nobody is looked up: known and unknown addresses get the same mail (EN-06).
    verification::create(&tx, secret, &record, expires_at, call.now).await?;
    let message = Message::MagicLink { url, token: token.clone() };
    if may_send {
        mail::send(&app, &call, &tx, body.email.as_str(), &message).await?;
    } else {
        mail::pretend(&app, &call, &tx, body.email.as_str(), &message).await?;
    }
    events::record(&app, &tx, &call, Event::CodeRequested { purpose: "magic-link" }, None).await?;
    tx.commit().await?;
    // The way back takes a moment after the link was opened.
    let lifetime = lifetime + TimeDelta::minutes(5);
    let cookies = challenge.map(|challenge| challenge.cookies(&call, lifetime));
    Ok(Answer::json(&json!({ "status": true }))?.with_cookies(cookies.unwrap_or_default()))
}

fn link(call: &Call, token: &str, body: &SignIn) -> String {
    let given = |url: &Option<String>| url.clone().filter(|url| !url.is_empty());
    let callback_url = given(&body.callback_url).unwrap_or_else(|| "/".to_owned());
    let mut url = format!(
        "{}/magic-link/verify?token={token}&callbackURL={}",
        call.mount.base,
        wire::component(&callback_url)
    );
    let further = [
        ("newUserCallbackURL", given(&body.new_user_callback_url)),
        ("errorCallbackURL", given(&body.error_callback_url)),
    ];
    for (name, value) in further {
        if let Some(value) = value {
            url = format!("{url}&{name}={}", wire::component(&value));
        }
    }
    url
}

struct Link {
    token: String,
    callback_url: Option<String>,
    error_callback_url: Option<String>,
    new_user_callback_url: Option<String>,
}

impl FromFields for Link {
    fn read(fields: &mut Fields) -> Self {
        Self {
            token: fields.text("token"),
            callback_url: fields.optional_text("callbackURL"),
            error_callback_url: fields.optional_text("errorCallbackURL"),
            new_user_callback_url: fields.optional_text("newUserCallbackURL"),
        }
    }
}

/// Where the three outcomes lead; checked anew, as the query of a link can be edited (ML-12, ML-13).
struct Targets {
    /// None was named: the answer is JSON.
    callback: Option<Redirect>,
    newcomer: Redirect,
    failure: Redirect,
}

impl Targets {
    fn check(app: &App, call: &Call, link: &Link) -> Result<Self> {
        let target = |url: &Option<String>| call.target(app, url.as_deref());
        let callback = target(&link.callback_url)?;
        let newcomer = target(&link.new_user_callback_url)?;
        let failure = target(&link.error_callback_url)?;
        let otherwise = match &callback {
            Some(callback) => callback.clone(),
            None => call.redirect(app, "/", INVALID_TARGET)?,
        };
        Ok(Self {
            callback,
            newcomer: newcomer.unwrap_or_else(|| otherwise.clone()),
            failure: failure.unwrap_or(otherwise),
        })
    }
}

async fn open_link(app: App, call: Call) -> Result<Answer> {
    let link: Link = call.query()?;
    let targets = Targets::check(&app, &call, &link)?;
    // A script of the application calls the route as an API; what opens links, human or scanner, navigates.
    let by_script = call.header("sec-fetch-mode").is_some_and(|mode| mode.starts_with("cors"));
    if app.config.magic_link.confirm && !by_script {
        return page(&app, &call, &link).await;
    }
    redeem(&app, &call, &link, &targets).await
}

async fn confirm(app: App, call: Call) -> Result<Answer> {
    let link: Link = call.body()?;
    let targets = Targets::check(&app, &call, &link)?;
    redeem(&app, &call, &link, &targets).await
}

/// Names the account that the link leads to, and the one that it would take the place of (ML-05).
async fn page(app: &App, call: &Call, link: &Link) -> Result<Answer> {
    let members = [
        ("token", Some(&link.token)),
        ("callbackURL", link.callback_url.as_ref()),
        ("errorCallbackURL", link.error_callback_url.as_ref()),
        ("newUserCallbackURL", link.new_user_callback_url.as_ref()),
    ];
    let inputs: String = members
        .into_iter()
        .filter_map(|(name, value)| {
            let value = system::escape(value?);
            Some(format!("<input type=hidden name={name} value=\"{value}\">"))
        })
        .collect();
    let caller = session::current(app, call).await?;
    let owner = owner(app, call, link).await?;
    let present = caller.map(|caller| caller.signed_in.user.email.clone());
    let other = present.filter(|present| owner.as_ref().is_some_and(|owner| owner != present));
    let who = match (owner, other) {
        (None, _) => String::new(),
        (Some(owner), None) => format!("<p>As <b>{}</b></p>", system::escape(&owner)),
        (Some(owner), Some(other)) => format!(
            "<p>As <b>{}</b>. You are signed in as <b>{}</b> in this browser.</p>",
            system::escape(&owner),
            system::escape(&other)
        ),
    };
    let title = format!("Sign in to {}", system::escape(&app.config.app_name));
    // Without an action the form goes to this address, whose query the endpoint does not read.
    let form = format!("{who}<form method=post>{inputs}<button autofocus>Continue</button></form>");
    Ok(Answer::html(system::page(&title, &form)))
}

/// The address that a live link was mailed to.
async fn owner(app: &App, call: &Call, link: &Link) -> Result<Option<String>> {
    let storage = app.config.magic_link.storage(app);
    let secret = OneTime { purpose: Purpose::MagicLink, secret: &link.token, storage };
    let record = verification::find(&connection(app).await?, secret, call.now).await?;
    let record = record.and_then(|record| serde_json::from_str::<Record>(&record).ok());
    Ok(record.map(|record| record.email))
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    token: &'a str,
    user: Shown<'a, User>,
    session: Shown<'a, body::Session>,
}

async fn redeem(app: &App, call: &Call, link: &Link, targets: &Targets) -> Result<Answer> {
    let config = &app.config.magic_link;
    let failed =
        |code: &str| Answer::redirect(&targets.failure.with_parameter("error", code).absolute());
    let secret =
        OneTime { purpose: Purpose::MagicLink, secret: &link.token, storage: config.storage(app) };
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    // Of many at once with one link, one gets past this line (ML-03).
    let record = verification::consume(&tx, secret, call.now).await?;
    let record = record.and_then(|record| serde_json::from_str::<Record>(&record).ok());
    let Some(record) = record else {
        tx.commit().await?;
        return failed("INVALID_TOKEN");
    };
    let email = Email::parse(&record.email).ok_or(UNREADABLE)?;
    let newcomer = Newcomer { name: record.name.as_deref().unwrap_or_default(), image: None };
    let newcomer = config.sign_up.then_some(newcomer);
    let (user, target) = match proven::owner(app, call, &tx, &email, newcomer).await? {
        Proven::Known(user) => (user, targets.callback.as_ref()),
        Proven::New(user) => (user, targets.callback.as_ref().map(|_| &targets.newcomer)),
        Proven::Banned(user) => {
            let why =
                Event::Refused { why: Refused::Banned, email: Some(user.email), detail: None };
            events::record(app, &tx, call, why, Some(user.id)).await?;
            tx.commit().await?;
            return Err(wire::BANNED_USER.into());
        }
        Proven::Nobody => {
            tx.commit().await?;
            return failed("new_user_signup_disabled");
        }
    };
    let sign_in = session::SignIn::by(session::Method::MagicLink, &user);
    let answer = match target {
        Some(target) => to_page(app, call, &tx, sign_in, record.challenge.as_ref(), target).await?,
        None => to_script(app, call, &tx, sign_in).await?,
    };
    tx.commit().await?;
    Ok(answer)
}

/// The end of a link that a person opened.
async fn to_page(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: session::SignIn<'_>,
    challenge: Option<&Bound>,
    target: &Redirect,
) -> Result<Answer> {
    // The page that asked for the link may be on another site, where no second factor can be asked for.
    if let Some(challenge) = challenge.filter(|challenge| !challenge.is_of(call)) {
        let back = Return::to(challenge, target, Here::TheUser);
        if let Some(asked) = two_factor::ask_here(app, call, conn, &sign_in, back, target).await? {
            return Ok(asked);
        }
    } else if let Some(pending) = two_factor::challenge_after(app, call, conn, &sign_in).await? {
        return pending.redirect(target);
    }
    verifier::sign_in_here_and_return(app, call, conn, sign_in, challenge, target).await
}

/// The end of a link that a script called as an API.
async fn to_script(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    sign_in: session::SignIn<'_>,
) -> Result<Answer> {
    if let Some(pending) = two_factor::challenge_after(app, call, conn, &sign_in).await? {
        return pending.answer(app, call);
    }
    let started = session::start_in(app, call, conn, sign_in).await?;
    let session = wire::session(&started.signed_in.session, started.token.reveal());
    let body = SignedInBody {
        token: started.token.reveal(),
        user: wire::user(app, &started.signed_in.user),
        session: session.shown(app.features),
    };
    Ok(Answer::json(&body)?.signed_in(app, call, &started))
}
