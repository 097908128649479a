//! Reading a JSON body or a query member by member, and telling everything that is wrong with it at once.
//!
//! One description serves three ends: the value of the request, the words of `VALIDATION_ERROR` (those of Better Auth
//! 1.7, which clients show), and the schema in the OpenAPI file.

use std::fmt;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    user::Email,
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
    /// A list of texts.
    Texts,
    /// A number.
    Number,
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
                    Form::Object | Form::OptionalObject => &["object"],
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
                return Err(invalid(&issues));
            }
        };
        Self { place: "body".to_owned(), values, issues, members: Vec::new() }.finish()
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
        let place = "query".to_owned();
        Self { place, values, issues: Vec::new(), members: Vec::new() }.finish()
    }

    /// The members that `T` reads, for the OpenAPI file.
    #[must_use]
    pub fn describe<T: FromFields>() -> Vec<Member> {
        let mut fields = Self {
            place: "body".to_owned(),
            values: Map::new(),
            issues: Vec::new(),
            members: Vec::new(),
        };
        T::read(&mut fields);
        fields.members
    }

    fn finish<T: FromFields>(mut self) -> Result<T> {
        let value = T::read(&mut self);
        if self.issues.is_empty() { Ok(value) } else { Err(invalid(&self.issues)) }
    }

    /// Text that must be there; may be empty.
    pub fn text(&mut self, name: &'static str) -> String {
        self.note(name, Kind::Text, true);
        match self.values.get(name) {
            Some(Value::String(text)) => text.clone(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected string, received {received}"));
                String::new()
            }
        }
    }

    /// Text that must be there and not empty.
    pub fn some_text(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if text.is_empty() && matches!(self.values.get(name), Some(Value::String(_))) {
            self.issue(name, "Too small: expected string to have >=1 characters");
        }
        text
    }

    /// Text that may be left out, but not be null.
    pub fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.note(name, Kind::Text, false);
        match self.values.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected string, received {received}"));
                None
            }
        }
    }

    /// An address that must be there; folded to lower case.
    pub fn email(&mut self, name: &'static str) -> Email {
        let text = self.text(name);
        if let Some(member) = self.members.last_mut() {
            member.kind = Kind::Email;
        }
        let sent = matches!(self.values.get(name), Some(Value::String(_)));
        Email::parse(&text).unwrap_or_else(|| {
            if sent {
                self.issue(name, "Invalid email address");
            }
            Email::default()
        })
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

    /// One of a few words, which must be there.
    pub fn choice(&mut self, name: &'static str, words: &'static [&'static str]) -> &'static str {
        self.note(name, Kind::Choice(words), true);
        let sent = self.values.get(name).and_then(Value::as_str);
        words.iter().find(|word| sent == Some(**word)).copied().unwrap_or_else(|| {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            self.issue(name, &format!("Invalid option: expected one of {}", words.join("|")));
            ""
        })
    }

    /// An object that may be left out; its members are nobody's business.
    pub fn optional_record(&mut self, name: &'static str) {
        self.note(name, Kind::Record, false);
        match self.values.get(name) {
            None | Some(Value::Object(_)) => {}
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected record, received {received}"));
            }
        }
    }

    /// Text that must be there, of which nothing more is said when it is not.
    pub fn word(&mut self, name: &'static str) -> String {
        self.note(name, Kind::Text, true);
        if let Some(Value::String(text)) = self.values.get(name) {
            return text.clone();
        }
        self.issue(name, "Invalid input");
        String::new()
    }

    /// A list of texts that may be left out.
    pub fn optional_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.note(name, Kind::Texts, false);
        let list = match self.values.get(name) {
            None => return None,
            Some(Value::Array(list)) => list.clone(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected array, received {received}"));
                return None;
            }
        };
        let mut texts = Vec::new();
        for (at, item) in list.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                other => self.not_text(&format!("{name}.{at}"), &other),
            }
        }
        Some(texts)
    }

    /// Texts by name, which may be left out.
    pub fn optional_text_record(&mut self, name: &'static str) -> Option<Vec<(String, String)>> {
        let record = self.optional_map(name)?;
        let mut texts = Vec::new();
        for (key, value) in record {
            match value {
                Value::String(text) => texts.push((key, text)),
                other => self.not_text(&format!("{name}.{key}"), &other),
            }
        }
        Some(texts)
    }

    /// An object of any members, which may be left out.
    pub fn optional_map(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        self.optional_record(name);
        self.values.get(name)?.as_object().cloned()
    }

    /// An object that may be left out, with the members that `read` asks for.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        self.note(name, Kind::Record, false);
        match self.values.get(name) {
            None => None,
            Some(Value::Object(members)) => {
                let place = format!("{}.{name}", self.place);
                let values = members.clone();
                let mut inner = Self { place, values, issues: Vec::new(), members: Vec::new() };
                let read = read(&mut inner);
                self.issues.append(&mut inner.issues);
                Some(read)
            }
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected object, received {received}"));
                None
            }
        }
    }

    /// A number that may be left out, which nobody needs.
    pub fn optional_number(&mut self, name: &'static str) {
        self.note(name, Kind::Number, false);
        match self.values.get(name) {
            None | Some(Value::Number(_)) => {}
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected number, received {received}"));
            }
        }
    }

    /// Complains about a member in words of the feature.
    pub fn refuse(&mut self, name: &str, what: &str) {
        self.issue(name, what);
    }

    /// Judges the whole instead of its members: one complaint or none.
    pub fn judge_all(&mut self, fine: bool) {
        self.issues.clear();
        if !fine {
            self.issues.push(format!("[{}] Invalid input", self.place));
        }
    }

    fn not_text(&mut self, name: &str, found: &Value) {
        let received = type_name(Some(found));
        self.issue(name, &format!("Invalid input: expected string, received {received}"));
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
