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

fuzz_target!(|body: &[u8]| {
    static CONFIG: LazyLock<gatepost_data_api::Config> = LazyLock::new(config);
    for content_type in TYPES {
        for (method, target) in [
            (Method::POST, "/t"),
            (Method::POST, "/t?columns=a,b"),
            (Method::PATCH, "/t?id=eq.1"),
            (Method::PUT, "/t?id=eq.1"),
            (Method::POST, "/rpc/f"),
        ] {
            parse(&CONFIG, method, target, headers("content-type", content_type.as_bytes()), body);
        }
    }
});
