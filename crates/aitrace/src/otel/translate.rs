//! OpenTelemetry's values as ours.

use std::time::SystemTime;

use aitrace_model::{AnyValue, Scope, Timestamp};
use opentelemetry::trace::SpanKind;
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value as OtelValue};

use crate::text::Text;
use crate::value::Value;

pub(super) fn attributes(attributes: impl IntoIterator<Item = KeyValue>) -> Vec<(Text, Value)> {
    attributes.into_iter().map(attribute).collect()
}

pub(super) fn attribute(attribute: KeyValue) -> (Text, Value) {
    (Text::from(String::from(attribute.key)), value(attribute.value))
}

fn value(value: OtelValue) -> Value {
    match value {
        OtelValue::Bool(value) => value.into(),
        OtelValue::I64(value) => value.into(),
        OtelValue::F64(value) => value.into(),
        OtelValue::String(text) => text.as_str().into(),
        OtelValue::Array(Array::Bool(values)) => values.into(),
        OtelValue::Array(Array::I64(values)) => values.into(),
        OtelValue::Array(Array::F64(values)) => values.into(),
        OtelValue::Array(Array::String(texts)) => {
            AnyValue::Array(texts.iter().map(|text| AnyValue::from(text.as_str())).collect()).into()
        }
        // Kinds of values that OpenTelemetry may add: their text is better than nothing.
        other => other.as_str().as_ref().into(),
    }
}

pub(super) fn scope(scope: &InstrumentationScope) -> Scope {
    let attributes = scope.attributes().cloned().map(attribute);
    Scope {
        name: scope.name().to_owned(),
        version: scope.version().unwrap_or_default().to_owned(),
        attributes: attributes.map(|(key, value)| (key.to_string(), value.to_any())).collect(),
        ..Scope::default()
    }
}

/// OTLP's number of a span's kind.
pub(super) fn kind(kind: &SpanKind) -> i32 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// A time before 1970 or after 2262 becomes the nearest that there is.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    Timestamp::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_before_the_epoch_and_beyond_the_range() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(timestamp(epoch + Duration::from_nanos(5)).nanos(), 5);
        assert_eq!(timestamp(epoch - Duration::from_nanos(5)).nanos(), -5);
        assert_eq!(timestamp(epoch + Duration::from_secs(1 << 40)).nanos(), i64::MAX);
    }

    #[test]
    fn each_kind_of_value() {
        let any = |given: OtelValue| value(given).to_any();
        assert_eq!(any(true.into()), AnyValue::Bool(true));
        assert_eq!(any(7.into()), AnyValue::Int(7));
        assert_eq!(any("x".into()), AnyValue::from("x"));
        let texts = OtelValue::Array(vec![opentelemetry::StringValue::from("a")].into());
        assert_eq!(any(texts), AnyValue::Array(vec![AnyValue::from("a")]));
    }
}
