//! Which rows may hold a text.

use memchr::memmem;

use super::{Class, LONGEST, MAGIC, MAGIC_ASCII, fold, pairs, runs};

/// Runs that are shorter say nothing, where there are longer ones.
const SHORT: usize = 3;

/// Pairs that are asked for at most of one run.
const PAIRS: usize = 12;

/// What the words of a row must fulfil to hold a text: each stands among them, written between line feeds.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    all: Vec<Vec<u8>>,
    /// For files that know words of ASCII alone.
    ascii: Vec<Vec<u8>>,
}

impl Patterns {
    /// Whether nothing is asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.ascii.is_empty()
    }
}

/// Those of a text.
pub(crate) fn patterns(text: &str) -> Patterns {
    let folded = fold(text);
    let runs: Vec<_> = runs(&folded).collect();
    let words = runs.iter().filter(|(class, ..)| *class == Class::Word);
    let words = of_words(&folded, words.map(|(_, start, end)| (*start, *end)).collect());
    let of_pairs = runs.iter().filter(|(class, ..)| *class == Class::Pair);
    let of_pairs = of_pairs.flat_map(|(_, start, end)| pairs(&folded[*start..*end]).take(PAIRS));
    let all = words.into_iter().chain(of_pairs.map(|pair| pair.as_bytes().to_vec())).collect();
    // There the other letters are gaps, and their lower case may be in ASCII.
    let folded = text.to_lowercase();
    let mut ascii = Vec::new();
    let mut at = 0;
    for run in folded.split(|c: char| !c.is_ascii_alphanumeric()) {
        ascii.extend((!run.is_empty()).then_some((at, at + run.len())));
        at += run.len() + folded[at + run.len()..].chars().next().map_or(0, char::len_utf8);
    }
    Patterns { all, ascii: of_words(&folded, ascii) }
}

/// The patterns of the words at these places of a folded text.
fn of_words(folded: &str, mut places: Vec<(usize, usize)>) -> Vec<Vec<u8>> {
    let bytes = folded.as_bytes();
    let longest = places.iter().map(|(start, end)| end - start).max().unwrap_or(0);
    places.retain(|(start, end)| end - start >= longest.min(SHORT));
    let pattern = |(at, end): (usize, usize)| {
        // Before it an escape may end in letters, and other letters may be written as one.
        let begins = at > 0 && matches!(bytes[at - 1], b' '..=b'~') && bytes[at - 1] != b'\\';
        let kept = &bytes[at..end.min(at + LONGEST / 2)];
        let ends = end < bytes.len() && kept.len() == end - at;
        let edge = |is: bool| if is { &b"\n"[..] } else { &[] };
        [edge(begins), kept, edge(ends)].concat()
    };
    places.into_iter().map(pattern).collect()
}

/// A blob that was written by [`super::Builder`].
#[derive(Debug)]
pub(crate) struct Index<'a> {
    /// Whether it knows words of ASCII alone.
    ascii: bool,
    rows: usize,
    sections: Vec<(usize, &'a [u8], usize)>,
}

impl<'a> Index<'a> {
    /// `None` if it is not one.
    pub(crate) fn read(blob: &'a [u8]) -> Option<Self> {
        let (magic, mut rest) = blob.split_first_chunk::<4>()?;
        let ascii = magic == MAGIC_ASCII;
        if !ascii && magic != MAGIC {
            return None;
        }
        let (rows, count) = (number(&mut rest)?, number(&mut rest)?);
        let mut heads = Vec::new();
        for _ in 0..count {
            heads.push((number(&mut rest)?, number(&mut rest)?, number(&mut rest)?));
        }
        let mut sections = Vec::new();
        for (blocks, packed, plain) in heads {
            let (section, after) = rest.split_at_checked(packed)?;
            sections.push((blocks, section, plain));
            rest = after;
        }
        rest.is_empty().then_some(Self { ascii, rows, sections })
    }

    /// Which of so many rows to read, as runs: their number, and whether they may fulfil the patterns (all do
    /// where there are none). `None` if it cannot be read.
    pub(crate) fn rows(&self, patterns: &Patterns, rows: usize) -> Option<Vec<(usize, bool)>> {
        let patterns = if self.ascii { &patterns.ascii } else { &patterns.all };
        let mut runs: Vec<(usize, bool)> = Vec::new();
        let mut left = rows;
        for (blocks, packed, plain) in &self.sections {
            let body = zstd::bulk::decompress(packed, *plain).ok()?;
            for read in Section::read(&body, *blocks)?.blocks(patterns)? {
                let rows = self.rows.min(left);
                left -= rows;
                match runs.last_mut() {
                    Some((count, same)) if *same == read => *count += rows,
                    _ => runs.push((rows, read)),
                }
            }
        }
        (left == 0).then_some(runs)
    }
}

struct Section<'a> {
    open: &'a [u8],
    blocks: usize,
    /// Each after a line feed, with one at the end.
    words: &'a [u8],
    places: &'a [u8],
}

impl<'a> Section<'a> {
    fn read(body: &'a [u8], blocks: usize) -> Option<Self> {
        let (open, mut rest) = body.split_at_checked(blocks.div_ceil(8))?;
        let (_, bytes) = (number(&mut rest)?, number(&mut rest)?);
        let (words, places) = rest.split_at_checked(bytes)?;
        Some(Self { open, blocks, words, places })
    }

    /// Of each block whether it may fulfil all patterns.
    fn blocks(&self, patterns: &[Vec<u8>]) -> Option<Vec<bool>> {
        let mut read = vec![true; self.blocks];
        for pattern in patterns {
            let found = self.of(pattern)?;
            read.iter_mut().zip(found).for_each(|(read, found)| *read &= found);
        }
        let open = |block: usize| self.open[block / 8] >> (block % 8) & 1 == 1;
        Some(read.into_iter().enumerate().map(|(block, read)| read || open(block)).collect())
    }

    /// Of each block whether a word in it fulfils a pattern.
    fn of(&self, pattern: &[u8]) -> Option<Vec<bool>> {
        let mut found = vec![false; self.blocks];
        let (mut places, mut feeds, mut counted, mut passed) = (self.places, 0, 0, 0);
        for at in memmem::find_iter(self.words, pattern) {
            // Line feeds before its first letter, without the one before the first word.
            let at = at + usize::from(pattern[0] == b'\n');
            feeds += memchr::memchr_iter(b'\n', self.words.get(counted..at)?).count();
            counted = at;
            let word = feeds.checked_sub(1)?;
            while passed < word {
                self.pass(&mut places, None)?;
                passed += 1;
            }
            if passed == word {
                self.pass(&mut places, Some(&mut found))?;
                passed += 1;
            }
        }
        Some(found)
    }

    /// Reads the places of one word.
    fn pass(&self, places: &mut &[u8], found: Option<&mut Vec<bool>>) -> Option<()> {
        let mut none = Vec::new();
        let found = found.unwrap_or(&mut none);
        let head = varint(places)?;
        if head == 1 {
            let (bits, rest) = places.split_at_checked(self.blocks.div_ceil(8))?;
            *places = rest;
            for (block, found) in found.iter_mut().enumerate() {
                *found |= bits[block / 8] >> (block % 8) & 1 == 1;
            }
            return Some(());
        }
        let mut block = 0;
        for _ in 0..head / 2 {
            block += varint(places)? as usize;
            if let Some(found) = found.get_mut(block) {
                *found = true;
            }
        }
        Some(())
    }
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

fn varint(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u32::from(byte & 0x7F).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}
