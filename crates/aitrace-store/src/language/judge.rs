//! What a trace's line, a span or a log record says of a condition.

use std::cmp::Ordering;

use aitrace_model::{Json, Level, LogRecord, Span, Timestamp, TraceStatus, TraceSummary};

use super::field::Field;
use super::needle::Needle;
use super::pattern::Pattern;
use super::tree::{Filter, Op, Operand, Term};

/// Levels of a JSON value that are looked into.
const DEPTH: usize = 64;

/// What a field holds.
enum Value<'a> {
    Text(&'a str),
    Owned(String),
    Number(f64),
    Nanos(i64),
    Time(Timestamp),
    Word(&'static str),
    Json(&'a Json),
    Texts([&'a str; 2]),
}

/// What a field holds that is neither text nor JSON: for stores that have it in a column and need no span to judge it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain {
    /// A count or a sum of money.
    Number(f64),
    /// Nanoseconds.
    Nanos(i64),
    /// A moment.
    Time(Timestamp),
    /// How a span stands.
    Status(TraceStatus),
}

impl Term {
    /// Whether a field that holds this fulfils it; `None` is a field that holds nothing.
    pub fn holds_of(&self, value: Option<Plain>) -> bool {
        let value = value.map(|value| match value {
            Plain::Number(number) => Value::Number(number),
            Plain::Nanos(nanos) => Value::Nanos(nanos),
            Plain::Time(time) => Value::Time(time),
            Plain::Status(status) => Value::Word(status.as_str()),
        });
        holds(self, value)
    }
}

impl Filter {
    /// Whether the line of a trace fulfils it; `None` where that depends on its spans: on [`Filter::span_leaves`].
    pub fn holds_of_line(&self, line: &TraceSummary) -> Option<bool> {
        self.judge(&mut |leaf| leaf.line_says(line))
    }

    /// Conditions that only spans can fulfil. One holds of a trace if one of its spans fulfils it. At most 64.
    pub fn span_leaves(&self) -> Vec<&Self> {
        self.leaves()
            .into_iter()
            .filter(|leaf| matches!(leaf, Self::Term(term) if !term.field.has().line))
            .collect()
    }

    /// Whether a trace fulfils it, given its line and which of [`Filter::span_leaves`] its spans fulfil, a bit for
    /// each, the lowest for the first.
    pub fn holds_of_trace(&self, line: &TraceSummary, marks: u64) -> bool {
        let spans = self.span_leaves();
        let mut says = |leaf: &Self| {
            let known = leaf.line_says(line);
            known.or_else(|| {
                let place = spans.iter().position(|one| std::ptr::eq(*one, leaf))?;
                Some(marks >> place & 1 == 1)
            })
        };
        self.judge(&mut says).unwrap_or(false)
    }

    /// Whether a span that stands like this fulfils it. What a span does not have is not fulfilled.
    pub fn holds_of_span(&self, span: &Span, status: TraceStatus) -> bool {
        self.judge(&mut |leaf| Some(leaf.span_says(span, status))).unwrap_or(false)
    }

    /// Whether a span fulfils this one condition.
    pub fn span_says(&self, span: &Span, status: TraceStatus) -> bool {
        match self {
            Self::Text(needle) => needle.in_span(span).is_some(),
            Self::Term(term) => holds(term, span_value(term.field, span, status)),
            _ => false,
        }
    }

    /// Whether a log record fulfils it. What it does not have is not fulfilled.
    pub fn holds_of_log(&self, log: &LogRecord) -> bool {
        let mut says = |leaf: &Self| match leaf {
            Self::Text(needle) => Some(needle.in_log(log).is_some()),
            Self::Term(term) => Some(holds(term, log_value(term.field, log))),
            _ => None,
        };
        self.judge(&mut says).unwrap_or(false)
    }

    fn line_says(&self, line: &TraceSummary) -> Option<bool> {
        match self {
            Self::Text(needle) => Some(
                needle.in_text(&line.name).is_some() || needle.in_text(&line.trace_id.to_hex()).is_some(),
            ),
            Self::Term(term) if term.field.has().line => Some(holds(term, line_value(term.field, line))),
            _ => None,
        }
    }
}

fn text(value: Option<&String>) -> Option<Value<'_>> {
    value.map(|text| Value::Text(text))
}

fn count(value: Option<u64>) -> Option<Value<'static>> {
    value.map(|count| Value::Number(count as f64))
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<Value<'static>> {
    (one.is_some() || other.is_some())
        .then(|| Value::Number((one.unwrap_or(0) as f64) + (other.unwrap_or(0) as f64)))
}

fn line_value(field: Field, line: &TraceSummary) -> Option<Value<'_>> {
    match field {
        Field::Project => Some(Value::Text(&line.project)),
        Field::Trace => Some(Value::Owned(line.trace_id.to_hex())),
        Field::Session => text(line.session_id.as_ref()),
        Field::Name => Some(Value::Text(&line.name)),
        Field::Status => Some(Value::Word(line.status.as_str())),
        Field::Start => Some(Value::Time(line.start)),
        Field::End => line.end.map(Value::Time),
        Field::Duration => line.end.map(|end| Value::Nanos(end.since(line.start).max(0))),
        Field::InputTokens => count(line.input_tokens),
        Field::OutputTokens => count(line.output_tokens),
        Field::Tokens => sum(line.input_tokens, line.output_tokens),
        Field::Cost => line.cost.map(Value::Number),
        Field::Spans => count(Some(line.spans)),
        Field::Events => count(Some(line.events)),
        Field::Errors => count(Some(line.errors)),
        _ => None,
    }
}

fn span_value(field: Field, span: &Span, status: TraceStatus) -> Option<Value<'_>> {
    match field {
        Field::Project => Some(Value::Text(&span.project)),
        Field::Trace => Some(Value::Owned(span.trace_id.to_hex())),
        Field::Span => Some(Value::Owned(span.span_id.to_hex())),
        Field::Parent => span.parent_span_id.map(|id| Value::Owned(id.to_hex())),
        Field::Session => text(span.session_id.as_ref()),
        Field::Name => Some(Value::Text(&span.name)),
        Field::Status => Some(Value::Word(status.as_str())),
        Field::Start => Some(Value::Time(span.start)),
        Field::End => span.end.map(Value::Time),
        Field::Duration => span.duration_ns().map(Value::Nanos),
        Field::InputTokens => count(span.input_tokens),
        Field::OutputTokens => count(span.output_tokens),
        Field::Tokens => sum(span.input_tokens, span.output_tokens),
        Field::Cost => span.cost.map(Value::Number),
        Field::Kind => Some(Value::Word(span.kind.as_str())),
        Field::Type => Some(Value::Word(span.event_type.as_str())),
        Field::Model => text(span.model.as_ref()),
        Field::Provider => text(span.provider.as_ref()),
        Field::User => text(span.user_id.as_ref()),
        Field::Source => text(span.source.as_ref()),
        Field::Service => text(span.service.as_ref()),
        Field::Run => text(span.run_id.as_ref()),
        Field::Dataset => text(span.dataset_id.as_ref()),
        Field::Datapoint => text(span.datapoint_id.as_ref()),
        Field::Error => span.error.as_ref().map(|error| Value::Texts([&error.kind, &error.message])),
        Field::File => span.code.as_ref().map(|code| Value::Text(&code.file)),
        Field::Function => span.code.as_ref().map(|code| Value::Text(&code.function)),
        _ => contents(field, span).map(Value::Json),
    }
}

fn contents(field: Field, span: &Span) -> Option<&Json> {
    match field {
        Field::Inputs => span.inputs.as_ref(),
        Field::Outputs => span.outputs.as_ref(),
        Field::Metadata => span.metadata.as_ref(),
        Field::Metrics => span.metrics.as_ref(),
        Field::Feedback => span.feedback.as_ref(),
        Field::Config => span.config.as_ref(),
        Field::UserProperties => span.user_properties.as_ref(),
        Field::Attributes => Some(&span.attributes).filter(|json| json.as_str() != "{}"),
        _ => None,
    }
}

fn log_value(field: Field, log: &LogRecord) -> Option<Value<'_>> {
    match field {
        Field::Project => Some(Value::Text(&log.project)),
        Field::Trace => log.trace_id.map(|id| Value::Owned(id.to_hex())),
        Field::Span => log.span_id.map(|id| Value::Owned(id.to_hex())),
        Field::Session => text(log.session_id.as_ref()),
        Field::Name => Some(Value::Text(&log.event)),
        Field::Start => Some(Value::Time(log.time)),
        Field::Level => Some(Value::Word(log.level.as_str())),
        Field::Logger => text(log.logger.as_ref()),
        Field::File => log.code.as_ref().map(|code| Value::Text(&code.file)),
        Field::Function => log.code.as_ref().map(|code| Value::Text(&code.function)),
        Field::Attributes => Some(Value::Json(&log.attrs)).filter(|_| log.attrs.as_str() != "{}"),
        _ => None,
    }
}

fn holds(term: &Term, value: Option<Value<'_>>) -> bool {
    let Some(value) = value else { return false };
    if let Value::Json(json) = value {
        return holds_of_json(term, json);
    }
    let exact = term.op == Op::Exactly;
    match (&term.value, value) {
        (Operand::Anything, _) => true,
        (Operand::Text(pattern), Value::Text(text)) => pattern.fits(text, exact),
        (Operand::Text(pattern), Value::Owned(text)) => pattern.fits(&text, exact),
        (Operand::Text(pattern), Value::Texts(texts)) => texts.iter().any(|text| pattern.is_within(text)),
        (Operand::Number(wanted), Value::Number(number)) => {
            number.partial_cmp(wanted).is_some_and(|order| term.op.admits(order))
        }
        (Operand::Duration(wanted), Value::Nanos(nanos)) => term.op.admits(nanos.cmp(wanted)),
        (Operand::Time(wanted), Value::Time(time)) => term.op.admits(time.cmp(wanted)),
        (Operand::Word(wanted), Value::Word(word)) => {
            let place = |word: &str| Level::ALL.iter().position(|level| level.as_str() == word);
            let order = if term.field == Field::Level {
                place(word).cmp(&Some(*wanted))
            } else {
                equal(term.word(*wanted), word)
            };
            term.op.admits(order)
        }
        _ => false,
    }
}

fn equal(one: &str, other: &str) -> Ordering {
    if one == other { Ordering::Equal } else { Ordering::Less }
}

fn holds_of_json(term: &Term, json: &Json) -> bool {
    if !term.path.is_empty() {
        return reach(term, json, &term.path, 0);
    }
    match &term.value {
        Operand::Anything => json.as_str() != "null",
        Operand::Text(pattern) => match pattern.as_literal() {
            Some(text) => Needle::new(text).is_none_or(|needle| needle.in_json(json.as_str()).is_some()),
            None => pattern.is_within(json.as_str()),
        },
        _ => false,
    }
}

/// Whether a value at the path below `json` is as asked. A key may have points itself; of an array any element will do.
fn reach(term: &Term, json: &Json, path: &str, depth: usize) -> bool {
    let text = json.as_str().trim_start();
    if depth > DEPTH {
        return false;
    }
    if text.starts_with('[') {
        let Ok(elements) = serde_json::from_str::<Vec<Json>>(text) else { return false };
        return elements.iter().any(|element| reach(term, element, path, depth + 1));
    }
    if path.is_empty() {
        return !text.starts_with('{') && scalar(term, text.trim_end())
            || term.value == Operand::Anything && text != "null";
    }
    let members = json.members().unwrap_or_default();
    members.iter().any(|(key, value)| {
        let rest = path.strip_prefix(key.as_str());
        let below = match rest {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix('.'),
            None => None,
        };
        below.is_some_and(|below| reach(term, value, below, depth + 1))
    })
}

/// Whether a JSON string, number, true, false or null is as asked.
fn scalar(term: &Term, json: &str) -> bool {
    let string: Option<String> = if json.starts_with('"') { serde_json::from_str(json).ok() } else { None };
    match &term.value {
        Operand::Anything => json != "null",
        Operand::Number(wanted) => {
            let number = json.parse::<f64>().ok().filter(|_| string.is_none());
            number.and_then(|number| number.partial_cmp(wanted)).is_some_and(|order| term.op.admits(order))
        }
        Operand::Text(pattern) => {
            let exact = term.op == Op::Exactly;
            pattern.fits(string.as_deref().unwrap_or(json), exact)
                || string.is_none() && same_number(pattern, json)
        }
        _ => false,
    }
}

/// Whether two ways of writing a number mean the same: `1.50` and `1.5`. Whole numbers are compared by their digits.
fn same_number(pattern: &Pattern, json: &str) -> bool {
    let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let Some(text) = pattern.as_literal().filter(|text| !(whole(text) && whole(json))) else { return false };
    match (text.parse::<f64>(), json.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.is_finite() && one.total_cmp(&other).is_eq(),
        _ => false,
    }
}
