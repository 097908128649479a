//! What the targets share: a request out of bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use gatepost_data_api::Config;
use gatepost_data_api::request::{ApiRequest, HttpRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A configuration with everything switched on.
#[must_use]
pub fn config() -> Config {
    let text = "db-schemas = \"api\"\ndb-aggregates-enabled = true\ndb-tx-end = \"commit-allow-override\"\n";
    Config::parse(text, &BTreeMap::new(), &BTreeMap::new()).expect("a good configuration")
}

/// Headers of one name; bytes that no header can hold are left out.
#[must_use]
pub fn headers(name: &'static str, lines: &[u8]) -> HeaderMap {
    let name = HeaderName::from_static(name);
    let values = lines.split(|byte| *byte == b'\n');
    values.filter_map(|line| Some((name.clone(), HeaderValue::from_bytes(line).ok()?))).collect()
}

/// Parses a request; the answer is not looked at.
pub fn parse(config: &Config, method: Method, target: &str, headers: HeaderMap, body: &[u8]) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = HttpRequest {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::copy_from_slice(body),
    };
    let _ = ApiRequest::parse(config, &request);
}

/// As a client sends it: everything that has a meaning in a query string escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
