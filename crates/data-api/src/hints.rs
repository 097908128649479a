//! "Perhaps you meant": the closest name by shared letter groups and edit distance.

use std::collections::{BTreeSet, HashMap};

use crate::ident::Name;
use crate::schema::{Catalog, Relationships};

/// Least similarity for naming a table or function the caller did not name.
const NAME_SCORE: f64 = 0.75;
/// Least similarity elsewhere.
const LOOSE_SCORE: f64 = 0.33;
/// Schemas with more tables get no hint: comparing would cost more than the request.
const MOST_TABLES: usize = 500;

/// A table of the schema with a similar name.
pub(crate) fn table(catalog: &Catalog, name: &Name) -> Option<String> {
    let names: Vec<&str> = catalog
        .tables
        .keys()
        .filter(|table| table.schema == name.schema)
        .map(|table| table.name.as_str())
        .collect();
    if names.len() >= MOST_TABLES {
        return None;
    }
    let (_, found) = closest(&names, &name.name, NAME_SCORE)?;
    Some(format!("Perhaps you meant the table '{}.{found}'", name.schema))
}

/// A function with a similar name, or the same name and similar parameters.
pub(crate) fn function(
    catalog: &Catalog,
    name: &Name,
    parameters: &BTreeSet<String>,
) -> Option<String> {
    let found = match catalog.routines.get(name) {
        None => {
            let names: Vec<&str> = catalog
                .routines
                .keys()
                .filter(|routine| routine.schema == name.schema)
                .map(|routine| routine.name.as_str())
                .collect();
            closest(&names, &name.name, NAME_SCORE)?.1.to_owned()
        }
        Some(overloads) => {
            let list = |mut names: Vec<&str>| {
                names.sort_unstable();
                format!("({})", names.join(", "))
            };
            let lists: Vec<String> = overloads
                .iter()
                .map(|routine| {
                    list(
                        routine
                            .parameters
                            .iter()
                            .map(|parameter| parameter.name.as_str())
                            .collect(),
                    )
                })
                .collect();
            let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
            let given = list(parameters.iter().map(String::as_str).collect());
            format!("{}{}", name.name, closest(&lists, &given, LOOSE_SCORE)?.1)
        }
    };
    Some(format!("Perhaps you meant to call the function {}.{found}", name.schema))
}

/// A relation similar to the origin if that is unknown, else one related to it similar to the target.
pub(crate) fn relationship(
    schema: &str,
    relationships: &Relationships,
    origin: &str,
    target: &str,
) -> Option<String> {
    let key = (Name::new(schema, origin), schema.to_owned());
    let (names, wrong): (Vec<&str>, &str) = match relationships.get(&key) {
        Some(known) => (
            known.iter().map(|relationship| relationship.foreign().name.as_str()).collect(),
            target,
        ),
        None => (
            relationships
                .keys()
                .filter(|(_, to)| to == schema)
                .map(|(name, _)| name.name.as_str())
                .collect(),
            origin,
        ),
    };
    // The target itself is known: the hint must be what is wrong.
    let (score, found) = closest(&names, wrong, LOOSE_SCORE)?;
    (score < 1.0 || wrong == origin)
        .then(|| format!("Perhaps you meant '{found}' instead of '{wrong}'."))
}

fn normal(text: &str) -> String {
    text.to_lowercase()
}

fn grams(text: &str, size: usize) -> HashMap<String, f64> {
    let kept: String =
        text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ',' | ' ' | '_')).collect();
    let padded: Vec<char> = format!("-{kept}-").chars().collect();
    let mut found = HashMap::new();
    for window in padded.windows(size) {
        *found.entry(window.iter().collect()).or_insert(0.0) += 1.0;
    }
    found
}

fn cosine(a: &HashMap<String, f64>, b: &HashMap<String, f64>) -> f64 {
    let dot: f64 =
        a.iter().filter_map(|(gram, count)| b.get(gram).map(|other| count * other)).sum();
    let norm = |grams: &HashMap<String, f64>| {
        grams.values().map(|count| count * count).sum::<f64>().sqrt()
    };
    let norms = norm(a) * norm(b);
    if norms == 0.0 { 0.0 } else { dot / norms }
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, d) in b.iter().enumerate() {
            let replace = row.get(j).copied().unwrap_or_default() + usize::from(c != *d);
            let delete = row.get(j + 1).copied().unwrap_or_default() + 1;
            let insert = next.last().copied().unwrap_or_default() + 1;
            next.push(replace.min(delete).min(insert));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "lengths of names are small")]
fn similarity(a: &str, b: &str) -> f64 {
    let longest = a.chars().count().max(b.chars().count());
    if longest == 0 { 1.0 } else { 1.0 - edit_distance(a, b) as f64 / longest as f64 }
}

fn closest<'a>(names: &[&'a str], wanted: &str, least: f64) -> Option<(f64, &'a str)> {
    let wanted = normal(wanted);
    if let Some(same) = names.iter().find(|name| normal(name) == wanted) {
        return Some((1.0, same));
    }
    for size in [3, 2] {
        let own = grams(&wanted, size);
        let mut matches: Vec<(f64, &str)> = names
            .iter()
            .map(|name| (cosine(&own, &grams(&normal(name), size)), *name))
            .filter(|(score, _)| *score > 0.0)
            .collect();
        matches.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        matches.truncate(50);
        let best = matches
            .into_iter()
            .map(|(_, name)| (similarity(&wanted, &normal(name)), name))
            .filter(|(score, _)| *score >= least)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)));
        if best.is_some() {
            return best;
        }
    }
    None
}
