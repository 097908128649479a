//! Names that a client chooses: each is one identifier, and nothing else of the statement changes with it.

use std::cell::Cell;

use bytes::Bytes;
use gatepost_data_api::request::HttpRequest;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::catalogue::loaded;
use crate::requests::{PLAIN_NAME, Values, render, template, values};
use crate::tree::{renamed, statements, words};

/// A name as a client may write it: of any characters, recognisable, and with its number no longer than PostgreSQL's names are.
fn name() -> impl Strategy<Value = String> {
    let meaning = [
        "\"",
        "\"\"",
        "\\",
        "\" as x, (select 1) as \"",
        "$$",
        "$1",
        "--",
        "/*",
        "'",
        ";",
        "a.b",
        "a->>b",
        "\n",
        "\u{202E}",
        "",
    ];
    let any = any::<String>().prop_map(|text| {
        text.chars()
            .filter(|c| *c != '\0')
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 16).then_some(c)
            })
            .collect()
    });
    let name = prop_oneof![any, prop::sample::select(meaning.to_vec()).prop_map(str::to_owned)];
    name.prop_map(|name: String| format!("ª{name}ª"))
}

#[test]
fn a_name_of_the_clients_is_one_identifier_wherever_it_may_stand() {
    let (config, catalog) = loaded();
    let found = Cell::new(0);
    let cases = (template(), values(""), name());
    TestRunner::new(crate::cases(1000))
        .run(&cases, |(template, values, name)| {
            // As it is written, and sorted among others, so is the plain one.
            let quoted = !name.chars().all(|c| c.is_alphanumeric() || c == '_');
            let plain_name = if quoted { "ªplain .ª" } else { PLAIN_NAME };
            let plain = template.render(&config, &catalog, &values, plain_name);
            let other = template.render(&config, &catalog, &values, &name);
            prop_assert_eq!(plain.is_ok(), other.is_ok());
            let (Ok(plain), Ok(other)) = (plain, other) else { return Ok(()) };
            prop_assert_eq!(&plain.settings.text, &other.settings.text);
            let (plain, other) = (plain.statements.main, other.statements.main);
            if plain.text == other.text {
                return Ok(());
            }
            found.set(found.get() + 1);
            let back = |text: &str| text.replace(&name, plain_name);
            // Word by word: only quoted identifiers differ, and only by the name.
            let fail = |problem: String| TestCaseError::fail(format!("{problem}: {}", other.text));
            let (plain_words, other_words) =
                (words(&plain.text).unwrap(), words(&other.text).map_err(fail)?);
            prop_assert_eq!(plain_words.len(), other_words.len(), "{}", other.text);
            for (plain, other) in plain_words.iter().zip(&other_words) {
                if plain != other {
                    prop_assert!(plain.name().is_some(), "{:?} {:?}", plain, other);
                    prop_assert_eq!(plain.name(), other.name().map(|name| back(&name)));
                }
            }
            // And so the parser sees it.
            let (plain, others) =
                (statements(&plain.text).unwrap(), statements(&other.text).map_err(fail)?);
            prop_assert_eq!(others.len(), 1);
            prop_assert_eq!(&plain[0], &renamed(&others[0], &back), "{}", other.text);
            Ok(())
        })
        .unwrap();
    println!("{} statements with a name", found.get());
    assert!(found.get() > 200, "only {} statements with a name", found.get());
}

/// Places where a name is looked up, not quoted.
const LOOKED_UP: [(Method, &str, &str); 9] = [
    (Method::GET, "/{}", ""),
    (Method::POST, "/{}", ""),
    (Method::DELETE, "/{}", ""),
    (Method::GET, "/rpc/{}", ""),
    (Method::POST, "/rpc/{}", ""),
    (Method::GET, "/tasks", "select={q}(id)"),
    (Method::GET, "/tasks", "select=projects!{q}(id)"),
    (Method::POST, "/tasks", "columns={q}"),
    (Method::GET, "/tasks", "{q}.id=eq.1"),
];

#[test]
fn a_name_that_the_catalogue_does_not_have_is_refused_where_it_must_have_it() {
    let (config, catalog) = loaded();
    let identity =
        Values { texts: Vec::new(), numbers: Vec::new(), words: Vec::new(), rows: 1 }.identity();
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    TestRunner::new(crate::cases(256))
        .run(&name(), |name| {
            let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            for (method, path, query) in LOOKED_UP {
                let mut http = HttpRequest {
                    method,
                    path: path.replace("{}", &escaped(&name)),
                    query: query.replace("{q}", &escaped(&quoted)),
                    headers: HeaderMap::new(),
                    body: Bytes::from_static(b"{}"),
                };
                prop_assert!(render(&config, &catalog, &http, &identity).is_err(), "{:?}", http);
                // A schema, chosen by a header.
                http.path = "/tasks".to_owned();
                http.query = String::new();
                if let Ok(value) = HeaderValue::from_bytes(name.as_bytes()) {
                    http.headers.insert("accept-profile", value.clone());
                    http.headers.insert("content-profile", value);
                    prop_assert!(render(&config, &catalog, &http, &identity).is_err());
                }
            }
            Ok(())
        })
        .unwrap();
}
