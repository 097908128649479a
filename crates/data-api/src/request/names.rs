//! Grammar shared by select, filters and order: field names, JSON paths, quoted values.

use super::parser::{Parsed, Parser};
use super::types::{Field, JsonOperand, JsonStep};
use crate::ident::{CastType, is_type_char};

const FIELD_NAME: &str = "field name (* or [a..z0..9_$])";
const JSON_KEY: &str = "any non reserved character different from: .,>()";

/// `"…"` with `\` escapes.
pub(super) fn quoted(p: &mut Parser) -> Parsed<String> {
    p.char('"', "\"\\\"\"")?;
    let mut value = String::new();
    loop {
        match p.any() {
            Some('"') => return Ok(value),
            Some('\\') => match p.any() {
                Some(c) => value.push(c),
                None => return p.fail("any character"),
            },
            Some(c) => value.push(c),
            None => return p.fail("\"\\\"\""),
        }
    }
}

/// Words joined by `-`, as long as the `-` does not begin `->`.
fn dashed(p: &mut Parser, word: impl Fn(&mut Parser) -> Parsed<String>) -> Parsed<String> {
    let mut name = word(p)?;
    while p.peek() == Some('-') && !p.looking_at("->") {
        let start = p.position();
        p.any();
        match word(p) {
            Ok(next) => {
                name.push('-');
                name.push_str(&next);
            }
            Err(error) => {
                // The dash is already taken: what follows it is the error.
                p.reset(start);
                return Err(error);
            }
        }
    }
    Ok(name)
}

/// A column, table or alias: quoted, or letters, digits, `_`, `$`, blanks and inner dashes.
pub(super) fn field_name(p: &mut Parser) -> Parsed<String> {
    let name = if p.peek() == Some('"') {
        quoted(p)?
    } else {
        dashed(p, |p| {
            let word = p.take_while(is_type_char);
            if word.is_empty() { p.fail(FIELD_NAME) } else { Ok(word.trim().to_owned()) }
        })?
    };
    // PostgreSQL has no identifier without a character, and for it a name ends at NUL.
    if name.is_empty() || name.starts_with('\0') { p.fail(FIELD_NAME) } else { Ok(name) }
}

/// A dictionary of full-text search: as a type name.
pub(super) fn identifier(p: &mut Parser) -> Parsed<String> {
    let word = p.take_while(is_type_char);
    if word.is_empty() {
        p.expect("letter");
        return p.fail("digit");
    }
    Ok(word.trim().to_owned())
}

/// A type name after `::`.
pub(super) fn cast(p: &mut Parser) -> Parsed<CastType> {
    let word = identifier(p)?;
    match CastType::parse(&word) {
        Some(cast) => Ok(cast),
        None => p.fail("letter"),
    }
}

fn json_key(p: &mut Parser) -> Parsed<String> {
    if p.peek() == Some('"') {
        return quoted(p);
    }
    dashed(p, |p| {
        let word = p.take_while(|c| !"(-:.,>)".contains(c));
        if word.is_empty() { p.fail(JSON_KEY) } else { Ok(word.trim().to_owned()) }
    })
}

fn json_index(p: &mut Parser) -> Parsed<String> {
    let sign = if p.peek() == Some('-') {
        p.any();
        '-'
    } else {
        p.expect("\"-\"");
        '+'
    };
    let digits = p.take_while(|c| c.is_ascii_digit());
    if digits.is_empty() {
        return p.fail("digit");
    }
    let ends = p.peek().is_none() || ["->", "::", ".", ","].iter().any(|end| p.looking_at(end));
    if ends { Ok(format!("{sign}{digits}")) } else { p.fail("digit") }
}

/// `->key`, `->>0`, repeated.
pub(super) fn json_path(p: &mut Parser) -> Parsed<Vec<JsonStep>> {
    let mut path = Vec::new();
    loop {
        let as_text = if p.string("->>", "\"->>\"").is_ok() {
            true
        } else if p.string("->", "\"->\"").is_ok() {
            false
        } else {
            return Ok(path);
        };
        let operand = match p.attempt(json_index) {
            Ok(index) => JsonOperand::Index(index),
            Err(_) => JsonOperand::Key(p.attempt(json_key)?),
        };
        path.push(JsonStep { as_text, operand });
    }
}

/// A column with its path.
pub(super) fn field(p: &mut Parser) -> Parsed<Field> {
    p.blanks();
    let name = field_name(p)?;
    let path = json_path(p)?;
    p.blanks();
    Ok(Field { name, path })
}

/// `a.b.c->d`: embeds, then the column.
pub(super) fn tree_path(p: &mut Parser) -> Parsed<(Vec<String>, Field)> {
    let mut path = dotted(p)?;
    let name = path.pop().unwrap_or_default();
    let steps = json_path(p)?;
    Ok((path, Field { name, path: steps }))
}

/// Names joined by dots, at least one.
pub(super) fn dotted(p: &mut Parser) -> Parsed<Vec<String>> {
    let mut names = vec![field_name(p)?];
    while p.char('.', "delimiter (.)").is_ok() {
        names.push(field_name(p)?);
    }
    Ok(names)
}

/// `a,b,c`.
pub(super) fn columns(p: &mut Parser) -> Parsed<Vec<String>> {
    let mut names = vec![field_name(p)?];
    loop {
        p.blanks();
        if p.char(',', "\",\"").is_err() {
            return Ok(names);
        }
        p.blanks();
        names.push(field_name(p)?);
    }
}
