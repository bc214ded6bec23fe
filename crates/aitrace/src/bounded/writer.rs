//! A serialiser that counts what it writes.

use std::fmt::{Display, Write as _};

use serde::ser::{self, Serialize};

use super::{Deadline, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TIME, NODES_PER_TICK};

/// Why a value could not be serialised: the words of its `Serialize`.
#[derive(Debug)]
pub(super) struct Failed(String);

impl Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    out: String,
    depth: usize,
    nodes: usize,
    deadline: Deadline,
}

impl Writer {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self { out: String::new(), depth: 0, nodes: 0, deadline }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn full(&self) -> bool {
        self.nodes >= MAX_NODES || self.out.len() >= MAX_BYTES || self.deadline.passed
    }

    fn count(&mut self) {
        self.nodes += 1;
        if self.nodes.is_multiple_of(NODES_PER_TICK) {
            self.deadline.look();
        }
    }

    fn raw(&mut self, text: impl Display) {
        self.count();
        write!(self.out, "{text}").expect("a String takes everything");
    }

    fn string(&mut self, text: &str) {
        self.count();
        // An escape takes up to six bytes for one, so a text is cut by what it may become.
        let room = MAX_BYTES.saturating_sub(self.out.len());
        let weight = |byte: u8| if byte < 0x20 { 6 } else { 1 + usize::from(byte == b'"' || byte == b'\\') };
        let mut used = 0;
        let fits = text.bytes().take_while(|byte| {
            used += weight(*byte);
            used <= room
        });
        let fits = fits.count();
        if fits == text.len() {
            self.out.push_str(&serde_json::Value::from(text).to_string());
        } else {
            let end = text.floor_char_boundary(fits);
            let cut = format!("{}…[cut: {} bytes]", &text[..end], text.len());
            self.out.push_str(&serde_json::Value::from(cut).to_string());
        }
    }

    fn open(&mut self, bracket: char, close: &'static str) -> Group<'_> {
        self.count();
        self.deadline.start();
        let hidden = self.depth >= MAX_DEPTH;
        if hidden {
            self.out.push_str("\"…[too deep]\"");
        } else {
            self.out.push(bracket);
            self.depth += 1;
        }
        Group { writer: self, close, first: true, hidden, cut: false }
    }

    fn variant(&mut self, name: &str) {
        self.out.push('{');
        self.string(name);
        self.out.push(':');
    }
}

/// An array or object that is being written.
pub(super) struct Group<'w> {
    writer: &'w mut Writer,
    close: &'static str,
    first: bool,
    /// Below the deepest level: nothing is written.
    hidden: bool,
    /// The mark for missing members stands.
    cut: bool,
}

impl Group<'_> {
    /// Whether the next member may be written; writes the comma or the mark.
    fn next(&mut self, object: bool) -> bool {
        if self.hidden || self.cut {
            return false;
        }
        if !std::mem::take(&mut self.first) {
            self.writer.out.push(',');
        }
        if self.writer.full() {
            self.writer.out.push_str(if object { "\"…\":\"[more]\"" } else { "\"…[more]\"" });
            self.cut = true;
        }
        !self.cut
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        if self.next(false) { value.serialize(&mut *self.writer) } else { Ok(()) }
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Failed> {
        if !self.next(true) {
            return Ok(());
        }
        self.writer.string(key);
        self.writer.out.push(':');
        value.serialize(&mut *self.writer)
    }

    fn finish(self) {
        if self.hidden {
            // The brackets were not opened, only those of an enum's variant around them.
            self.writer.out.push_str(self.close.get(1..).unwrap_or_default());
        } else {
            self.writer.depth -= 1;
            self.writer.out.push_str(self.close);
        }
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty),+) => {
        $(fn $method(self, value: $type) -> Result<(), Failed> {
            self.raw(value);
            Ok(())
        })+
    };
}

impl<'w> ser::Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Group<'w>;
    type SerializeTuple = Group<'w>;
    type SerializeTupleStruct = Group<'w>;
    type SerializeTupleVariant = Group<'w>;
    type SerializeMap = Map<'w>;
    type SerializeStruct = Group<'w>;
    type SerializeStructVariant = Group<'w>;

    plain!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128
    );

    fn serialize_f32(self, value: f32) -> Result<(), Failed> {
        if value.is_finite() {
            self.raw(serde_json::Value::from(value));
            return Ok(());
        }
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failed> {
        if value.is_finite() {
            self.raw(serde_json::Value::from(value));
        } else {
            let positive = if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" };
            self.raw(if value.is_nan() { "\"NaN\"" } else { positive });
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Failed> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Failed> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failed> {
        self.raw("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failed> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        // A level like any other: a chain of variants is as deep as a chain of arrays.
        let mut group = self.open('{', "}");
        group.field(variant, value)?;
        group.finish();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Group<'w>, Failed> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Group<'w>, Failed> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Group<'w>, Failed> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Group<'w>, Failed> {
        self.variant(variant);
        Ok(self.open('[', "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'w>, Failed> {
        Ok(Map { group: self.open('{', "}"), key: String::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Group<'w>, Failed> {
        Ok(self.open('{', "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Group<'w>, Failed> {
        self.variant(variant);
        Ok(self.open('{', "}}"))
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident),+) => {
        $(impl ser::$trait for Group<'_> {
            type Ok = ();
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.element(value)
            }

            fn end(self) -> Result<(), Failed> {
                self.finish();
                Ok(())
            }
        })+
    };
}
elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($trait:ident),+) => {
        $(impl ser::$trait for Group<'_> {
            type Ok = ();
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failed> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Failed> {
                self.finish();
                Ok(())
            }
        })+
    };
}
fields!(SerializeStruct, SerializeStructVariant);

/// A map: its keys arrive apart from their values.
pub(super) struct Map<'w> {
    group: Group<'w>,
    key: String,
}

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        if self.group.hidden || self.group.cut {
            return Ok(());
        }
        let mut writer = Writer::new(Deadline::new(MAX_TIME));
        key.serialize(&mut writer)?;
        let text = writer.finish();
        self.key = match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(&text).unwrap_or(text),
            Some(b'[' | b'{') => return Err(ser::Error::custom("a key of a map is no text and no number")),
            _ => text,
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let key = std::mem::take(&mut self.key);
        self.group.field(&key, value)
    }

    fn end(self) -> Result<(), Failed> {
        self.group.finish();
        Ok(())
    }
}
