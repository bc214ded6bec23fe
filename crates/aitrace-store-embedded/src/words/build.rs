//! The words of rows that are written.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;

use super::{Class, LONGEST, MAGIC, ROWS, TEXTS, fold, pairs, runs};

const LEVEL: i32 = 3;
/// Words of a section at most, so that memory stays bounded; a block may exceed it by its own.
const WORDS: usize = 1 << 17;
/// The words of a section take at most this, and one in [`SHARE`] bytes of its texts: else a search gains nothing.
const LEAST: usize = 256 << 10;
const MOST: usize = 8 << 20;
const SHARE: usize = 8;

/// Rows that are looked back to for what a cell repeats.
const LOOK_BACK: usize = 3;
/// Bytes that are compared at a time.
const PIECE: usize = 32;

/// Where a word stands: blocks of the section, ascending.
type Places = Vec<u16>;

/// Takes in batches and gives the blob. Memory: some 30 MB at most, whatever comes.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    sections: Vec<u8>,
    directory: Vec<[u32; 3]>,
    words: HashMap<Box<[u8]>, Places, Seeded>,
    open: Vec<bool>,
    /// Rows in the last block.
    filled: usize,
    /// Bytes of the words, and of the texts that they are from.
    kept: usize,
    texts: usize,
    folded: Vec<u8>,
}

impl Builder {
    /// Adds rows in the order of the file.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        let mut row = 0;
        while row < batch.num_rows() {
            if self.filled == 0 {
                self.begin_block();
            }
            let rows = (ROWS - self.filled).min(batch.num_rows() - row);
            self.add_rows(&batch.slice(row, rows));
            self.filled = (self.filled + rows) % ROWS;
            row += rows;
        }
    }

    /// The blob; `None` where it cannot be packed.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        self.end_section()?;
        let mut blob = MAGIC.to_vec();
        let numbers = [ROWS as u32, self.directory.len() as u32];
        for number in numbers.iter().chain(self.directory.iter().flatten()) {
            blob.extend(number.to_le_bytes());
        }
        blob.extend(self.sections);
        Some(blob)
    }

    fn begin_block(&mut self) {
        if self.words.len() >= WORDS || self.kept >= MOST / 2 || self.open.len() >= usize::from(u16::MAX) {
            // A section that cannot be packed is one whose blocks are all read.
            if self.end_section().is_none() {
                self.words.clear();
                self.open.fill(true);
            }
        }
        self.open.push(false);
    }

    fn add_rows(&mut self, rows: &RecordBatch) {
        let orphans = rows.column_by_name("orphans").and_then(|column| column.as_boolean_opt());
        // What those hold besides is not in a column.
        let mut unsure = orphans.is_some_and(|flags| flags.iter().any(|flag| flag == Some(true)));
        for name in TEXTS {
            let Some(column) = rows.column_by_name(name).filter(|c| c.data_type() == &DataType::Utf8) else {
                continue;
            };
            unsure |= self.add_column(column.as_string::<i32>(), *name == "attributes");
        }
        if let Some(open) = self.open.last_mut() {
            *open |= unsure;
        }
    }

    /// Whether words alone do not say what stands there.
    fn add_column(&mut self, cells: &StringArray, references: bool) -> bool {
        let mut unsure = false;
        for row in (0..cells.len()).filter(|row| !cells.is_null(*row)) {
            let cell = cells.value(row);
            self.texts += cell.len();
            let rest = &cell[repeated(cells, row)..];
            unsure |= if rest.is_ascii() {
                self.folded.clear();
                self.folded.extend(rest.bytes().map(|byte| byte.to_ascii_lowercase()));
                let folded = std::mem::take(&mut self.folded);
                let unsure = self.add_ascii(&folded, references);
                self.folded = folded;
                unsure
            } else {
                self.add_text(&fold(rest), references)
            };
            // Such a text is found as it is written and as it is meant.
            if memchr::memmem::find(rest.as_bytes(), b"\\u").is_some() {
                unsure |= self.add_text(&fold(&meant(rest)), references);
            }
        }
        unsure
    }

    /// Most texts are ASCII alone: there this is the faster way.
    fn add_ascii(&mut self, text: &[u8], references: bool) -> bool {
        let (mut at, mut unsure) = (0, false);
        while at < text.len() {
            if text[at].is_ascii_alphanumeric() {
                let rest = &text[at..];
                let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
                unsure |= !self.add_word(&rest[..length]);
                at += length;
                continue;
            }
            // Where attributes repeat contents they only refer to them; see `echo`.
            if references && text[at] == 1 {
                at += text[at..].iter().position(|byte| *byte == 2).unwrap_or(0);
            }
            at += 1;
        }
        unsure
    }

    fn add_text(&mut self, text: &str, references: bool) -> bool {
        let mut unsure = false;
        let pieces = text.split(|c| references && c == '\u{1}');
        for (number, piece) in pieces.enumerate() {
            // Behind the end of the reference, if there is one.
            let piece =
                if number == 0 { piece } else { piece.split_once('\u{2}').map_or(piece, |(_, rest)| rest) };
            for (class, start, end) in runs(piece) {
                let run = &piece[start..end];
                unsure |= match class {
                    Class::Word => !self.add_word(run.as_bytes()),
                    _ => pairs(run).filter(|pair| !self.add_piece(pair.as_bytes())).count() > 0,
                };
            }
        }
        unsure
    }

    /// Whether it could be added.
    fn add_word(&mut self, word: &[u8]) -> bool {
        if word.len() <= LONGEST {
            return self.add_piece(word);
        }
        let starts = (0..).step_by(LONGEST / 2).take_while(|start| start + LONGEST / 2 < word.len());
        let mut added = true;
        for start in starts {
            added &= self.add_piece(&word[start..word.len().min(start + LONGEST)]);
        }
        added
    }

    fn add_piece(&mut self, word: &[u8]) -> bool {
        let block = (self.open.len() - 1) as u16;
        if let Some(places) = self.words.get_mut(word) {
            if places.last() != Some(&block) {
                places.push(block);
            }
            return true;
        }
        if self.kept >= MOST || self.kept > LEAST + self.texts / SHARE {
            return false;
        }
        self.kept += word.len() + 1;
        self.words.insert(word.into(), vec![block]);
        true
    }

    fn end_section(&mut self) -> Option<()> {
        let blocks = self.open.len();
        if blocks == 0 {
            return Some(());
        }
        let mut words: Vec<_> = std::mem::take(&mut self.words).into_iter().collect();
        words.sort_unstable();
        let mut body = bits(&self.open);
        body.extend((words.len() as u32).to_le_bytes());
        body.extend((self.kept as u32 + 1).to_le_bytes());
        body.push(b'\n');
        for (word, _) in &words {
            body.extend_from_slice(word);
            body.push(b'\n');
        }
        for (_, places) in &words {
            put_places(places, blocks, &mut body);
        }
        let packed = zstd::bulk::compress(&body, LEVEL).ok()?;
        self.directory.push([blocks as u32, packed.len() as u32, body.len() as u32]);
        self.sections.extend(packed);
        self.open.clear();
        (self.kept, self.texts) = (0, 0);
        Some(())
    }
}

/// Bytes at the beginning of a cell that stand in one of the last rows, too: conversations grow by their ends. All of
/// these rows are of one block, which has those words already. It ends before a space, where no word or escape is cut.
fn repeated(cells: &StringArray, row: usize) -> usize {
    let cell = cells.value(row).as_bytes();
    let before = (row.saturating_sub(LOOK_BACK)..row).filter(|row| !cells.is_null(*row));
    let common = |row| {
        let pieces = cells.value(row).as_bytes().chunks_exact(PIECE).zip(cell.chunks_exact(PIECE));
        pieces.take_while(|(one, other)| one == other).count() * PIECE
    };
    let longest = before.map(common).max().unwrap_or(0);
    memchr::memrchr(b' ', &cell[..longest]).unwrap_or(0)
}

/// A text with the characters that stand in it as `\uXXXX`; other escapes stay. It may hold no reference (see `echo`)
/// that was not there before.
fn meant(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let unit = |text: &str| u32::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok();
        let code = unit(after);
        let low = || after.get(5..)?.strip_prefix('\\').and_then(unit);
        let alone = code.and_then(char::from_u32).map(|c| (c, 5));
        let found = alone.or_else(|| {
            let pair = [code? as u16, low()? as u16];
            Some((char::decode_utf16(pair).next()?.ok()?, 11))
        });
        // An escaped backslash is no beginning of another escape.
        let used = found.map_or_else(|| after.chars().next().map_or(0, char::len_utf8), |(_, used)| used);
        match found {
            Some((c, _)) => out.push(if c.is_control() { ' ' } else { c }),
            None => out.extend(["\\", &after[..used]]),
        }
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}

fn bits(flags: &[bool]) -> Vec<u8> {
    let byte = |flags: &[bool]| flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag));
    flags.chunks(8).map(byte).collect()
}

fn put_places(places: &[u16], blocks: usize, out: &mut Vec<u8>) {
    if places.len() > blocks / 8 {
        let mut flags = vec![false; blocks];
        for block in places {
            flags[usize::from(*block)] = true;
        }
        out.push(1);
        out.extend(bits(&flags));
        return;
    }
    put(places.len() as u32 * 2, out);
    let mut last = 0;
    for block in places {
        put(u32::from(block - last), out);
        last = *block;
    }
}

fn put(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A fast hash of short texts. Its seed differs from process to process: nobody can send words that collide.
#[derive(Debug)]
struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Words;

    fn build_hasher(&self) -> Words {
        Words(self.0)
    }
}

#[derive(Debug)]
struct Words(u64);

impl Words {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9E37_79B9_7F4A_7C15_u128;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(bytes.len() as u64);
    }

    fn write_usize(&mut self, length: usize) {
        self.mix(length as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
