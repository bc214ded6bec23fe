//! The dialects: tables of attribute keys, in order of precedence.

mod aitrace;
mod genai;
mod generic;
mod openinference;
mod openllmetry;

use std::collections::HashMap;
use std::sync::LazyLock;

use aitrace_model::{AnyValue, RawEvent};

use crate::draft::{Draft, Gather, Piece, Rank, Take};

/// One dialect.
pub(crate) struct Dialect {
    /// What single keys say. Of two rows for one thing the earlier counts.
    pub(crate) rows: &'static [(&'static str, Take)],
    /// What keys with a prefix say together.
    pub(crate) prefixes: &'static [(&'static str, Gather)],
    /// Names of span events whose attributes are read like the span's own.
    pub(crate) events: &'static [&'static str],
}

/// Of two dialects that say one thing the earlier counts.
const DIALECTS: [&Dialect; 5] =
    [&aitrace::DIALECT, &openinference::DIALECT, &genai::DIALECT, &openllmetry::DIALECT, &generic::DIALECT];

const ROWS_A_DIALECT: Rank = 256;

static ROWS: LazyLock<HashMap<&'static str, Vec<(Rank, Take)>>> = LazyLock::new(|| {
    let mut rows: HashMap<&'static str, Vec<(Rank, Take)>> = HashMap::new();
    for (dialect, base) in DIALECTS.iter().zip((0..).step_by(usize::from(ROWS_A_DIALECT))) {
        for ((key, take), rank) in dialect.rows.iter().zip(base..) {
            rows.entry(key).or_default().push((rank, *take));
        }
    }
    rows
});

static PREFIXES: LazyLock<Vec<(&'static str, Rank, Gather)>> = LazyLock::new(|| {
    let bases = (0..).step_by(usize::from(ROWS_A_DIALECT));
    let all = DIALECTS.iter().zip(bases);
    all.flat_map(|(dialect, base)| {
        dialect.prefixes.iter().map(move |(prefix, gather)| (*prefix, base, *gather))
    })
    .collect()
});

/// Whether any dialect reads this key.
pub(crate) fn knows(key: &str) -> bool {
    ROWS.contains_key(key) || PREFIXES.iter().any(|(prefix, ..)| key.starts_with(prefix))
}

/// Reads attributes in every dialect at once.
pub(crate) fn read<'a>(draft: &mut Draft<'a>, attributes: &'a [(String, AnyValue)]) {
    for (key, value) in attributes {
        if let Some(rows) = ROWS.get(key.as_str()) {
            for (rank, take) in rows {
                draft.take(*rank, *take, value);
            }
            continue;
        }
        for (prefix, rank, gather) in PREFIXES.iter() {
            if let Some(rest) = key.strip_prefix(prefix) {
                draft.pieces.push(Piece { gather: *gather, rank: *rank, rest, value });
            }
        }
    }
}

/// Reads the events whose attributes count as the span's.
pub(crate) fn read_events<'a>(draft: &mut Draft<'a>, events: &'a [RawEvent]) {
    for event in events {
        if DIALECTS.iter().any(|dialect| dialect.events.contains(&event.name.as_str())) {
            read(draft, &event.attributes);
        }
    }
}
