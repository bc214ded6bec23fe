//! Masks spans and log records: every text in them, whoever reads it afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{ErrorInfo, Json};

use super::{Masker, PLACEHOLDER};
use crate::context::Baggage;
use crate::data::{Extra, LogData, SpanData};
use crate::fields::{Fields, Members};
use crate::instant::thread_time;
use crate::text::Text;

/// Processor time that one span or log record may take before its contents are replaced. Masking is linear:
/// a span of 1 MiB takes a few per cent of it, so that only a slow pattern of the user's gets there.
pub(crate) const TIME: Duration = Duration::from_secs(1);
/// Lighter ones cannot take long, so that nobody reads the clock for them.
const LIGHT: usize = 32 << 10;

/// How much processor time this thread may have used in its life: that of a busy machine does not count.
#[derive(Clone, Copy)]
struct Until(Option<Duration>);

/// The time is up.
struct Late;

impl Until {
    /// Where a thread's processor time is not known, there is no limit.
    fn new(time: Duration) -> Self {
        Self(thread_time().map(|used| used + time))
    }

    fn check(self) -> Result<(), Late> {
        let late = self.0.is_some_and(|until| thread_time().is_some_and(|used| used >= until));
        if late { Err(Late) } else { Ok(()) }
    }
}

/// What could not be masked, and why: for the count.
const PANICKED: &str = "mask_panicked";
const TOO_LATE: &str = "mask_too_late";

impl Masker {
    /// Masks a span; where that fails, its contents are replaced and the reason is returned.
    pub(crate) fn span(&mut self, span: &mut SpanData, time: Duration) -> Option<&'static str> {
        let heavy = span.weight() > LIGHT || span.cell.end.is_none();
        let until = if heavy { Until::new(time) } else { Until(None) };
        let masked = catch_unwind(AssertUnwindSafe(|| self.try_span(span, until)));
        let reason = match masked {
            Ok(Ok(())) => return None,
            Ok(Err(Late)) => TOO_LATE,
            Err(_) => PANICKED,
        };
        strip_span(span);
        Some(reason)
    }

    /// Masks a log record; where that fails, its contents are replaced and the reason is returned.
    pub(crate) fn log(&mut self, log: &mut LogData, time: Duration) -> Option<&'static str> {
        let until = if log.weight() > LIGHT { Until::new(time) } else { Until(None) };
        let masked = catch_unwind(AssertUnwindSafe(|| self.try_log(log, until)));
        let reason = match masked {
            Ok(Ok(())) => return None,
            Ok(Err(Late)) => TOO_LATE,
            Err(_) => PANICKED,
        };
        log.event = PLACEHOLDER.into();
        log.attrs = Json::from_trusted("{}");
        log.logger = None;
        Some(reason)
    }

    fn try_span(&mut self, span: &mut SpanData, until: Until) -> Result<(), Late> {
        self.word(&mut span.cell.body.name);
        for part in span.cell.attributes.chunks_mut(1) {
            self.attributes(part);
            until.check()?;
        }
        if let Some(baggage) = &mut span.cell.body.baggage {
            self.baggage(baggage);
        }
        match &mut span.cell.body.extra {
            Some(extra) => self.extra(extra, until),
            None => Ok(()),
        }
    }

    fn try_log(&mut self, log: &mut LogData, until: Until) -> Result<(), Late> {
        self.word(&mut log.event);
        if let Some(logger) = &mut log.logger {
            self.word(logger);
        }
        if let Some(masked) = self.json(&log.attrs) {
            log.attrs = masked;
        }
        until.check()
    }

    fn extra(&mut self, extra: &mut Extra, until: Until) -> Result<(), Late> {
        if let Some(fields) = &mut extra.fields {
            self.fields(fields, until)?;
        }
        if let Some(ErrorInfo { kind, message, stacktrace }) = &mut extra.error {
            for text in [kind, message, stacktrace] {
                if let Some(masked) = self.text_or_json(text, 0) {
                    *text = masked;
                }
            }
            until.check()?;
        }
        for event in &mut extra.events {
            self.word(&mut event.name);
            self.attributes(&mut event.attributes);
            until.check()?;
        }
        for link in &mut extra.links {
            for (key, value) in &mut link.attributes {
                if let Some((key_masked, masked)) = self.any_member(key, value, 8) {
                    (*key, *value) = (key_masked, masked);
                }
            }
        }
        Ok(())
    }

    fn fields(&mut self, fields: &mut Fields, until: Until) -> Result<(), Late> {
        for content in [&mut fields.inputs, &mut fields.outputs].into_iter().flatten() {
            if let Some(masked) = self.json(content) {
                *content = masked;
            }
            until.check()?;
        }
        let Fields { metadata, metrics, feedback, config, user_properties, .. } = fields;
        for members in [metadata, metrics, feedback, config, user_properties] {
            self.members(members, until)?;
        }
        for word in [&mut fields.user_id, &mut fields.session_id, &mut fields.event_id].into_iter().flatten()
        {
            self.word(word);
        }
        Ok(())
    }

    fn members(&mut self, members: &mut Members, until: Until) -> Result<(), Late> {
        for (key, json) in members {
            if let Some(masked) = self.json_at(key, json) {
                *json = masked;
            }
            self.key(key);
            until.check()?;
        }
        Ok(())
    }

    fn word(&mut self, word: &mut Text) {
        if let Some(masked) = self.text_or_json(word, 0) {
            *word = masked.into();
        }
    }

    /// Baggage comes from other processes: nobody knows what is in it.
    fn baggage(&mut self, baggage: &mut Arc<Baggage>) {
        for key in Baggage::KEYS {
            if let Some(masked) = baggage.get(key).and_then(|value| self.text(value)) {
                Arc::make_mut(baggage).set(key, Some(&masked));
            }
        }
    }
}

/// Replaces everything that a user said: what could not be looked at must not leave.
pub(crate) fn strip_span(span: &mut SpanData) {
    span.cell.body.name = PLACEHOLDER.into();
    span.cell.body.baggage = None;
    span.cell.attributes.clear();
    let Some(extra) = &mut span.cell.body.extra else { return };
    let placeholder = Json::string(PLACEHOLDER);
    let content = |json: &Option<Json>| json.is_some().then(|| placeholder.clone());
    let (inputs, outputs) = (content(&extra.said().inputs), content(&extra.said().outputs));
    let lost = extra.events.len() + extra.links.len();
    extra.dropped = extra.dropped.saturating_add(lost as u32);
    extra.fields = Some(Box::new(Fields { inputs, outputs, ..Fields::default() }));
    extra.events.clear();
    extra.links.clear();
    if let Some(error) = &mut extra.error {
        *error = ErrorInfo { message: PLACEHOLDER.to_owned(), ..ErrorInfo::default() };
    }
}
