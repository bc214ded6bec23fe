//! Counting a file by its sums.

use std::collections::BTreeSet;

use aitrace_model::{EventType, Span, SpanId, SpanKind, Status, Timestamp, TraceId};
use aitrace_store::{Counter, Dimension, Field, Filter, Overlap, StatisticsQuery, standing};

use super::columns::column_of;
use crate::segment::{Dead, Segment};
use crate::sums::{Cell, Sums, TEXTS};

/// How far sums went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Everything is counted.
    All,
    /// Everything but spans that started in these slots.
    AllBut(BTreeSet<i64>),
    /// Nothing is counted.
    Nothing,
}

/// Whether sums may answer a query about a file with these rows that do not count: those of single traces are in them.
pub(super) fn may_tell(query: &StatisticsQuery, dead: &Dead) -> bool {
    let single = |(project, whole, traces, spans): (&str, bool, &BTreeSet<_>, &BTreeSet<_>)| {
        !whole && query.scope.contains(project) && !(traces.is_empty() && spans.is_empty())
    };
    !dead.each().any(single)
}

/// Counts the cells that are asked for.
pub(super) fn count(sums: &Sums, file: &Segment, dead: &Dead, counter: &mut Counter) -> Told {
    let query = counter.query().clone();
    let Some(asked) = Asked::of(&query, sums) else { return Told::Nothing };
    let (mut whole, mut cut, mut left) = (Vec::new(), BTreeSet::new(), 0);
    for cell in sums.cells() {
        let (first, last) = times(sums, cell, file);
        let overlap = counter.overlap(first, last);
        if overlap == Overlap::None || !asked.admits(cell, dead) {
            continue;
        }
        if overlap == Overlap::Cut {
            cut.insert(cell.key.slot);
            left += cell.counted.count;
        } else {
            whole.push((cell, first));
        }
    }
    // Columns are read as a whole: where they tell half of it they may tell all.
    if left > file.rows / 2 {
        return Told::Nothing;
    }
    for (cell, first) in whole.into_iter().filter(|(cell, _)| !cut.contains(&cell.key.slot)) {
        let group = counter.group(asked.group(cell));
        counter.add_counted(group, first, &cell.counted, sums.durations(cell));
        if counter.is_full() {
            // The answer is an error already.
            return Told::All;
        }
    }
    if cut.is_empty() { Told::All } else { Told::AllBut(cut) }
}

/// Between which times spans of a cell started.
fn times(sums: &Sums, cell: &Cell, file: &Segment) -> (Timestamp, Timestamp) {
    let (first, last) = sums.slot_times(cell.key.slot);
    match file.starts() {
        Some((min, max)) => (first.max(min), last.min(max)),
        None => (first, last),
    }
}

/// What is asked of cells.
struct Asked<'a> {
    query: &'a StatisticsQuery,
    sums: &'a Sums,
    /// The place of the text that groups.
    by: Option<usize>,
}

impl<'a> Asked<'a> {
    /// `None` where the sums do not tell it.
    fn of(query: &'a StatisticsQuery, sums: &'a Sums) -> Option<Self> {
        let kept =
            |column: &str| TEXTS.iter().position(|name| *name == column).filter(|text| sums.has(*text));
        let tells = |leaf: &&Filter| match leaf {
            Filter::Term(term) => {
                term.path.is_empty()
                    && (term.field == Field::Status || column_of_field(term.field).and_then(kept).is_some())
            }
            _ => false,
        };
        if !query.filter.leaves().iter().all(tells) {
            return None;
        }
        let by = match query.by.and_then(column_of) {
            Some(column) => Some(kept(column)?),
            None => None,
        };
        Some(Self { query, sums, by })
    }

    fn admits(&self, cell: &Cell, dead: &Dead) -> bool {
        let text = |text| self.sums.text(cell, text);
        let project = text(0).unwrap_or_default();
        self.query.scope.contains(project)
            && (cell.key.root || !self.query.roots)
            && self.query.kind.is_none_or(|kind| text(1) == Some(kind.as_str()))
            && !dead.has(project, None, None)
            && (self.query.filter.is_everything() || self.filter_holds(cell))
    }

    /// Asks the filter of a span that is like those of the cell in all that it looks at.
    fn filter_holds(&self, cell: &Cell) -> bool {
        let [project, kind, event_type, name, model, provider, user, source, service] =
            std::array::from_fn(|text| self.sums.text(cell, text));
        let trace = TraceId::from_bytes([1; 16]).expect("not zero");
        let id = SpanId::from_bytes([1; 8]).expect("not zero");
        let start = Timestamp::from_nanos(0);
        let mut span = Span::new(project.unwrap_or_default(), trace, id, name.unwrap_or_default(), start);
        span.kind = kind.and_then(SpanKind::from_word).unwrap_or(span.kind);
        span.event_type = event_type.and_then(EventType::from_word).unwrap_or(span.event_type);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        (span.model, span.provider, span.user_id) = (owned(model), owned(provider), owned(user));
        (span.source, span.service) = (owned(source), owned(service));
        (span.end, span.status) = (Some(start), cell.key.failed.then_some(Status::Error));
        self.query.filter.holds_of_span(&span, standing(&span))
    }

    fn group(&self, cell: &Cell) -> Option<&str> {
        match self.by {
            Some(text) => self.sums.text(cell, text),
            None if self.query.by == Some(Dimension::Status) => {
                Some(if cell.key.failed { "error" } else { "ok" })
            }
            None => None,
        }
    }
}

/// The column of texts that alone decides about a condition on a field, of those that sums know.
fn column_of_field(field: Field) -> Option<&'static str> {
    match field {
        Field::Project => Some("project"),
        Field::Kind => Some("kind"),
        Field::Type => Some("event_type"),
        Field::Name => Some("name"),
        Field::Model => Some("model"),
        Field::Provider => Some("provider"),
        Field::User => Some("user_id"),
        Field::Source => Some("source"),
        Field::Service => Some("service"),
        _ => None,
    }
}
