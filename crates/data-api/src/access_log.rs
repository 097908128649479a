//! A line for each request on standard output, as Apache's combined format has it; `log-level` says for which.

use std::io::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use chrono::{DateTime, Local};
use http::{HeaderValue, Method, Uri, Version, header};

use crate::config::LogLevel;
use crate::server::{clock, serve};
use crate::sockets::Peer;
use crate::state::State;

/// What a response knows of its request: put among the extensions of everything but answers to preflights.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handled {
    /// The role of the caller, once known.
    pub role: Option<String>,
    /// The statements that were sent, when `log-query` wants them.
    pub statements: Vec<String>,
}

/// Whether a request that ended so has a line.
fn wanted(level: LogLevel, status: u16) -> bool {
    match level {
        LogLevel::Crit => false,
        LogLevel::Error => status >= 500,
        LogLevel::Warn => status >= 400,
        LogLevel::Info | LogLevel::Debug => true,
    }
}

struct Asked {
    peer: Option<SocketAddr>,
    method: Method,
    uri: Uri,
    version: Version,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
}

/// The router for requests, with a line for each.
pub(crate) fn router(state: State) -> Router {
    Router::new().fallback(log).with_state(state)
}

async fn log(Shared(state): Shared<State>, request: Request) -> Response {
    let asked = Asked {
        peer: request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.0),
        method: request.method().clone(),
        uri: request.uri().clone(),
        version: request.version(),
        referer: request.headers().get(header::REFERER).cloned(),
        agent: request.headers().get(header::USER_AGENT).cloned(),
    };
    let response = serve(&state, request).await;
    let Some(handled) = response.extensions().get::<Handled>() else { return response };
    if wanted(state.config().log_level, response.status().as_u16()) {
        for statement in &handled.statements {
            tracing::info!(sql = statement, "query");
        }
        let line = line(&asked, handled, &response, clock().with_timezone(&Local));
        // Who reads the log may be gone: no reason to fail a request.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
    response
}

fn line(
    asked: &Asked,
    handled: &Handled,
    response: &Response<Body>,
    now: DateTime<Local>,
) -> String {
    let text = |value: &HeaderValue| quotable(&String::from_utf8_lossy(value.as_bytes()));
    let length = response.headers().get(header::CONTENT_LENGTH).map(text);
    format!(
        "{} - {} [{}] \"{} {} {:?}\" {} {} \"{}\" \"{}\"\n",
        asked.peer.map_or_else(|| "-".to_owned(), |peer| peer.ip().to_canonical().to_string()),
        handled.role.as_deref().map_or_else(|| "-".to_owned(), quotable),
        now.format("%d/%b/%Y:%H:%M:%S %z"),
        asked.method,
        quotable(asked.uri.path_and_query().map_or("/", |path| path.as_str())),
        asked.version,
        response.status().as_u16(),
        length.as_deref().unwrap_or("-"),
        asked.referer.as_ref().map(text).unwrap_or_default(),
        asked.agent.as_ref().map(text).unwrap_or_default(),
    )
}

/// What a client sent, so that it cannot end the field or the line.
fn quotable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escape = (c == '"' || c == '\\').then_some('\\');
            escape.into_iter().chain([if c.is_control() { ' ' } else { c }])
        })
        .collect()
}
