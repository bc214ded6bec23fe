//! What is sent: everything follows from the seed.

use std::fmt::Write as _;

/// Spans of a batch.
pub(super) const BATCH: u64 = 10;
/// Spans of a trace.
pub(super) const TRACE: u64 = 40;

/// splitmix64: small, and the same everywhere.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of one thing, named by numbers.
    fn of(names: &[u64]) -> Self {
        let mut random = Self(0);
        for name in names {
            random.0 ^= *name;
            random.0 = random.next();
        }
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// One message about a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Message {
    pub(super) writer: u64,
    /// Which of the writer's spans.
    pub(super) number: u64,
    pub(super) ends: bool,
}

/// The messages of a batch: most spans whole, every fifth only its start; its end follows in the next batch.
pub(super) fn batch(writer: u64, batch: u64) -> Vec<Message> {
    let slow = |number: &u64| number.is_multiple_of(5);
    let own = batch * BATCH..(batch + 1) * BATCH;
    let before = (batch.saturating_sub(1)) * BATCH..batch * BATCH;
    let ends = before.filter(slow).map(|number| Message { writer, number, ends: true });
    ends.chain(own.map(|number| Message { writer, number, ends: !slow(&number) })).collect()
}

/// A span as it must come out again.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) own_id: String,
    pub(super) parent_id: Option<String>,
    pub(super) name: String,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// JSON text.
    pub(super) inputs: String,
    /// An attribute of no meaning.
    pub(super) note: String,
}

pub(super) fn span(seed: u64, writer: u64, number: u64) -> Span {
    let mut random = Random::of(&[seed, writer, number]);
    let start_ns = 1_769_860_800_000_000_000 + (number * 1_000_000) as i64;
    let parent = number - number % TRACE + (number % TRACE).saturating_sub(1) / 3;
    Span {
        trace_id: trace_id(seed, writer, number),
        own_id: span_id(seed, writer, number),
        parent_id: (!number.is_multiple_of(TRACE)).then(|| span_id(seed, writer, parent)),
        name: format!("step {writer}.{number}"),
        start_ns,
        end_ns: start_ns + random.below(1_000_000_000) as i64,
        inputs: inputs(&mut random),
        note: text(&mut random, 40),
    }
}

fn trace_id(seed: u64, writer: u64, number: u64) -> String {
    let mut random = Random::of(&[seed, writer, number / TRACE, 1]);
    format!("{:016x}{:016x}", random.next() | 1, random.next())
}

fn span_id(seed: u64, writer: u64, number: u64) -> String {
    format!("{:016x}", Random::of(&[seed, writer, number, 2]).next() | 1)
}

/// JSON with what a careless store would change: the order of keys, digits, escapes, blanks.
fn inputs(random: &mut Random) -> String {
    let mut out = String::from("{\"z\": ");
    write!(out, "{}.50, \"a\":[", random.below(1000)).expect("a String takes everything");
    for index in 0..random.below(20) {
        let comma = if index > 0 { "," } else { "" };
        write!(out, "{comma}{}", random.below(1 << 53) as i64 - (1 << 52))
            .expect("a String takes everything");
    }
    let length = random.below(3000);
    write!(out, "],\"e\":1E2,\"\\u00e9\":\"\\/{}\"}}", text(random, length))
        .expect("a String takes everything");
    out
}

fn text(random: &mut Random, length: u64) -> String {
    const LETTERS: [char; 16] =
        ['a', 'e', 'n', 't', ' ', '0', '7', '\'', '.', '<', 'é', '→', '漢', '😀', '\u{202e}', '\u{7f}'];
    (0..length).map(|_| LETTERS[random.below(16) as usize]).collect()
}
