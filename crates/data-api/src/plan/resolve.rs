//! Columns resolved against the catalogue, with the conversions a place needs.

use crate::ident::{CatalogSql, Name};
use crate::request::types::{Field, Filter, LogicTree, Operation};
use crate::schema::{self, Catalog};

use super::types::{Column, Condition};

/// The relation names are looked up in.
#[derive(Clone, Copy)]
pub(super) struct Resolver<'a> {
    pub catalog: &'a Catalog,
    pub relation: &'a Name,
}

impl<'a> Resolver<'a> {
    pub(super) fn within(self, relation: &'a Name) -> Self {
        Self { relation, ..self }
    }

    fn table_column(self, name: &str) -> Option<&'a schema::Column> {
        self.catalog.table(self.relation)?.column(name)
    }

    fn any(self, field: &Field) -> Column {
        let column = self
            .table_column(&field.name)
            .map_or_else(|| Column { name: field.name.clone(), ..Column::default() }, from_catalog);
        // JSON is stepped into as it is, so that its indexes apply.
        let to_json = !matches!(column.kind.as_str(), "json" | "jsonb");
        Column { path: field.path.clone(), to_json, ..column }
    }

    fn transformed(self, column: Column, source: &str, target: &str) -> Column {
        match self.catalog.representations.get(&(source.to_owned(), target.to_owned())) {
            None => column,
            Some(function) => Column {
                kind: CatalogSql::from_catalog(source.to_owned()),
                transform: Some(function.clone()),
                ..column
            },
        }
    }

    /// A column of the response.
    pub(super) fn output(self, field: &Field) -> Column {
        self.to_output(self.any(field))
    }

    fn to_output(self, column: Column) -> Column {
        let source = column.kind.as_str().to_owned();
        self.transformed(column, &source, "json")
    }

    /// All columns of the relation, as the response needs them.
    pub(super) fn all_output(self) -> Vec<Column> {
        let columns = self
            .catalog
            .table(self.relation)
            .map(|table| table.columns.as_slice())
            .unwrap_or_default();
        columns.iter().map(|column| self.to_output(from_catalog(column))).collect()
    }

    /// Whether a column of the relation is shown through a function.
    pub(super) fn has_representation(self) -> bool {
        let columns = self
            .catalog
            .table(self.relation)
            .map(|table| table.columns.as_slice())
            .unwrap_or_default();
        columns.iter().any(|column| {
            let key = (column.declared_type.as_str().to_owned(), "json".to_owned());
            self.catalog.representations.contains_key(&key)
        })
    }

    /// A column to order by.
    pub(super) fn order(self, field: &Field) -> Column {
        self.any(field)
    }

    /// A column set from a JSON body; `None` if the table has none of that name.
    pub(super) fn input(self, name: &str) -> Option<Column> {
        let column = from_catalog(self.table_column(name)?);
        let target = column.kind.as_str().to_owned();
        Some(self.transformed(column, "json", &target))
    }

    fn filtered(self, field: &Field, operation: &Operation) -> Column {
        let mut column = self.any(field);
        if let Operation::FullText(_, language, _) = operation
            && column.base_type != "tsvector"
            && !column.base_type.is_empty()
        {
            column.to_tsvector = Some(language.clone());
        }
        let target = column.kind.as_str().to_owned();
        self.transformed(column, "text", &target)
    }

    /// A filter.
    pub(super) fn filter(self, filter: &Filter) -> Condition {
        Condition::Filter {
            column: Box::new(self.filtered(&filter.field, &filter.operation)),
            negated: filter.negated,
            operation: filter.operation.clone(),
        }
    }

    /// A logic tree.
    pub(super) fn logic(self, tree: &LogicTree) -> Condition {
        match tree {
            LogicTree::Leaf(filter) => self.filter(filter),
            LogicTree::Node { negated, operator, children } => Condition::Node {
                negated: *negated,
                operator: *operator,
                children: children.iter().map(|child| self.logic(child)).collect(),
            },
        }
    }
}

fn from_catalog(column: &schema::Column) -> Column {
    Column {
        name: column.name.clone(),
        kind: column.declared_type.clone(),
        base_type: column.base_type.clone(),
        default: column.default.clone(),
        ..Column::default()
    }
}
