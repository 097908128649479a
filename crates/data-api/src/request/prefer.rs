//! The `Prefer` header (RFC 7240).

use http::HeaderMap;

/// `resolution=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Upsert.
    Merge,
    /// Keep what is there.
    Ignore,
}

/// `return=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// The rows after the write.
    Representation,
    /// Nothing.
    Minimal,
    /// `Location`.
    HeadersOnly,
}

/// `count=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Counted.
    Exact,
    /// The planner's guess.
    Planned,
    /// Exact up to the row cap, then the planner's guess.
    Estimated,
}

/// `tx=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxEnd {
    /// Keep the changes.
    Commit,
    /// Undo them.
    Rollback,
}

/// Preferences of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Upsert behaviour.
    pub resolution: Option<Resolution>,
    /// What a write returns.
    pub returning: Option<Return>,
    /// How rows are counted.
    pub count: Option<Count>,
    /// How the transaction ends, where allowed.
    pub tx: Option<TxEnd>,
    /// `missing=default` (true) or `missing=null`.
    pub missing_default: Option<bool>,
    /// `handling=strict` (true) or `lenient`.
    pub strict: Option<bool>,
    /// `timezone=`
    pub timezone: Option<String>,
    /// `max-affected=`
    pub max_affected: Option<i64>,
    /// Preferences nobody knows.
    pub invalid: Vec<String>,
}

fn resolution(text: &str) -> Option<Resolution> {
    match text {
        "resolution=merge-duplicates" => Some(Resolution::Merge),
        "resolution=ignore-duplicates" => Some(Resolution::Ignore),
        _ => None,
    }
}

fn returning(text: &str) -> Option<Return> {
    match text {
        "return=representation" => Some(Return::Representation),
        "return=minimal" => Some(Return::Minimal),
        "return=headers-only" => Some(Return::HeadersOnly),
        _ => None,
    }
}

fn count(text: &str) -> Option<Count> {
    match text {
        "count=exact" => Some(Count::Exact),
        "count=planned" => Some(Count::Planned),
        "count=estimated" => Some(Count::Estimated),
        _ => None,
    }
}

fn tx(text: &str) -> Option<TxEnd> {
    match text {
        "tx=commit" => Some(TxEnd::Commit),
        "tx=rollback" => Some(TxEnd::Rollback),
        _ => None,
    }
}

fn missing(text: &str) -> Option<bool> {
    match text {
        "missing=default" => Some(true),
        "missing=null" => Some(false),
        _ => None,
    }
}

fn handling(text: &str) -> Option<bool> {
    match text {
        "handling=strict" => Some(true),
        "handling=lenient" => Some(false),
        _ => None,
    }
}

impl Preferences {
    /// Reads all `Prefer` headers; the first of a kind counts. `tx` is ignored unless the configuration allows it.
    pub fn parse(headers: &HeaderMap, allow_tx: bool) -> Self {
        let values: Vec<&str> = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let mut prefer = Self::default();
        for value in values {
            let known = resolution(value)
                .inspect(|found| {
                    prefer.resolution.get_or_insert(*found);
                })
                .is_some()
                || returning(value)
                    .inspect(|found| {
                        prefer.returning.get_or_insert(*found);
                    })
                    .is_some()
                || count(value)
                    .inspect(|found| {
                        prefer.count.get_or_insert(*found);
                    })
                    .is_some()
                || tx(value)
                    .inspect(|found| {
                        prefer.tx.get_or_insert(*found);
                    })
                    .is_some()
                || missing(value)
                    .inspect(|found| {
                        prefer.missing_default.get_or_insert(*found);
                    })
                    .is_some()
                || handling(value)
                    .inspect(|found| {
                        prefer.strict.get_or_insert(*found);
                    })
                    .is_some();
            if known {
                continue;
            }
            if let Some(zone) = value.strip_prefix("timezone=") {
                prefer.timezone.get_or_insert_with(|| zone.to_owned());
            } else if let Some(number) = value.strip_prefix("max-affected=") {
                prefer.max_affected = prefer.max_affected.or_else(|| number.parse().ok());
            } else {
                prefer.invalid.push(value.to_owned());
            }
        }
        if !allow_tx {
            prefer.tx = None;
        }
        prefer
    }

    /// Whether the exact number of rows is needed.
    pub fn counts_rows(&self) -> bool {
        matches!(self.count, Some(Count::Exact | Count::Estimated))
    }

    /// Whether the planner's guess is needed.
    pub fn explains_count(&self) -> bool {
        matches!(self.count, Some(Count::Planned | Count::Estimated))
    }

    /// `Preference-Applied`, in a fixed order; `None` when nothing applied.
    pub fn applied(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        let mut add = |part: &str| parts.push(part.to_owned());
        match self.resolution {
            Some(Resolution::Merge) => add("resolution=merge-duplicates"),
            Some(Resolution::Ignore) => add("resolution=ignore-duplicates"),
            None => {}
        }
        match self.missing_default {
            Some(true) => add("missing=default"),
            Some(false) => add("missing=null"),
            None => {}
        }
        match self.returning {
            Some(Return::Representation) => add("return=representation"),
            Some(Return::Minimal) => add("return=minimal"),
            Some(Return::HeadersOnly) => add("return=headers-only"),
            None => {}
        }
        match self.count {
            Some(Count::Exact) => add("count=exact"),
            Some(Count::Planned) => add("count=planned"),
            Some(Count::Estimated) => add("count=estimated"),
            None => {}
        }
        match self.tx {
            Some(TxEnd::Commit) => add("tx=commit"),
            Some(TxEnd::Rollback) => add("tx=rollback"),
            None => {}
        }
        match self.strict {
            Some(true) => add("handling=strict"),
            Some(false) => add("handling=lenient"),
            None => {}
        }
        if let Some(zone) = &self.timezone {
            add(&format!("timezone={zone}"));
        }
        if let Some(number) = self.max_affected.filter(|_| self.strict == Some(true)) {
            add(&format!("max-affected={number}"));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
