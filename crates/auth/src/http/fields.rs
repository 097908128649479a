//! Reading a JSON body or a query member by member, and telling everything that is wrong with it at once.
//!
//! One description serves three ends: the value of the request, the words of `VALIDATION_ERROR` (those of Better Auth
//! 1.7, which clients show), and the schema in the OpenAPI file.

mod loose;
mod parts;
mod texts;

use std::fmt;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    permissions::Statements,
};

/// What a request may carry, read from [`Fields`].
pub trait FromFields: Sized {
    /// Which JSON value the whole must be.
    const FORM: Form = Form::Object;

    /// Reads every member; what is missing is noted in `fields` and replaced by an empty value.
    fn read(fields: &mut Fields) -> Self;
}

/// The two readings of a body that the wire knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Named members.
    Object,
    /// Any members.
    Record,
    /// Named members and any others: both complaints are made.
    ObjectAndRecord,
    /// Named members, of which one or another must be there: both complaints are made.
    ObjectAndEither,
    /// Nothing need be sent.
    OptionalObject,
    /// One of several objects: one complaint whatever is wrong.
    Union,
}

/// The type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// An e-mail address.
    Email,
    /// True or false.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An object of any members.
    Record,
    /// Text, or a list of texts.
    Texts,
    /// A number.
    Number,
    /// Any value.
    Any,
    /// A list of texts.
    List,
}

/// A member as the OpenAPI file describes it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it must be sent.
    pub required: bool,
}

/// The members of a request, and what was found wrong with them.
pub struct Fields {
    place: String,
    values: Map<String, Value>,
    issues: Vec<String>,
    members: Vec<Member>,
}

impl fmt::Debug for Fields {
    /// The names alone: values are passwords and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Fields {
    /// Reads a body of type `T`.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` naming every member that is wrong.
    pub fn body<T: FromFields>(value: Option<&Value>) -> Result<T> {
        let mut issues = Vec::new();
        let received = type_name(value);
        let values = match value {
            Some(Value::Object(map)) => map.clone(),
            None | Some(Value::Null) if T::FORM == Form::OptionalObject => Map::new(),
            _ => {
                let expected: &[&str] = match T::FORM {
                    Form::Object | Form::OptionalObject | Form::ObjectAndEither => &["object"],
                    Form::Record => &["record"],
                    Form::ObjectAndRecord => &["object", "record"],
                    Form::Union => {
                        issues.push("[body] Invalid input".to_owned());
                        &[]
                    }
                };
                for form in expected {
                    issues.push(format!(
                        "[body] Invalid input: expected {form}, received {received}"
                    ));
                }
                if T::FORM == Form::ObjectAndEither {
                    issues.push("[body] Invalid input".to_owned());
                }
                return Err(invalid(&issues));
            }
        };
        Self::over("body", values).finish()
    }

    /// Reads a query of type `T`; a name that appears twice is an array, which no member accepts.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` naming every parameter that is wrong.
    pub fn query<T: FromFields>(pairs: &[(String, String)]) -> Result<T> {
        let mut values = Map::new();
        for (name, value) in pairs {
            let value = Value::String(value.clone());
            match values.get_mut(name) {
                None => {
                    values.insert(name.clone(), value);
                }
                Some(Value::Array(list)) => list.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        Self::over("query", values).finish()
    }

    /// The members that `T` reads, for the OpenAPI file.
    #[must_use]
    pub fn describe<T: FromFields>() -> Vec<Member> {
        let mut fields = Self::over("body", Map::new());
        T::read(&mut fields);
        fields.members
    }

    fn over(place: &str, values: Map<String, Value>) -> Self {
        Self { place: place.to_owned(), values, issues: Vec::new(), members: Vec::new() }
    }

    fn finish<T: FromFields>(mut self) -> Result<T> {
        let value = T::read(&mut self);
        if self.issues.is_empty() { Ok(value) } else { Err(invalid(&self.issues)) }
    }

    /// A truth value that may be left out.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.note(name, Kind::Flag, false);
        match self.values.get(name) {
            None => None,
            Some(Value::Bool(flag)) => Some(*flag),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected boolean, received {received}"));
                None
            }
        }
    }

    /// An object that may be left out; its members are nobody's business.
    pub fn optional_record(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        self.note(name, Kind::Record, false);
        match self.values.get(name) {
            None => None,
            Some(Value::Object(map)) => Some(map.clone()),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected record, received {received}"));
                None
            }
        }
    }

    /// Actions by resource, which must be there.
    pub fn statements(&mut self, name: &'static str) -> Statements {
        let sent = self.values.contains_key(name);
        let statements = self.optional_statements(name);
        if let Some(member) = self.members.last_mut() {
            member.required = true;
        }
        if !sent {
            self.issue(name, "Invalid input: expected record, received undefined");
        }
        statements.unwrap_or_default()
    }

    /// Actions by resource, where they may be left out.
    pub fn optional_statements(&mut self, name: &'static str) -> Option<Statements> {
        let record = self.optional_record(name)?;
        let mut statements = Statements::new();
        for (resource, actions) in &record {
            let mut read = Vec::new();
            let Value::Array(list) = actions else {
                let received = type_name(Some(actions));
                let what = format!("Invalid input: expected array, received {received}");
                self.issue(&format!("{name}.{resource}"), &what);
                continue;
            };
            for (at, action) in list.iter().enumerate() {
                if let Some(action) = action.as_str() {
                    read.push(action.to_owned());
                } else {
                    let received = type_name(Some(action));
                    let what = format!("Invalid input: expected string, received {received}");
                    self.issue(&format!("{name}.{resource}.{at}"), &what);
                }
            }
            statements.insert(resource.clone(), read);
        }
        Some(statements)
    }

    /// An object that must be there, read member by member.
    pub fn object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.note(name, Kind::Record, true);
        let values = match self.values.get(name) {
            Some(Value::Object(map)) => map.clone(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected object, received {received}"));
                return read(&mut Self::over("", Map::new()));
            }
        };
        let mut inner = Self::over(&format!("{}.{name}", self.place), values);
        let value = read(&mut inner);
        self.issues.append(&mut inner.issues);
        value
    }

    /// One of several alternatives, none of which tells by itself what is wrong with it. The first member that is read
    /// stands for all of them where the members are described.
    pub fn either<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut inner = Self::over(&self.place, self.values.clone());
        let value = read(&mut inner).filter(|_| inner.issues.is_empty());
        if let Some(first) = inner.members.first_mut() {
            first.required = true;
        }
        self.members.append(&mut inner.members);
        if value.is_none() {
            self.issues.push(format!("[{}] Invalid input", self.place));
        }
        value
    }

    /// An object that must be there.
    pub fn record(&mut self, name: &'static str) -> Map<String, Value> {
        self.note(name, Kind::Record, true);
        match self.values.get(name) {
            Some(Value::Object(record)) => record.clone(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected record, received {received}"));
                Map::new()
            }
        }
    }

    /// Anything; what is no object is nothing.
    pub fn anything(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        self.note(name, Kind::Record, false);
        self.values.get(name).and_then(Value::as_object).cloned()
    }

    /// Every member, read or not.
    #[must_use]
    pub fn all(&self) -> Map<String, Value> {
        self.values.clone()
    }

    fn note(&mut self, name: &'static str, kind: Kind, required: bool) {
        self.members.push(Member { name, kind, required });
    }

    fn issue(&mut self, name: &str, what: &str) {
        self.issues.push(format!("[{}.{name}] {what}", self.place));
    }
}

fn invalid(issues: &[String]) -> Error {
    Error::Explained(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", issues.join("; "))
}

fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}
