//! Bodies: JSON, CSV, forms, whatever the content type says.
#![no_main]

use gatepost_fuzz::{config, headers, parse};
use http::Method;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const TYPES: [&str; 5] = [
    "application/json",
    "text/csv",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/octet-stream",
];
const REQUESTS: [(Method, &str); 5] = [
    (Method::POST, "/t"),
    (Method::POST, "/t?columns=a,b"),
    (Method::PATCH, "/t?id=eq.1"),
    (Method::PUT, "/t?id=eq.1"),
    (Method::POST, "/rpc/f"),
];

// The first byte says what the others are: every run is one request, and libFuzzer learns which choice led where.
fuzz_target!(|bytes: &[u8]| {
    static CONFIG: LazyLock<gatepost_data_api::Config> = LazyLock::new(config);
    let Some((choice, body)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    let content_type = TYPES[choice % TYPES.len()];
    let (method, target) = REQUESTS[choice / TYPES.len() % REQUESTS.len()].clone();
    parse(&CONFIG, method, target, headers("content-type", content_type.as_bytes()), body);
});
