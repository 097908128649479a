//! The few HTTP requests the tool itself makes, to loopback only.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Sends one request and reads the whole answer, within ten seconds.
pub(crate) async fn send(http: &Http, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    let uri = request.uri().clone();
    let work = async {
        let (parts, body) = http.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        anyhow::Ok(Response::from_parts(parts, body))
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), work).await;
    answer.with_context(|| format!("{uri}: no answer"))?.with_context(|| format!("{uri}"))
}

pub(crate) async fn get(http: &Http, url: &str) -> Result<Response<Bytes>> {
    send(http, Request::get(url).body(Full::default())?).await
}

/// Posts JSON from `origin`.
pub(crate) async fn post(
    http: &Http,
    url: &str,
    origin: &str,
    body: &serde_json::Value,
) -> Result<Response<Bytes>> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header("content-type", "application/json")
        .header("origin", origin)
        .body(Full::from(body.to_string()))?;
    send(http, request).await
}

/// Asks until there is any answer; returns how long that took.
pub(crate) async fn wait_for(http: &Http, url: &str, limit: Duration) -> Result<Duration> {
    let start = Instant::now();
    loop {
        match get(http, url).await {
            Ok(_) => return Ok(start.elapsed()),
            Err(error) if start.elapsed() > limit => bail!("{error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
