//! What a client asked for, before the catalogue is consulted.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::ident::{CastType, Name};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// GET or HEAD on a relation.
    Read { relation: Name, head: bool },
    /// POST, PATCH, PUT or DELETE on a relation.
    Mutate { relation: Name, mutation: Mutation },
    /// A function call.
    Call { function: Name, method: CallMethod },
    /// The OpenAPI document of a schema.
    Schema { schema: String, head: bool },
    /// OPTIONS on a relation.
    RelationInfo(Name),
    /// OPTIONS on a function.
    FunctionInfo(Name),
    /// OPTIONS on the root.
    SchemaInfo,
}

/// The verb of a function call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallMethod {
    /// GET: arguments in the query string, read-only transaction.
    Get,
    /// HEAD: as GET, without a body.
    Head,
    /// POST: arguments in the body.
    Post,
}

impl CallMethod {
    /// Whether the arguments come from the query string.
    pub fn is_read(self) -> bool {
        self != Self::Post
    }
}

/// The verb of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// POST.
    Create,
    /// PATCH.
    Update,
    /// PUT.
    SingleUpsert,
    /// DELETE.
    Delete,
}

/// A request body, as far as it had to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// JSON whose objects all have the same keys.
    Json { raw: Bytes, keys: BTreeSet<String> },
    /// JSON that was not looked into: `columns` names the keys.
    RawJson(Bytes),
    /// A form.
    Form { pairs: Vec<(String, String)>, keys: BTreeSet<String> },
    /// Text, XML or bytes for a single unnamed parameter.
    Raw(Bytes),
}

impl Payload {
    /// The body as it is handed to SQL.
    pub fn raw(&self) -> Option<&Bytes> {
        match self {
            Self::Json { raw, .. } | Self::RawJson(raw) | Self::Raw(raw) => Some(raw),
            Self::Form { .. } => None,
        }
    }
}

/// One step of a path into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonStep {
    /// `->>` rather than `->`.
    pub as_text: bool,
    /// Where to step.
    pub operand: JsonOperand,
}

/// A key or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonOperand {
    /// Object key.
    Key(String),
    /// Array index with its sign.
    Index(String),
}

/// A column with an optional path into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Column name.
    pub name: String,
    /// Path into JSON, a composite or an array.
    pub path: Vec<JsonStep>,
}

/// An item of `select`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectItem {
    /// `alias:field::cast.aggregate()::cast`.
    Field(SelectField),
    /// `alias:relation!hint!inner(…)` or `...relation(…)`.
    Relation(SelectRelation),
}

/// A selected column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectField {
    /// The column.
    pub field: Field,
    /// Aggregate to apply.
    pub aggregate: Option<Aggregate>,
    /// Cast of the aggregate's result.
    pub aggregate_cast: Option<CastType>,
    /// Cast of the column.
    pub cast: Option<CastType>,
    /// Name in the response.
    pub alias: Option<String>,
}

/// A related resource to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectRelation {
    /// Table, view, function, constraint or column that names the relation.
    pub name: String,
    /// Name in the response.
    pub alias: Option<String>,
    /// Constraint, column or junction that picks one of several relationships.
    pub hint: Option<String>,
    /// `!inner` or `!left`.
    pub join: Option<JoinType>,
    /// `...`: hoist the columns into the parent.
    pub spread: bool,
    /// What to select from it.
    pub items: Vec<SelectItem>,
}

/// How an embed joins its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinType {
    /// Rows of the parent without a match vanish.
    Inner,
    /// The default.
    Left,
}

/// Aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// `sum()`
    Sum,
    /// `avg()`
    Avg,
    /// `max()`
    Max,
    /// `min()`
    Min,
    /// `count()`
    Count,
}

/// A term of `order`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm {
    /// Embedded to-one resource whose column orders, if any.
    pub relation: Option<String>,
    /// The column.
    pub field: Field,
    /// `asc` or `desc`.
    pub direction: Option<Direction>,
    /// `nullsfirst` or `nullslast`.
    pub nulls: Option<Nulls>,
}

/// Order direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending.
    Asc,
    /// Descending.
    Desc,
}

/// Where NULLs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Before values.
    First,
    /// After values.
    Last,
}

/// A filter on one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The column.
    pub field: Field,
    /// `not.`
    pub negated: bool,
    /// Operator and value.
    pub operation: Operation,
}

/// Filters combined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogicTree {
    /// `not.and(…)`, `or(…)`.
    Node { negated: bool, operator: LogicOperator, children: Vec<LogicTree> },
    /// A filter.
    Leaf(Filter),
}

/// `and` or `or`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicOperator {
    /// All.
    And,
    /// Any.
    Or,
}

/// Operator and value of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An operator between column and value.
    Simple(SimpleOperator, String),
    /// An operator that takes `(any)` or `(all)`.
    Quantified(QuantOperator, Option<Quantifier>, String),
    /// `in.(…)`
    In(Vec<String>),
    /// `is.null` and friends.
    Is(IsValue),
    /// `isdistinct.`
    IsDistinct(String),
    /// Full-text search with an optional dictionary.
    FullText(FullTextOperator, Option<String>, String),
}

/// `any` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// One element is enough.
    Any,
    /// Every element.
    All,
}

/// Operand of `is`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsValue {
    /// `null`
    Null,
    /// `not_null`
    NotNull,
    /// `true`
    True,
    /// `false`
    False,
    /// `unknown`
    Unknown,
}

/// Operators that take `any`/`all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantOperator {
    /// `eq`
    Equal,
    /// `gte`
    GreaterEqual,
    /// `gt`
    Greater,
    /// `lte`
    LessEqual,
    /// `lt`
    Less,
    /// `like`
    Like,
    /// `ilike`
    ILike,
    /// `match`
    Match,
    /// `imatch`
    IMatch,
}

/// Other operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimpleOperator {
    /// `neq`
    NotEqual,
    /// `cs`
    Contains,
    /// `cd`
    Contained,
    /// `ov`
    Overlap,
    /// `sl`
    StrictlyLeft,
    /// `sr`
    StrictlyRight,
    /// `nxr`
    NotExtendsRight,
    /// `nxl`
    NotExtendsLeft,
    /// `adj`
    Adjacent,
}

/// How a full-text query is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullTextOperator {
    /// `fts`
    Plain,
    /// `plfts`
    PlainTo,
    /// `phfts`
    Phrase,
    /// `wfts`
    WebSearch,
}

/// Names of embeds from the root to a node; empty is the root.
pub type EmbedPath = Vec<String>;
