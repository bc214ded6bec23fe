//! The sums of rows that are written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aitrace_model::SpanKind;
use aitrace_store::{Counted, Histogram, Usage};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};

use super::{COST, FAILED, FIXED, HOUR, INPUT, Key, LENGTHS, MAGIC, OUTPUT, ROOT, TEXTS};

const LEVEL: i32 = 3;
/// Slots of a file at most, unless they are days.
const SLOTS: usize = 64;
/// Values of a text at most, and bytes of one.
const VALUES: usize = 1024;
const LONGEST: usize = 256;
/// Buckets of durations of all cells at most while rows come, so that memory stays bounded.
const BUCKETS: usize = 1 << 17;
/// The same of what is written: so many, and one for every so many rows. More would be read as slowly as columns.
const LEAST: usize = 4096;
const SHARE: u64 = 2;

/// Takes in batches and gives the blob. Memory: some 25 MB at most, whatever comes.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    texts: [Texts; TEXTS.len()],
    /// Which of the lengths slots have.
    length: usize,
    slots: BTreeSet<i64>,
    numbers: HashMap<Key, u32>,
    cells: Vec<(Key, Counted)>,
    /// How many spans of a cell are in a bucket; the number of the cell stands before that of the bucket.
    durations: HashMap<u64, u32>,
    last: Option<(Key, u32)>,
    rows: u64,
    /// There can be no sums of this file.
    over: bool,
}

/// The values of one text.
#[derive(Debug, Default)]
struct Texts {
    numbers: HashMap<Box<str>, u32>,
    values: Vec<Box<str>>,
    last: usize,
    left_out: bool,
}

impl Texts {
    /// The number of a value; `None` where there are too many.
    fn number(&mut self, value: Option<&str>) -> Option<u32> {
        let Some(value) = value.filter(|_| !self.left_out) else { return Some(0) };
        // Rows are sorted by trace: the next value is often the last one.
        if self.values.get(self.last).is_some_and(|last| **last == *value) {
            return Some(self.last as u32 + 1);
        }
        if let Some(number) = self.numbers.get(value) {
            self.last = *number as usize - 1;
            return Some(*number);
        }
        if self.values.len() == VALUES || value.len() > LONGEST {
            return None;
        }
        self.last = self.values.len();
        self.values.push(value.into());
        let number = self.values.len() as u32;
        self.numbers.insert(value.into(), number);
        Some(number)
    }

    fn leave_out(&mut self) {
        *self = Self { left_out: true, ..Self::default() };
    }
}

impl Builder {
    /// Adds rows in any order. A batch that lacks a column makes that there are no sums.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        let Some(columns) = Columns::of(batch) else {
            self.over = true;
            return;
        };
        for row in 0..batch.num_rows() {
            if self.over {
                return;
            }
            self.rows += 1;
            // A span without a duration has not ended and does not count.
            if !columns.duration.is_null(row) {
                self.add_row(&columns, row);
            }
        }
    }

    fn add_row(&mut self, columns: &Columns<'_>, row: usize) {
        let mut texts = [0; TEXTS.len()];
        for (number, text) in texts.iter_mut().enumerate() {
            let cells = columns.texts[number];
            let value = (!cells.is_null(row)).then(|| cells.value(row));
            *text = match self.texts[number].number(value) {
                Some(value) => value,
                None if number < FIXED => {
                    self.over = true;
                    return;
                }
                None => {
                    self.leave_out(number);
                    0
                }
            };
        }
        let slot = columns.start[row].div_euclid(LENGTHS[self.length]);
        let failed = columns.failed.value(row);
        let cell = self.cell(Key { slot, texts, root: columns.parent.is_null(row), failed });
        let counted = &mut self.cells[cell as usize].1;
        counted.count += 1;
        counted.errors += u64::from(failed);
        if let Some(usage) = columns.usage(row) {
            counted.usage.add(usage);
        }
        let bucket = Histogram::bucket(columns.duration.value(row));
        *self.durations.entry(u64::from(cell) << 16 | u64::from(bucket)).or_default() += 1;
        while !self.over && (self.durations.len() > BUCKETS || self.has_too_many_slots()) {
            self.coarsen();
        }
    }

    fn has_too_many_slots(&self) -> bool {
        self.slots.len() > SLOTS && self.length + 1 < LENGTHS.len()
    }

    fn cell(&mut self, key: Key) -> u32 {
        if let Some((_, cell)) = self.last.filter(|(last, _)| *last == key) {
            return cell;
        }
        let next = self.cells.len() as u32;
        let cell = *self.numbers.entry(key).or_insert(next);
        if cell == next {
            self.cells.push((key, Counted::default()));
            self.slots.insert(key.slot);
        }
        self.last = Some((key, cell));
        cell
    }

    /// Makes fewer cells of them.
    fn coarsen(&mut self) {
        let texts = self.texts.iter().enumerate().skip(FIXED).filter(|(_, texts)| !texts.left_out);
        let most = texts.max_by_key(|(_, texts)| texts.values.len()).map(|(number, _)| number);
        match most {
            Some(number) if self.length >= HOUR && !self.has_too_many_slots() => self.leave_out(number),
            _ => self.lengthen(),
        }
    }

    fn lengthen(&mut self) {
        let Some(longer) = LENGTHS.get(self.length + 1) else {
            self.over = true;
            return;
        };
        let times = longer / LENGTHS[self.length];
        self.length += 1;
        self.rekey(|key| Key { slot: key.slot.div_euclid(times), ..key });
    }

    fn leave_out(&mut self, number: usize) {
        self.texts[number].leave_out();
        self.rekey(|mut key| {
            key.texts[number] = 0;
            key
        });
    }

    #[expect(clippy::iter_over_hash_type, reason = "the sums do not depend on the order")]
    fn rekey(&mut self, new: impl Fn(Key) -> Key) {
        self.slots.clear();
        self.numbers.clear();
        self.last = None;
        let mut places = Vec::with_capacity(self.cells.len());
        for (key, counted) in std::mem::take(&mut self.cells) {
            let cell = self.cell(new(key));
            let sum = &mut self.cells[cell as usize].1;
            sum.count += counted.count;
            sum.errors += counted.errors;
            sum.usage.add(counted.usage);
            places.push(cell);
        }
        for (place, count) in std::mem::take(&mut self.durations) {
            let cell = places[(place >> 16) as usize];
            *self.durations.entry(u64::from(cell) << 16 | place & 0xFFFF).or_default() += count;
        }
    }

    /// The blob; `None` where columns are as good.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        while !self.over && self.durations.len() > LEAST + (self.rows / SHARE) as usize {
            self.coarsen();
        }
        if self.over || self.cells.is_empty() {
            return None;
        }
        let body = self.body();
        let mut blob = MAGIC.to_vec();
        blob.extend(u32::try_from(body.len()).ok()?.to_le_bytes());
        blob.extend(zstd::bulk::compress(&body, LEVEL).ok()?);
        Some(blob)
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(LENGTHS[self.length] as u64, &mut out);
        for texts in &self.texts {
            put(u64::from(!texts.left_out), &mut out);
            put(texts.values.len() as u64, &mut out);
            for value in &texts.values {
                put(value.len() as u64, &mut out);
                out.extend_from_slice(value.as_bytes());
            }
        }
        // In the order of their cells and buckets.
        let durations: BTreeMap<u64, u32> =
            self.durations.iter().map(|(place, count)| (*place, *count)).collect();
        put(self.cells.len() as u64, &mut out);
        let mut order: Vec<u32> = (0..self.cells.len() as u32).collect();
        order.sort_unstable_by_key(|cell| self.cells[*cell as usize].0);
        let mut slot = 0;
        for cell in order {
            let (key, counted) = &self.cells[cell as usize];
            put(zigzag(key.slot.wrapping_sub(slot)), &mut out);
            slot = key.slot;
            self.put_cell(key, counted, &mut out);
            let first = u64::from(cell) << 16;
            let buckets = || durations.range(first..first + (1 << 16));
            put(buckets().count() as u64, &mut out);
            let mut last = first;
            for (place, count) in buckets() {
                put(place - last, &mut out);
                put(u64::from(*count), &mut out);
                last = *place;
            }
        }
        out
    }

    fn put_cell(&self, key: &Key, counted: &Counted, out: &mut Vec<u8>) {
        let Usage { input_tokens, output_tokens, cost_pico } = counted.usage;
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        out.push(
            flag(key.root, ROOT)
                | flag(key.failed, FAILED)
                | flag(input_tokens.is_some(), INPUT)
                | flag(output_tokens.is_some(), OUTPUT)
                | flag(cost_pico.is_some(), COST),
        );
        let kept = self.texts.iter().zip(key.texts).filter(|(texts, _)| !texts.left_out);
        kept.for_each(|(_, text)| put(u64::from(text), out));
        put(counted.count, out);
        let sums = [input_tokens, output_tokens, cost_pico.map(zigzag)];
        sums.into_iter().flatten().for_each(|sum| put(sum, out));
    }
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The columns of a batch that are counted.
struct Columns<'a> {
    texts: [&'a StringArray; TEXTS.len()],
    start: &'a [i64],
    duration: &'a UInt64Array,
    failed: &'a BooleanArray,
    parent: &'a ArrayRef,
    wraps: &'a BooleanArray,
    input: &'a UInt64Array,
    output: &'a UInt64Array,
    cost: &'a arrow::array::Float64Array,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<UInt64Type>();
        let mut texts = [text(TEXTS[0])?; TEXTS.len()];
        for (cells, name) in texts.iter_mut().zip(TEXTS) {
            *cells = text(name)?;
        }
        let start = batch.column_by_name("start")?.as_primitive_opt::<TimestampNanosecondType>()?;
        Some(Self {
            texts,
            start: start.values(),
            duration: number("duration_ns")?,
            failed: batch.column_by_name("failed")?.as_boolean_opt()?,
            parent: batch.column_by_name("parent_span_id")?,
            wraps: batch.column_by_name("wraps")?.as_boolean_opt()?,
            input: number("input_tokens")?,
            output: number("output_tokens")?,
            cost: batch.column_by_name("cost")?.as_primitive_opt::<Float64Type>()?,
        })
    }

    /// What a row used, if it is a model call that counts.
    fn usage(&self, row: usize) -> Option<Usage> {
        let kind = self.texts[1];
        let calls = [SpanKind::Llm.as_str(), SpanKind::Embedding.as_str()];
        let counts = !kind.is_null(row) && calls.contains(&kind.value(row));
        if !counts || !self.wraps.is_null(row) && self.wraps.value(row) {
            return None;
        }
        let tokens = |cells: &UInt64Array| (!cells.is_null(row)).then(|| cells.value(row));
        let cost = (!self.cost.is_null(row)).then(|| self.cost.value(row));
        Some(Usage::new(tokens(self.input), tokens(self.output), cost))
    }
}
