//! Where the role is found among the claims: RFC 9535 (`$.a.b[0]`) and PostgREST's older notation (`.a.b[0]`).

use serde_json::Value;
use serde_json_path::JsonPath;

use super::ConfigError;

/// A path into the claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    notation: Notation,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Notation {
    Standard(JsonPath),
    Older(Vec<Step>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    First(Comparison, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    StartsWith,
    EndsWith,
    Contains,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("==^", Comparison::EndsWith),
    ("^==", Comparison::StartsWith),
    ("*==", Comparison::Contains),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
];

impl Default for ClaimPath {
    fn default() -> Self {
        // The same as `$.role`, without anything that could fail.
        let notation = Notation::Older(vec![Step::Key("role".to_owned())]);
        Self { text: "$.role".to_owned(), notation }
    }
}

impl ClaimPath {
    /// Reads either notation.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let notation = match text.starts_with('$') {
            true => JsonPath::parse(text).ok().map(Notation::Standard),
            false => steps(text).map(Notation::Older),
        };
        let notation = notation
            .ok_or_else(|| ConfigError(format!("failed to parse role-claim-key value ({text})")))?;
        Ok(Self { text: text.to_owned(), notation })
    }

    /// The path as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is written as PostgREST before version 16 read it.
    pub fn is_older(&self) -> bool {
        !self.text.starts_with('$')
    }

    /// The first value that the path leads to.
    pub fn find<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        let steps = match &self.notation {
            Notation::Standard(path) => return path.query(claims).first(),
            Notation::Older(steps) => steps,
        };
        steps.iter().try_fold(claims, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
            Step::First(comparison, text) => value.as_array()?.iter().find(|element| {
                element.as_str().is_some_and(|element| match comparison {
                    Comparison::Equal => element == text,
                    Comparison::NotEqual => element != text,
                    Comparison::StartsWith => element.starts_with(text.as_str()),
                    Comparison::EndsWith => element.ends_with(text.as_str()),
                    Comparison::Contains => element.contains(text.as_str()),
                })
            }),
        })
    }
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let mut rest = text;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, left) = step(rest)?;
        steps.push(step);
        rest = left;
    }
    (!steps.is_empty()).then_some(steps)
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        if rest.starts_with('"') {
            let (key, rest) = quoted(rest)?;
            return Some((Step::Key(key.to_owned()), rest));
        }
        let end =
            rest.find(|c: char| !c.is_alphanumeric() && !"_$@".contains(c)).unwrap_or(rest.len());
        let (key, rest) = rest.split_at_checked(end)?;
        return (!key.is_empty()).then(|| (Step::Key(key.to_owned()), rest));
    }
    let inner = text.strip_prefix('[')?;
    if inner.starts_with(['"', '\'']) {
        let (key, rest) = quoted(inner)?;
        return Some((Step::Key(key.to_owned()), rest.strip_prefix(']')?));
    }
    if let Some(condition) = inner.strip_prefix('?') {
        let (condition, parenthesis) = match condition.strip_prefix('(') {
            Some(condition) => (condition, true),
            None => (condition, false),
        };
        let condition = condition.trim_start().strip_prefix('@')?.trim_start();
        let (comparison, after) = COMPARISONS
            .iter()
            .find_map(|(sign, comparison)| Some((comparison, condition.strip_prefix(sign)?)))?;
        let (value, rest) = quoted(after.trim_start())?;
        let rest = rest.trim_start();
        let rest = if parenthesis { rest.strip_prefix(')')? } else { rest };
        return Some((Step::First(*comparison, value.to_owned()), rest.strip_prefix(']')?));
    }
    let (index, rest) = inner.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    text.get(1..)?.split_once(quote)
}
