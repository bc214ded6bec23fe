//! Which words stand in which rows of a file, so that a search reads only the blocks of rows that may hold its text.
//!
//! A word is a run of letters and digits in lower case; of scripts that write no spaces, and of signs beyond ASCII, each
//! pair of neighbours is one. What a needle asks of the words of a row follows from its own runs: one within it must be
//! a whole word there, one at its edge the end or beginning of one. A block whose words do not say enough (it is open,
//! see `build`) is always read.
//!
//! ```text
//! blob     "AWI2", rows of a block, sections; of each section blocks, packed bytes, bytes; then the sections, zstd
//! section  bits of open blocks, words, bytes of words, words with a line feed before, between, after them, for each word where it stands
//! where    varint n * 2, n varint steps from block to block; or varint 1, a bit for each block
//! ```
//! Integers without another word are 32 bits, little-endian. Of "AWI1" only runs of ASCII letters and digits are words;
//! runs of other alphabets ask nothing of it.

mod build;
mod look;

pub(crate) use build::Builder;
pub(crate) use look::{Index, Patterns, patterns};

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

const MAGIC: &[u8; 4] = b"AWI2";
/// Of files that know words of ASCII alone.
const MAGIC_ASCII: &[u8; 4] = b"AWI1";
/// Rows of a block: reading one decompresses a few pages.
const ROWS: usize = 1024;
/// A longer word is kept as pieces of this length, each beginning half of it after the one before: any half of it
/// stands in one of them.
const LONGEST: usize = 64;

/// What a character of folded text is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A word: letters and digits.
    Word,
    /// A pair: signs beyond ASCII, and letters of scripts that write no spaces between words.
    Pair,
    /// Nothing.
    Gap,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            _ if c.is_ascii_alphanumeric() => Self::Word,
            _ if c.is_ascii() => Self::Gap,
            // Thai, Lao, Tibetan, Myanmar; Khmer; Kana and Bopomofo; Han; Han for compatibility; half-width Kana; Han.
            '\u{e00}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3040}'..='\u{312f}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9f}'
            | '\u{20000}'..='\u{3ffff}' => Self::Pair,
            _ if c.is_alphanumeric() => Self::Word,
            _ => Self::Pair,
        }
    }
}

/// A text as it is compared: in lower case, where a sigma is a sigma wherever it stands.
fn fold(text: &str) -> String {
    let folded = text.to_lowercase();
    if folded.contains('ς') { folded.replace('ς', "σ") } else { folded }
}

/// Runs of one class, those of gaps left out: where they begin and end.
fn runs(text: &str) -> impl Iterator<Item = (Class, usize, usize)> {
    let mut chars = text.char_indices().map(|(at, c)| (at, Class::of(c))).peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, class) = chars.next()?;
            let mut end = text.len();
            while let Some((at, next)) = chars.peek() {
                if *next != class {
                    end = *at;
                    break;
                }
                chars.next();
            }
            if class != Class::Gap {
                return Some((class, start, end));
            }
        }
    })
}

/// The pairs of neighbours in a run; of a run of one character that one.
fn pairs(run: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    let pairs = starts.len().saturating_sub(2).max(1);
    (0..pairs).map(move |at| &run[starts[at]..starts[(at + 2).min(starts.len() - 1)]])
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
        assert_eq!(rows(&blob, "天気", 5000), vec![(5000, false)]);
        assert_eq!(rows(&blob, " -", 5000), vec![(5000, true)], "no word to look for");
        assert!(blob.len() < 30_000, "{} bytes", blob.len());
    }

    #[test]
    fn words_of_all_alphabets_are_known() {
        let names = [
            "Πέτρος ΟΔΥΣΣΕΥΣ",
            "Екатерина Ивановна",
            "東京都千代田区",
            "محمد علي",
            "Jürgen Groß",
            "สวัสดีครับ",
            "🦀🚀",
        ];
        let say = |row: usize| match row {
            100 | 2100 | 3200 => format!(r#"{{"said":"{}, \u{:04x}z"}}"#, names.join(" · "), 0xE9),
            _ => format!(r#"{{"said":"это {row:05} の многое é 東 京"}}"#),
        };
        let blob = index(&(0..5000).map(say).collect::<Vec<_>>());
        let only = vec![(1024, true), (1024, false), (2048, true), (904, false)];
        let asked = [
            "οδυσσευσ",
            "ОДУ",
            "ивановн",
            "ВАНОВНА",
            "千代田",
            "محم",
            "GROSS",
            "groß,",
            "ดีค",
            "🦀",
            "ÉZ",
            "u00e9z",
        ];
        let expected = [true, false, true, true, true, true, false, true, true, true, true, true];
        for (text, is) in asked.into_iter().zip(expected) {
            let none = vec![(5000, false)];
            assert_eq!(rows(&blob, text, 5000), if is { only.clone() } else { none }, "{text}");
        }
        assert_eq!(rows(&blob, "многое", 5000), vec![(5000, true)]);
        assert_eq!(rows(&blob, "東京", 5000), only, "they are no neighbours elsewhere");
    }

    #[test]
    fn older_files_know_words_of_ascii() {
        // As the first version wrote it: two blocks, of which the second has the words "caf" and "x".
        let body =
            [&[0_u8][..], &2_u32.to_le_bytes(), &7_u32.to_le_bytes(), b"\ncaf\nx\n", &[2, 1, 2, 1]].concat();
        let packed = zstd::bulk::compress(&body, 1).expect("packs");
        let mut blob = MAGIC_ASCII.to_vec();
        for number in [ROWS as u32, 1, 2, packed.len() as u32, body.len() as u32] {
            blob.extend(number.to_le_bytes());
        }
        blob.extend(packed);
        let second = vec![(1024, false), (6, true)];
        assert_eq!(rows(&blob, "café", 1030), second, "what is not ASCII asks nothing");
        assert_eq!(rows(&blob, "天気", 1030), vec![(1030, true)]);
        assert_eq!(rows(&blob, "tea", 1030), vec![(1030, false)]);
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
                proptest::collection::vec("[aБвЖ ΣσςΑ東京ก\u{307}é,ÉßẞعَQ🦀\\\\\"\n·İ]{0,60}", 1..6),
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
