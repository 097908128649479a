//! Which policies judge which rows, and what they say together.
//!
//! PostgreSQL's rules: "Policies Applied by Command Type" at CREATE POLICY. A statement that reads columns needs SELECT
//! rights, and its rows must pass the SELECT policies besides; what it writes must be visible to it as well.

use super::policies::PolicyVerdict;
use crate::plan::types::{MutatePlan, Work};

/// Rows that are there, or rows that would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Stored,
    Written,
}

/// One judgement: the policies of a command by one of their clauses over rows of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) command: &'static str,
    pub(super) check: bool,
    pub(super) rows: Kind,
}

const fn using(command: &'static str, rows: Kind) -> Judgement {
    Judgement { command, check: false, rows }
}

const fn check(command: &'static str) -> Judgement {
    Judgement { command, check: true, rows: Kind::Written }
}

/// The judgements that a request meets.
pub(super) fn judged(work: &Work) -> Vec<Judgement> {
    let Work::Mutate { plan, .. } = work else { return vec![using("SELECT", Kind::Stored)] };
    match plan.as_ref() {
        MutatePlan::Insert { on_conflict, returning, .. } => {
            let mut all = vec![check("INSERT")];
            if on_conflict.is_some() {
                all.extend([using("UPDATE", Kind::Stored), using("SELECT", Kind::Stored)]);
                all.push(check("UPDATE"));
            }
            if on_conflict.is_some() || !returning.is_empty() {
                all.push(using("SELECT", Kind::Written));
            }
            all
        }
        MutatePlan::Update { conditions, returning, .. } => {
            let mut all = vec![using("UPDATE", Kind::Stored), check("UPDATE")];
            if !conditions.is_empty() || !returning.is_empty() {
                all.extend([using("SELECT", Kind::Stored), using("SELECT", Kind::Written)]);
            }
            all
        }
        MutatePlan::Delete { conditions, returning, .. } => {
            let mut all = vec![using("DELETE", Kind::Stored)];
            if !conditions.is_empty() || !returning.is_empty() {
                all.push(using("SELECT", Kind::Stored));
            }
            all
        }
    }
}

/// Of each of `rows` rows, whether every judgement lets it pass. An upsert's rows pass if what they meet does, too.
pub(super) fn allowed(
    judged: &[Judgement],
    verdicts: &[PolicyVerdict],
    rows: usize,
    written: bool,
) -> Vec<bool> {
    let stored_at = |row: usize| if written { None } else { Some(row) };
    (0..rows)
        .map(|row| {
            judged.iter().all(|judgement| match (judgement.rows, stored_at(row)) {
                (Kind::Written, _) => passes(*judgement, verdicts, row),
                (Kind::Stored, Some(row)) => passes(*judgement, verdicts, row),
                (Kind::Stored, None) => {
                    (0..stored(verdicts)).all(|row| passes(*judgement, verdicts, row))
                }
            })
        })
        .collect()
}

/// How many stored rows were judged.
fn stored(verdicts: &[PolicyVerdict]) -> usize {
    let lengths = verdicts.iter().filter(|verdict| verdict.of == Kind::Stored);
    lengths.filter_map(|verdict| verdict.holds.as_ref().map(Vec::len)).max().unwrap_or_default()
}

/// At least one permissive policy and every restrictive one.
fn passes(judgement: Judgement, verdicts: &[PolicyVerdict], row: usize) -> bool {
    let mut permitted = false;
    for verdict in verdicts.iter().filter(|verdict| verdict.applies && verdict.judges(judgement)) {
        let holds = verdict.holds.as_ref().and_then(|holds| holds.get(row)).copied();
        match (verdict.permissive, holds.unwrap_or_default()) {
            (true, true) => permitted = true,
            (false, false) => return false,
            _ => {}
        }
    }
    permitted
}
