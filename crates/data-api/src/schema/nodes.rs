//! Reads PostgreSQL's node trees (`pg_rewrite.ev_action`): where each column of a view comes from.

/// A column of a view and the column it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Position in the view.
    pub column: i16,
    /// OID of the relation the column is taken from, 0 for an expression.
    pub table: u32,
    /// Position in that relation.
    pub table_column: i16,
}

/// Depth of `{TARGETENTRY` below `({QUERY … :targetList (`.
const ENTRY_DEPTH: usize = 4;

/// Target entries of the outermost query. Unknown text yields fewer entries, never an error.
pub(super) fn target_entries(tree: &str) -> Vec<Origin> {
    let mut entries = Vec::new();
    let mut depth = 0_usize;
    let mut in_target_list = false;
    let mut field = String::new();
    let mut entry = Origin::default();
    for token in Tokens(tree) {
        match token {
            "(" | "{" => {
                depth += 1;
                if depth == ENTRY_DEPTH && in_target_list {
                    entry = Origin::default();
                }
            }
            ")" | "}" => {
                if depth == ENTRY_DEPTH && in_target_list {
                    entries.push(entry);
                }
                depth = depth.saturating_sub(1);
            }
            name if name.starts_with(':') => {
                if depth == 2 {
                    in_target_list = name == ":targetList";
                }
                name.clone_into(&mut field);
            }
            value if depth == ENTRY_DEPTH && in_target_list => match field.as_str() {
                ":resno" => entry.column = value.parse().unwrap_or_default(),
                ":resorigtbl" => entry.table = value.parse().unwrap_or_default(),
                ":resorigcol" => entry.table_column = value.parse().unwrap_or_default(),
                _ => {}
            },
            _ => {}
        }
    }
    entries
}

/// Brackets and words. A backslash takes the next character literally.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let first = text.chars().next()?;
        let mut end = first.len_utf8();
        if !"(){}".contains(first) {
            let mut escaped = false;
            end = text.len();
            for (index, c) in text.char_indices() {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c.is_whitespace() || "(){}".contains(c) {
                    end = index;
                    break;
                }
            }
        }
        let (token, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(token)
    }
}
