//! `select`, `columns`, `order` and `on_conflict`.
#![no_main]

use gatepost_data_api::request::query::QueryParams;
use gatepost_fuzz::escaped;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let value = escaped(text);
    for key in ["select", "columns", "order", "a.order", "on_conflict"] {
        let _ = QueryParams::parse(&format!("{key}={value}"), false);
    }
});
