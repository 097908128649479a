//! The `Prefer` header, and what is told of it.
#![no_main]

use gatepost_data_api::request::prefer::Preferences;
use gatepost_fuzz::headers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let headers = headers("prefer", lines);
    for allow_tx in [false, true] {
        let preferences = Preferences::parse(&headers, allow_tx);
        if !allow_tx {
            assert!(preferences.tx.is_none());
        }
        let _ = preferences.applied();
    }
});
