//! The `Range` header and `limit` and `offset` beside it.
#![no_main]

use gatepost_data_api::request::range::RowRange;
use gatepost_fuzz::{config, escaped, headers, parse};
use http::Method;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

fuzz_target!(|text: &str| {
    static CONFIG: LazyLock<gatepost_data_api::Config> = LazyLock::new(config);
    let mut parts = text.splitn(3, '|');
    let range = parts.next().unwrap_or_default();
    let (limit, offset) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let parsed = RowRange::parse_header(range);
    let _ = (parsed.limit(), parsed.is_empty(), parsed.intersection(RowRange::ALL));
    let target = format!("/t?limit={}&offset={}", escaped(limit), escaped(offset));
    for method in [Method::GET, Method::PUT] {
        parse(&CONFIG, method, &target, headers("range", range.as_bytes()), b"{}");
    }
});
