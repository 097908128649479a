//! An OpenID Connect provider over a real socket. Its authorize page is skipped: [`Idp::approve`] gives what a browser
//! would come back with.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use gatepost_protocol::{
    digest,
    jwk::{Algorithm, SigningKey},
    random,
    secret::Secret,
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    oauth::config::Provider,
    testing::{Browser, Reply, TestApp},
};

pub(crate) const CLIENT_ID: &str = "client-1";
pub(crate) const CLIENT_SECRET: &str = "secret-1-of-the-client";

/// What a code stands for.
#[derive(Clone)]
pub(crate) struct Grant {
    /// Claims of the id token, beside those that the protocol asks for.
    pub claims: Value,
    /// The answer of the userinfo endpoint; null: the claims.
    pub userinfo: Value,
    /// Instead of an id token that is made of the claims.
    pub id_token: Option<String>,
    /// The answer of the token endpoint is merged with this.
    pub answer: Value,
    challenge: Option<String>,
    redirect_uri: String,
    nonce: Option<String>,
}

/// Status, headers and body in place of an answer.
type Instead = (StatusCode, Vec<(&'static str, String)>, String);

#[derive(Default)]
struct World {
    grants: HashMap<String, Grant>,
    tokens: HashMap<String, Grant>,
    /// Paths that were called, with the form.
    calls: Vec<(String, BTreeMap<String, String>)>,
    /// Answers in place of the ordinary ones, by path.
    instead: HashMap<String, Instead>,
    now: i64,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Idp {
    pub issuer: String,
    pub key: Arc<SigningKey>,
    world: Arc<Mutex<World>>,
}

impl Idp {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let key = Arc::new(SigningKey::generate(Algorithm::Es256, "key-1").unwrap());
        let idp = Self { issuer, key, world: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/userinfo/emails", get(emails))
            .layer(middleware::from_fn_with_state(idp.clone(), twisted))
            .with_state(idp.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        idp
    }

    /// The settings of an application there.
    pub(crate) fn settings(&self) -> Provider {
        Provider {
            kind: "oidc".to_owned(),
            issuer: self.issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            ..Provider::default()
        }
    }

    /// The same without discovery, keys and id tokens.
    pub(crate) fn plain(&self) -> Provider {
        Provider {
            kind: "oauth2".to_owned(),
            issuer: String::new(),
            authorization_url: format!("{}/authorize", self.issuer),
            token_url: format!("{}/token", self.issuer),
            userinfo_url: format!("{}/userinfo", self.issuer),
            ..self.settings()
        }
    }

    /// A server with these providers, reached over loopback.
    pub(crate) async fn app(&self, providers: &[(&str, Provider)]) -> TestApp {
        self.app_with(providers, |_| {}).await
    }

    pub(crate) async fn app_with(
        &self,
        providers: &[(&str, Provider)],
        change: impl FnOnce(&mut crate::config::Config),
    ) -> TestApp {
        let app = TestApp::with(|config| {
            config.outbound.private_networks = true;
            for (id, provider) in providers {
                config.social.providers.insert((*id).to_owned(), provider.clone());
            }
            change(config);
        })
        .await;
        self.at(&app);
        app
    }

    /// Takes over the time of the server.
    pub(crate) fn at(&self, app: &TestApp) {
        self.world.lock().unwrap().now = app.app.clock.now().timestamp();
    }

    /// What the browser comes back with after the user agreed: path and query.
    pub(crate) fn approve(&self, url: &str, person: Value) -> String {
        self.approve_as(url, person, |_| {})
    }

    pub(crate) fn approve_as(
        &self,
        url: &str,
        person: Value,
        twist: impl FnOnce(&mut Grant),
    ) -> String {
        let asked: HashMap<String, String> =
            Url::parse(url).unwrap().query_pairs().into_owned().collect();
        let mut grant = Grant {
            claims: person,
            userinfo: Value::Null,
            id_token: None,
            answer: json!({}),
            challenge: asked.get("code_challenge").cloned(),
            redirect_uri: asked["redirect_uri"].clone(),
            nonce: asked.get("nonce").cloned(),
        };
        twist(&mut grant);
        let code = random::token(24);
        self.world.lock().unwrap().grants.insert(code.clone(), grant);
        format!("{}?code={code}&state={}", asked["redirect_uri"], asked["state"])
    }

    /// An id token for an application, which is good unless the claims say otherwise.
    pub(crate) fn mint(&self, claims: &Value, nonce: Option<&str>) -> String {
        self.key.sign(&self.whole(claims, nonce)).unwrap()
    }

    /// Claims with those that the protocol asks for; `null` removes one.
    pub(crate) fn whole(&self, claims: &Value, nonce: Option<&str>) -> Value {
        let now = self.world.lock().unwrap().now;
        let mut all = json!({ "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 600 });
        let all_members = all.as_object_mut().unwrap();
        if let Some(nonce) = nonce {
            all_members.insert("nonce".to_owned(), json!(nonce));
        }
        for (name, value) in claims.as_object().unwrap() {
            all_members.insert(name.clone(), value.clone());
        }
        all_members.retain(|_, value| !value.is_null());
        all
    }

    /// Answers a path like this from now on.
    pub(crate) fn instead(&self, path: &str, status: u16, body: &str) {
        self.instead_with(path, status, &[("content-type", "application/json")], body);
    }

    pub(crate) fn instead_with(
        &self,
        path: &str,
        status: u16,
        headers: &[(&'static str, &str)],
        body: &str,
    ) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let answer = (StatusCode::from_u16(status).unwrap(), headers, body.to_owned());
        self.world.lock().unwrap().instead.insert(path.to_owned(), answer);
    }

    /// The forms that the token endpoint got.
    pub(crate) fn token_calls(&self) -> Vec<BTreeMap<String, String>> {
        let world = self.world.lock().unwrap();
        world
            .calls
            .iter()
            .filter(|(path, _)| path == "/token")
            .map(|(_, form)| form.clone())
            .collect()
    }

    /// How often anything was called.
    pub(crate) fn calls(&self) -> usize {
        self.world.lock().unwrap().calls.len()
    }
}

/// A verified user of the provider.
pub(crate) fn person(name: &str) -> Value {
    json!({
        "sub": format!("sub-{name}"), "email": format!("{name}@example.com"), "email_verified": true, "name": name,
    })
}

/// Begins a sign-in: the answer, and where the browser is sent.
pub(crate) async fn begin(app: &TestApp, browser: &mut Browser, body: Value) -> String {
    let reply = browser.post(app, "/sign-in/social", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["url"].as_str().unwrap().to_owned()
}

/// A whole sign-in at a provider.
pub(crate) async fn sign_in(
    app: &TestApp,
    idp: &Idp,
    browser: &mut Browser,
    provider: &str,
    person: Value,
) -> Reply {
    sign_in_as(app, idp, browser, provider, person, |_| {}).await
}

pub(crate) async fn sign_in_as(
    app: &TestApp,
    idp: &Idp,
    browser: &mut Browser,
    provider: &str,
    person: Value,
    twist: impl FnOnce(&mut Grant),
) -> Reply {
    let body = json!({ "provider": provider, "callbackURL": "/dash", "errorCallbackURL": "/err" });
    let url = begin(app, browser, body).await;
    let back = idp.approve_as(&url, person, twist);
    browser.get(app, &back).await
}

async fn twisted(State(idp): State<Idp>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let instead = {
        let mut world = idp.world.lock().unwrap();
        if path != "/token" {
            world.calls.push((path.clone(), BTreeMap::new()));
        }
        world.instead.get(&path).cloned()
    };
    match instead {
        Some((status, headers, body)) => {
            let mut answer = (status, body).into_response();
            for (name, value) in headers {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
            answer
        }
        None => next.run(request).await,
    }
}

async fn discovery(State(idp): State<Idp>) -> Json<Value> {
    let issuer = &idp.issuer;
    Json(json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"), "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["plain"],
    }))
}

async fn jwks(State(idp): State<Idp>) -> Json<Value> {
    Json(json!({ "keys": [idp.key.published_jwk().unwrap()] }))
}

async fn token(State(idp): State<Idp>, headers: HeaderMap, body: String) -> Response {
    let form: BTreeMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let refuse =
        |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let mut world = idp.world.lock().unwrap();
    world.calls.push(("/token".to_owned(), form.clone()));
    let by_form = field("client_id") == CLIENT_ID && field("client_secret") == CLIENT_SECRET;
    if !by_form && !headers.contains_key("authorization") {
        return refuse("invalid_client");
    }
    let grant = match field("grant_type") {
        "refresh_token" => world.tokens.remove(field("refresh_token")),
        _ => world.grants.remove(field("code")),
    };
    let Some(grant) = grant else { return refuse("invalid_grant") };
    let first = field("grant_type") == "authorization_code";
    let answered = grant
        .challenge
        .as_ref()
        .is_none_or(|challenge| *challenge == digest::sha256_base64url(field("code_verifier")));
    if first && (!answered || field("redirect_uri") != grant.redirect_uri) {
        return refuse("invalid_grant");
    }
    let (access, refresh) = (random::token(24), random::token(24));
    world.tokens.insert(access.clone(), grant.clone());
    world.tokens.insert(refresh.clone(), grant.clone());
    drop(world);
    let nonce = grant.nonce.as_deref().filter(|_| first);
    let id_token = grant.id_token.clone().unwrap_or_else(|| idp.mint(&grant.claims, nonce));
    let mut answer = json!({
        "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600,
        "scope": "openid email", "id_token": id_token,
    });
    for (name, value) in grant.answer.as_object().unwrap() {
        answer[name] = value.clone();
    }
    Json(answer).into_response()
}

fn holder(idp: &Idp, headers: &HeaderMap) -> Option<Grant> {
    let token = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    idp.world.lock().unwrap().tokens.get(token).cloned()
}

async fn userinfo(State(idp): State<Idp>, headers: HeaderMap) -> Response {
    match holder(&idp, &headers) {
        None => StatusCode::UNAUTHORIZED.into_response(),
        Some(grant) if grant.userinfo.is_null() => Json(grant.claims).into_response(),
        Some(grant) => Json(grant.userinfo).into_response(),
    }
}

/// GitHub's list.
async fn emails(State(idp): State<Idp>, headers: HeaderMap) -> Response {
    let Some(grant) = holder(&idp, &headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    Json(grant.claims["emails"].clone()).into_response()
}
