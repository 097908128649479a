//! Plans: what to read, write or call, with every name resolved against the catalogue.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::ident::{CastType, CatalogSql, Name};
use crate::request::media::MediaType;
use crate::request::prefer::Resolution;
use crate::request::range::RowRange;
use crate::request::types::{
    Aggregate, CallMethod, Direction, JoinType, JsonStep, LogicOperator, Mutation, Nulls, Operation,
};
use crate::schema::{Handler, Parameter, Relationship, Routine};

/// A column as one place of a query needs it: with the conversions that place asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Path into it.
    pub path: Vec<JsonStep>,
    /// The path goes through `to_jsonb`: the column is not JSON itself.
    pub to_json: bool,
    /// Wrapped in `to_tsvector`, with an optional dictionary.
    pub to_tsvector: Option<Option<String>>,
    /// Type of what is read; empty if unknown.
    pub kind: CatalogSql,
    /// Type below domains; empty if unknown.
    pub base_type: String,
    /// Function that converts it.
    pub transform: Option<CatalogSql>,
    /// Default expression.
    pub default: Option<CatalogSql>,
    /// The row as a whole, for `count()` in a spread.
    pub full_row: bool,
}

/// A selected column.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectColumn {
    /// The column.
    pub column: Column,
    /// Aggregate to apply.
    pub aggregate: Option<Aggregate>,
    /// Cast of the aggregate.
    pub aggregate_cast: Option<CastType>,
    /// Cast of the column.
    pub cast: Option<CastType>,
    /// Name in the response.
    pub alias: Option<String>,
}

impl SelectColumn {
    /// A column and nothing else.
    pub fn plain(column: Column, alias: Option<String>) -> Self {
        Self { column, aggregate: None, aggregate_cast: None, cast: None, alias }
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `and`/`or`.
    Node { negated: bool, operator: LogicOperator, children: Vec<Condition> },
    /// A filter.
    Filter { column: Box<Column>, negated: bool, operation: Operation },
    /// Whether an embed is empty, by its alias; negated: whether it is not.
    EmbedIsNull { negated: bool, alias: String },
}

/// A term of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    /// Alias of a to-one embed the column belongs to.
    pub relation: Option<String>,
    /// The column.
    pub column: Column,
    /// Direction.
    pub direction: Option<Direction>,
    /// Where NULLs go.
    pub nulls: Option<Nulls>,
}

/// `left = right` in a join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinCondition {
    /// Table or alias, column.
    pub left: (Name, String),
    /// Table or alias, column.
    pub right: (Name, String),
}

/// A column hoisted out of a spread.
#[derive(Clone, Debug, PartialEq)]
pub struct SpreadColumn {
    /// Name within the spread.
    pub name: String,
    /// Aggregate hoisted with it.
    pub aggregate: Option<Aggregate>,
    /// Cast of the aggregate.
    pub aggregate_cast: Option<CastType>,
    /// Name in the response.
    pub alias: Option<String>,
}

/// What an embed adds to its parent's columns.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbedSelect {
    /// A JSON object or array.
    Json { name: String, alias: String, to_one: bool, empty: bool },
    /// Columns.
    Spread { columns: Vec<SpreadColumn>, alias: String },
}

impl EmbedSelect {
    /// Alias of the embedded sub-query.
    pub fn alias(&self) -> &str {
        match self {
            Self::Json { alias, .. } | Self::Spread { alias, .. } => alias,
        }
    }
}

/// How a spread behaves.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// One row: its columns become the parent's.
    ToOne,
    /// Many rows: each column becomes an array; `extra` columns exist only to order by.
    ToMany { extra: Vec<(Option<String>, SelectColumn)>, order: Vec<OrderBy> },
}

/// A node of the tree of what to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadPlan {
    /// Columns.
    pub select: Vec<SelectColumn>,
    /// Where from.
    pub from: Name,
    /// Under what name.
    pub from_alias: Option<String>,
    /// Conditions, all of which must hold.
    pub conditions: Vec<Condition>,
    /// Order.
    pub order: Vec<OrderBy>,
    /// Rows.
    pub range: RowRange,
    /// Name of the relation in the request.
    pub name: String,
    /// Relationship to the parent.
    pub relationship: Option<Relationship>,
    /// For a computed relationship: how the parent's row is called.
    pub parent_alias: Option<Name>,
    /// Join with the parent.
    pub join_conditions: Vec<JoinCondition>,
    /// Alias in the request.
    pub alias: Option<String>,
    /// Alias of the sub-query.
    pub embed_alias: String,
    /// Hint in the request.
    pub hint: Option<String>,
    /// Join type in the request.
    pub join: Option<JoinType>,
    /// Whether it is spread into the parent.
    pub spread: Option<Spread>,
    /// What the children add to the columns.
    pub embeds: Vec<EmbedSelect>,
    /// Distance from the root.
    pub depth: usize,
    /// The request named it by relation although it has an alias.
    pub legacy_name_used: bool,
    /// Embedded resources.
    pub children: Vec<ReadPlan>,
}

impl ReadPlan {
    /// Name under which the request may refer to it.
    pub fn request_name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// Whether it selects `*` and nothing else.
    pub fn is_default_select(&self) -> bool {
        self.children.is_empty()
            && matches!(self.select.as_slice(), [only] if only.column.name == "*")
    }
}

/// A write.
#[derive(Clone, Debug, PartialEq)]
pub enum MutatePlan {
    /// INSERT.
    Insert {
        into: Name,
        columns: Vec<Column>,
        body: Option<Bytes>,
        on_conflict: Option<(Resolution, Vec<String>)>,
        /// Conditions of a PUT: the body must match its key.
        conditions: Vec<Condition>,
        returning: Vec<String>,
        primary_key: Vec<String>,
        defaults: bool,
    },
    /// UPDATE.
    Update {
        table: Name,
        columns: Vec<Column>,
        body: Option<Bytes>,
        conditions: Vec<Condition>,
        returning: Vec<String>,
        defaults: bool,
    },
    /// DELETE.
    Delete { from: Name, conditions: Vec<Condition>, returning: Vec<String> },
}

/// Arguments of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments {
    /// The body is the one unnamed argument.
    Whole { parameter: Parameter, body: Option<Bytes> },
    /// From the query string or a form.
    Direct(Vec<(Parameter, ArgumentValue)>),
    /// Keys of a JSON body.
    Json { parameters: Vec<Parameter>, body: Option<Bytes> },
}

/// An argument from the query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentValue {
    /// One value.
    One(String),
    /// Values of a variadic parameter.
    Many(Vec<String>),
    /// Not given.
    Missing,
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPlan {
    /// The function.
    pub routine: Routine,
    /// Its arguments.
    pub arguments: Arguments,
    /// Columns the conditions look at.
    pub filter_columns: BTreeSet<String>,
    /// Columns the response needs.
    pub returning: BTreeSet<String>,
}

/// What is done with the database.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Read a relation.
    Read { head: bool },
    /// Write a relation.
    Mutate { plan: Box<MutatePlan>, mutation: Mutation },
    /// Call a function.
    Call { plan: Box<CallPlan>, method: CallMethod },
}

/// A plan for rows.
#[derive(Clone, Debug, PartialEq)]
pub struct CrudPlan {
    /// What to do.
    pub work: Work,
    /// What to read of the result.
    pub read: ReadPlan,
    /// How rows become a body.
    pub handler: Handler,
    /// What the body is.
    pub media: MediaType,
    /// The relation or function.
    pub target: Name,
    /// Whether the transaction may write.
    pub read_only: bool,
    /// Rows at most.
    pub max_rows: Option<i64>,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Rows.
    Crud(Box<CrudPlan>),
    /// The OpenAPI document of a schema.
    OpenApi { schema: String, head: bool },
    /// Verbs of a relation, as an `Allow` header.
    Info(String),
}
