//! The dialects: tables of attribute keys, in order of precedence.

mod aitrace;
mod genai;
mod generic;
mod honeyhive;
mod langfuse;
mod langsmith;
mod mlflow;
mod openinference;
mod openllmetry;
mod pydantic_ai;
mod vercel;

use std::collections::HashMap;
use std::sync::LazyLock;

use aitrace_model::{AnyValue, RawEvent};
use foldhash::fast::FixedState;

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
const DIALECTS: [&Dialect; 11] = [
    &aitrace::DIALECT,
    &honeyhive::DIALECT,
    &langfuse::DIALECT,
    &mlflow::DIALECT,
    &openinference::DIALECT,
    &langsmith::DIALECT,
    &genai::DIALECT,
    &openllmetry::DIALECT,
    &vercel::DIALECT,
    &pydantic_ai::DIALECT,
    &generic::DIALECT,
];

const ROWS_A_DIALECT: Rank = 256;

/// A table that is made once: nobody else decides on its keys, so that a fast hash does.
type Rows = HashMap<&'static str, Vec<(Rank, Take)>, FixedState>;

static ROWS: LazyLock<Rows> = LazyLock::new(|| {
    let mut rows = Rows::default();
    for (dialect, base) in DIALECTS.iter().zip((0..).step_by(usize::from(ROWS_A_DIALECT))) {
        for ((key, take), rank) in dialect.rows.iter().zip(base..) {
            rows.entry(key).or_default().push((rank, *take));
        }
    }
    rows
});

/// What to do with a prefix, and how it ranks.
type Prefix = (&'static str, Rank, Gather);

/// The prefixes by their first byte, so that a key meets few of them.
static PREFIXES: LazyLock<[Vec<Prefix>; 256]> = LazyLock::new(|| {
    let mut prefixes = [const { Vec::new() }; 256];
    for (dialect, base) in DIALECTS.iter().zip((0..).step_by(usize::from(ROWS_A_DIALECT))) {
        for (prefix, gather) in dialect.prefixes {
            prefixes[usize::from(prefix.as_bytes()[0])].push((*prefix, base, *gather));
        }
    }
    prefixes
});

fn prefixes_of(key: &str) -> impl Iterator<Item = &'static Prefix> {
    key.as_bytes().first().into_iter().flat_map(|first| &PREFIXES[usize::from(*first)])
}

/// Whether any dialect reads this key.
pub(crate) fn knows(key: &str) -> bool {
    ROWS.contains_key(key) || prefixes_of(key).any(|(prefix, ..)| key.starts_with(prefix))
}

/// Reads attributes in every dialect at once.
pub(crate) fn read<'a>(draft: &mut Draft<'a>, attributes: &'a [(String, AnyValue)]) {
    for (key, value) in attributes {
        let rows = ROWS.get(key.as_str());
        for (rank, take) in rows.into_iter().flatten() {
            draft.take(*rank, *take, value);
        }
        for (prefix, rank, gather) in prefixes_of(key) {
            // A bucket of the user's keeps all of its keys, also those that were understood.
            let whole = matches!(gather, Gather::Nested(_) | Gather::Tree(_));
            if (whole || rows.is_none())
                && let Some(rest) = key.strip_prefix(prefix)
            {
                draft.pieces.push(Piece { gather: *gather, rank: *rank, rest, value });
            }
        }
    }
}

/// Reads the events whose attributes count as the span's.
pub(crate) fn read_events<'a>(draft: &mut Draft<'a>, events: &'a [RawEvent]) {
    for event in events {
        if is_event(&event.name) {
            read(draft, &event.attributes);
        }
    }
}

/// Whether the attributes of an event of this name count as the span's.
pub(crate) fn is_event(name: &str) -> bool {
    DIALECTS.iter().any(|dialect| dialect.events.contains(&name))
}
