//! Keys by URL: fetched at start, then again as they age.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::state::State;
use crate::verify::Keys;

const EVERY: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST: usize = 256 * 1024;

fn connector() -> Result<HttpsConnector<HttpConnector>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    // Plain HTTP is for a neighbour on the same host: the operator writes the URL.
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

async fn fetch(url: &str) -> Result<Keys, String> {
    let uri: http::Uri = url.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let connector = connector().map_err(|error| error.to_string())?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let response = tokio::time::timeout(TIMEOUT, client.get(uri))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status()));
    }
    let body = tokio::time::timeout(TIMEOUT, Limited::new(response.into_body(), LARGEST).collect())
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    Keys::from_json(&body.to_bytes())
}

/// Fetches the keys once; on failure the old ones stay.
pub async fn refresh(state: &State) {
    let config = state.config();
    let Some(url) = &config.jwt_keys_url else { return };
    match fetch(url).await {
        Ok(keys) => {
            state.set_remote_keys(keys);
            state.cache().clear();
        }
        Err(error) => tracing::error!(url, error, "cannot fetch the key set"),
    }
}

/// Fetches the keys again and again.
pub(crate) async fn keep_fresh(state: State) {
    loop {
        let wait = if state.remote_keys().is_some() { EVERY } else { Duration::from_secs(2) };
        tokio::time::sleep(wait).await;
        refresh(&state).await;
    }
}
