//! Members that Better Auth reads loosely: whatever can be made a text, numbers, records of any members.

use serde_json::Value;

use super::{Fields, Kind, type_name};
use crate::permissions::Statements;

impl Fields {
    /// Anything that is there, as JavaScript makes a text of it.
    pub fn coerced(&mut self, name: &'static str) -> String {
        self.note(name, Kind::Text, true);
        let Some(value) = self.values.get(name) else {
            self.issue(name, "Invalid input: expected nonoptional, received undefined");
            return String::new();
        };
        coerce(value)
    }

    /// The same where it may be left out.
    pub fn optional_coerced(&mut self, name: &'static str) -> Option<String> {
        self.note(name, Kind::Text, false);
        self.values.get(name).map(coerce)
    }

    /// A text that `read` finds, and that must not be empty: in Better Auth's words where it has its own.
    pub fn not_empty(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> String,
    ) -> String {
        let before = self.issues.len();
        let text = read(self, name);
        if text.is_empty() && self.issues.len() == before {
            self.issue(name, &format!("{name} cannot be empty"));
        }
        text
    }

    /// A number that may be left out, but not be null; not below `least`.
    pub fn optional_number(&mut self, name: &'static str, least: Option<f64>) -> Option<f64> {
        self.note(name, Kind::Number, false);
        let number = match self.values.get(name) {
            None => return None,
            Some(Value::Number(number)) => number.as_f64().unwrap_or_default(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected number, received {received}"));
                return None;
            }
        };
        if let Some(least) = least.filter(|least| number < *least) {
            self.issue(name, &format!("Too small: expected number to be >={least}"));
        }
        Some(number)
    }

    /// The same where it may be null: `Some(None)`.
    pub fn nullable_number(
        &mut self,
        name: &'static str,
        least: Option<f64>,
    ) -> Option<Option<f64>> {
        if matches!(self.values.get(name), Some(Value::Null)) {
            self.note(name, Kind::Number, false);
            return Some(None);
        }
        self.optional_number(name, least).map(Some)
    }

    /// A whole number of a query, not below zero, that may be left out.
    pub fn optional_count(&mut self, name: &'static str) -> Option<f64> {
        self.note(name, Kind::Number, false);
        let text = match self.values.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            _ => "NaN".to_owned(),
        };
        let number = if text.is_empty() { 0.0 } else { text.parse().unwrap_or(f64::NAN) };
        if number.is_nan() {
            self.issue(name, "Invalid input: expected number, received NaN");
        } else if number.fract() != 0.0 {
            self.issue(name, "Invalid input: expected int, received number");
        } else if number < 0.0 {
            self.issue(name, "Too small: expected number to be >=0");
        }
        Some(number)
    }

    /// Any value; `None`: none was sent.
    pub fn any(&mut self, name: &'static str) -> Option<Value> {
        self.note(name, Kind::Any, false);
        self.values.get(name).cloned()
    }

    /// Actions by resource; what is none of that counts as not sent. `required`: as the description has it.
    pub fn fitting_statements(&mut self, name: &'static str, required: bool) -> Option<Statements> {
        self.note(name, Kind::Record, required);
        serde_json::from_value(self.values.get(name)?.clone()).ok()
    }

    /// Whether actions by resource, or null, were sent.
    pub fn nullable_statements(&mut self, name: &'static str) -> bool {
        if matches!(self.values.get(name), Some(Value::Null)) {
            self.note(name, Kind::Record, false);
            return true;
        }
        self.optional_statements(name).is_some()
    }

    /// Complains about the whole.
    pub fn refuse(&mut self, what: &str) {
        self.issues.push(format!("[{}] {what}", self.place));
    }

    /// Complains about one member.
    pub fn refuse_member(&mut self, name: &'static str, what: &str) {
        self.issue(name, what);
    }
}

fn coerce(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(coerce).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
