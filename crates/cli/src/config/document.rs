//! A settings file with the environment laid over it. Reading goes on after a mistake, so that all are found at once.

use std::{borrow::Cow, ops::Range};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Deserializer},
};

/// Names of keys whose values no message repeats.
pub(super) const SECRET_KEYS: &[&str] = &[
    "api_key",
    "secret",
    "previous_secrets",
    "password",
    "database_url",
    "migration_database_url",
    "explain_database_url",
    "redis_url",
    "client_secret",
];

/// A variable of the environment that was laid over the file.
struct Variable<'a> {
    name: &'a str,
    path: Vec<String>,
    value: Cow<'a, str>,
    reading: Reading,
}

/// How the text of a variable is understood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Toml,
    Text,
    List,
}

pub(super) struct Document<'a> {
    /// Of the file.
    name: &'a str,
    text: &'a str,
    root: DeTable<'a>,
    variables: Vec<Variable<'a>>,
    findings: Vec<Finding>,
}

struct Finding {
    line: Option<usize>,
    text: String,
}

impl<'a> Document<'a> {
    pub(super) fn parse(name: &'a str, text: &'a str) -> Self {
        let mut document =
            Self { name, text, root: DeTable::new(), variables: Vec::new(), findings: Vec::new() };
        let (root, errors) = DeTable::parse_recoverable(text);
        document.root = root.into_inner();
        for error in errors {
            document.note(error.span(), error.message());
        }
        document
    }

    /// Adds something that is wrong.
    pub(super) fn find(&mut self, text: String) {
        self.findings.push(Finding { line: None, text });
    }

    /// Lays a variable over the file: a TOML value if it reads as one and the key takes it, else text.
    pub(super) fn set(&mut self, name: &'a str, path: Vec<String>, value: &'a str) {
        self.lay_new(Variable { name, path, value: value.into(), reading: Reading::Toml });
    }

    /// As [`Document::set`], for what is text in any case.
    pub(super) fn set_text(&mut self, name: &'a str, path: Vec<String>, value: String) {
        self.lay_new(Variable { name, path, value: value.into(), reading: Reading::Text });
    }

    fn lay_new(&mut self, variable: Variable<'a>) {
        self.variables.push(variable);
        self.lay(self.variables.len() - 1);
    }

    /// Dotted paths of all keys that are set.
    pub(super) fn given(&self) -> Vec<String> {
        let mut paths = Vec::new();
        collect_paths(&self.root, "", &mut paths);
        paths
    }

    /// Everything that was found, by line.
    pub(super) fn findings(mut self) -> Vec<String> {
        self.findings.sort_by_key(|finding| finding.line.unwrap_or(usize::MAX));
        self.findings.into_iter().map(|finding| finding.text).collect()
    }

    /// Reads the keys listed, with defaults for what is missing or wrong.
    pub(super) fn take<T: DeserializeOwned + Default>(&mut self, keys: &[&str]) -> T {
        self.read(|key| keys.contains(&key), &[])
    }

    /// Reads all other keys.
    pub(super) fn take_rest<T: DeserializeOwned + Default>(&mut self, keys: &[&str]) -> T {
        self.read(|key| !keys.contains(&key), keys)
    }

    fn read<T: DeserializeOwned + Default>(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        also_known: &[&str],
    ) -> T {
        loop {
            let all = self.root.clone().into_iter();
            let part: DeTable<'_> = all.filter(|(key, _)| wanted(key.get_ref())).collect();
            let error =
                match T::deserialize(Deserializer::from(Spanned::new(0..self.text.len(), part))) {
                    Ok(read) => return read,
                    Err(error) => error,
                };
            let span = error.span().unwrap_or(0..self.text.len());
            if self.reread(&span, error.message()) {
                continue;
            }
            let removed = remove(&mut self.root, &span, &wanted, "");
            let path = removed.clone().unwrap_or_default();
            self.note(Some(span), &explain(&path, error.message(), also_known));
            if removed.is_none() {
                return T::default();
            }
        }
    }

    /// A variable that does not fit as one kind of value may fit as another.
    fn reread(&mut self, span: &Range<usize>, message: &str) -> bool {
        let Some(index) = self.variable(span) else { return false };
        let Some(variable) = self.variables.get_mut(index) else { return false };
        let reading = if message.contains("expected a sequence") {
            Reading::List
        } else if message.starts_with("invalid type") {
            Reading::Text
        } else {
            return false;
        };
        if variable.reading == reading || variable.reading == Reading::List {
            return false;
        }
        variable.reading = reading;
        self.lay(index);
        true
    }

    /// Variables are given spans behind the end of the file.
    fn variable(&self, span: &Range<usize>) -> Option<usize> {
        span.start.checked_sub(self.text.len() + 1)
    }

    fn lay(&mut self, index: usize) {
        let Some(variable) = self.variables.get(index) else { return };
        let at = self.text.len() + 1 + index;
        let value = respan(parse_value(&variable.value, variable.reading), &(at..at));
        let Some((last, sections)) = variable.path.split_last() else { return };
        let mut table = &mut self.root;
        for section in sections {
            let entry = table
                .entry(Spanned::new(at..at, section.clone().into()))
                .or_insert_with(|| Spanned::new(at..at, DeValue::Table(DeTable::new())));
            let DeValue::Table(inner) = entry.get_mut() else {
                let text = format!("{}: {section} is no section in the file", variable.name);
                self.findings.push(Finding { line: None, text });
                return;
            };
            table = inner;
        }
        // Removed first: a key keeps the span it was first inserted with.
        table.remove(last.as_str());
        table.insert(Spanned::new(at..at, last.clone().into()), value);
    }

    fn note(&mut self, span: Option<Range<usize>>, problem: &str) {
        let variable = span.as_ref().and_then(|span| self.variable(span));
        if let Some(variable) = variable.and_then(|index| self.variables.get(index)) {
            let text = format!("{}: {problem}", variable.name);
            self.findings.push(Finding { line: None, text });
            return;
        }
        let start = span.map_or(0, |span| span.start);
        let before = self.text.get(..start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let text = format!("{}:{line}: {problem}", self.name);
        self.findings.push(Finding { line: Some(line), text });
    }
}

fn collect_paths(table: &DeTable<'_>, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            collect_paths(inner, &format!("{path}."), paths);
        }
        paths.push(path);
    }
}

fn parse_value<'a>(text: &Cow<'a, str>, reading: Reading) -> DeValue<'a> {
    match (reading, text) {
        (Reading::Toml, Cow::Borrowed(text)) => match DeValue::parse(text) {
            Ok(value) => value.into_inner(),
            Err(_) => DeValue::String(Cow::Borrowed(text)),
        },
        (Reading::Toml | Reading::Text, text) => DeValue::String(text.clone()),
        (Reading::List, text) => {
            let mut items = DeArray::new();
            for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
                items.push(Spanned::new(0..0, DeValue::String(item.to_owned().into())));
            }
            DeValue::Array(items)
        }
    }
}

fn respan<'a>(value: DeValue<'a>, span: &Range<usize>) -> Spanned<DeValue<'a>> {
    let value = match value {
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            for item in items {
                array.push(respan(item.into_inner(), span));
            }
            DeValue::Array(array)
        }
        DeValue::Table(entries) => {
            let mut table = DeTable::new();
            for (key, value) in entries {
                table.insert(
                    Spanned::new(span.clone(), key.into_inner()),
                    respan(value.into_inner(), span),
                );
            }
            DeValue::Table(table)
        }
        value => value,
    };
    Spanned::new(span.clone(), value)
}

/// Removes the innermost entry that a span lies in and returns its dotted path.
fn remove(
    table: &mut DeTable<'_>,
    span: &Range<usize>,
    wanted: &dyn Fn(&str) -> bool,
    prefix: &str,
) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if !wanted(key.get_ref()) {
            continue;
        }
        let path = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_mut()
            && let Some(removed) = remove(inner, span, &|_| true, &format!("{path}."))
        {
            return Some(removed);
        }
        let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
        if holds(key.span()) || holds(value.span()) {
            found = Some((key.get_ref().to_string(), path));
        }
    }
    let (key, path) = found?;
    table.remove(key.as_str())?;
    Some(path)
}

/// What serde says, in the words of somebody who writes a settings file.
fn explain(path: &str, message: &str, also_known: &[&str]) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    if let Some((_, expected)) = message.split_once("unknown field") {
        let quoted: Vec<&str> = expected.split('`').skip(3).step_by(2).collect();
        let top = if path.contains('.') { &[] } else { also_known };
        let known = quoted.iter().chain(top);
        let nearest = known
            .map(|known| (strsim::jaro_winkler(key, known), *known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        return match nearest {
            Some((_, known)) => format!("unknown key `{path}`; did you mean `{known}`?"),
            None => format!("unknown key `{path}`; `gatepost config example` lists them all"),
        };
    }
    if SECRET_KEYS.contains(&key) {
        return format!(
            "`{path}` is not of the right kind: it is a text in quotes, or a list of them"
        );
    }
    let message = message.lines().next().unwrap_or_default();
    if path.is_empty() { message.to_owned() } else { format!("`{path}`: {message}") }
}
