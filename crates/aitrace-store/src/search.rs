//! Search in contents: a substring, ignoring case, in any language.

use std::sync::Arc;

use aitrace_model::{LogRecord, Span, Timestamp, TraceStatus};

use crate::filter::ProjectScope;
use crate::hits::{Hit, HitCursor};
use crate::language::{Filter, Needle, excerpt};
use crate::room::{FixedRoom, Room};

/// What to search for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Projects.
    pub scope: ProjectScope,
    /// The text; an empty one stands anywhere. Together with a filter that asks nothing it finds nothing.
    pub text: String,
    /// What the span or log record fulfils besides. A span that has not ended counts as running, also if it is lost.
    pub filter: Filter,
    /// Only spans and log records that started at or after.
    pub since: Option<Timestamp>,
    /// Only those that started before.
    pub until: Option<Timestamp>,
    /// Only hits behind this place.
    pub after: Option<HitCursor>,
    /// At most this many hits.
    pub limit: usize,
    /// Memory for the work. Default 96 MiB of its own. Where it is too little, a search fails with
    /// [`crate::ErrorKind::Overloaded`], or ends early if it has found anything.
    pub room: Arc<dyn Room>,
}

impl Search {
    /// A search everywhere for at most 100 hits.
    pub fn new(text: &str) -> Self {
        Self {
            scope: ProjectScope::All,
            text: text.to_owned(),
            filter: Filter::default(),
            since: None,
            until: None,
            after: None,
            limit: 100,
            room: Arc::new(FixedRoom::new(96 << 20)),
        }
    }

    /// A search for what fulfils a filter. Its first text, where it must stand in what is found, is what excerpts show.
    pub fn of(filter: &Filter) -> Self {
        let mut parts = filter.conjuncts().to_vec();
        let first = parts.iter().position(|part| matches!(part, Filter::Text(_)));
        let text = match first.map(|first| parts.remove(first)) {
            Some(Filter::Text(needle)) => needle.text().to_owned(),
            _ => String::new(),
        };
        Self { filter: Filter::all(parts), ..Self::new(&text) }
    }

    /// What decides; `None` where nothing is searched for.
    pub fn finder(&self) -> Option<Finder<'_>> {
        let needle = Needle::new(&self.text);
        (needle.is_some() || !self.filter.is_everything()).then_some(Finder { search: self, needle })
    }

    /// Whether something at this time in this project is searched at all.
    pub fn covers(&self, project: &str, time: Timestamp) -> bool {
        self.scope.contains(project)
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
    }
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Searched {
    /// Number of hits sent.
    pub hits: usize,
    /// Whether everything was searched; else the limit was reached or nobody listened any more.
    pub complete: bool,
    /// Where the rest begins, if there may be any and there was any progress.
    pub next: Option<HitCursor>,
}

/// Namespace of OpenTelemetry's events of generative AI: what they say may stand in their span as well.
const TELLING: &str = "gen_ai.";

/// Decides what a search finds.
#[derive(Debug)]
pub struct Finder<'a> {
    search: &'a Search,
    needle: Option<Needle>,
}

impl Finder<'_> {
    /// The text that must be there, if any.
    pub fn needle(&self) -> Option<&Needle> {
        self.needle.as_ref()
    }

    /// The hit that a span is, if it is found.
    pub fn span(&self, span: &Span) -> Option<Hit> {
        if !self.search.covers(&span.project, span.start) {
            return None;
        }
        let (field, excerpt) = match &self.needle {
            Some(needle) => needle.in_span(span)?,
            None => ("name", excerpt(&span.name, 0, 0)),
        };
        if !self.search.filter.holds_of_span(span, standing(span)) {
            return None;
        }
        Some(Hit {
            project: span.project.clone(),
            trace_id: Some(span.trace_id),
            span_id: Some(span.span_id),
            log_id: None,
            time: span.start,
            name: span.name.clone(),
            field,
            excerpt,
        })
    }

    /// Whether what makes this log record a hit may stand in its span's contents: then [`Finder::tells`] decides whether
    /// the hit is the span's alone.
    pub fn may_be_told(&self, log: &LogRecord) -> bool {
        self.needle.is_some()
            && log.trace_id.is_some()
            && log.span_id.is_some()
            && log.event.starts_with(TELLING)
    }

    /// Whether a span is found with the text in its contents. Its log records that tell them are no hits besides.
    pub fn tells(&self, span: &Span) -> bool {
        let holds = |needle: &Needle| {
            let contents = [&span.inputs, &span.outputs];
            contents.into_iter().flatten().any(|json| needle.in_json(json.as_str()).is_some())
        };
        self.needle.as_ref().is_some_and(holds) && self.span(span).is_some()
    }

    /// The hit that a log record is, if it is found.
    pub fn log(&self, log: &LogRecord) -> Option<Hit> {
        if !self.search.covers(&log.project, log.time) {
            return None;
        }
        let (field, excerpt) = match &self.needle {
            Some(needle) => needle.in_log(log)?,
            None => ("event", excerpt(&log.event, 0, 0)),
        };
        if !self.search.filter.holds_of_log(log) {
            return None;
        }
        Some(Hit {
            project: log.project.clone(),
            trace_id: log.trace_id,
            span_id: log.span_id,
            log_id: Some(log.id.clone()),
            time: log.time,
            name: log.event.clone(),
            field,
            excerpt,
        })
    }
}

/// How a span stands as far as it says itself: without an end it runs.
pub fn standing(span: &Span) -> TraceStatus {
    match span.end {
        None => TraceStatus::Running,
        Some(_) if span.is_error() => TraceStatus::Error,
        Some(_) => TraceStatus::Ok,
    }
}
