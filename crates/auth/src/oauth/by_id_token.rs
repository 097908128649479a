//! Signing in and linking by an id token that the client got from the provider itself.

use gatepost_protocol::{body::Shown, random};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{
    FAILED_TO_GET_USER_INFO, ID_TOKEN_NOT_SUPPORTED, INVALID_TOKEN, USER_EMAIL_NOT_FOUND,
    exchange::Tokens,
    id_token,
    known::{OAUTH2, OIDC},
    link::{self, Arrival, EMAIL_NOT_VERIFIED, Judged},
    profile::{self, Identity},
    provider::Provider,
    seal,
    sign_in::unavailable,
    state::Remembered,
};
use crate::{
    account::identities::{self, Linked},
    app::{App, connection},
    error::{Refusal, Result},
    events::{self, Event, Refused},
    http::{Answer, Call, fields::Fields},
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

/// An id token as a client got it, and what came with it.
pub(super) struct IdToken {
    token: String,
    nonce: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    name: Option<String>,
}

impl IdToken {
    pub(super) fn read(fields: &mut Fields, with_user: bool) -> Self {
        let mut read = Self {
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
            read.name = name
                .flatten()
                .map(|parts| parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
        }
        read
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

/// Signs in who the token is about.
///
/// # Errors
/// `INVALID_TOKEN` and those of the rules of linking; those of Postgres.
pub(super) async fn sign_in(
    app: &App,
    call: &Call,
    provider: &Provider,
    remembered: &Remembered,
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
        sign_up_requested: remembered.request_sign_up.unwrap_or_default(),
        callback_url: remembered.callback_url.as_deref(),
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

/// Gives the signed-in user the way in that the token proves.
///
/// # Errors
/// `INVALID_TOKEN` and those of the rules of linking; those of Postgres.
pub(super) async fn link(
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
