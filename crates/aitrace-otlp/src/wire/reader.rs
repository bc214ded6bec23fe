//! Reads fields one after the other; never beyond its slice.

use super::{FIXED32, FIXED64, LENGTH, VARINT};
use crate::error::WireError;

/// What is left of a message.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The head of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) number: u32,
    wire: u8,
}

impl Tag {
    fn must_be(self, wanted: u8) -> Result<(), WireError> {
        if self.wire == wanted { Ok(()) } else { Err(WireError::Mismatch { wanted, got: self.wire }) }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Bytes that were not read yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next field's head, `None` at the end of the message.
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<Option<Tag>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let head = self.raw_varint()?;
        let number = head >> 3;
        // Field numbers have 29 bits; zero is none.
        if number == 0 || number >= 1 << 29 {
            return Err(WireError::FieldNumber(number));
        }
        Ok(Some(Tag { number: number as u32, wire: (head & 7) as u8 }))
    }

    /// A `bytes`, `string` or message field.
    #[inline]
    pub(crate) fn bytes(&mut self, tag: Tag) -> Result<&'a [u8], WireError> {
        tag.must_be(LENGTH)?;
        let length = self.raw_varint()?;
        self.take(length)
    }

    /// An `int32`, `int64`, `uint32`, `bool` or enum field, before it is cut to its width.
    #[inline]
    pub(crate) fn varint(&mut self, tag: Tag) -> Result<u64, WireError> {
        tag.must_be(VARINT)?;
        self.raw_varint()
    }

    /// A `fixed64` or `double` field.
    #[inline]
    pub(crate) fn fixed64(&mut self, tag: Tag) -> Result<u64, WireError> {
        tag.must_be(FIXED64)?;
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(WireError::Truncated { wanted: 8, left: self.left() });
        };
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// A `fixed32` field.
    #[inline]
    pub(crate) fn fixed32(&mut self, tag: Tag) -> Result<u32, WireError> {
        tag.must_be(FIXED32)?;
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(WireError::Truncated { wanted: 4, left: self.left() });
        };
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Passes over a field that is not known.
    pub(crate) fn skip(&mut self, tag: Tag) -> Result<(), WireError> {
        match tag.wire {
            VARINT => self.raw_varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            LENGTH => self.bytes(tag).map(drop),
            FIXED32 => self.take(4).map(drop),
            // Groups would need a stack; OTLP never had one.
            other => Err(WireError::WireType(other)),
        }
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((bytes, rest)) = split else {
            return Err(WireError::Truncated { wanted: length, left: self.left() });
        };
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn raw_varint(&mut self) -> Result<u64, WireError> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [first, second, ref rest @ ..] if second < 0x80 => {
                self.rest = rest;
                Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().enumerate().take(10) {
            // The tenth byte holds the 64th bit and nothing else.
            if index == 9 && byte > 1 {
                return Err(WireError::VarintOverflow);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        let left = self.left();
        Err(WireError::Truncated { wanted: left as u64 + 1, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint_of(bytes: &[u8]) -> Result<u64, WireError> {
        Reader::new(bytes).raw_varint()
    }

    #[test]
    fn varints_of_all_lengths() {
        assert_eq!(varint_of(&[0]), Ok(0));
        assert_eq!(varint_of(&[0x7f]), Ok(127));
        assert_eq!(varint_of(&[0x80, 1]), Ok(128));
        assert_eq!(varint_of(&[0xff, 0xff, 3]), Ok(65_535));
        assert_eq!(varint_of(&[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), Ok(u64::MAX));
        assert_eq!(varint_of(&[0x80, 0x80, 0]), Ok(0), "longer than needed is legal");
    }

    #[test]
    fn hostile_varints_end_cleanly() {
        assert_eq!(
            varint_of(&[255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
            Err(WireError::VarintOverflow)
        );
        assert_eq!(varint_of(&[255; 20]), Err(WireError::VarintOverflow));
        assert_eq!(varint_of(&[]), Err(WireError::Truncated { wanted: 1, left: 0 }));
        assert_eq!(varint_of(&[0x80; 3]), Err(WireError::Truncated { wanted: 4, left: 3 }));
    }

    #[test]
    fn lengths_beyond_the_message_end_cleanly() {
        for length in
            [&[4_u8][..], &[255, 255, 255, 255, 7], &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]]
        {
            let body = [&[0x0a], length, b"abc"].concat();
            let mut reader = Reader::new(&body);
            let tag = reader.tag().expect("a tag").expect("a field");
            assert!(matches!(reader.bytes(tag), Err(WireError::Truncated { left: 3, .. })), "{length:?}");
        }
    }

    #[test]
    fn heads_that_are_none() {
        assert_eq!(Reader::new(&[0x02]).tag(), Err(WireError::FieldNumber(0)));
        assert_eq!(Reader::new(&[0x82, 0x80, 0x80, 0x80, 0x10]).tag(), Err(WireError::FieldNumber(1 << 29)));
        for wire in [3, 4, 6, 7] {
            let body = [1 << 3 | wire];
            let mut reader = Reader::new(&body);
            let tag = reader.tag().expect("a tag").expect("a field");
            assert_eq!(reader.skip(tag), Err(WireError::WireType(wire)));
            assert_eq!(reader.varint(tag), Err(WireError::Mismatch { wanted: VARINT, got: wire }));
        }
    }
}
