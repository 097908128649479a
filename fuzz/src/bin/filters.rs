//! Filters and logical trees: names and values.
#![no_main]

use gatepost_data_api::request::query::QueryParams;
use gatepost_fuzz::escaped;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (name, value) = text.split_once('=').unwrap_or(("id", text));
    let (name, value) = (escaped(name), escaped(value));
    for query in [
        format!("{name}={value}"),
        format!("and={value}"),
        format!("a.not.or={value}"),
        format!("{name}=not.in.({value})"),
    ] {
        for function_get in [false, true] {
            let _ = QueryParams::parse(&query, function_get);
        }
    }
});
