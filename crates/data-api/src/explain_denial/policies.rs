//! Policies and what they say of rows, asked as the subject.

use bytes::Bytes;
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::judge::{Judgement, Kind};
use super::rows::{Found, Given, record};
use super::{as_subject, reason};
use crate::ident::CatalogSql;
use crate::schema::Table;
use crate::sql::{Param, Sql, Statement};

/// What one clause of one policy says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyVerdict {
    /// Its name.
    pub name: String,
    /// ALL, SELECT, INSERT, UPDATE or DELETE.
    pub command: String,
    /// All restrictive and at least one permissive policy must hold.
    pub permissive: bool,
    /// Whether it is for the subject's role.
    pub applies: bool,
    /// `USING` or `WITH CHECK`.
    pub clause: &'static str,
    /// `stored`: rows as they are; `written`: as they would be.
    pub(super) of: Kind,
    /// The expression.
    pub expression: String,
    /// Its value for each row; NULL counts as false. `None` if it could not be evaluated.
    pub holds: Option<Vec<bool>>,
    /// Why it could not.
    pub error: Option<String>,
    /// The judgements that it is part of.
    #[serde(skip)]
    part_of: Vec<Judgement>,
}

impl PolicyVerdict {
    pub(super) fn judges(&self, judgement: Judgement) -> bool {
        self.part_of.contains(&judgement)
    }
}

/// A policy of the table.
pub(super) struct Policy {
    name: String,
    command: String,
    permissive: bool,
    applies: bool,
    using: Option<String>,
    check: Option<String>,
}

/// Every policy of a table; one applies to who inherits the rights of a role that it is for.
pub(super) async fn find(
    above: &Client,
    table: &Table,
    role: &str,
) -> Result<Vec<Policy>, tokio_postgres::Error> {
    let rows = above
        .query(
            "SELECT policyname::text, cmd, permissive = 'PERMISSIVE', qual, with_check,
               EXISTS (SELECT FROM pg_catalog.unnest(roles) r
                 WHERE r = 'public' OR pg_has_role($3::text::name, r, 'usage'))
             FROM pg_policies WHERE schemaname = $1 AND tablename = $2 ORDER BY 1",
            &[&table.name.schema, &table.name.name, &role],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Policy {
                name: row.try_get(0)?,
                command: row.try_get(1)?,
                permissive: row.try_get(2)?,
                using: row.try_get(3)?,
                check: row.try_get(4)?,
                applies: row.try_get(5)?,
            })
        })
        .collect()
}

/// What each policy says in each judgement; the same expression over the same rows is asked once.
pub(super) async fn evaluate(
    login: &Client,
    table: &Table,
    policies: &[Policy],
    judged: &[Judgement],
    found: &Found,
    who: &Statement,
) -> Vec<PolicyVerdict> {
    let mut verdicts: Vec<PolicyVerdict> = Vec::new();
    for policy in policies {
        let of_policy = verdicts.len();
        for judgement in judged {
            if !(policy.command == "ALL" || policy.command == judgement.command) {
                continue;
            }
            // Without WITH CHECK the USING expression judges what is written, too.
            let check = policy.check.as_ref().filter(|_| judgement.check);
            let Some(expression) = check.or(policy.using.as_ref()) else { continue };
            let same = verdicts
                .iter_mut()
                .skip(of_policy)
                .find(|verdict| verdict.of == judgement.rows && verdict.expression == *expression);
            if let Some(same) = same {
                same.part_of.push(*judgement);
                continue;
            }
            let given = match judgement.rows {
                Kind::Stored => &found.stored,
                Kind::Written => &found.written,
            };
            let holds = holds(login, table, expression, given, found, who).await;
            verdicts.push(PolicyVerdict {
                name: policy.name.clone(),
                command: policy.command.clone(),
                permissive: policy.permissive,
                applies: policy.applies,
                clause: if judgement.check { "WITH CHECK" } else { "USING" },
                of: judgement.rows,
                expression: expression.clone(),
                error: holds.as_ref().err().map(reason),
                holds: holds.ok(),
                part_of: vec![*judgement],
            });
        }
    }
    verdicts
}

/// One expression over rows, as the subject. Within its own sub-select, where no name of ours stands in its way.
async fn holds(
    login: &Client,
    table: &Table,
    expression: &str,
    given: &[Given],
    found: &Found,
    who: &Statement,
) -> Result<Vec<bool>, tokio_postgres::Error> {
    let statement = Sql::text("SELECT (SELECT coalesce((")
        .catalog(&CatalogSql::from_catalog(expression.to_owned()))
        .raw("), false) FROM ")
        .then(record(table, found))
        .raw(" AS ")
        .ident(&table.name.name)
        .raw(") FROM ")
        .then(rows_of(given))
        .finish();
    as_subject(login, who, &statement).await?.iter().map(|row| row.try_get(0)).collect()
}

/// `FROM` the given rows, in order, under the name `pgrst_given`.
pub(super) fn rows_of(given: &[Given]) -> Sql {
    let data = serde_json::to_vec(given).unwrap_or_default();
    Sql::text("pg_catalog.jsonb_array_elements(")
        .param(Param::typed(Some(Bytes::from(data)), Type::JSONB))
        .raw(") WITH ORDINALITY AS pgrst_given(item, place) ORDER BY pgrst_given.place")
}
