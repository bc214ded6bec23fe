//! The context across processes: W3C `traceparent` and `baggage` (four keys only).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aitrace_model::{SpanId, TraceId};

use crate::context::{Baggage, Context, SpanContext};
use crate::tracer::Tracer;

const TRACEPARENT: &str = "traceparent";
const BAGGAGE: &str = "baggage";
/// Longest header that is looked at, in bytes (W3C allows no more baggage than this).
const MAX_HEADER: usize = 8192;
/// Longest value of a baggage entry that is taken.
const MAX_VALUE: usize = 256;

impl Context {
    /// Writes this context as headers: `traceparent` where there is a span, `baggage` where there is any.
    pub fn inject(&self, mut set: impl FnMut(&'static str, String)) {
        if let Some(span) = self.span() {
            let flags = u8::from(self.is_sampled());
            set(TRACEPARENT, format!("00-{}-{}-{flags:02x}", span.trace_id, span.span_id));
        }
        let Some(baggage) = self.baggage() else { return };
        let entries = Baggage::KEYS.iter().filter_map(|key| {
            let value = baggage.get(key).filter(|value| value.len() <= MAX_VALUE)?;
            Some(format!("{key}={}", encode(value)))
        });
        let entries: Vec<String> = entries.collect();
        if !entries.is_empty() {
            set(BAGGAGE, entries.join(","));
        }
    }

    /// Reads a context from headers. What is malformed, too long or unknown is left out.
    pub fn extract<'h>(get: impl Fn(&str) -> Option<&'h str>) -> Self {
        let header = |name: &str| get(name).filter(|text| text.len() <= MAX_HEADER);
        let context = match header(TRACEPARENT).and_then(parse_traceparent) {
            Some((span, true)) => Self::default().with_remote_span(span),
            Some((span, false)) => Self::default().with_unsampled_remote_span(span),
            None => Self::default(),
        };
        let mut baggage = Baggage::default();
        for entry in header(BAGGAGE).into_iter().flat_map(|text| text.split(',')) {
            // Properties after the first semicolon are not ours.
            let entry = entry.split(';').next().unwrap_or_default();
            let Some((key, value)) = entry.split_once('=') else { continue };
            if let Some(value) = decode(value.trim()).filter(|value| value.len() <= MAX_VALUE) {
                baggage.set(key.trim(), Some(&value));
            }
        }
        context.with_baggage(baggage)
    }
}

impl Tracer {
    /// The headers of the current context, for a request to another process: `traceparent`, and `baggage` with
    /// `run_id`, `dataset_id`, `datapoint_id` and `tracer_id` where they are set. Nothing else leaves.
    ///
    /// ```
    /// let tracer = aitrace::Tracer::builder().target("memory").build();
    /// let span = tracer.start_span("call");
    /// let headers = tracer.inject_context();
    /// // There:
    /// let context = tracer.extract_context(&headers);
    /// assert_eq!(context.span(), span.context());
    /// ```
    pub fn inject_context(&self) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        Context::current().inject(|name, value| {
            headers.insert(name.to_owned(), value);
        });
        headers
    }

    /// The context that came with a request: to attach, or to start a span in. Names may be of any case; a
    /// name may come several times. What is malformed, too long or unknown is left out: whoever sends headers
    /// can set the parent and the four keys, never project, source, session, target or key.
    pub fn extract_context<N: AsRef<str>, V: AsRef<str>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Context {
        let (mut parent, mut baggage) = (None::<String>, String::new());
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            if name.eq_ignore_ascii_case(TRACEPARENT) {
                parent.get_or_insert_with(|| value.to_owned());
            } else if name.eq_ignore_ascii_case(BAGGAGE) && baggage.len() + value.len() < MAX_HEADER {
                if !baggage.is_empty() {
                    baggage.push(',');
                }
                baggage.push_str(value);
            }
        }
        Context::extract(|name| match name {
            TRACEPARENT => parent.as_deref(),
            BAGGAGE => Some(&baggage),
            _ => None,
        })
    }
}

/// `version-traceid-spanid-flags`; later versions may add to the end. The span, and whether its trace is
/// recorded.
fn parse_traceparent(text: &str) -> Option<(SpanContext, bool)> {
    let mut parts = text.trim().split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let two_hex = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !two_hex(version) || version == "ff" || !two_hex(flags) || (version == "00" && parts.next().is_some())
    {
        return None;
    }
    // Upper case is not allowed on the wire.
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let (trace_id, span_id) = (trace_id.parse::<TraceId>().ok()?, span_id.parse::<SpanId>().ok()?);
    Some((SpanContext { trace_id, span_id }, sampled))
}

fn encode(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn extract(headers: &[(&str, &str)]) -> Context {
        let headers: HashMap<_, _> = headers.iter().copied().collect();
        Context::extract(|name| headers.get(name).copied())
    }

    #[test]
    fn malformed_headers_are_left_out() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(extract(&[("traceparent", good)]).span().is_some());
        assert!(extract(&[("traceparent", &good.replace("00-4", "cc-4"))]).span().is_some());
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert!(extract(&[("traceparent", bad)]).span().is_none(), "{bad}");
        }
        let context = extract(&[("baggage", "run_id=r%201;p=1, project=evil,dataset_id=%zz,=,tracer_id")]);
        let baggage = context.baggage().expect("one entry");
        assert_eq!(**baggage, Baggage { run_id: Some("r 1".into()), ..Baggage::default() });
    }

    #[test]
    fn headers_of_any_case_and_what_is_too_much() {
        let tracer = Tracer::builder().target("memory").build();
        let long = format!("run_id={}", "x".repeat(MAX_VALUE + 1));
        let flood = format!("run_id={}", "x".repeat(MAX_HEADER));
        let context = tracer.extract_context([
            ("TraceParent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("traceparent", "00-ffffffffffffffffffffffffffffffff-00f067aa0ba902b7-01"),
            ("BAGGAGE", "dataset_id=d,project=evil,source=evil,session_id=evil,api_key=evil,target=evil"),
            ("baggage", &long),
            ("baggage", &flood),
            ("Baggage", "datapoint_id=p"),
        ]);
        let ids = context.span().expect("a parent");
        assert_eq!(ids.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let baggage = context.baggage().expect("two entries");
        let expected =
            Baggage { dataset_id: Some("d".into()), datapoint_id: Some("p".into()), ..Baggage::default() };
        assert_eq!(**baggage, expected);
        // Too long to be read elsewhere, so not sent.
        let unsent =
            Context::default().with_baggage(Baggage { run_id: Some(long.into()), ..Baggage::default() });
        unsent.inject(|name, value| panic!("{name}: {value}"));
    }

    #[test]
    fn a_header_that_is_too_long_is_not_read() {
        let tracer = Tracer::builder().target("memory").build();
        // Each entry by itself would do.
        let flood = format!("run_id=r,{}", "vendor=xxxxxxxx,".repeat(MAX_HEADER / 16));
        let fits = &flood[..MAX_HEADER - 1];
        let run = |context: Context| context.baggage().and_then(|baggage| baggage.run_id.clone());
        assert!(flood.len() > MAX_HEADER);
        for (header, expected) in [(fits, Some("r")), (&flood, None)] {
            let there = tracer.extract_context([("baggage", header)]);
            assert_eq!(run(there).as_deref(), expected);
            let here = Context::extract(|name| (name == BAGGAGE).then_some(header));
            assert_eq!(run(here).as_deref(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_injected_is_extracted(
            run in ".{1,60}", trace in 1..=u128::MAX, span in 1..=u64::MAX, sampled: bool,
        ) {
            let mut baggage = Baggage::default();
            baggage.set("run_id", Some(&run));
            let span = SpanContext {
                trace_id: TraceId::from_bytes(trace.to_be_bytes()).expect("not zero"),
                span_id: SpanId::from_bytes(span.to_be_bytes()).expect("not zero"),
            };
            let context = Context::default();
            let context =
                if sampled { context.with_remote_span(span) } else { context.with_unsampled_remote_span(span) };
            let context = context.with_baggage(baggage);
            let mut headers = HashMap::new();
            context.inject(|name, value| { headers.insert(name, value); });
            let read = Context::extract(|name| headers.get(name).map(String::as_str));
            prop_assert_eq!((read.span(), read.is_sampled()), (Some(span), sampled));
            prop_assert_eq!(read.baggage(), context.baggage());
        }

        #[test]
        fn nothing_panics(parent in ".{0,80}", baggage in ".{0,200}") {
            Context::extract(|name| Some(if name == "baggage" { &*baggage } else { &*parent }));
        }
    }
}
