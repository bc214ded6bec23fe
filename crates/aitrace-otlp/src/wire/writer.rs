//! Writes fields one after the other into one buffer.

use super::{FIXED32, FIXED64, LENGTH, VARINT};

/// A message being written. Fields with protobuf's default value are left out by the `*_field`
/// functions that say so; the elements of a oneof are always written.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// A `string` or `bytes` field, also when empty.
    pub(crate) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, LENGTH);
        self.raw_varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// A `string` or `bytes` field, left out when empty.
    pub(crate) fn bytes_unless_empty(&mut self, number: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes(number, bytes);
        }
    }

    /// A varint field, also when zero.
    pub(crate) fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, VARINT);
        self.raw_varint(value);
    }

    /// A varint field, left out when zero.
    pub(crate) fn varint_unless_zero(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.varint(number, value);
        }
    }

    /// A `fixed64` or `double` field, also when zero.
    pub(crate) fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, FIXED64);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A `fixed64` field, left out when zero.
    pub(crate) fn fixed64_unless_zero(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.fixed64(number, value);
        }
    }

    /// A `fixed32` field, left out when zero.
    pub(crate) fn fixed32_unless_zero(&mut self, number: u32, value: u32) {
        if value != 0 {
            self.tag(number, FIXED32);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A message field. Its length comes before it and is known after it: room is left for the
    /// length of a message of about `guess` bytes, and the message moves when that was wrong.
    pub(crate) fn message(&mut self, number: u32, guess: usize, write: impl FnOnce(&mut Self)) {
        self.tag(number, LENGTH);
        let at = self.out.len();
        let room = varint_length(guess as u64);
        self.out.resize(at + room, 0);
        write(self);
        let end = self.out.len();
        let length = (end - at - room) as u64;
        let needed = varint_length(length);
        if needed > room {
            self.out.resize(end + needed - room, 0);
        }
        if needed != room {
            self.out.copy_within(at + room..end, at + needed);
            self.out.truncate(end + needed - room);
        }
        let mut rest = length;
        for byte in &mut self.out[at..at + needed] {
            *byte = (rest & 0x7f) as u8 | 0x80;
            rest >>= 7;
        }
        self.out[at + needed - 1] &= 0x7f;
    }

    fn tag(&mut self, number: u32, wire: u8) {
        self.raw_varint(u64::from(number << 3 | u32::from(wire)));
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// Bytes of `value` as a varint.
fn varint_length(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal_whatever_was_guessed() {
        for size in [0_usize, 1, 127, 128, 16_383, 16_384, 100_000] {
            let content = vec![7_u8; size];
            let mut expected = Writer::default();
            expected.bytes(2, &content);
            let expected = expected.into_bytes();
            for guess in [0, 127, 128, 1 << 14, 1 << 30] {
                let mut writer = Writer::default();
                writer.message(2, guess, |writer| writer.out.extend_from_slice(&content));
                assert_eq!(writer.into_bytes(), expected, "size {size} guess {guess}");
            }
        }
    }

    #[test]
    fn varint_length_counts_bits() {
        for (value, length) in [(0, 1), (127, 1), (128, 2), (1 << 14, 3), (u64::MAX, 10)] {
            assert_eq!(varint_length(value), length);
        }
    }
}
