//! Functions that can be called.

use serde::{Deserialize, Serialize};

use crate::ident::{CatalogSql, Name};

/// What a function may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Volatility {
    /// May write.
    Volatile,
    /// Reads only.
    Stable,
    /// Reads nothing.
    Immutable,
}

/// What a function returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Returns {
    /// Any number of rows.
    pub set: bool,
    /// A row type rather than a scalar.
    pub composite: bool,
    /// The type, or the table it belongs to.
    pub name: Name,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name, empty if it has none.
    pub name: String,
    /// Type as shown.
    pub kind: String,
    /// Type to parse a value into: lengths that would truncate are widened.
    pub parse_type: CatalogSql,
    /// No default.
    pub required: bool,
    /// VARIADIC.
    pub variadic: bool,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Routine {
    /// Its OID.
    pub oid: u32,
    /// Its name.
    pub name: Name,
    /// Comment.
    pub description: Option<String>,
    /// Input parameters in order.
    pub parameters: Vec<Parameter>,
    /// Result.
    pub returns: Returns,
    /// What it may change.
    pub volatility: Volatility,
    /// Runs with its owner's rights.
    pub definer: bool,
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
    /// `default_transaction_isolation` set on the function.
    pub isolation: Option<String>,
    /// Settings of the function that must hold before it starts.
    pub settings: Vec<(String, String)>,
}

impl Routine {
    /// One value.
    pub fn returns_scalar(&self) -> bool {
        !self.returns.set && !self.returns.composite
    }

    /// Any number of values.
    pub fn returns_set_of_scalar(&self) -> bool {
        self.returns.set && !self.returns.composite
    }

    /// One row.
    pub fn returns_single_composite(&self) -> bool {
        !self.returns.set && self.returns.composite
    }

    /// Nothing.
    pub fn returns_void(&self) -> bool {
        self.returns_scalar() && self.returns.name == Name::new("pg_catalog", "void")
    }

    /// Table whose rows it returns.
    pub fn table(&self) -> Option<&str> {
        self.returns.composite.then_some(self.returns.name.name.as_str())
    }
}

/// A function with its owner's rights that everybody may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDefiner {
    /// Its OID.
    pub oid: u32,
    /// Its name.
    pub name: Name,
    /// The relation whose row is its only argument.
    pub row: Option<Name>,
    /// Roles that it is granted to by name.
    pub granted_to: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct OpenDefinerRow {
    oid: u32,
    schema: String,
    name: String,
    row_schema: Option<String>,
    row_name: Option<String>,
    granted_to: Vec<String>,
}

impl From<OpenDefinerRow> for OpenDefiner {
    fn from(row: OpenDefinerRow) -> Self {
        Self {
            oid: row.oid,
            name: Name::new(row.schema, row.name),
            row: row.row_schema.zip(row.row_name).map(|(schema, name)| Name::new(schema, name)),
            granted_to: row.granted_to,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RoutineRow {
    oid: u32,
    schema: String,
    name: String,
    description: Option<String>,
    parameters: Option<Vec<ParameterRow>>,
    return_schema: String,
    return_name: String,
    set: bool,
    composite: bool,
    volatility: String,
    definer: bool,
    variadic: bool,
    isolation: Option<String>,
    settings: Option<Vec<(String, String)>>,
}

#[derive(Deserialize)]
struct ParameterRow {
    name: String,
    kind: String,
    required: bool,
    variadic: bool,
}

impl From<RoutineRow> for Routine {
    fn from(row: RoutineRow) -> Self {
        Self {
            oid: row.oid,
            name: Name::new(row.schema, row.name),
            description: row.description,
            parameters: row
                .parameters
                .unwrap_or_default()
                .into_iter()
                .map(Parameter::from)
                .collect(),
            returns: Returns {
                set: row.set,
                composite: row.composite,
                name: Name::new(row.return_schema, row.return_name),
            },
            volatility: match row.volatility.as_str() {
                "i" => Volatility::Immutable,
                "s" => Volatility::Stable,
                _ => Volatility::Volatile,
            },
            definer: row.definer,
            variadic: row.variadic,
            isolation: row.isolation,
            settings: row.settings.unwrap_or_default(),
        }
    }
}

impl From<ParameterRow> for Parameter {
    fn from(row: ParameterRow) -> Self {
        // `bit` and `character` without a length mean length 1: they would cut the value off.
        let parse_type = match row.kind.as_str() {
            "bit" => "bit varying",
            "bit[]" => "bit varying[]",
            "character" => "character varying",
            "character[]" => "character varying[]",
            other => other,
        };
        Self {
            parse_type: CatalogSql::from_catalog(parse_type.to_owned()),
            name: row.name,
            kind: row.kind,
            required: row.required,
            variadic: row.variadic,
        }
    }
}
