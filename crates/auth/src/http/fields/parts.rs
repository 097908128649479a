//! Members that hold others: lists, records, objects that may be missing.

use serde_json::Value;

use super::{Fields, Kind, type_name};

impl Fields {
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
    pub fn optional_list(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.note(name, Kind::List, false);
        let list = match self.values.get(name) {
            None => return None,
            Some(Value::Array(list)) => list.clone(),
            other => {
                let received = type_name(other);
                self.issue(name, &format!("Invalid input: expected array, received {received}"));
                return None;
            }
        };
        let named = list.into_iter().enumerate().map(|(at, item)| (format!("{name}.{at}"), item));
        Some(self.all_texts(named))
    }

    /// Texts by name, which may be left out.
    pub fn optional_text_record(&mut self, name: &'static str) -> Option<Vec<(String, String)>> {
        let record = self.optional_record(name)?;
        let names: Vec<String> = record.keys().cloned().collect();
        let named = record.into_iter().map(|(key, value)| (format!("{name}.{key}"), value));
        let texts = self.all_texts(named);
        (texts.len() == names.len()).then(|| names.into_iter().zip(texts).collect())
    }

    fn all_texts(&mut self, named: impl Iterator<Item = (String, Value)>) -> Vec<String> {
        let mut texts = Vec::new();
        for (name, value) in named {
            match value {
                Value::String(text) => texts.push(text),
                other => {
                    let received = type_name(Some(&other));
                    let what = format!("Invalid input: expected string, received {received}");
                    self.issue(&name, &what);
                }
            }
        }
        texts
    }

    /// An object that may be left out, read member by member.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let sent = self.values.contains_key(name);
        let value = sent.then(|| self.object(name, read));
        match self.members.last_mut().filter(|_| sent) {
            Some(member) => member.required = false,
            None => self.note(name, Kind::Record, false),
        }
        value
    }

    /// Judges the whole instead of its members: one complaint or none.
    pub fn judge_all(&mut self, fine: bool) {
        self.issues.clear();
        if !fine {
            self.issues.push(format!("[{}] Invalid input", self.place));
        }
    }
}
