//! The keys that a settings type takes, found by asking it: no list to keep by hand.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor,
    value::StrDeserializer,
};

/// What a key takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Boolean,
    /// Not below zero, when `true`.
    Integer(bool),
    Number,
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    List(Box<Shape>),
    /// Any names, each with this.
    Map(Box<Shape>),
    Section(Section),
    Anything,
}

/// A struct.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    /// The type's name in the source.
    pub(super) name: &'static str,
    pub(super) keys: Vec<(&'static str, Shape)>,
}

/// The shape of a type.
pub(super) fn of<T: DeserializeOwned>() -> Shape {
    at::<T>(&mut Vec::new())
}

/// One step down into a value.
#[derive(Clone, Copy)]
enum Step {
    Key(&'static str),
    Item,
    Entry,
}

/// What the type asked for at the end of a path.
enum Asked {
    Boolean,
    Integer(bool),
    Number,
    Text,
    Word(&'static [&'static str]),
    List,
    Map,
    Section(&'static str, &'static [&'static str]),
    Anything,
}

fn at<T: DeserializeOwned>(path: &mut Vec<Step>) -> Shape {
    let mut asked = None;
    // Always an error: the probe stops as soon as it knows.
    let _ = T::deserialize(Probe { path, asked: &mut asked });
    let mut below = |step| {
        path.push(step);
        let shape = at::<T>(path);
        path.pop();
        shape
    };
    match asked {
        Some(Asked::Boolean) => Shape::Boolean,
        Some(Asked::Integer(unsigned)) => Shape::Integer(unsigned),
        Some(Asked::Number) => Shape::Number,
        Some(Asked::Text) => Shape::Text,
        Some(Asked::Word(words)) => Shape::Word(words),
        Some(Asked::List) => Shape::List(Box::new(below(Step::Item))),
        Some(Asked::Map) => Shape::Map(Box::new(below(Step::Entry))),
        Some(Asked::Section(name, keys)) => {
            let keys = keys.iter().map(|key| (*key, below(Step::Key(key)))).collect();
            Shape::Section(Section { name, keys })
        }
        Some(Asked::Anything) | None => Shape::Anything,
    }
}

/// A deserializer that walks down one path, notes what is asked for at its end, and fails.
struct Probe<'p> {
    path: &'p [Step],
    asked: &'p mut Option<Asked>,
}

#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stop")
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Probe<'_> {
    fn note<T>(self, asked: Asked) -> Result<T, Stop> {
        *self.asked = Some(asked);
        Err(Stop)
    }
}

macro_rules! note {
    ($($method:ident => $asked:expr,)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            self.note($asked)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    note! {
        deserialize_any => Asked::Anything,
        deserialize_bool => Asked::Boolean,
        deserialize_i8 => Asked::Integer(false),
        deserialize_i16 => Asked::Integer(false),
        deserialize_i32 => Asked::Integer(false),
        deserialize_i64 => Asked::Integer(false),
        deserialize_u8 => Asked::Integer(true),
        deserialize_u16 => Asked::Integer(true),
        deserialize_u32 => Asked::Integer(true),
        deserialize_u64 => Asked::Integer(true),
        deserialize_f32 => Asked::Number,
        deserialize_f64 => Asked::Number,
        deserialize_char => Asked::Text,
        deserialize_str => Asked::Text,
        deserialize_string => Asked::Text,
        deserialize_bytes => Asked::Anything,
        deserialize_byte_buf => Asked::Anything,
        deserialize_unit => Asked::Anything,
        deserialize_identifier => Asked::Text,
        deserialize_ignored_any => Asked::Anything,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(Asked::Anything)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.path.split_first() {
            Some((Step::Item, path)) => {
                visitor.visit_seq(Below { path, asked: self.asked, key: None })
            }
            _ => self.note(Asked::List),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.path.split_first() {
            Some((Step::Entry, path)) => {
                visitor.visit_map(Below { path, asked: self.asked, key: Some("name") })
            }
            _ => self.note(Asked::Map),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.path.split_first() {
            Some((Step::Key(key), path)) => {
                visitor.visit_map(Below { path, asked: self.asked, key: Some(key) })
            }
            _ => self.note(Asked::Section(name, fields)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(Asked::Word(variants))
    }
}

/// The one entry of a map or sequence that the path goes through.
struct Below<'p> {
    path: &'p [Step],
    asked: &'p mut Option<Asked>,
    key: Option<&'static str>,
}

impl<'de> MapAccess<'de> for Below<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        match self.key.take() {
            Some(key) => seed.deserialize(StrDeserializer::new(key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(Probe { path: self.path, asked: self.asked })
    }
}

impl<'de> SeqAccess<'de> for Below<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        seed.deserialize(Probe { path: self.path, asked: self.asked }).map(Some)
    }
}
