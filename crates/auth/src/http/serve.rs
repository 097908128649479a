//! The road of every request: route, limit, body, origin, redirect targets, captcha, endpoint, headers.
//!
//! The order is Better Auth's, which clients rely on: an unknown path is 404 before anything is judged, a malformed body
//! is 400 before anybody is asked who they are.

use std::{any::Any, net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use anyhow::anyhow;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use gatepost_protocol::random;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use tracing::Instrument;

use super::{
    Answer, Aside, Call, Endpoint, Mount, body, cors, headers,
    origin::{CsrfInput, OriginRefusal, PathKind},
};
use crate::{
    admin, api_key,
    app::App,
    error::{Error, NOT_FOUND, Result},
    events::{self, Refused},
    oauth,
};

/// Answers a request to the auth API.
pub async fn serve(
    app: App,
    mount: Arc<Mount>,
    peer: IpAddr,
    request: Request<Body>,
) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let request_id = random::token(20);
    let path = parts.uri.path().strip_prefix(mount.path.as_str()).unwrap_or_default().to_owned();
    if parts.method == Method::OPTIONS && app.config.cors.enabled {
        return cors::preflight(&app, &parts.headers, &request_id);
    }
    let routed =
        app.route(&parts.method, &path).filter(|(endpoint, _)| endpoint.served_by(mount.layout));
    let Some((endpoint, parameter)) = routed else {
        let reply =
            headers::Reply { app: &app, mount: &mount, request: &parts.headers, id: &request_id };
        return headers::finish(&reply, &Aside::default(), Ok(Answer::empty(NOT_FOUND.status)));
    };
    let aside = Arc::new(Aside::default());
    let call = Call {
        now: app.clock.now(),
        path,
        parameter,
        api_key: None,
        personal: admin::is_withheld(endpoint.name),
        client: app.addresses.resolve(peer, &texts(&parts.headers, FORWARDED_FOR)),
        query: body::query(parts.uri.query().unwrap_or_default()),
        body: None,
        raw: Bytes::new(),
        form: Vec::new(),
        mount: Arc::clone(&mount),
        peer,
        request_id: request_id.clone(),
        aside: Arc::clone(&aside),
        method: parts.method,
        headers: parts.headers.clone(),
    };
    let span = tracing::info_span!("request", id = request_id, operation = endpoint.name);
    let running = AssertUnwindSafe(run(&app, endpoint, call, body)).catch_unwind();
    let result = running.instrument(span).await.unwrap_or_else(|panic| Err(panicked(&*panic)));
    note(&app, endpoint, &request_id, &result, started);
    let reply =
        headers::Reply { app: &app, mount: &mount, request: &parts.headers, id: &request_id };
    headers::finish(&reply, &aside, result)
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

async fn run(app: &App, endpoint: &Endpoint, mut call: Call, body: Body) -> Result<Answer> {
    app.limits.request(app, endpoint, &call).await?;
    let sent = body::read(endpoint, &call.headers, body, app.config.body_limit).await?;
    (call.body, call.form, call.raw) = (sent.body, sent.form, sent.raw);
    if !oauth::is_form_post(app, endpoint, &call)
        && let Err(refusal) = check_origin(app, endpoint, &call)
    {
        events::refused_origin(app, &call, refusal.detail()).await;
        return Err(Error::Explained(StatusCode::FORBIDDEN, refusal.code(), refusal.to_string()));
    }
    if endpoint.method == Method::POST {
        let in_query: Vec<&str> = call.parameters_of_query("callbackURL").collect();
        if let Err(refusal) = app.origins.check_redirects(call.body.as_ref(), &in_query) {
            events::refused(app, &call, Refused::RedirectTarget, None).await;
            return Err(Error::Explained(
                refusal.status(),
                refusal.code().unwrap_or_default(),
                refusal.to_string(),
            ));
        }
    }
    // The exchange of a key counts its use itself.
    if endpoint.name != "exchange_api_key" {
        match api_key::session::begin(app, &call).await? {
            Some(Ok(current)) => call.api_key = Some(current),
            Some(Err(refused)) => return Ok(refused),
            None => {}
        }
    }
    app.captcha.check(app, endpoint, &call).await?;
    endpoint.handler.call(app.clone(), call).await
}

fn check_origin(app: &App, endpoint: &Endpoint, call: &Call) -> Result<(), OriginRefusal> {
    app.origins.check_request(&CsrfInput {
        method: &call.method,
        path: PathKind::of(endpoint.path),
        origins: &texts(&call.headers, header::ORIGIN),
        referer: call.header("referer"),
        host: call.header("host"),
        has_cookie: call.headers.get_all(header::COOKIE).iter().any(|value| !value.is_empty()),
        sec_fetch_site: call.header("sec-fetch-site"),
        sec_fetch_mode: call.header("sec-fetch-mode"),
        sec_fetch_dest: call.header("sec-fetch-dest"),
    })
}

/// A defect of ours is a failure like others: a plain 500 to the client, the words under its id in the log (LG-04).
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let literal = panic.downcast_ref::<&str>().copied();
    let words = literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::Internal(anyhow!("panicked: {}", words.unwrap_or_default()))
}

/// Failures of ours are logged here, once, under the id that the client also gets.
fn note(app: &App, endpoint: &Endpoint, id: &str, result: &Result<Answer>, started: Instant) {
    let status = match result {
        Ok(answer) => answer.status,
        Err(error) => error.wire().0,
    };
    app.metrics.answered(endpoint.name, status, started.elapsed());
    match result {
        Err(Error::Internal(error)) => {
            tracing::error!(id, operation = endpoint.name, cause = format!("{error:#}"), "failed");
        }
        Err(Error::Unavailable(error)) => {
            tracing::warn!(
                id,
                operation = endpoint.name,
                cause = format!("{error:#}"),
                "unavailable"
            );
        }
        _ => tracing::debug!(id, operation = endpoint.name, status = status.as_u16(), "answered"),
    }
}

/// Readable values of a header, in order; an unreadable one stands as `?`, which is neither an origin nor an address.
fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect()
}
