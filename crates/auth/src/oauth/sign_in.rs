//! `POST /sign-in/social` and `/link-social`, and the older `/sign-in/oauth2` and `/oauth2/link`.

use std::sync::Arc;

use http::header;
use serde_json::{Map, Value, json};

use super::{
    Failure, PROVIDER_NOT_FOUND, PROVIDER_UNAVAILABLE,
    authorize::{self, RESERVED, Wishes},
    by_id_token::{self, IdToken},
    endpoints::Endpoints,
    known::{OIDC, Source},
    provider::Provider,
    state::{self, Link, Remembered},
};
use crate::{
    app::App,
    config::Config,
    error::{Error, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session::{self, Current},
};

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
        let id_token = fields.optional_object("idToken", |fields| IdToken::read(fields, true));
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
        let id_token = fields.optional_object("idToken", |fields| IdToken::read(fields, false));
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
        Some(token) => {
            by_id_token::sign_in(&app, &call, &provider, &start.remembered, &token).await
        }
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
        Some(token) => by_id_token::link(&app, &call, &provider, &caller, &token).await,
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
pub(super) fn unavailable(provider: &Provider, failure: &Failure) -> Error {
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
