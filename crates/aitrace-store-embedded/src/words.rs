//! Which words stand in which rows of a file, so that a search reads only the blocks of rows that may hold its text.
//!
//! A word is a run of ASCII letters and digits, in lower case. What a needle asks of the words of a row follows from
//! its own runs: one within it must be a whole word there, one at its edge the end or beginning of one. A block whose
//! words do not say enough (it is open, see `build`) is always read. Runs of other alphabets ask nothing.
//!
//! ```text
//! blob     "AWI1", rows of a block, sections; of each section blocks, packed bytes, bytes; then the sections, zstd
//! section  bits of open blocks, words, bytes of words, words with a line feed before, between, after them, for each word where it stands
//! where    varint n * 2, n varint steps from block to block; or varint 1, a bit for each block
//! ```
//! Integers without another word are 32 bits, little-endian.

mod build;
mod look;

pub(crate) use build::Builder;
pub(crate) use look::{Index, patterns};

/// Columns that are searched: those of spans, then those of log records.
pub(crate) const TEXTS: &[&str] = &[
    "name",
    "error_type",
    "error_message",
    "inputs",
    "outputs",
    "metadata",
    "metrics",
    "feedback",
    "config",
    "user_properties",
    "attributes",
    "events",
    "event",
    "attrs",
];

const MAGIC: &[u8; 4] = b"AWI1";
/// Rows of a block: reading one decompresses a few pages.
const ROWS: usize = 1024;
/// A longer word is kept as pieces of this length, each beginning half of it after the one before: any half of it
/// stands in one of them.
const LONGEST: usize = 64;

/// Whether a byte is part of a word.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aitrace_store::Needle;
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(cells: &[String]) -> RecordBatch {
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(cells));
        RecordBatch::try_from_iter([("inputs", column)]).expect("a batch")
    }

    fn index(cells: &[String]) -> Vec<u8> {
        let mut builder = Builder::default();
        for cells in cells.chunks(700) {
            builder.add(&batch(cells));
        }
        builder.finish().expect("packs")
    }

    fn rows(blob: &[u8], text: &str, rows: usize) -> Vec<(usize, bool)> {
        Index::read(blob).expect("is ours").rows(&patterns(text), rows).expect("is ours")
    }

    fn read(blob: &[u8], text: &str, row: usize, all: usize) -> bool {
        let runs = rows(blob, text, all);
        let mut end = 0;
        let found = runs.iter().find(|(count, _)| {
            end += count;
            row < end
        });
        found.is_some_and(|(_, read)| *read)
    }

    #[test]
    fn only_blocks_that_may_hold_a_text_are_read() {
        let cells: Vec<_> = (0..5000).map(|row| format!(r#"{{"said":"order {row:05} of many"}}"#)).collect();
        let blob = index(&cells);
        assert_eq!(rows(&blob, "order 03000 of", 5000), vec![(2048, false), (1024, true), (1928, false)]);
        assert_eq!(rows(&blob, "nowhere", 5000), vec![(5000, false)]);
        assert_eq!(rows(&blob, "RDER", 5000), vec![(5000, true)]);
        assert_eq!(rows(&blob, "rde many", 5000), vec![(5000, false)], "no word ends so");
        assert_eq!(rows(&blob, "天気", 5000), vec![(5000, true)], "no word to look for");
        assert!(blob.len() < 30_000, "{} bytes", blob.len());
    }

    #[test]
    fn what_has_no_repetition_is_read_not_indexed() {
        let word = |number: u64| format!("{:x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let noise = |row: u64| (0..100).map(|at| word(row * 101 + at)).collect::<Vec<_>>().join(" ");
        let cells: Vec<_> = (0..1100).map(noise).collect();
        let text: usize = cells.iter().map(String::len).sum();
        let blob = index(&cells);
        assert!(blob.len() < text / 4, "{} of {text}", blob.len());
        assert!(read(&blob, &cells[1050][..30], 1050, cells.len()));
    }

    #[test]
    fn what_repeats_is_passed_over_by_whole_words() {
        let cells =
            ["the quick brown fox jumps over lazydog", "the quick brown fox jumps over lazydogs came"];
        let blob = index(&cells.map(str::to_owned));
        assert!(read(&blob, "lazydogs", 1, 2) && read(&blob, "fox", 1, 2));
        assert!(!read(&blob, "azydogsc", 1, 2));
    }

    #[test]
    fn damage_is_no_index() {
        let blob = index(&["one two".to_owned()]);
        for cut in 0..blob.len() {
            assert!(Index::read(&blob[..cut]).and_then(|index| index.rows(&patterns("one"), 1)).is_none());
        }
    }

    proptest! {
        /// What a needle finds in a row is never passed over, whatever the escapes.
        #[test]
        fn what_is_found_is_read(
            // Those of the second kind leave blocks open; so do escapes that need not be.
            texts in prop_oneof![
                proptest::collection::vec("[aB1cz ./\"\\\\\né天u0-]{0,90}", 1..6),
                proptest::collection::vec("[aB1kK ./\"\\\\\né\u{130}\u{212a}天u0-]{0,90}", 1..6),
            ],
            odd in any::<bool>(),
            ascii in any::<bool>(), grows in any::<bool>(), row in any::<prop::sample::Index>(),
            from in any::<prop::sample::Index>(), length in 1..80_usize,
        ) {
            let mut texts = texts;
            for at in 1..texts.len() {
                // As conversations do: each row repeats the one before.
                texts[at] = if grows { [&*texts[at - 1], &*texts[at]].concat() } else { texts[at].clone() };
            }
            let escape = |text: &String| {
                let json = serde_json::to_string(text).expect("text");
                let hex = |c: char| format!("\\u{:04x}", c as u32);
                if ascii { json.chars().map(|c| if c.is_ascii() { c.to_string() } else { hex(c) }).collect() } else { json }
            };
            let mut cells: Vec<String> = texts.iter().map(escape).collect();
            // An escape of what needs none.
            cells.push(if odd { r#""\u0061bc \u003cdiv\u003e""# } else { r#""abc \u003cdiv\u003e""# }.to_owned());
            let blob = index(&cells);
            let row = row.index(cells.len());
            let cell = &cells[row];
            let whole: Vec<char> = texts.get(row).map_or("abc <div>", String::as_str).chars().collect();
            let raw: Vec<char> = cell.chars().collect();
            for source in [whole, raw] {
                let from = from.index(source.len().max(1));
                let text: String = source.iter().skip(from).take(length).collect();
                let found = Needle::new(&text).is_some_and(|needle| needle.in_json(cell).is_some());
                prop_assert!(!found || read(&blob, &text, row, cells.len()), "{text:?} in {cell}");
            }
        }
    }
}
