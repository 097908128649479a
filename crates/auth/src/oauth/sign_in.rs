//! `POST /sign-in/social` and `/link-social`, and the older `/sign-in/oauth2` and `/oauth2/link`.

use std::sync::Arc;

use gatepost_protocol::{body::Shown, random};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    FAILED_TO_GET_USER_INFO, Failure, ID_TOKEN_NOT_SUPPORTED, INVALID_TOKEN, PROVIDER_NOT_FOUND,
    PROVIDER_UNAVAILABLE, USER_EMAIL_NOT_FOUND,
    authorize::{self, RESERVED, Wishes},
    endpoints::Endpoints,
    exchange::Tokens,
    id_token,
    known::{OAUTH2, OIDC, Source},
    link::{self, Arrival, EMAIL_NOT_VERIFIED, Judged},
    profile::{self, Identity},
    provider::Provider,
    seal,
    state::{self, Link, Remembered},
};
use crate::{
    account::identities::{self, Linked},
    app::{App, connection},
    config::Config,
    error::{Error, Refusal, Result},
    events::{self, Event, Refused},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current},
    two_factor,
    user::User,
    wire,
};

const ALREADY_LINKED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "SOCIAL_ACCOUNT_ALREADY_LINKED",
    "Social account already linked",
);
const LINKING_NOT_ALLOWED: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "LINKING_NOT_ALLOWED",
    "Account not linked - linking not allowed",
);
const DIFFERENT_EMAILS: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED",
    "Account not linked - different emails not allowed",
);
const NOT_VERIFIED: Refusal =
    Refusal::new(StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED", "Email not verified");

pub(super) fn endpoints(config: &Config) -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint::post::<SignIn, _>(
            "/sign-in/social",
            "sign_in_social",
            Access::Public,
            sign_in_social,
        )
        .about("Begin a sign-in at another provider, or sign in by an id token of it."),
        Endpoint::post::<LinkSocial, _>(
            "/link-social",
            "link_social",
            Access::Session,
            link_social,
        )
        .about("Give the signed-in user a further way in, at another provider."),
    ];
    if config.older_routes {
        endpoints.extend([
            Endpoint::post::<SignInOauth2, _>(
                "/sign-in/oauth2",
                "sign_in_oauth2",
                Access::Public,
                sign_in_oauth2,
            )
            .about("Begin a sign-in at another provider, as clients before 1.7 ask for it."),
            Endpoint::post::<LinkOauth2, _>(
                "/oauth2/link",
                "oauth2_link",
                Access::Session,
                oauth2_link,
            )
            .about("Give the signed-in user a further way in, as clients before 1.7 ask for it."),
        ]);
    }
    endpoints
}

/// What every spelling of a beginning says.
#[derive(Default)]
struct Start {
    provider: String,
    disable_redirect: bool,
    wishes: Wishes,
    remembered: Remembered,
}

struct IdToken {
    token: String,
    nonce: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    name: Option<String>,
}

struct SignIn {
    start: Start,
    id_token: Option<IdToken>,
}

impl FromFields for SignIn {
    fn read(fields: &mut Fields) -> Self {
        let callback_url = fields.optional_text("callbackURL");
        let new_user_url = fields.optional_text("newUserCallbackURL");
        let error_url = fields.optional_text("errorCallbackURL");
        let provider = fields.word("provider");
        let disable_redirect = fields.flag("disableRedirect").unwrap_or_default();
        let id_token = fields.optional_object("idToken", |fields| read_id_token(fields, true));
        let scopes = fields.optional_list("scopes").unwrap_or_default();
        let request_sign_up = fields.flag("requestSignUp");
        let (wishes, additional) = read_wishes(fields, scopes);
        let remembered = Remembered {
            additional,
            callback_url,
            error_url,
            new_user_url,
            request_sign_up,
            link: None,
        };
        Self { start: Start { provider, disable_redirect, wishes, remembered }, id_token }
    }
}

struct LinkSocial(SignIn);

impl FromFields for LinkSocial {
    fn read(fields: &mut Fields) -> Self {
        let callback_url = fields.optional_text("callbackURL");
        let provider = fields.word("provider");
        let id_token = fields.optional_object("idToken", |fields| read_id_token(fields, false));
        let request_sign_up = fields.flag("requestSignUp");
        let scopes = fields.optional_list("scopes").unwrap_or_default();
        let error_url = fields.optional_text("errorCallbackURL");
        let disable_redirect = fields.flag("disableRedirect").unwrap_or_default();
        let (wishes, additional) = read_wishes(fields, scopes);
        let remembered = Remembered {
            additional,
            callback_url,
            error_url,
            request_sign_up,
            ..Remembered::default()
        };
        Self(SignIn { start: Start { provider, disable_redirect, wishes, remembered }, id_token })
    }
}

fn read_id_token(fields: &mut Fields, with_user: bool) -> IdToken {
    let mut read = IdToken {
        token: fields.text("token"),
        nonce: fields.optional_text("nonce"),
        access_token: fields.optional_text("accessToken"),
        refresh_token: fields.optional_text("refreshToken"),
        name: None,
    };
    if with_user {
        fields.optional_number("expiresAt", None);
        let name = fields.optional_object("user", |user| {
            let name = user.optional_object("name", |name| {
                [name.optional_text("firstName"), name.optional_text("lastName")]
            });
            user.optional_text("email");
            name
        });
        read.name =
            name.flatten().map(|parts| parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    read
}

fn read_wishes(fields: &mut Fields, scopes: Vec<String>) -> (Wishes, Map<String, Value>) {
    let login_hint = fields.optional_text("loginHint").filter(|hint| !hint.is_empty());
    let parameters = fields.optional_text_record("additionalParams").unwrap_or_default();
    if parameters.iter().any(|(name, _)| RESERVED.contains(&name.as_str())) {
        let names = RESERVED.join(", ");
        fields.refuse_member(
            "additionalParams",
            &format!("additionalParams cannot include reserved OAuth parameters: {names}"),
        );
    }
    let additional = fields.optional_record("additionalData").unwrap_or_default();
    (Wishes { scopes, login_hint, parameters }, additional)
}

struct SignInOauth2(Start);

impl FromFields for SignInOauth2 {
    fn read(fields: &mut Fields) -> Self {
        Self(Start {
            provider: fields.text("providerId"),
            remembered: Remembered {
                callback_url: fields.optional_text("callbackURL"),
                error_url: fields.optional_text("errorCallbackURL"),
                new_user_url: fields.optional_text("newUserCallbackURL"),
                request_sign_up: fields.flag("requestSignUp"),
                additional: fields.optional_record("additionalData").unwrap_or_default(),
                link: None,
            },
            disable_redirect: fields.flag("disableRedirect").unwrap_or_default(),
            wishes: Wishes {
                scopes: fields.optional_list("scopes").unwrap_or_default(),
                ..Wishes::default()
            },
        })
    }
}

struct LinkOauth2(Start);

impl FromFields for LinkOauth2 {
    fn read(fields: &mut Fields) -> Self {
        Self(Start {
            provider: fields.text("providerId"),
            remembered: Remembered {
                callback_url: Some(fields.text("callbackURL")),
                error_url: fields.optional_text("errorCallbackURL"),
                ..Remembered::default()
            },
            disable_redirect: false,
            wishes: Wishes {
                scopes: fields.optional_list("scopes").unwrap_or_default(),
                ..Wishes::default()
            },
        })
    }
}

async fn sign_in_social(app: App, call: Call) -> Result<Answer> {
    let SignIn { start, id_token } = call.body()?;
    let provider = find(&app, &start.provider)?;
    match id_token {
        Some(token) => by_id_token(&app, &call, &provider, &start, &token).await,
        None => begin(&app, &call, &provider, start).await,
    }
}

async fn sign_in_oauth2(app: App, call: Call) -> Result<Answer> {
    let SignInOauth2(start) = call.body()?;
    let provider = find(&app, &start.provider)?;
    begin(&app, &call, &provider, start).await
}

async fn link_social(app: App, call: Call) -> Result<Answer> {
    let LinkSocial(SignIn { start, id_token }) = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let provider = find(&app, &start.provider)?;
    match id_token {
        Some(token) => link_by_id_token(&app, &call, &provider, &caller, &token).await,
        None => begin(&app, &call, &provider, linking(start, &caller)).await,
    }
}

async fn oauth2_link(app: App, call: Call) -> Result<Answer> {
    let LinkOauth2(start) = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let provider = find(&app, &start.provider)?;
    begin(&app, &call, &provider, linking(start, &caller)).await
}

fn linking(mut start: Start, caller: &Current) -> Start {
    let (user, session) = (&caller.signed_in.user, &caller.signed_in.session);
    let link = Link { user_id: user.id, email: user.email.clone(), session_id: session.id };
    start.remembered.link = Some(link);
    start
}

fn find(app: &App, id: &str) -> Result<Arc<Provider>> {
    Ok(app.providers.get(id).cloned().ok_or(PROVIDER_NOT_FOUND)?)
}

/// Logged; the client learns only that it may try again (OA-34).
fn unavailable(provider: &Provider, failure: &Failure) -> Error {
    tracing::warn!(provider = provider.id, cause = %failure, "the provider cannot be used");
    PROVIDER_UNAVAILABLE.into()
}

async fn begin(app: &App, call: &Call, provider: &Provider, start: Start) -> Result<Answer> {
    let endpoints = provider
        .endpoints(app, call.now)
        .await
        .map_err(|failure| unavailable(provider, &failure))?;
    let with_nonce = provider.nonce(&endpoints);
    let begun = state::begin(app, call, &provider.id, with_nonce, start.remembered).await?;
    let back = format!("{}{}", call.mount.base, provider.callback_path());
    let url = authorize::url(provider, &endpoints, &begun, &back, &start.wishes)
        .map_err(|failure| unavailable(provider, &failure))?;
    let answer = Answer::json(&json!({ "url": url, "redirect": !start.disable_redirect }))?
        .with_cookies(begun.cookies);
    if start.disable_redirect { Ok(answer) } else { answer.with_header(header::LOCATION, &url) }
}

impl Provider {
    /// The authorization request carries a nonce, which the id token must repeat (OA-07).
    pub(super) fn nonce(&self, endpoints: &Endpoints) -> bool {
        let by_token = self.kind.kind == OIDC || self.kind.profile.source == Source::IdToken;
        endpoints.keys.is_some() && self.settings.nonce.unwrap_or(by_token)
    }
}

/// Who an id token of this provider is about, with what is kept of it.
async fn verified(
    app: &App,
    call: &Call,
    provider: &Provider,
    token: &IdToken,
) -> Result<(Identity, Tokens)> {
    let endpoints = provider
        .endpoints(app, call.now)
        .await
        .map_err(|failure| unavailable(provider, &failure))?;
    if !provider.settings.id_token_sign_in || endpoints.keys.is_none() {
        return Err(ID_TOKEN_NOT_SUPPORTED.into());
    }
    let claims = id_token::verify(app, provider, &endpoints, &token.token, call.now).await;
    let claims = claims.filter(|claims| {
        let nonce = token.nonce.as_deref().filter(|nonce| !nonce.is_empty());
        id_token::is_recent(provider, claims, call.now)
            && nonce.is_none_or(|nonce| id_token::has_nonce(provider, claims, nonce))
    });
    let Some(claims) = claims else {
        events::refused(app, call, Refused::Social, None).await;
        return Err(INVALID_TOKEN.into());
    };
    let mut identity = profile::of_claims(provider, claims).ok_or(FAILED_TO_GET_USER_INFO)?;
    if identity.email.is_none() {
        let generic = [OIDC, OAUTH2].contains(&provider.kind.kind);
        let refusal = if generic { FAILED_TO_GET_USER_INFO } else { USER_EMAIL_NOT_FOUND };
        return Err(refusal.into());
    }
    if let (true, Some(name)) = (identity.name.is_empty(), &token.name) {
        identity.name.clone_from(name);
    }
    let tokens = Tokens {
        access: token.access_token.clone(),
        id: Some(token.token.clone()),
        ..Tokens::default()
    };
    Ok((identity, tokens))
}

#[derive(Serialize)]
struct SignedInBody<'a> {
    redirect: bool,
    token: &'a str,
    user: Shown<'a, User>,
}

async fn by_id_token(
    app: &App,
    call: &Call,
    provider: &Provider,
    start: &Start,
    token: &IdToken,
) -> Result<Answer> {
    let (identity, tokens) = verified(app, call, provider, token).await?;
    let email = identity.email.clone().ok_or(USER_EMAIL_NOT_FOUND)?;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    let arrival = Arrival {
        provider,
        identity: &identity,
        email: &email,
        tokens: &tokens,
        sign_up_requested: start.remembered.request_sign_up.unwrap_or_default(),
        callback_url: start.remembered.callback_url.as_deref(),
    };
    let user = match link::judge(app, call, &tx, &arrival).await? {
        Judged::In { user, .. } => user,
        Judged::Banned(user) => {
            let email = Some(user.email);
            let event = Event::Refused { why: Refused::Banned, email, detail: None };
            events::record(app, &tx, call, event, Some(user.id)).await?;
            tx.commit().await?;
            return Err(wire::BANNED_USER.into());
        }
        Judged::Refused(words) => {
            let (why, email) = (Refused::Social, Some(email.as_str().to_owned()));
            let event = Event::Refused { why, email, detail: None };
            events::record(app, &tx, call, event, None).await?;
            tx.commit().await?;
            if words == EMAIL_NOT_VERIFIED {
                return Err(NOT_VERIFIED.into());
            }
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "OAUTH_LINK_ERROR", words).into());
        }
    };
    let method = session::Method::Social(provider.id.clone());
    let sign_in = session::SignIn::by(method, &user);
    if let Some(pending) = two_factor::challenge_after(app, call, &tx, &sign_in).await? {
        tx.commit().await?;
        return pending.answer(app, call);
    }
    let started = session::start_in(app, call, &tx, sign_in).await?;
    tx.commit().await?;
    let body = SignedInBody {
        redirect: false,
        token: started.token.reveal(),
        user: wire::user(app, &started.signed_in.user),
    };
    Ok(Answer::json(&body)?.signed_in(app, call, &started))
}

async fn link_by_id_token(
    app: &App,
    call: &Call,
    provider: &Provider,
    caller: &Current,
    token: &IdToken,
) -> Result<Answer> {
    let (identity, mut tokens) = verified(app, call, provider, token).await?;
    tokens.refresh.clone_from(&token.refresh_token);
    let user = &caller.signed_in.user;
    let mut conn = connection(app).await?;
    let tx = conn.transaction().await?;
    identities::lock(&tx, &provider.id, &identity.subject).await?;
    let owners = identities::owners(&tx, &provider.id, &identity.subject).await?;
    if owners.iter().any(|owner| owner.user.id != user.id) {
        return Err(ALREADY_LINKED.into());
    }
    let sealed = seal::seal(app, &tokens);
    if let Some(owner) = owners.first() {
        identities::update(&tx, owner.account, &sealed, call.now).await?;
    } else {
        if !link::may_link(app, provider, &identity) {
            return Err(LINKING_NOT_ALLOWED.into());
        }
        if !link::same_mailbox(app, &identity, user) {
            return Err(DIFFERENT_EMAILS.into());
        }
        let linked = Linked {
            id: random::uuid(),
            user: user.id,
            provider_id: provider.id.clone(),
            subject: identity.subject.clone(),
            tokens: sealed,
        };
        identities::create(&tx, &linked, call.now).await?;
        let event = Event::AccountLinked { provider: provider.id.clone() };
        events::record(app, &tx, call, event, Some(user.id)).await?;
    }
    tx.commit().await?;
    Answer::json(&json!({ "url": "", "status": true, "redirect": false }))
}
