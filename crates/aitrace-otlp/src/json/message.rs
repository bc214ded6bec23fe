//! Objects and lists of objects, read field by field into what exists already.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::scalar::Word;
use crate::fault::Fault;
use crate::tally::Tally;

/// An object whose fields are read one by one.
pub(super) trait Message<'de> {
    /// Reads the value of the field `name` from `map`, or passes over it with [`skip`]. `depth` is
    /// the depth of a value within.
    fn field<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        depth: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), A::Error>;

    /// Told what came where the object belongs; true when that is dealt with and reading goes on.
    fn wrong(&mut self, _came: Unexpected<'_>, _tally: &mut Tally<'_>) -> bool {
        false
    }

    /// Asked before an object's fields are read: true passes over them all.
    fn closed(&mut self, _depth: usize, _tally: &mut Tally<'_>) -> bool {
        false
    }
}

/// A message that comes in lists.
pub(super) trait Element<'de>: Message<'de> {
    /// A message without fields.
    fn empty() -> Self;

    /// Counts one that was read.
    fn count(_tally: &mut Tally<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Passes over a value, however deep.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Visits of what is neither null nor a container, for a visitor with a function `other`.
macro_rules! scalars_are_other {
    () => {
        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            self.other(Unexpected::Bool(value))
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
            self.other(Unexpected::Signed(value))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            self.other(Unexpected::Unsigned(value))
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
            self.other(Unexpected::Float(value))
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
            self.other(Unexpected::Str(super::scalar::excerpt(value)))
        }
    };
}
pub(super) use scalars_are_other;

/// Fills a message from an object; null leaves it as it is and is false.
pub(super) struct Fill<'m, 't, 'l, M> {
    pub(super) message: &'m mut M,
    pub(super) depth: usize,
    pub(super) tally: &'t mut Tally<'l>,
}

impl<'de, M: Message<'de>> DeserializeSeed<'de> for Fill<'_, '_, '_, M> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Message<'de>> Fill<'_, '_, '_, M> {
    fn other<E: Error>(self, came: Unexpected<'_>) -> Result<bool, E> {
        if self.message.wrong(came, self.tally) { Ok(false) } else { Err(E::invalid_type(came, &self)) }
    }
}

impl<'de, M: Message<'de>> Visitor<'de> for Fill<'_, '_, '_, M> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    scalars_are_other!();

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.other(Unexpected::Seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        if self.message.closed(self.depth, self.tally) {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        }
        while let Some(Word(name)) = map.next_key()? {
            self.message.field(&name, &mut map, self.depth, self.tally)?;
        }
        Ok(true)
    }
}

/// Appends the objects of a list; null is an empty list.
pub(super) struct Extend<'m, 't, 'l, M> {
    pub(super) list: &'m mut Vec<M>,
    /// How many the list may have.
    pub(super) limit: usize,
    /// What they are, for the error.
    pub(super) what: &'static str,
    pub(super) depth: usize,
    pub(super) tally: &'t mut Tally<'l>,
}

impl<'de, M: Element<'de>> DeserializeSeed<'de> for Extend<'_, '_, '_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Element<'de>> Visitor<'de> for Extend<'_, '_, '_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { list, limit, what, depth, tally } = self;
        loop {
            let mut message = M::empty();
            let fill = Fill { message: &mut message, depth, tally: &mut *tally };
            if seq.next_element_seed(fill)?.is_none() {
                return Ok(());
            }
            list.push(message);
            M::count(tally).map_err(Error::custom)?;
            if list.len() > limit {
                return Err(Error::custom(Fault::TooMany { what, limit }));
            }
        }
    }
}
