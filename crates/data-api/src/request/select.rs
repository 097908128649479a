//! `select=`: columns, casts, aggregates and embedded resources.

use super::names::{cast, field, field_name};
use super::parser::{Parsed, Parser};
use super::types::{Aggregate, Field, JoinType, SelectField, SelectItem, SelectRelation};

/// Embeds deeper than this are refused by the parser: recursion must be bounded.
pub(super) const MAX_DEPTH: usize = 64;

/// A comma-separated list, possibly empty.
pub(super) fn items(p: &mut Parser, depth: usize) -> Parsed<Vec<SelectItem>> {
    if p.peek().is_none() || p.peek() == Some(')') {
        return Ok(Vec::new());
    }
    let mut items = Vec::new();
    loop {
        items.push(item(p, depth)?);
        p.blanks();
        if p.char(',', "\",\"").is_err() {
            return Ok(items);
        }
        p.blanks();
    }
}

fn item(p: &mut Parser, depth: usize) -> Parsed<SelectItem> {
    if depth < MAX_DEPTH
        && let Ok(relation) = p.attempt(relation_head)
    {
        p.char('(', "\"(\"")?;
        let items = items(p, depth + 1)?;
        p.char(')', "\")\"")?;
        return Ok(SelectItem::Relation(SelectRelation { items, ..relation }));
    }
    select_field(p).map(SelectItem::Field)
}

fn relation_head(p: &mut Parser) -> Parsed<SelectRelation> {
    p.blanks();
    let spread = p.looking_at("...");
    let alias = if spread {
        p.string("...", "\"...\"")?;
        None
    } else {
        p.attempt(alias).ok()
    };
    let name = field_name(p)?;
    // `count()` is the aggregate, never an embed.
    if name == "count" && !spread {
        return p.fail("field name (* or [a..z0..9_$])");
    }
    let (hint, join) = embed_params(p)?;
    if p.peek() != Some('(') {
        return p.fail("\"(\"");
    }
    Ok(SelectRelation { name, alias, hint, join, spread, items: Vec::new() })
}

fn embed_params(p: &mut Parser) -> Parsed<(Option<String>, Option<JoinType>)> {
    let (mut hint, mut join) = (None, None);
    for _ in 0..2 {
        if p.peek() != Some('!') {
            break;
        }
        p.any();
        let word = field_name(p)?;
        match word.as_str() {
            "left" if join.is_none() => join = Some(JoinType::Left),
            "inner" if join.is_none() => join = Some(JoinType::Inner),
            _ if hint.is_none() => hint = Some(word),
            _ => {}
        }
    }
    Ok((hint, join))
}

fn alias(p: &mut Parser) -> Parsed<String> {
    let name = field_name(p)?;
    p.char(':', "\":\"")?;
    if p.peek() == Some(':') { p.fail("alias") } else { Ok(name) }
}

fn at_end(p: &mut Parser) -> Parsed<()> {
    p.blanks();
    match p.peek() {
        None | Some(')' | ',') => Ok(()),
        _ => {
            p.expect("\")\"");
            p.expect("\",\"");
            p.fail("end of input")
        }
    }
}

fn star(p: &mut Parser) -> Parsed<SelectField> {
    p.blanks();
    p.char('*', "field name (* or [a..z0..9_$])")?;
    at_end(p)?;
    Ok(plain("*"))
}

fn plain(name: &str) -> SelectField {
    SelectField {
        field: Field { name: name.to_owned(), path: Vec::new() },
        aggregate: None,
        aggregate_cast: None,
        cast: None,
        alias: None,
    }
}

fn count(p: &mut Parser) -> Parsed<SelectField> {
    p.blanks();
    let alias = p.attempt(alias).ok();
    p.string("count()", "\"count()\"")?;
    let aggregate_cast = optional_cast(p)?;
    at_end(p)?;
    Ok(SelectField { aggregate: Some(Aggregate::Count), aggregate_cast, alias, ..plain("*") })
}

fn optional_cast(p: &mut Parser) -> Parsed<Option<crate::ident::CastType>> {
    if p.string("::", "\"::\"").is_ok() { cast(p).map(Some) } else { Ok(None) }
}

fn aggregate(p: &mut Parser) -> Parsed<Aggregate> {
    p.char('.', "\".\"")?;
    let function = [
        ("sum()", Aggregate::Sum),
        ("avg()", Aggregate::Avg),
        ("count()", Aggregate::Count),
        ("max()", Aggregate::Max),
        ("min()", Aggregate::Min),
    ]
    .into_iter()
    .find(|(word, _)| p.looking_at(word));
    match function {
        Some((word, function)) => p.string(word, "aggregate").map(|()| function),
        None => p.fail("aggregate"),
    }
}

fn select_field(p: &mut Parser) -> Parsed<SelectField> {
    if let Ok(found) = p.attempt(star) {
        return Ok(found);
    }
    if let Ok(found) = p.attempt(count) {
        return Ok(found);
    }
    p.blanks();
    let alias = p.attempt(alias).ok();
    let field = field(p)?;
    let cast = optional_cast(p)?;
    let aggregate = p.attempt(aggregate).ok();
    let aggregate_cast = optional_cast(p)?;
    at_end(p)?;
    Ok(SelectField { field, aggregate, aggregate_cast, cast, alias })
}
