//! The query string as it arrives.
#![no_main]

use gatepost_data_api::request::query::QueryParams;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for function_get in [false, true] {
        if let Ok(query) = QueryParams::parse(text, function_get) {
            // What is shown as Content-Location is shown again when it is sent. Of a parameter that stands twice the
            // first counts, and sorting may bring another to the front.
            if let Ok(again) = QueryParams::parse(&query.canonical, function_get) {
                assert_eq!(again.canonical, query.canonical);
            }
        }
    }
});
