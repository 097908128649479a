//! The authorization endpoint (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2).
//!
//! GET shows the page, POST is one of its buttons. A test saves itself the page: with `account=ada@example.com` beside the
//! parameters of the protocol the answer is the way back at once. `name`, `verified=false` and `fault` say more about it,
//! `decision=deny` refuses.

use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::{
    Account, Brand, Client, Failure, Fault, Provider, grants::Consent, page, params::Params,
};

/// `GET /authorize`.
pub(crate) async fn show(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let brand = provider.brand(&brand)?;
    let query = query.unwrap_or_default();
    let params = Params::parse(query.as_bytes());
    let request = match Request::check(&provider, &params) {
        Ok(request) => request,
        Err(wrong) => return wrong.answer(&provider, brand),
    };
    match Choice::read(&provider, &params) {
        Some(choice) => Ok(conclude(&provider, brand, &request, choice)),
        None if params.get("prompt") == Some("none") => {
            Ok(request.back(&provider, brand, &[("error", "interaction_required")]))
        }
        None => page::choose(&provider, brand, &request, &query, &params),
    }
}

/// `POST /authorize`: a button of the page.
pub(crate) async fn decide(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let brand = provider.brand(&brand)?;
    // Nobody else's page presses the buttons.
    let site = headers.get("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let form = Params::parse(&body);
    let params = Params::parse(form.get("request").unwrap_or_default().as_bytes());
    let request = match Request::check(&provider, &params) {
        Ok(request) => request,
        Err(wrong) => return wrong.answer(&provider, brand),
    };
    let choice = Choice::read(&provider, &form).unwrap_or(Choice::Deny);
    Ok(conclude(&provider, brand, &request, choice))
}

/// A request that a client may make.
pub(crate) struct Request<'a> {
    pub(crate) client: &'a Client,
    pub(crate) scope: String,
    pub(crate) login_hint: Option<String>,
    redirect_uri: Url,
    /// As it was given: the token endpoint compares it.
    redirect_text: String,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<String>,
}

/// A request that it may not make.
enum Wrong<'a> {
    /// Nobody can be told but the user: who asks, or where to go back to, is not known (RFC 6749 section 4.1.2.1).
    Unknown(&'static str),
    /// The client is told.
    Refused(Box<Request<'a>>, &'static str, &'static str),
}

impl Wrong<'_> {
    fn answer(self, provider: &Provider, brand: &Brand) -> Result<Response, Failure> {
        match self {
            Self::Unknown(why) => {
                page::notice(StatusCode::BAD_REQUEST, brand, "This request cannot be followed", why)
            }
            Self::Refused(request, error, description) => {
                let answer = [("error", error), ("error_description", description)];
                Ok(request.back(provider, brand, &answer))
            }
        }
    }
}

impl<'a> Request<'a> {
    fn check(provider: &'a Provider, params: &Params) -> Result<Self, Wrong<'a>> {
        if params.has_duplicates() {
            return Err(Wrong::Unknown("A parameter stands twice."));
        }
        let client = params.get("client_id").and_then(|id| provider.client(id));
        let client = client.ok_or(Wrong::Unknown("The client_id is not known here."))?;
        let uri = params.get("redirect_uri").unwrap_or_default();
        let known = client.redirect_uris.iter().any(|known| known == uri);
        let parsed = Url::parse(uri).ok().filter(|_| known);
        let redirect_uri =
            parsed.ok_or(Wrong::Unknown("The redirect_uri is none of the client's."))?;
        let text = |name| params.get(name).map(str::to_owned);
        let request = Self {
            client,
            scope: text("scope").unwrap_or_default(),
            login_hint: text("login_hint"),
            redirect_uri,
            redirect_text: uri.to_owned(),
            state: text("state"),
            nonce: text("nonce"),
            challenge: text("code_challenge"),
        };
        match request.objection(params) {
            None => Ok(request),
            Some((error, why)) => Err(Wrong::Refused(Box::new(request), error, why)),
        }
    }

    fn objection(&self, params: &Params) -> Option<(&'static str, &'static str)> {
        let is = |name, value| params.get(name) == Some(value);
        if !is("response_type", "code") {
            return Some(("unsupported_response_type", "response_type is not code"));
        }
        if params.get("response_mode").is_some() && !is("response_mode", "query") {
            return Some(("invalid_request", "response_mode is not query"));
        }
        if params.get("request").is_some() {
            return Some(("request_not_supported", "no request objects"));
        }
        match &self.challenge {
            // Plain is no protection, and the default when no method is named (RFC 7636 section 4.3).
            Some(_) if !is("code_challenge_method", "S256") => {
                Some(("invalid_request", "code_challenge_method is not S256"))
            }
            Some(challenge) if challenge.len() != 43 => {
                Some(("invalid_request", "code_challenge is not a SHA-256"))
            }
            _ => None,
        }
    }

    /// To the redirect URI, with `state`, and with `iss` against mix-ups (RFC 9207).
    fn back(&self, provider: &Provider, brand: &Brand, answer: &[(&str, &str)]) -> Response {
        let mut target = self.redirect_uri.clone();
        {
            let mut query = target.query_pairs_mut();
            query.extend_pairs(answer);
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", &provider.issuer(brand));
        }
        let headers = [(header::LOCATION, target.as_str()), (header::CACHE_CONTROL, "no-store")];
        (StatusCode::FOUND, headers).into_response()
    }

    fn consent(
        &self,
        brand: &Brand,
        account: Account,
        fault: Option<Fault>,
        at: DateTime<Utc>,
    ) -> Consent {
        Consent {
            account,
            fault,
            brand: brand.id.clone(),
            client_id: self.client.id.clone(),
            redirect_uri: self.redirect_text.clone(),
            scope: self.scope.clone(),
            nonce: self.nonce.clone(),
            challenge: self.challenge.clone(),
            at,
        }
    }
}

/// What somebody decided.
enum Choice {
    Deny,
    Account(Account, Option<Fault>),
}

impl Choice {
    /// `None`: nothing was decided.
    fn read(provider: &Provider, params: &Params) -> Option<Self> {
        if params.get("decision") == Some("deny") {
            return Some(Self::Deny);
        }
        let fault = params.get("fault").and_then(Fault::from_name);
        let account = match params.get("account")? {
            // The form for an account that is not on the page.
            "another" => written(params.get("email")?, params, params.get("verified").is_some()),
            email => {
                let samples = &provider.0.settings.accounts;
                let sample = samples.iter().find(|sample| sample.email == email);
                sample
                    .cloned()
                    .or_else(|| written(email, params, params.get("verified") != Some("false")))
            }
        };
        Some(account.map_or(Self::Deny, |account| Self::Account(account, fault)))
    }
}

/// The page's form, or a test, makes somebody up.
fn written(email: &str, params: &Params, verified: bool) -> Option<Account> {
    let (login, host) = email.split_once('@')?;
    let printable = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    if email.len() > 254 || !printable(login) || !printable(host) {
        return None;
    }
    let name = params.get("name").unwrap_or(login);
    let name = name.chars().filter(|letter| !letter.is_control()).take(200).collect();
    Some(Account { email: email.to_owned(), name, verified })
}

fn conclude(provider: &Provider, brand: &Brand, request: &Request<'_>, choice: Choice) -> Response {
    let (account, fault) = match choice {
        Choice::Deny | Choice::Account(_, Some(Fault::AccessDenied)) => {
            let answer =
                [("error", "access_denied"), ("error_description", "The user refused consent")];
            return request.back(provider, brand, &answer);
        }
        Choice::Account(_, Some(Fault::ServerError)) => {
            return request.back(provider, brand, &[("error", "server_error")]);
        }
        Choice::Account(account, fault) => (account, fault),
    };
    let now = provider.now();
    let code = provider.grants().code(request.consent(brand, account, fault, now), now);
    request.back(provider, brand, &[("code", &code)])
}
