//! Sums that were written.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use aitrace_model::Timestamp;
use aitrace_store::{Counted, Usage};

use super::{COST, FAILED, INPUT, Key, MAGIC, OUTPUT, ROOT, TEXTS};

/// Bytes of a body at most: one that is longer was not written by us.
const MOST: usize = 64 << 20;

/// The sums over the spans of a file.
#[derive(Debug)]
pub(crate) struct Sums {
    length: i64,
    /// The values of each text; `None` where cells are not kept apart by it.
    texts: [Option<Vec<String>>; TEXTS.len()],
    cells: Vec<Cell>,
    durations: Vec<(u16, u64)>,
}

/// Slots of time.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    length: i64,
    numbers: Arc<BTreeSet<i64>>,
}

impl Slots {
    /// Whether a start is in one of them.
    pub(crate) fn has(&self, start: i64) -> bool {
        self.numbers.contains(&start.div_euclid(self.length))
    }
}

/// Spans that are alike.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) key: Key,
    pub(crate) counted: Counted,
    durations: Range<usize>,
}

impl Sums {
    /// Bytes of a blob once it is unpacked; `None` if it is not one.
    pub(crate) fn unpacked(blob: &[u8]) -> Option<usize> {
        let (length, _) = blob.strip_prefix(MAGIC)?.split_first_chunk()?;
        usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MOST)
    }

    /// Those of a blob; `None` if it is not one.
    pub(crate) fn read(blob: &[u8]) -> Option<Self> {
        let packed = blob.get(MAGIC.len() + size_of::<u32>()..)?;
        let body = zstd::bulk::decompress(packed, Self::unpacked(blob)?).ok()?;
        let mut rest = body.as_slice();
        let mut sums = Self {
            length: i64::try_from(varint(&mut rest)?).ok().filter(|length| *length > 0)?,
            texts: Default::default(),
            cells: Vec::new(),
            durations: Vec::new(),
        };
        for texts in &mut sums.texts {
            let kept = varint(&mut rest)? == 1;
            let mut values = Vec::new();
            for _ in 0..varint(&mut rest)? {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (value, after) = rest.split_at_checked(length)?;
                values.push(std::str::from_utf8(value).ok()?.to_owned());
                rest = after;
            }
            *texts = kept.then_some(values);
        }
        let mut slot = 0_i64;
        let cells = varint(&mut rest)?;
        // Not more than can stand in what is left: each has six numbers at least.
        sums.cells.reserve_exact(usize::try_from(cells).ok()?.min(rest.len() / 6));
        for _ in 0..cells {
            slot = slot.wrapping_add(unzigzag(varint(&mut rest)?));
            sums.read_cell(slot, &mut rest)?;
        }
        rest.is_empty().then_some(sums)
    }

    fn read_cell(&mut self, slot: i64, rest: &mut &[u8]) -> Option<()> {
        let (flags, after) = rest.split_first()?;
        *rest = after;
        let is = |flag: u8| flags & flag != 0;
        let mut key = Key { slot, texts: [0; TEXTS.len()], root: is(ROOT), failed: is(FAILED) };
        for (text, values) in key.texts.iter_mut().zip(&self.texts) {
            if let Some(values) = values {
                *text = u32::try_from(varint(rest)?).ok().filter(|text| *text as usize <= values.len())?;
            }
        }
        let count = varint(rest)?;
        let mut sum = |flag: u8| if is(flag) { varint(rest).map(Some) } else { Some(None) };
        let (input_tokens, output_tokens, cost) = (sum(INPUT)?, sum(OUTPUT)?, sum(COST)?);
        let usage = Usage { input_tokens, output_tokens, cost_pico: cost.map(unzigzag) };
        let first = self.durations.len();
        let mut bucket = 0_u16;
        for _ in 0..varint(rest)? {
            bucket = bucket.checked_add(u16::try_from(varint(rest)?).ok()?)?;
            self.durations.push((bucket, varint(rest)?));
        }
        let errors = if key.failed { count } else { 0 };
        let counted = Counted { count, errors, usage };
        self.cells.push(Cell { key, counted, durations: first..self.durations.len() });
        Some(())
    }

    /// Bytes that they take in memory.
    pub(crate) fn bytes(&self) -> usize {
        let texts =
            self.texts.iter().flatten().flatten().map(|text| size_of::<String>() + text.capacity() + 16);
        self.cells.capacity() * size_of::<Cell>()
            + self.durations.capacity() * size_of::<(u16, u64)>()
            + texts.sum::<usize>()
    }

    /// The cells, by their keys.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Whether cells are kept apart by a text.
    pub(crate) fn has(&self, text: usize) -> bool {
        self.texts[text].is_some()
    }

    /// A text of the spans of a cell, by its place among [`TEXTS`].
    pub(crate) fn text(&self, cell: &Cell, text: usize) -> Option<&str> {
        let number = cell.key.texts[text].checked_sub(1)?;
        self.texts[text].as_ref()?.get(number as usize).map(String::as_str)
    }

    /// How many spans of a cell are in which bucket of durations.
    pub(crate) fn durations(&self, cell: &Cell) -> impl Iterator<Item = (u16, u64)> {
        self.durations[cell.durations.clone()].iter().copied()
    }

    /// Some of its slots.
    pub(crate) fn slots(&self, numbers: BTreeSet<i64>) -> Slots {
        Slots { length: self.length, numbers: Arc::new(numbers) }
    }

    /// The first and the last moment of a slot.
    pub(crate) fn slot_times(&self, slot: i64) -> (Timestamp, Timestamp) {
        let first = slot.saturating_mul(self.length);
        (Timestamp::from_nanos(first), Timestamp::from_nanos(first.saturating_add(self.length - 1)))
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}
