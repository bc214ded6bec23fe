//! Between batching and exporting: what every finished span and log record passes, whatever its target.
//!
//! All that leaves the process has come through [`Prepare::pass`]: requests, files, the spool, the page made
//! from it, the memory target. Rules that drop, change or mask belong here and nowhere else.
//!
//! In this order: the rules, the decision about whole traces, masking. What was masked last cannot be
//! unmasked by anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use aitrace_model::Phase;

use crate::collect::Piece;
use crate::core::Core;
use crate::data::{LogData, Processed, SpanData, SpanStatus};
use crate::hub::Hub;
use crate::instant::instant;
use crate::process::mask::{self, Masker};
use crate::process::plan::ProcessPlan;
use crate::process::tail::{About, TailBuffer, Verdicts};
use crate::process::{self, Outcome};

/// The rules of one tracer in one process, with what they hold back.
pub(crate) struct Prepare {
    hub: Arc<Hub>,
    plan: Arc<ProcessPlan>,
    masker: Option<Masker>,
    /// Those of the rules that redact, by the place of the rule.
    redactors: Vec<Option<Masker>>,
    tail: Option<TailBuffer<Piece>>,
}

impl Prepare {
    pub(crate) fn new(core: &Core, hub: Arc<Hub>) -> Self {
        let plan = core.process.clone();
        Self {
            hub,
            masker: plan.mask.as_ref().map(Masker::new),
            redactors: plan.steps.iter().map(|step| step.mask.as_ref().map(Masker::new)).collect(),
            tail: plan.tail.clone().map(TailBuffer::new),
            plan,
        }
    }

    /// Whether something is held back that time alone makes ripe.
    pub(crate) fn holds(&self) -> bool {
        self.tail.as_ref().is_some_and(TailBuffer::holds)
    }

    /// Whether whole traces are decided about, so that pieces belong together.
    pub(crate) fn decides(&self) -> bool {
        self.tail.is_some()
    }

    /// What goes on of `pieces`, and what was held back and is ripe now. With `last`, nothing may be held
    /// back: no other call follows, or a flush waits.
    ///
    /// What does not go on gives its room back and is counted.
    pub(crate) fn pass(&mut self, pieces: Vec<Piece>, last: bool) -> Vec<Piece> {
        if !self.plan.works() {
            return pieces;
        }
        let mut kept = self.keep(pieces, last);
        for piece in &mut kept {
            self.mask(piece);
        }
        self.count_masked();
        kept
    }

    /// What the rules and the decisions about traces leave.
    fn keep(&mut self, pieces: Vec<Piece>, last: bool) -> Vec<Piece> {
        if self.plan.steps.is_empty() && self.tail.is_none() && !self.plan.hold_open {
            return pieces;
        }
        let mut verdicts = Verdicts::new();
        let now = instant();
        for mut piece in pieces {
            if self.apply_rules(&mut piece) {
                self.decide(piece, now, &mut verdicts);
            }
        }
        if let Some(tail) = &mut self.tail {
            tail.ripe(now, last, &mut verdicts);
        }
        for piece in &verdicts.dropped {
            self.leave_out(piece, "tail");
        }
        verdicts.kept
    }

    /// Whether the piece goes on.
    fn apply_rules(&mut self, piece: &mut Piece) -> bool {
        let span = match piece {
            Piece::Span(span, _) => span,
            Piece::Log(log, _) => {
                self.redact_log(log);
                return true;
            }
        };
        if self.plan.hold_open && span.phase != Phase::End {
            self.leave_out(piece, "");
            return false;
        }
        match span.cell.body.extra.as_ref().map(|extra| &extra.processed) {
            Some(Processed::LeftOut(processor)) => {
                let processor = processor.clone();
                self.leave_out(piece, &processor);
                return false;
            }
            Some(Processed::Failed) => {
                mask::strip(span);
                self.hub.count_masked("processor_failed", 1);
            }
            Some(Processed::Kept) | None => {}
        }
        let plan = self.plan.clone();
        for (step, redactor) in plan.steps.iter().zip(&mut self.redactors) {
            let applied = catch_unwind(AssertUnwindSafe(|| process::apply(step, redactor.as_mut(), span)));
            match applied {
                Ok(Outcome::Unmatched) => {}
                Ok(Outcome::Changed { masked, failed }) => {
                    self.hub.count_masked(&step.name, masked);
                    self.hub.count_masked(failed.unwrap_or_default(), u64::from(failed.is_some()));
                }
                Ok(Outcome::Dropped) => {
                    self.leave_out(piece, &step.name);
                    return false;
                }
                Err(_) => {
                    // It may have been about to mask.
                    mask::strip(span);
                    self.hub.count_masked("rule_panicked", 1);
                }
            }
        }
        true
    }

    /// Of the rules, those that redact and are about no spans in particular hold for log records as well.
    fn redact_log(&mut self, log: &mut LogData) {
        for (step, redactor) in self.plan.steps.iter().zip(&mut self.redactors) {
            let Some(redactor) = redactor.as_mut().filter(|_| step.when.is_about_all()) else { continue };
            if let Some(reason) = redactor.log(log, mask::TIME) {
                self.hub.count_masked(reason, 1);
            }
        }
    }

    fn decide(&mut self, piece: Piece, now: Instant, verdicts: &mut Verdicts<Piece>) {
        match (&mut self.tail, about(&piece)) {
            (Some(tail), Some(about)) => tail.take(piece, about, now, verdicts),
            _ => verdicts.kept.push(piece),
        }
    }

    fn mask(&mut self, piece: &mut Piece) {
        let Some(masker) = &mut self.masker else { return };
        let failed = match piece {
            Piece::Span(span, _) => masker.span(span, mask::TIME),
            Piece::Log(log, _) => masker.log(log, mask::TIME),
        };
        if let Some(reason) = failed {
            self.hub.count_masked(reason, 1);
        }
    }

    fn count_masked(&mut self) {
        for masker in self.masker.iter_mut().chain(self.redactors.iter_mut().flatten()) {
            masker.take_hits(|rule, values| self.hub.count_masked(rule, values));
        }
    }

    /// Lets go of a piece that a rule leaves out, counted where it is finished.
    fn leave_out(&self, piece: &Piece, rule: &str) {
        let (items, bytes) = piece.room();
        let _moving = self.hub.moving();
        self.hub.count_filtered(rule, items as u64);
        self.hub.release(items, bytes);
    }
}

/// What decides about the trace of a piece; `None` where it is in none.
fn about(piece: &Piece) -> Option<About> {
    let (_, bytes) = piece.room();
    match piece {
        Piece::Span(SpanData { cell, .. }, _) => Some(About {
            trace_id: cell.body.context.trace_id,
            times: cell.end.map(|end| (cell.body.start, end)),
            root: cell.body.parent.is_none(),
            failed: cell.body.status == SpanStatus::Error,
            bytes,
        }),
        Piece::Log(log, _) => {
            let (trace_id, _) = log.span?;
            let time = log.time.nanos();
            Some(About { trace_id, times: Some((time, time)), root: false, failed: false, bytes })
        }
    }
}
