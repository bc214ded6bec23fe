//! Prices anew: stored calls of models under another table of prices.
//!
//! A new price is a message like any other: the whole span again, with its new cost and the time of the pricing, which
//! outranks what the span cost before ([`aitrace_model::SpanState`]). So it is durable, visible everywhere and
//! summed up anew by what stores do for any late message; resending the span does not undo it, and stopping half-way
//! leaves each span with one price or the other.

use aitrace_model::{Phase, Span, Timestamp, TraceSummary};
use async_trait::async_trait;

use crate::error::Result;
use crate::filter::{Cursor, PageRequest, ProjectScope, TraceFilter};
use crate::query::QueryStore;
use crate::telemetry::{Batch, TracePage};

/// Traces that are listed at once.
const PAGE: usize = 100;
/// Spans that are written at once, and bytes of their contents.
const SPANS: usize = 500;
const BYTES: usize = 4 << 20;
/// Bytes of contents that may wait while the next trace is read.
const KEPT: usize = 1 << 20;

/// What a table of prices says of a span.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is no call that is priced.
    NoCall,
    /// Its sender states its cost, which stands.
    Stated,
    /// The table does not know it: what it cost before stands, unknown stays unknown.
    Unknown,
    /// It costs so many US dollars, by this formula.
    Costs(f64, String),
}

/// What repricing did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Repriced {
    /// Calls that were looked at.
    pub calls: u64,
    /// Those whose cost or formula is another now.
    pub changed: u64,
    /// Of the changed, those whose cost was unknown before.
    pub newly_known: u64,
    /// Calls that the table does not know; they stay as they were.
    pub unknown: u64,
    /// Calls whose sender states the cost; it stands.
    pub stated: u64,
    /// US dollars of all calls before, as far as known, stated ones included.
    pub before: f64,
    /// US dollars of all calls after.
    pub after: f64,
}

impl Repriced {
    /// Adds what a further step did.
    pub fn add(&mut self, more: &Self) {
        self.calls += more.calls;
        self.changed += more.changed;
        self.newly_known += more.newly_known;
        self.unknown += more.unknown;
        self.stated += more.stated;
        self.before += more.before;
        self.after += more.after;
    }
}

/// How traces that are priced are read: within the memory of whoever asks.
#[async_trait]
pub trait Reading: Send + Sync {
    /// A page of traces.
    async fn list(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage>;

    /// Memory for a trace of about so many bytes, until it is dropped.
    async fn admit(&self, bytes: usize) -> Result<Box<dyn Send + Sync>>;
}

/// How spans are priced.
pub struct Repricing<'a> {
    /// How they are read.
    pub reading: &'a dyn Reading,
    /// Traces to look at.
    pub filter: &'a TraceFilter,
    /// Which of their spans.
    pub wanted: &'a (dyn Fn(&Span) -> bool + Send + Sync),
    /// What they cost.
    pub price: &'a (dyn Fn(&Span) -> Verdict + Send + Sync),
    /// When this is done.
    pub now: Timestamp,
    /// Whether nothing is written.
    pub dry: bool,
    /// Where to begin.
    pub cursor: Option<Cursor>,
    /// After so many calls it ends, at the end of a trace.
    pub calls: u64,
}

/// Prices ended spans anew. Returns what was done, and where to go on if there is more.
///
/// # Errors
/// Those of the store. What was written before stays; running it again does the rest.
pub async fn reprice(store: &dyn QueryStore, asked: Repricing<'_>) -> Result<(Repriced, Option<Cursor>)> {
    let mut page = PageRequest { limit: PAGE, cursor: asked.cursor.clone() };
    let most = asked.calls;
    let mut run = Run { store, asked, waiting: Batch::default(), bytes: 0, done: Repriced::default() };
    loop {
        let list = run.asked.reading.list(run.asked.filter, &page).await?;
        for (at, line) in list.traces.iter().enumerate() {
            run.trace(line).await?;
            let last = at + 1 == list.traces.len() && list.next.is_none();
            if run.done.calls >= most && !last {
                run.write().await?;
                return Ok((run.done, Some(Cursor::of(line))));
            }
        }
        page.cursor = list.next;
        if page.cursor.is_none() {
            run.write().await?;
            return Ok((run.done, None));
        }
    }
}

struct Run<'a> {
    store: &'a dyn QueryStore,
    asked: Repricing<'a>,
    waiting: Batch,
    bytes: usize,
    done: Repriced,
}

impl Run<'_> {
    async fn trace(&mut self, line: &TraceSummary) -> Result<()> {
        if line.input_tokens.is_none() && line.output_tokens.is_none() && line.cost.is_none() {
            return Ok(());
        }
        let scope = ProjectScope::One(line.project.clone());
        let extent = self.store.extent(&scope, line.trace_id).await?.unwrap_or_default();
        let _memory = self.asked.reading.admit(extent.bytes).await?;
        let Some(trace) = self.store.sent_trace(&scope, line.trace_id).await? else { return Ok(()) };
        for stored in trace.spans {
            let span = stored.span;
            if span.end.is_some() && (self.asked.wanted)(&span) {
                let verdict = (self.asked.price)(&span);
                self.span(span, verdict);
                if self.waiting.spans.len() >= SPANS || self.bytes >= BYTES {
                    self.write().await?;
                }
            }
        }
        // What waits has contents of the trace, whose memory is given back.
        if self.bytes >= KEPT { self.write().await } else { Ok(()) }
    }

    fn span(&mut self, mut span: Span, verdict: Verdict) {
        let before = span.cost;
        let mut changed = false;
        match verdict {
            Verdict::NoCall => return,
            Verdict::Stated => self.done.stated += 1,
            Verdict::Unknown => self.done.unknown += 1,
            Verdict::Costs(cost, formula) => {
                changed = before != Some(cost) || span.cost_formula.as_ref() != Some(&formula);
                (span.cost, span.cost_formula) = (Some(cost), Some(formula));
            }
        }
        self.done.calls += 1;
        self.done.changed += u64::from(changed);
        self.done.newly_known += u64::from(changed && before.is_none());
        self.done.before += before.unwrap_or(0.0);
        self.done.after += span.cost.unwrap_or(0.0);
        if changed && !self.asked.dry {
            // Later than any pricing before, whatever the clock says.
            let at = span.repriced.map_or(self.asked.now, |at| at.saturating_add(1).max(self.asked.now));
            (span.repriced, span.phase) = (Some(at), Phase::End);
            let contents = span.contents();
            self.bytes +=
                contents.iter().filter_map(|(_, json)| Some((*json)?.as_str().len())).sum::<usize>();
            self.bytes += span.attributes.as_str().len();
            self.waiting.spans.push(span);
        }
    }

    async fn write(&mut self) -> Result<()> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.waiting);
        if batch.is_empty() { Ok(()) } else { self.store.append(batch).await.map(drop) }
    }
}
