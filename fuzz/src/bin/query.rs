//! The query string as it arrives.
#![no_main]

use gatepost_data_api::request::query::QueryParams;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for function_get in [false, true] {
        if let Ok(query) = QueryParams::parse(text, function_get) {
            // Shown as Content-Location, and so sent again.
            let _ = QueryParams::parse(&query.canonical, function_get);
        }
    }
});
