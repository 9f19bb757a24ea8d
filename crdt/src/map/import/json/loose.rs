//! JSON values of any type, so that a wrong one is a problem of its field and not of the whole file.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// Any value.
#[derive(Debug, Default)]
pub(super) enum Loose {
    #[default]
    Absent,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Loose>),
    /// An object; of its fields only these count.
    Point(Box<[Loose; 3]>),
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Loose, E> {
        Ok(Loose::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Loose::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        let mut point = Box::new([Loose::Absent, Loose::Absent, Loose::Absent]);
        while let Some(key) = map.next_key::<String>()? {
            match ["x", "y", "z"].iter().position(|axis| *axis == key) {
                Some(axis) => point[axis] = map.next_value()?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Loose::Point(point))
    }
}

/// The entries of a list, each an object or a mistake.
#[derive(Debug)]
pub(super) enum Rows<T> {
    Absent,
    /// Something else than a list.
    Wrong,
    /// `None` stands for what is no object.
    Are(Vec<Option<T>>),
    /// More than there may be.
    TooMany,
}

/// Reads at most so many rows.
pub(super) struct RowsSeed<T> {
    pub count_max: usize,
    pub of: std::marker::PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for RowsSeed<T> {
    type Value = Rows<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Rows<T>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for RowsSeed<T> {
    type Value = Rows<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Rows<T>, E> {
        Ok(Rows::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Rows<T>, E> {
        Ok(Rows::Wrong)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Rows<T>, E> {
        Ok(Rows::Wrong)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Rows<T>, E> {
        Ok(Rows::Wrong)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Rows<T>, E> {
        Ok(Rows::Wrong)
    }

    fn visit_str<E>(self, _: &str) -> Result<Rows<T>, E> {
        Ok(Rows::Wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rows<T>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Rows::Wrong)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows<T>, A::Error> {
        let mut rows = Vec::new();
        while rows.len() < self.count_max {
            let Some(Row(row)) = seq.next_element()? else { return Ok(Rows::Are(rows)) };
            rows.push(row);
        }
        let mut is_over = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_over = true;
        }
        Ok(if is_over { Rows::TooMany } else { Rows::Are(rows) })
    }
}

/// An object, or `None` for anything else.
pub(super) struct Row<T>(pub Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RowVisitor(std::marker::PhantomData))
    }
}

struct RowVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RowVisitor<T> {
    type Value = Row<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Row<T>, E> {
        Ok(Row(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Row<T>, E> {
        Ok(Row(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Row<T>, E> {
        Ok(Row(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Row<T>, E> {
        Ok(Row(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Row<T>, E> {
        Ok(Row(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Row<T>, E> {
        Ok(Row(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|row| Row(Some(row)))
    }
}
