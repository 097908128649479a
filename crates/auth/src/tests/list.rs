//! Every release-blocking attack case has a test that bears its id, or a written reason why not yet.

use std::{fs, path::Path};

/// The P0 cases of the areas that are built, as the attack list numbers them, and those P1 cases that were built with them.
const CASES: &[(&str, &[u32])] = &[
    ("RL", &[1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 17, 18]),
    ("EN", &[1, 4, 6, 7, 8]),
    ("SE", &[2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 23, 24, 25]),
    ("CS", &[1, 3, 4, 5, 6, 7, 10, 11, 13, 17]),
    ("RD", &[1, 2, 7, 8, 12]),
    (
        "JW",
        &[1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 19, 21, 22, 23, 24, 26, 28, 29, 30],
    ),
    ("OT", &[1, 2, 3, 4, 5, 8, 11, 12, 14, 15, 17, 18]),
    ("ML", &[1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18]),
    (
        "DA",
        &[
            2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27,
            28, 30, 31, 32, 33, 34,
        ],
    ),
    ("PW", &[1, 2, 4, 5, 6, 7, 8, 9, 11, 13, 15, 18]),
    ("LG", &[2, 4, 6, 7]),
    ("OA", &[1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 21, 22, 23, 24, 27, 29]),
    ("OR", &[1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 17, 19, 21]),
    ("AD", &[1, 2, 3, 4, 6, 7, 9, 10, 11, 13, 14, 15]),
];

/// Cases that need what is not built yet.
const WAITING: &[(&str, &str)] =
    &[("CS-17", "a later issue: hosted pages"), ("JW-28", "a later issue: the backend SDK")];

fn sources(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_release_blocking_case_is_tested_or_waits_for_a_stated_reason() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut text = String::new();
    sources(crates, &mut text);
    let table = fs::read_to_string(crates.parent().unwrap().join("docs/security.md")).unwrap();
    for (area, numbers) in CASES {
        for number in *numbers {
            let id = format!("{area}-{number:02}");
            let tested = text.contains(&format!("fn {}_{number:02}_", area.to_lowercase()));
            let waiting = WAITING.iter().any(|(waiting, _)| *waiting == id);
            assert!(tested != waiting, "{id}: tested {tested}, waiting {waiting}");
            assert!(table.contains(&format!("| {id} |")), "{id} is missing from docs/security.md");
        }
    }
}
