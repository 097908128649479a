//! The query string, understood.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::filter::{ValueEnd, logic_path, logic_tree, operation, order};
use super::names::{columns, tree_path};
use super::parser::{ParseError, Parser};
use super::range::RowRange;
use super::select::items;
use super::types::{EmbedPath, Filter, LogicTree, OrderTerm, SelectItem};
use crate::error::{ApiError, ErrorKind};

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Parsed parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryParams {
    /// Parameters in alphabetical order, for `Content-Location`.
    pub canonical: String,
    /// Arguments of a function called by GET.
    pub arguments: Vec<(String, String)>,
    /// `limit` and `offset` by key, the key ending in `limit`.
    pub ranges: BTreeMap<String, RowRange>,
    /// `order` per embed.
    pub order: Vec<(EmbedPath, Vec<OrderTerm>)>,
    /// `and`/`or` per embed.
    pub logic: Vec<(EmbedPath, LogicTree)>,
    /// `columns`.
    pub columns: Option<Vec<String>>,
    /// `select`.
    pub select: Vec<SelectItem>,
    /// Filters per embed.
    pub filters: Vec<(EmbedPath, Filter)>,
    /// Names of all parameters that are filters.
    pub filter_fields: Vec<String>,
    /// `on_conflict`.
    pub on_conflict: Option<Vec<String>>,
}

impl QueryParams {
    /// Filters of the root, which also choose the rows of a write.
    pub fn root_filters(&self) -> impl Iterator<Item = &Filter> {
        self.filters.iter().filter(|(path, _)| path.is_empty()).map(|(_, filter)| filter)
    }

    /// Parses a raw query string. `function_get` lets parameters without an operator pass as arguments.
    pub fn parse(raw: &str, function_get: bool) -> Result<Self, ApiError> {
        let pairs = pairs(raw);
        let mut query = Self { canonical: canonical(&pairs), ..Self::default() };
        let mut limits = BTreeMap::new();
        let mut offsets = BTreeMap::new();
        let mut select = None;
        for (key, value) in &pairs {
            let Some(value) = value else { continue };
            let last = key.rsplit('.').next().unwrap_or_default();
            match (key.as_str(), last) {
                ("select", _) => select = select.or(Some(value.as_str())),
                ("columns", _) if query.columns.is_none() => {
                    query.columns = Some(rule("columns parameter", value, false, columns)?);
                }
                ("on_conflict", _) if query.on_conflict.is_none() => {
                    query.on_conflict = Some(rule("on_conflict parameter", value, false, columns)?);
                }
                ("columns" | "on_conflict", _) => {}
                (_, "order") => {
                    let (path, _) = rule("tree path", key, false, tree_path)?;
                    query.order.push((path, rule("order", value, true, order)?));
                }
                (_, "limit") => {
                    limits.insert(key.clone(), RowRange::ALL.restricted(value.parse().ok()));
                }
                (_, "offset") => {
                    let key = format!("{}limit", key.strip_suffix("offset").unwrap_or_default());
                    offsets.insert(key, value.parse().map_or(RowRange::ALL, RowRange::from));
                }
                (_, "and" | "or") => {
                    let (path, operator) = rule("logic path", key, false, logic_path)?;
                    let text = format!("{operator}{value}");
                    let tree = Parser::parse(&text, false, |p| logic_tree(p, 0))
                        .map_err(|error| parse_error("logic tree", value, &error))?;
                    query.logic.push((path, tree));
                }
                _ => query.filter(key, value, function_get)?,
            }
        }
        query.ranges = combine(limits, offsets);
        query.select = rule("select parameter", select.unwrap_or("*"), false, |p| items(p, 0))?;
        Ok(query)
    }

    fn filter(&mut self, key: &str, value: &str, function_get: bool) -> Result<(), ApiError> {
        self.filter_fields.push(key.to_owned());
        let (path, field) = rule("tree path", key, false, tree_path)?;
        match Parser::parse(value, false, |p| operation(p, ValueEnd::Input)) {
            Ok((negated, operation)) => {
                self.filters.push((path, Filter { field, negated, operation }))
            }
            // Only a value that does not even begin as a filter is an argument.
            Err(error) if function_get && error.position == 0 => {
                self.arguments.push((field.name, value.to_owned()))
            }
            Err(error) => return Err(parse_error("filter", value, &error)),
        }
        Ok(())
    }
}

fn rule<T>(
    what: &'static str,
    text: &str,
    whole: bool,
    rule: impl FnOnce(&mut Parser) -> Result<T, super::parser::NoMatch>,
) -> Result<T, ApiError> {
    Parser::parse(text, whole, rule).map_err(|error| parse_error(what, text, &error))
}

fn parse_error(what: &'static str, text: &str, error: &ParseError) -> ApiError {
    ApiError::new(
        ErrorKind::Query,
        format!("\"failed to parse {what} ({text})\" (line 1, column {})", error.position + 1),
    )
    .with_details(error.details())
}

fn combine(
    limits: BTreeMap<String, RowRange>,
    offsets: BTreeMap<String, RowRange>,
) -> BTreeMap<String, RowRange> {
    let mut ranges = limits;
    for (key, offset) in offsets {
        let combined = match ranges.get(&key) {
            None => offset,
            Some(limit) => RowRange::rows(offset.lower, limit.limit().unwrap_or(0)),
        };
        ranges.insert(key, combined);
    }
    ranges
}

/// Splits at `&` and `;`, decodes `+` and percent escapes.
pub(crate) fn pairs(raw: &str) -> Vec<(String, Option<String>)> {
    raw.split(['&', ';'])
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((key, value)) => (decode(key), Some(decode(value))),
            None => (decode(part), None),
        })
        .collect()
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), KEPT).to_string()
}

fn canonical(pairs: &[(String, Option<String>)]) -> String {
    let mut sorted: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, value) in pairs {
        let value = value.as_deref().unwrap_or_default();
        match sorted.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value),
            None => sorted.push((key, vec![value])),
        }
    }
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    let parts: Vec<String> = sorted
        .iter()
        .map(|(key, values)| {
            let values: Vec<String> = values.iter().map(|value| encode(value)).collect();
            format!("{}={}", encode(key), values.join(","))
        })
        .collect();
    parts.join("&")
}

/// Splits `embed.embed.limit` into its names.
pub(crate) fn embed_path(key: &str) -> Result<Vec<String>, ApiError> {
    let (mut path, field) = rule("tree path", key, false, tree_path)?;
    path.push(field.name);
    Ok(path)
}
