//! Keys by URL: fetched at start, again as they age, and when a token names one that is not known.

use std::time::Duration;

use gatepost_outbound::{Outbound, Reach, Request};

use crate::state::State;
use crate::verify::Keys;

const EVERY: Duration = Duration::from_secs(300);
/// JW-18: whatever tokens name, the issuer is asked no more often.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Without any keys.
const RETRY: Duration = Duration::from_secs(2);

async fn fetch(url: &str) -> Result<Keys, String> {
    // The operator writes the URL: a neighbour in the own network is the usual case.
    let outbound = Outbound::new(Reach::Anywhere).map_err(|error| error.to_string())?;
    let answer = outbound.send(Request::get(url)).await.map_err(|error| error.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("status {}", answer.status));
    }
    Keys::from_json(&answer.body)
}

/// Fetches the keys once; on failure the old ones stay.
pub async fn refresh(state: &State) {
    let config = state.config();
    let Some(url) = &config.jwt_keys_url else { return };
    match fetch(url).await {
        // Another URL may have been configured meanwhile.
        Ok(_) if state.config().jwt_keys_url.as_ref() != Some(url) => {}
        Ok(keys) => {
            state.set_remote_keys(keys);
            state.cache().clear();
        }
        Err(error) => tracing::error!(url, error, "cannot fetch the key set"),
    }
}

/// Fetches the keys again and again: one call at a time, and a pause after each. Without a URL it waits for one.
pub async fn keep_fresh(state: State) {
    loop {
        if state.config().jwt_keys_url.is_none() {
            state.keys_wanted().await;
            refresh(&state).await;
            continue;
        }
        let (pause, age) = match state.remote_keys() {
            Some(_) => (COOLDOWN, EVERY - COOLDOWN),
            None => (RETRY, Duration::ZERO),
        };
        tokio::time::sleep(pause).await;
        // A wish from during the pause counts.
        let _ = tokio::time::timeout(age, state.keys_wanted()).await;
        refresh(&state).await;
    }
}
