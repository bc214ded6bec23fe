//! The fields of a span or an event of `tracing`.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use aitrace_model::ErrorInfo;
use tracing::field::{Field, Visit};

use crate::data::SpanStatus;
use crate::text::Text;
use crate::value::Value;

/// Most sources of an error that are told.
const MAX_SOURCES: usize = 32;

/// What was said; the fields that mean something of their own stand apart.
#[derive(Default)]
pub(super) struct Fields {
    /// `message`.
    pub(super) message: Option<String>,
    /// `otel.name`.
    pub(super) name: Option<String>,
    /// `otel.kind`, as OTLP's number.
    pub(super) kind: Option<i32>,
    /// `otel.status_code` and `otel.status_description`.
    pub(super) status: Option<(SpanStatus, Option<String>)>,
    /// `error`.
    pub(super) error: Option<ErrorInfo>,
    /// All others, and `error`.
    pub(super) values: Vec<(Text, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        self.values.push((Text::Static(field.name()), value));
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = Some(text.to_owned()),
            "otel.name" => self.name = Some(text.to_owned()),
            "otel.kind" => self.kind = kind(text),
            "otel.status_code" => {
                let status = match text.to_ascii_lowercase().as_str() {
                    "ok" => SpanStatus::Ok,
                    "error" => SpanStatus::Error,
                    _ => return,
                };
                self.status = Some((status, self.status.take().and_then(|(_, message)| message)));
            }
            "otel.status_description" | "otel.status_message" => {
                let status = self.status.take().map_or(SpanStatus::Error, |(status, _)| status);
                self.status = Some((status, Some(text.to_owned())));
            }
            name => {
                if name == "error" && self.error.is_none() {
                    self.error = Some(ErrorInfo { message: text.to_owned(), ..ErrorInfo::default() });
                }
                self.push(field, text.into());
            }
        }
    }
}

/// OTLP's number of a span's kind.
fn kind(word: &str) -> Option<i32> {
    let words = ["internal", "server", "client", "producer", "consumer"];
    let index = words.iter().position(|known| known.eq_ignore_ascii_case(word))?;
    i32::try_from(index).ok().map(|index| index + 1)
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut stacktrace = String::new();
        let mut source = value.source();
        for _ in 0..MAX_SOURCES {
            let Some(error) = source else { break };
            writeln!(stacktrace, "caused by: {error}").expect("a String takes everything");
            source = error.source();
        }
        self.error = Some(ErrorInfo { kind: String::new(), message: value.to_string(), stacktrace });
        self.push(field, value.to_string().into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.push(field, value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}
