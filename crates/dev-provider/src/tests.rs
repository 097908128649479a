use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use gatepost_protocol::{
    digest,
    jwk::Jwks,
    jwt::{Claims, Verifier},
};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use url::{Url, form_urlencoded};

use super::*;

const BASE: &str = "http://localhost:4000/dev-provider";
const BACK: &str = "http://localhost:4000/api/auth/callback/google";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
const START: i64 = 1_800_000_000;

struct World {
    router: Router,
    seconds: Arc<AtomicI64>,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn location(&self) -> Url {
        Url::parse(self.headers[header::LOCATION].to_str().unwrap()).unwrap()
    }

    /// A parameter of where it leads.
    fn back(&self, name: &str) -> Option<String> {
        let url = self.location();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

impl World {
    fn new() -> Self {
        let seconds = Arc::new(AtomicI64::new(START));
        let clock = Arc::clone(&seconds);
        let brand = |id: &str, name: &str| Brand { id: id.to_owned(), name: name.to_owned() };
        let client = |id: &str, uri: &str| Client {
            id: id.to_owned(),
            secret: "s3cret & more".to_owned(),
            name: "Notes <app>".to_owned(),
            redirect_uris: vec![uri.to_owned()],
        };
        let router = router(Settings {
            base: BASE.to_owned(),
            brands: vec![brand("google", "Google"), brand("github", "GitHub")],
            clients: vec![client("app", BACK), client("other", "http://localhost:5000/cb")],
            accounts: Account::samples(),
            slow: Duration::ZERO,
            clock: Arc::new(move || {
                DateTime::from_timestamp(clock.load(Ordering::Relaxed), 0).unwrap()
            }),
        });
        Self { router, seconds }
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn get_as(&self, path: &str, token: &str) -> Reply {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Asks with the usual parameters, some of them changed; an empty one is left out.
    async fn authorize(&self, changed: &[(&str, &str)]) -> Reply {
        self.get(&format!("/google/authorize?{}", query(changed))).await
    }

    async fn code(&self, changed: &[(&str, &str)]) -> String {
        let reply = self.authorize(changed).await;
        reply.back("code").unwrap_or_else(|| panic!("no code: {}", reply.location()))
    }

    async fn redeem(&self, code: &str, changed: &[(&str, &str)]) -> Reply {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("client_id", "app"),
            ("client_secret", "s3cret & more"),
            ("code_verifier", VERIFIER),
        ];
        self.post("/google/token", &form(&usual, changed), None).await
    }

    async fn post(&self, path: &str, body: &str, authorization: Option<String>) -> Reply {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// The claims of an id token, checked as clients check them.
    async fn claims(&self, token: &str) -> Result<Claims, String> {
        let keys = Jwks::parse(&self.get("/google/jwks").await.text).unwrap();
        let now = DateTime::from_timestamp(self.seconds.load(Ordering::Relaxed), 0).unwrap();
        let verifier = Verifier::new(format!("{BASE}/google"), "app");
        verifier.verify(token, &keys, now).map_err(|rejection| rejection.reason().to_owned())
    }

    /// The id token of a whole sign-in.
    async fn id_token(&self, changed: &[(&str, &str)]) -> String {
        let reply = self.redeem(&self.code(changed).await, &[]).await;
        reply.json()["id_token"].as_str().unwrap().to_owned()
    }
}

fn form(usual: &[(&str, &str)], changed: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in usual {
        if !changed.iter().any(|(other, _)| other == name) {
            text.append_pair(name, value);
        }
    }
    text.extend_pairs(changed.iter().filter(|(_, value)| !value.is_empty()));
    text.finish()
}

fn query(changed: &[(&str, &str)]) -> String {
    let challenge = digest::sha256_base64url(VERIFIER);
    let usual = [
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("state", "st&te"),
        ("nonce", "n0nce"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("account", "ada@example.com"),
    ];
    form(&usual, changed)
}

#[tokio::test]
async fn a_person_chosen_on_the_page_is_signed_in_by_code_id_token_and_userinfo() {
    let world = World::new();
    let page = world.authorize(&[("account", "")]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Notes &#60;app&#62;"), "{}", page.text);
    assert!(page.text.contains("ada@example.com") && page.text.contains("not verified"));
    let body =
        form(&[("request", &query(&[("account", "")])), ("account", "ada@example.com")], &[]);
    let chosen = world.post("/google/authorize", &body, None).await;
    assert_eq!(chosen.status, StatusCode::FOUND);
    assert_eq!(chosen.back("state").as_deref(), Some("st&te"));
    assert_eq!(chosen.back("iss"), Some(format!("{BASE}/google")));

    let reply = world.redeem(&chosen.back("code").unwrap(), &[]).await;
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    let tokens = reply.json();
    let claims = world.claims(tokens["id_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(claims.get("email").unwrap(), "ada@example.com");
    assert_eq!(claims.get("email_verified").unwrap(), true);
    assert_eq!(claims.get("nonce").unwrap(), "n0nce");
    let info = world.get_as("/google/userinfo", tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(info.json()["sub"].as_str(), Some(claims.subject()));
    assert_eq!(info.json()["name"], "Ada Lovelace");
}

#[tokio::test]
async fn discovery_names_endpoints_that_exist_and_a_picture_that_shows() {
    let world = World::new();
    let document = world.get("/google/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], format!("{BASE}/google"));
    for name in ["authorization_endpoint", "jwks_uri", "end_session_endpoint"] {
        let path = document[name].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned();
        assert_ne!(world.get(&path).await.status, StatusCode::NOT_FOUND, "{name}");
    }
    let claims = world.claims(&world.id_token(&[]).await).await.unwrap();
    let picture = claims.get("picture").unwrap().as_str().unwrap().to_owned();
    let shown = world.get(picture.strip_prefix(BASE).unwrap()).await;
    assert_eq!(shown.headers[header::CONTENT_TYPE], "image/svg+xml");
    assert!(shown.text.contains(">AL<"), "{}", shown.text);
    assert_eq!(world.get("/nobody/jwks").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_code_is_good_once_and_its_second_use_takes_the_tokens_back() {
    let world = World::new();
    let code = world.code(&[]).await;
    let tokens = world.redeem(&code, &[]).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.get_as("/google/userinfo", access).await.status, StatusCode::OK);
    let again = world.redeem(&code, &[]).await;
    assert_eq!(
        (again.status, &again.json()["error"]),
        (StatusCode::BAD_REQUEST, &"invalid_grant".into())
    );
    assert_eq!(world.get_as("/google/userinfo", access).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_code_is_dead_after_a_minute() {
    let world = World::new();
    let code = world.code(&[]).await;
    world.pass(60);
    assert_eq!(world.redeem(&code, &[]).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_is_good_for_nobody_but_who_asked() {
    let world = World::new();
    let wrong = [
        ("redirect_uri", "http://localhost:4000/elsewhere"),
        ("code_verifier", "another-verifier-of-forty-three-characters!"),
        ("code_verifier", "another-verifier-of-forty-three-characters0"),
        ("code_verifier", ""),
        ("client_id", "other"),
    ];
    for (name, value) in wrong {
        let code = world.code(&[]).await;
        let reply = world.redeem(&code, &[(name, value)]).await;
        assert_eq!(reply.json()["error"], "invalid_grant", "{name}={value}");
        assert_eq!(world.redeem(&code, &[]).await.json()["error"], "invalid_grant", "used up");
    }
    let code = world.code(&[("code_challenge", ""), ("code_challenge_method", "")]).await;
    let reply = world.redeem(&code, &[]).await;
    assert_eq!(reply.json()["error"], "invalid_grant", "a verifier where no challenge was");
    let elsewhere = world.code(&[]).await;
    let body = form(
        &[
            ("grant_type", "authorization_code"),
            ("code", &elsewhere),
            ("redirect_uri", BACK),
            ("client_id", "app"),
            ("client_secret", "s3cret & more"),
            ("code_verifier", VERIFIER),
        ],
        &[],
    );
    let reply = world.post("/github/token", &body, None).await;
    assert_eq!(reply.json()["error"], "invalid_grant", "another brand's code");
}

#[tokio::test]
async fn clients_authenticate_by_basic_or_post_but_not_by_both_or_with_a_wrong_secret() {
    let world = World::new();
    let basic = |secret: &str| {
        let text: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        format!("Basic {}", STANDARD.encode(format!("app:{text}")))
    };
    let body = |code: &str, changed: &[(&str, &str)]| {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        form(&usual, changed)
    };
    let code = world.code(&[]).await;
    let right = world.post("/google/token", &body(&code, &[]), Some(basic("s3cret & more"))).await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text);
    let wrong = world.post("/google/token", &body(&code, &[]), Some(basic("guess"))).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.headers.contains_key(header::WWW_AUTHENTICATE));
    let wrong = world.redeem(&code, &[("client_secret", "guess")]).await;
    assert_eq!(wrong.json()["error"], "invalid_client");
    let both = body(&code, &[("client_secret", "s3cret & more")]);
    let both = world.post("/google/token", &both, Some(basic("s3cret & more"))).await;
    assert_eq!(both.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_refresh_token_gives_access_and_an_id_token_without_nonce() {
    let world = World::new();
    let tokens = world.redeem(&world.code(&[]).await, &[]).await.json();
    world.pass(3600);
    let old = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.get_as("/google/userinfo", old).await.status, StatusCode::UNAUTHORIZED);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let body = form(
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", "app"),
            ("client_secret", "s3cret & more"),
        ],
        &[],
    );
    let renewed = world.post("/google/token", &body, None).await.json();
    let access = renewed["access_token"].as_str().unwrap();
    assert_eq!(world.get_as("/google/userinfo", access).await.status, StatusCode::OK);
    let claims = world.claims(renewed["id_token"].as_str().unwrap()).await.unwrap();
    assert!(claims.get("nonce").is_none());
    let stranger = form(
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", "other"),
            ("client_secret", "s3cret & more"),
        ],
        &[],
    );
    let reply = world.post("/google/token", &stranger, None).await;
    assert_eq!(reply.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_leads_nowhere() {
    let world = World::new();
    let wrong = [
        ("client_id", "nobody"),
        ("redirect_uri", "https://evil.test/"),
        ("redirect_uri", "http://localhost:4000/api/auth/callback/google/"),
        ("redirect_uri", "http://localhost:5000/cb"),
    ];
    for (name, value) in wrong {
        let reply = world.authorize(&[(name, value)]).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{name}={value}");
        assert!(!reply.headers.contains_key(header::LOCATION));
    }
    let twice = world.get(&format!("/google/authorize?{}&state=2", query(&[]))).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn requests_that_a_client_may_not_make_are_told_to_it() {
    let world = World::new();
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("prompt", "none"), ("account", "")], "interaction_required"),
    ];
    for (changed, error) in cases {
        let reply = world.authorize(changed).await;
        assert_eq!(reply.back("error").as_deref(), Some(error), "{changed:?}");
        assert_eq!(reply.back("state").as_deref(), Some("st&te"));
        assert!(reply.back("code").is_none());
    }
}

#[tokio::test]
async fn consent_can_be_refused_and_another_account_made_up() {
    let world = World::new();
    let request = query(&[("account", "")]);
    let deny = form(&[("request", &request), ("decision", "deny"), ("fault", "")], &[]);
    let denied = world.post("/google/authorize", &deny, None).await;
    assert_eq!(denied.back("error").as_deref(), Some("access_denied"));
    let another = [
        ("request", request.as_str()),
        ("account", "another"),
        ("email", "grace@navy.example"),
        ("name", "Grace Hopper"),
    ];
    let unverified = world.post("/google/authorize", &form(&another, &[]), None).await;
    let tokens = world.redeem(&unverified.back("code").unwrap(), &[]).await.json();
    let claims = world.claims(tokens["id_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(claims.get("name").unwrap(), "Grace Hopper");
    assert_eq!(claims.get("email_verified").unwrap(), false, "the box was not ticked");
    let foreign = Request::post("/google/authorize").header("sec-fetch-site", "cross-site");
    let foreign = world.send(foreign.body(Body::from(deny)).unwrap()).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "another page presses no button");
}

#[tokio::test]
async fn the_same_address_is_the_same_person_each_time() {
    let world = World::new();
    let subject = async |email| {
        let token = world.id_token(&[("account", email)]).await;
        world.claims(&token).await.unwrap().subject().to_owned()
    };
    let first = subject("new@example.com").await;
    assert_eq!(first, subject("New@Example.com").await);
    assert_ne!(first, subject("other@example.com").await);
    assert!(first.parse::<u64>().unwrap() < (1 << 53), "a number that JavaScript can hold");
}

#[tokio::test]
async fn every_fault_of_an_id_token_is_found_by_its_reader() {
    let world = World::new();
    let cases = [
        ("expired_token", "expired"),
        ("wrong_signature", "signature does not verify"),
        ("wrong_audience", "aud is another"),
    ];
    for (fault, reason) in cases {
        let token = world.id_token(&[("fault", fault)]).await;
        assert_eq!(world.claims(&token).await.unwrap_err(), reason, "{fault}");
    }
    let claims = world.claims(&world.id_token(&[("fault", "wrong_nonce")]).await).await.unwrap();
    assert_ne!(claims.get("nonce").unwrap(), "n0nce");
    let claims = world.claims(&world.id_token(&[("fault", "no_email")]).await).await.unwrap();
    assert!(claims.get("email").is_none());
    let token = world.id_token(&[("fault", "unverified_email")]).await;
    assert_eq!(world.claims(&token).await.unwrap().get("email_verified").unwrap(), false);
}

#[tokio::test]
async fn endpoints_fail_when_they_are_told_to() {
    let world = World::new();
    for (fault, error) in [("access_denied", "access_denied"), ("server_error", "server_error")] {
        let reply = world.authorize(&[("fault", fault)]).await;
        assert_eq!(reply.back("error").as_deref(), Some(error));
    }
    let code = world.code(&[("fault", "token_error")]).await;
    let reply = world.redeem(&code, &[]).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    let code = world.code(&[("fault", "userinfo_error")]).await;
    let tokens = world.redeem(&code, &[]).await.json();
    let reply = world.get_as("/google/userinfo", tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    let code = world.code(&[("fault", "slow")]).await;
    assert_eq!(world.redeem(&code, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn github_tells_of_users_by_number_and_of_addresses_apart() {
    let world = World::new();
    let back = world
        .get(&format!(
            "/github/authorize?{}",
            query(&[("scope", "read:user user:email"), ("account", "tim@example.com")])
        ))
        .await;
    let body = form(
        &[
            ("grant_type", "authorization_code"),
            ("code", &back.back("code").unwrap()),
            ("redirect_uri", BACK),
            ("client_id", "app"),
            ("client_secret", "s3cret & more"),
            ("code_verifier", VERIFIER),
        ],
        &[],
    );
    let tokens = world.post("/github/token", &body, None).await.json();
    assert!(tokens.get("id_token").is_none(), "GitHub is no OpenID provider");
    let token = tokens["access_token"].as_str().unwrap();
    let user = world.get_as("/github/user", token).await.json();
    assert!(user["id"].is_u64() && user["email"].is_null(), "{user}");
    let emails = world.get_as("/github/user/emails", token).await.json();
    assert_eq!(emails[0]["email"], "tim@example.com");
    assert_eq!(emails[0]["verified"], false);
    assert_eq!(world.get_as("/google/userinfo", token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_out_leads_back_to_a_known_application_only() {
    let world = World::new();
    let out = async |target: &str| {
        let query = form(&[("post_logout_redirect_uri", target), ("state", "x")], &[]);
        world.get(&format!("/google/logout?{query}")).await
    };
    let back = out("http://localhost:4000/bye").await;
    assert_eq!(back.location().as_str(), "http://localhost:4000/bye?state=x");
    let stranger = out("https://evil.test/").await;
    assert_eq!(stranger.status, StatusCode::OK);
    assert!(stranger.text.contains("signed out"));
}

#[tokio::test]
async fn an_expected_account_is_offered_first_and_what_is_written_is_escaped() {
    let world = World::new();
    let page = world.authorize(&[("account", ""), ("login_hint", "katherine@example.com")]).await;
    assert!(page.text.contains(r#"value="katherine@example.com" formnovalidate autofocus"#));
    let page = world.authorize(&[("account", ""), ("login_hint", "\"><script>@x.test")]).await;
    assert!(!page.text.contains("<script>"), "{}", page.text);
    assert!(page.text.contains("<details open>"));
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
}
