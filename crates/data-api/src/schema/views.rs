//! Keys seen through views: which columns of a view show the columns of a primary or foreign key.

use std::collections::HashMap;

use serde::Deserialize;

use super::nodes::{Origin, target_entries};
use crate::ident::Name;

/// A view and its definition.
#[derive(Deserialize)]
pub(super) struct ViewRow {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// Whether the view is in an exposed schema, rather than only on the way.
    pub exposed: bool,
    pub definition: String,
    /// Column names by position.
    pub columns: Vec<(i16, String)>,
}

/// A primary or foreign key.
#[derive(Deserialize)]
pub(super) struct KeyRow {
    pub oid: u32,
    pub name: String,
    pub primary: bool,
    pub table: u32,
    pub table_schema: String,
    pub table_name: String,
    pub columns: Vec<(i16, String)>,
    pub foreign_table: u32,
    pub foreign_schema: Option<String>,
    pub foreign_name: Option<String>,
    pub foreign_columns: Option<Vec<(i16, String)>>,
    /// The columns are unique on their own.
    pub one_to_one: bool,
    /// Part of a partition: the parent's key says it all.
    pub inherited: bool,
}

/// A key whose every column a view shows; several view columns may show the same one.
#[derive(Clone, Debug)]
pub(super) struct ViewKey {
    pub view: Name,
    pub columns: Vec<Vec<String>>,
}

/// Keys seen through views.
#[derive(Default)]
pub(super) struct ViewKeys {
    /// Primary keys per view.
    pub primary: HashMap<Name, Vec<ViewKey>>,
    /// Views showing the referencing side of a foreign key, by constraint.
    pub referencing: HashMap<u32, Vec<ViewKey>>,
    /// Views showing the referenced side, by constraint.
    pub referenced: HashMap<u32, Vec<ViewKey>>,
}

/// Columns of a view by the table column they show.
type Shown = HashMap<(u32, i16), Vec<String>>;

/// Follows every exposed view down to its tables.
pub(super) fn view_keys(views: &[ViewRow], keys: &[KeyRow]) -> ViewKeys {
    let definitions: HashMap<u32, Vec<Origin>> =
        views.iter().map(|view| (view.oid, target_entries(&view.definition))).collect();
    let mut by_table: HashMap<u32, Vec<(&KeyRow, bool)>> = HashMap::new();
    for key in keys {
        by_table.entry(key.table).or_default().push((key, false));
        if !key.primary {
            by_table.entry(key.foreign_table).or_default().push((key, true));
        }
    }
    let mut found = ViewKeys::default();
    for view in views.iter().filter(|view| view.exposed) {
        let shown = shown(view, &definitions);
        let mut tables: Vec<u32> = shown.keys().map(|(table, _)| *table).collect();
        tables.sort_unstable();
        tables.dedup();
        for (key, referenced) in tables.iter().filter_map(|table| by_table.get(table)).flatten() {
            found.add(view, key, *referenced, &shown);
        }
    }
    found
}

impl ViewKeys {
    fn add(&mut self, view: &ViewRow, key: &KeyRow, referenced: bool, shown: &Shown) {
        let (table, columns) = if referenced {
            (key.foreign_table, key.foreign_columns.as_deref().unwrap_or_default())
        } else {
            (key.table, key.columns.as_slice())
        };
        let columns: Option<Vec<Vec<String>>> =
            columns.iter().map(|(position, _)| shown.get(&(table, *position)).cloned()).collect();
        let Some(columns) = columns else { return };
        let name = Name::new(&view.schema, &view.name);
        let found = ViewKey { view: name.clone(), columns };
        if key.primary {
            self.primary.entry(name).or_default().push(found);
        } else if referenced {
            self.referenced.entry(key.oid).or_default().push(found);
        } else {
            self.referencing.entry(key.oid).or_default().push(found);
        }
    }
}

fn shown(view: &ViewRow, definitions: &HashMap<u32, Vec<Origin>>) -> Shown {
    let mut shown: Shown = HashMap::new();
    for (position, name) in &view.columns {
        let mut todo: Vec<(u32, i16, Vec<u32>)> = vec![(view.oid, *position, Vec::new())];
        while let Some((relation, column, path)) = todo.pop() {
            let origins = definitions.get(&relation).map(Vec::as_slice).unwrap_or_default();
            for origin in
                origins.iter().filter(|origin| origin.column == column && origin.table != 0)
            {
                let names = shown.entry((origin.table, origin.table_column)).or_default();
                if !names.contains(name) {
                    names.push(name.clone());
                }
                // A view may lead back to itself.
                if !path.contains(&origin.table) {
                    let path = path.iter().copied().chain([origin.table]).collect();
                    todo.push((origin.table, origin.table_column, path));
                }
            }
        }
    }
    shown
}
