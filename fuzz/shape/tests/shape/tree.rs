//! A text as PostgreSQL's scanner and parser see it.

use pg_query::protobuf::Token;
use serde_json::Value;

/// A word of the text and what the scanner took it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    pub token: Token,
    pub text: &'a str,
}

impl Word<'_> {
    /// The name that a quoted identifier stands for.
    pub fn name(&self) -> Option<String> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        (self.token == Token::Ident).then(|| inner.replace("\"\"", "\""))
    }
}

/// The words of a text.
pub fn words(text: &str) -> Result<Vec<Word<'_>>, String> {
    let scanned = pg_query::scan(text).map_err(|error| error.to_string())?;
    let word = |token: &pg_query::protobuf::ScanToken| {
        let place = usize::try_from(token.start).unwrap()..usize::try_from(token.end).unwrap();
        Word { token: token.token(), text: &text[place] }
    };
    Ok(scanned.tokens.iter().map(word).collect())
}

/// Whether the word at `index` is the number of a LIMIT: the one value that stands in a text, as digits.
pub fn is_limit(words: &[Word<'_>], index: usize) -> bool {
    let after = index.checked_sub(1).is_some_and(|before| words[before].token == Token::Limit);
    after && words[index].text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a text, with `?` for the numbers of LIMIT.
pub fn without_limits(text: &str) -> Result<String, String> {
    let words = words(text)?;
    let shown = |index: usize| if is_limit(&words, index) { "?" } else { words[index].text };
    Ok((0..words.len()).map(shown).collect::<Vec<_>>().join(" "))
}

/// The trees of the statements in a text, without their places in it.
pub fn statements(text: &str) -> Result<Vec<Value>, String> {
    let parsed = pg_query::parse(text, 0).map_err(|error| error.to_string())?;
    let mut tree = serde_json::to_value(&parsed.protobuf).unwrap();
    without_places(&mut tree);
    let Value::Array(all) = tree["stmts"].take() else { return Ok(Vec::new()) };
    Ok(all.into_iter().map(|mut statement| statement["stmt"].take()).collect())
}

fn without_places(tree: &mut Value) {
    match tree {
        Value::Object(members) => {
            let place = |key: &str| {
                key.ends_with("location") || ["stmt_len", "list_start", "list_end"].contains(&key)
            };
            members.retain(|key, _| !place(key));
            members.values_mut().for_each(without_places);
        }
        Value::Array(all) => all.iter_mut().for_each(without_places),
        _ => {}
    }
}

/// What kind of node it is, and the node.
pub fn node(tree: &Value) -> (&str, &Value) {
    let only = tree["node"].as_object().and_then(|kinds| kinds.iter().next());
    only.map_or(("", &Value::Null), |(kind, node)| (kind.as_str(), node))
}

/// Kinds of all nodes of a tree.
pub fn kinds(tree: &Value) -> Vec<&str> {
    match tree {
        Value::Object(members) => {
            let own = members.get("node").map(|_| node(tree).0);
            own.into_iter().chain(members.values().flat_map(kinds)).collect()
        }
        Value::Array(all) => all.iter().flat_map(kinds).collect(),
        _ => Vec::new(),
    }
}

/// The tree with every text passed through `change`.
pub fn renamed(tree: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match tree {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), renamed(value, change))).collect()
        }
        Value::Array(all) => all.iter().map(|value| renamed(value, change)).collect(),
        Value::String(text) => Value::String(change(text)),
        other => other.clone(),
    }
}
