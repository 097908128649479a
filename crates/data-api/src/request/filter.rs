//! Filters: `column=op.value`, logic trees and order.

use super::names::{dotted, field, field_name, identifier, quoted};
use super::parser::{Parsed, Parser};
use super::select::MAX_DEPTH;
use super::types::{
    Direction, Filter, FullTextOperator, IsValue, LogicOperator, LogicTree, Nulls, Operation,
    OrderTerm, QuantOperator, Quantifier, SimpleOperator,
};

const OPERATOR: &str = "operator (eq, gt, ...)";
const DELIMITER: &str = "delimiter (.)";

const SIMPLE: [(&str, SimpleOperator); 9] = [
    ("neq", SimpleOperator::NotEqual),
    ("cs", SimpleOperator::Contains),
    ("cd", SimpleOperator::Contained),
    ("ov", SimpleOperator::Overlap),
    ("sl", SimpleOperator::StrictlyLeft),
    ("sr", SimpleOperator::StrictlyRight),
    ("nxr", SimpleOperator::NotExtendsRight),
    ("nxl", SimpleOperator::NotExtendsLeft),
    ("adj", SimpleOperator::Adjacent),
];

const QUANTIFIABLE: [(&str, QuantOperator); 9] = [
    ("eq", QuantOperator::Equal),
    ("gte", QuantOperator::GreaterEqual),
    ("gt", QuantOperator::Greater),
    ("lte", QuantOperator::LessEqual),
    ("lt", QuantOperator::Less),
    ("like", QuantOperator::Like),
    ("ilike", QuantOperator::ILike),
    ("match", QuantOperator::Match),
    ("imatch", QuantOperator::IMatch),
];

const FULL_TEXT: [(&str, FullTextOperator); 4] = [
    ("fts", FullTextOperator::Plain),
    ("plfts", FullTextOperator::PlainTo),
    ("phfts", FullTextOperator::Phrase),
    ("wfts", FullTextOperator::WebSearch),
];

const IS: [(&str, IsValue); 5] = [
    ("not_null", IsValue::NotNull),
    ("null", IsValue::Null),
    ("true", IsValue::True),
    ("false", IsValue::False),
    ("unknown", IsValue::Unknown),
];

/// How a value ends: at the end of the parameter, or at `,` and `)` within a logic tree.
#[derive(Clone, Copy)]
pub(super) enum ValueEnd {
    Input,
    Tree,
}

/// `not.op(modifier).value`.
pub(super) fn operation(p: &mut Parser, end: ValueEnd) -> Parsed<(bool, Operation)> {
    let negated =
        p.attempt(|p| p.string("not", "\"not\"").and_then(|()| p.char('.', DELIMITER))).is_ok();
    let start = p.position();
    let word = p.take_while(|c| c.is_ascii_lowercase());
    if let Some(operation) = by_name(p, &word, end)? {
        return Ok((negated, operation));
    }
    p.reset(start);
    p.fail(OPERATOR)
}

fn by_name(p: &mut Parser, word: &str, end: ValueEnd) -> Parsed<Option<Operation>> {
    let plain = p.peek() == Some('.');
    let find_simple = SIMPLE.iter().find(|(name, _)| *name == word).filter(|_| plain);
    if let Some((_, operator)) = find_simple {
        p.any();
        return value(p, end).map(|value| Some(Operation::Simple(*operator, value)));
    }
    match word {
        "in" if plain => {
            p.any();
            return list(p).map(|values| Some(Operation::In(values)));
        }
        "is" if plain => {
            p.any();
            return is_value(p).map(|value| Some(Operation::Is(value)));
        }
        "isdistinct" if plain => {
            p.any();
            return value(p, end).map(|value| Some(Operation::IsDistinct(value)));
        }
        _ => {}
    }
    if let Some((_, operator)) = QUANTIFIABLE.iter().find(|(name, _)| *name == word) {
        let quantifier = if p.string("(any)", OPERATOR).is_ok() {
            Some(Quantifier::Any)
        } else if p.string("(all)", OPERATOR).is_ok() {
            Some(Quantifier::All)
        } else {
            None
        };
        return match p.char('.', DELIMITER) {
            Ok(()) => {
                value(p, end).map(|value| Some(Operation::Quantified(*operator, quantifier, value)))
            }
            Err(_) => Ok(None),
        };
    }
    if let Some((_, operator)) = FULL_TEXT.iter().find(|(name, _)| *name == word) {
        let language = p.attempt(|p| {
            p.char('(', OPERATOR)?;
            let language = identifier(p)?;
            p.char(')', OPERATOR)?;
            Ok(language)
        });
        return match p.char('.', DELIMITER) {
            Ok(()) => value(p, end)
                .map(|value| Some(Operation::FullText(*operator, language.ok(), value))),
            Err(_) => Ok(None),
        };
    }
    Ok(None)
}

fn is_value(p: &mut Parser) -> Parsed<IsValue> {
    for (word, value) in IS {
        if p.string_any_case(word) {
            return Ok(value);
        }
    }
    p.fail("isVal: (null, not_null, true, false, unknown)")
}

fn value(p: &mut Parser, end: ValueEnd) -> Parsed<String> {
    match end {
        ValueEnd::Input => Ok(p.rest()),
        ValueEnd::Tree => Ok(element(p, true)),
    }
}

/// A quoted value that ends at `,`, `)` or the input; else an array literal if allowed; else anything up to `,` or `)`.
fn element(p: &mut Parser, arrays: bool) -> String {
    let whole = p.attempt(|p| {
        let value = quoted(p)?;
        match p.peek() {
            None | Some(',' | ')') => Ok(value),
            _ => p.fail("\",\""),
        }
    });
    if let Ok(value) = whole {
        return value;
    }
    if arrays {
        let array = p.attempt(|p| {
            p.char('{', "\"{\"")?;
            let inner = p.take_while(|c| c != '{' && c != '}');
            p.char('}', "\"}\"")?;
            Ok(format!("{{{inner}}}"))
        });
        if let Ok(value) = array {
            return value;
        }
    }
    p.take_while(|c| c != ',' && c != ')')
}

fn list(p: &mut Parser) -> Parsed<Vec<String>> {
    p.blanks();
    p.char('(', "\"(\"")?;
    p.blanks();
    let mut values = vec![element(p, false)];
    while p.char(',', "\",\"").is_ok() {
        values.push(element(p, false));
    }
    p.blanks();
    p.char(')', "\")\"")?;
    p.blanks();
    Ok(values)
}

/// `and(a.eq.1,not.or(…))` or a single filter.
pub(super) fn logic_tree(p: &mut Parser, depth: usize) -> Parsed<LogicTree> {
    if let Ok(filter) = p.attempt(logic_filter) {
        return Ok(LogicTree::Leaf(filter));
    }
    let start = p.position();
    let negated = p
        .attempt(|p| {
            p.string("not", "negation operator (not)").and_then(|()| p.char('.', DELIMITER))
        })
        .is_ok();
    let operator = if p.string("and", "logic operator (and, or)").is_ok() {
        LogicOperator::And
    } else if p.string("or", "logic operator (and, or)").is_ok() {
        LogicOperator::Or
    } else {
        p.reset(start);
        return Err(super::parser::NoMatch);
    };
    if depth >= MAX_DEPTH {
        return p.fail("fewer nested conditions");
    }
    p.blanks();
    p.char('(', "\"(\"")?;
    p.blanks();
    let mut children = vec![logic_tree(p, depth + 1)?];
    loop {
        p.blanks();
        if p.char(',', "\",\"").is_err() {
            break;
        }
        p.blanks();
        children.push(logic_tree(p, depth + 1)?);
    }
    p.char(')', "\")\"")?;
    p.blanks();
    Ok(LogicTree::Node { negated, operator, children })
}

fn logic_filter(p: &mut Parser) -> Parsed<Filter> {
    let field = field(p)?;
    p.char('.', DELIMITER)?;
    let (negated, operation) = operation(p, ValueEnd::Tree)?;
    Ok(Filter { field, negated, operation })
}

/// The key of a logic tree: `embed.not.or` gives the embeds and `not.or`.
pub(super) fn logic_path(p: &mut Parser) -> Parsed<(Vec<String>, String)> {
    let mut path = dotted(p)?;
    let operator = path.pop().unwrap_or_default();
    let negated = path.iter().any(|name| name == "not");
    path.retain(|name| name != "not");
    Ok((path, if negated { format!("not.{operator}") } else { operator }))
}

/// `a.desc.nullslast,embed(b)`.
pub(super) fn order(p: &mut Parser) -> Parsed<Vec<OrderTerm>> {
    let mut terms = Vec::new();
    loop {
        p.blanks();
        terms.push(order_term(p)?);
        p.blanks();
        if p.char(',', "\",\"").is_err() {
            return Ok(terms);
        }
    }
}

fn order_term(p: &mut Parser) -> Parsed<OrderTerm> {
    let related = p.attempt(|p| {
        let relation = field_name(p)?;
        p.char('(', "\"(\"")?;
        let field = field(p)?;
        p.char(')', "\")\"")?;
        Ok((Some(relation), field))
    });
    let (relation, field) = match related {
        Ok(found) => found,
        Err(_) => (None, field(p)?),
    };
    let direction = if p.attempt(|p| word(p, "asc", "\"asc\"")).is_ok() {
        Some(Direction::Asc)
    } else if p.attempt(|p| word(p, "desc", "\"desc\"")).is_ok() {
        Some(Direction::Desc)
    } else {
        None
    };
    let nulls = if p.attempt(|p| word(p, "nullsfirst", "\"nullsfirst\"")).is_ok() {
        Some(Nulls::First)
    } else if p.attempt(|p| word(p, "nullslast", "\"nullslast\"")).is_ok() {
        Some(Nulls::Last)
    } else {
        None
    };
    p.blanks();
    Ok(OrderTerm { relation, field, direction, nulls })
}

fn word(p: &mut Parser, word: &str, label: &'static str) -> Parsed<()> {
    p.char('.', DELIMITER)?;
    p.string(word, label)
}
