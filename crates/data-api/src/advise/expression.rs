//! Expressions of policies as PostgreSQL prints them, with an empty search path: what is not its own has its schema.

/// Claims that users change themselves: their profile.
const EDITABLE: [&str; 3] = ["name", "image", "picture"];
/// The part of other issuers' tokens that users change.
const METADATA: [&str; 2] = ["user_metadata", "raw_user_meta_data"];

/// Whether it looks at what users can change about themselves.
pub(super) fn trusts_editable_claim(text: &str) -> bool {
    let reads = |claim: &&str| {
        [format!("-> '{claim}'"), format!("->> '{claim}'"), format!(">> '{{{claim}}}'")]
            .iter()
            .any(|form| text.contains(form.as_str()))
    };
    METADATA.iter().any(|member| text.contains(member)) || EDITABLE.iter().any(reads)
}

/// The expression with the calls that ask who is calling in sub-selects; `None` when they all are already.
pub(super) fn call_once(text: &str) -> Option<String> {
    let structure = masked(text);
    let mut changed = text.to_owned();
    // From the end, so that places found before stay where they are.
    for (start, end) in calls(&structure).into_iter().rev() {
        if !asked_once(&structure, start) {
            let wrapped = format!("(SELECT {})", text.get(start..end).unwrap_or_default());
            changed.replace_range(start..end, &wrapped);
        }
    }
    (changed != text).then_some(changed)
}

/// The text with its literals blanked, byte for byte: what stands in them is no structure.
fn masked(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let quote = c == '\'';
        if inside && !quote {
            out.extend(std::iter::repeat_n('_', c.len_utf8()));
        } else {
            inside ^= quote;
            out.push(c);
        }
    }
    out
}

/// Calls that answer the same for every row: functions of a schema without arguments (`auth.uid()`), and settings.
fn calls(structure: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in structure.match_indices('(') {
        let before = structure.get(..at).unwrap_or_default();
        let name =
            before.trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'));
        let name = before.get(name.len()..).unwrap_or_default();
        let arguments = matching(structure, at);
        let none = arguments == at + 2;
        if (none && name.contains('.')) || name == "current_setting" {
            found.push((at - name.len(), arguments));
        }
    }
    found
}

/// Just beyond the parenthesis that closes the one at `open`.
fn matching(structure: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, c) in structure.get(open..).unwrap_or_default().char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return open + index + 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    structure.len()
}

/// Whether the innermost sub-select around the place reads no relation: it is evaluated once for a statement.
fn asked_once(structure: &str, place: usize) -> bool {
    let mut open = Vec::new();
    for (index, c) in structure.get(..place).unwrap_or_default().char_indices() {
        match c {
            '(' => open.push(index),
            ')' => drop(open.pop()),
            _ => {}
        }
    }
    let inside =
        |at: &usize| structure.get(at + 1..matching(structure, *at) - 1).unwrap_or_default();
    let selects =
        open.iter().rev().map(inside).find(|text| text.trim_start().starts_with("SELECT"));
    selects.is_some_and(|text| !reads_a_relation(text))
}

fn reads_a_relation(select: &str) -> bool {
    let mut depth = 0_usize;
    select.split_whitespace().any(|word| {
        let outside = depth == 0;
        for c in word.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        outside && word == "FROM"
    })
}

/// Whether the column stands on one side of `=` or `IN`. Columns of the policy's own table have no table before them.
pub(super) fn compares(text: &str, column: &str) -> bool {
    let structure = masked(text);
    let quoted = format!("\"{}\"", column.replace('"', "\"\""));
    [column, &quoted].into_iter().any(|column| {
        structure.match_indices(column).any(|(at, _)| {
            let before = structure.get(..at).unwrap_or_default();
            let after = structure.get(at + column.len()..).unwrap_or_default();
            let whole = !before
                .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'))
                && !after.starts_with(|c: char| {
                    c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '(')
                });
            whole
                && (after.starts_with(" = ")
                    || after.starts_with(" IN ")
                    || before.ends_with(" = "))
        })
    })
}
