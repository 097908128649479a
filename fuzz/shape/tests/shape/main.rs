//! Generated SQL, given back to PostgreSQL's own parser: one statement of the expected kind, whose shape depends on no value, and
//! in which a name that the client chose is one identifier.
//!
//! What stands in the text of a statement: fixed words; names of the catalogue and of the client, quoted; types after `::`, as words;
//! expressions that PostgreSQL itself printed (defaults, types, functions of conversions); limits, as digits.
//! All else are parameters: values, JSON keys and indexes, offsets, text search configurations, bodies, arguments, and
//! settings with all their values and with names that are not the server's.
//!
//! What changes the statement although it looks like a value, mostly as it does in PostgREST: `in.("")` is the empty list; a range of
//! all rows (`offset=0`) and a limit that is no number are no range; a limit that is no `bigint` is a parameter; a body is an object,
//! an array, or without columns (`[]`); `is.` takes words; a JSON key names the column it is selected as; `*` is all columns wherever a
//! column may stand; on a function by GET, a value that begins as a filter is one.

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod names;
#[cfg(test)]
mod quoting;
#[cfg(test)]
#[path = "../../../../crates/data-api/tests/data_api/requests/mod.rs"]
mod requests;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod values;

/// A finding is made small for some seconds, not minutes, and told in full: no file is written.
#[cfg(test)]
fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        max_shrink_iters: 1000,
        failure_persistence: None,
        ..Default::default()
    }
}
