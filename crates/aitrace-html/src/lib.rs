//! Trace records as one HTML page that needs nothing else: no script, no server, no network.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//!                                                                                                 ~~~~
//! ```
//!
//! In: [`Record`]s, from a file, from the spool of a program that could not reach its server, or made from
//! what a server knows of a trace. Out: the text of a page.
//!
//! Everything that was recorded is text to this page: it is escaped wherever it stands, and the page forbids
//! scripts, remote images and everything else from outside by its own policy.
//!
//! ```
//! use aitrace_model::record::{Limits, read};
//!
//! let line = br#"{"__tracer_meta__":{"timestamp":"2026-01-01T00:00:00Z","event":"<b>hello</b>"}}"#;
//! let page = aitrace_html::render("What happened", &[read(line, &Limits::default()).unwrap()]);
//! assert!(page.contains("&lt;b&gt;hello&lt;/b&gt;") && !page.contains("<b>"));
//! ```

mod escape;
mod page;
mod row;
mod trace;

pub use aitrace_model::record::Record;

/// The page. Records that are the same (by id) count once; a span's start goes into its end; a span without an
/// end is shown as running. Traces stand in the order of their beginnings, spans as a tree.
pub fn render(title: &str, records: &[Record]) -> String {
    page::write(title, &trace::group(records))
}

#[cfg(test)]
mod tests {
    use aitrace_model::record::{Limits, read};

    use super::*;

    const HOSTILE: &str =
        "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&lt;</pre></style></title>";

    fn record(json: &str) -> Record {
        read(json.as_bytes(), &Limits::default()).expect("a record")
    }

    fn quoted(text: &str) -> String {
        aitrace_model::Json::string(text).as_str().to_owned()
    }

    fn end(span: u8, parent: Option<u8>, name: &str, rest: &str) -> Record {
        let parent = parent.map_or_else(|| "null".to_owned(), |id| format!("\"{id:016x}\""));
        record(&format!(
            "{{\"attributes\":{{\"inputs\":{{\"q\":{text}}},\"outputs\":{text},\"metadata\":{{{text}:1}}}},\
             \"__tracer_meta__\":{{\"timestamp\":\"2026-01-01T00:00:02Z\",\"event\":{},\"trace_id\":\"{:032x}\",\
             \"span_id\":\"{span:016x}\",\"parent_span_id\":{parent},\"version\":\"2.1\",\"lifecycle\":\"end\",\
             \"id\":\"{span}-end\",\"duration_ns\":{},\"project\":{text}{rest}}}}}",
            quoted(&format!("{name}.end")),
            7,
            1_000_000_000 - i64::from(span),
            text = quoted(HOSTILE),
        ))
    }

    /// The tags of a page with their attributes.
    fn tags(page: &str) -> Vec<&str> {
        let bodies = page.split('<').skip(1);
        bodies.map(|rest| rest.split('>').next().unwrap_or_default()).collect()
    }

    #[test]
    fn nothing_that_was_recorded_becomes_markup() {
        let failure = format!(
            ",\"status\":\"error\",\"error\":{{\"type\":{text},\"message\":{text},\"stacktrace\":{text}}},\
             \"model\":{text},\"kind\":{text},\"file\":{text},\"session_id\":{text},\"source\":{text}",
            text = quoted(HOSTILE)
        );
        let log = record(&format!(
            "{{{text}:{text},\"__tracer_meta__\":{{\"timestamp\":\"2026-01-01T00:00:02Z\",\"event\":{text},\
             \"level\":\"error\",\"logger\":{text},\"trace_id\":\"{:032x}\",\"span_id\":\"{:016x}\",\"id\":\"l\"}}}}",
            7,
            1,
            text = quoted(HOSTILE)
        ));
        let page = render(HOSTILE, &[end(1, None, HOSTILE, &failure), log]);
        let known = [
            "!doctype", "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main",
            "section", "h2", "h3", "details", "summary", "b", "span", "svg", "rect", "pre", "div",
        ];
        for tag in tags(&page) {
            let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
            assert!(known.contains(&name), "<{tag}>");
            assert!(!tag.contains(" on") && !tag.contains(" src") && !tag.contains(" href"), "<{tag}>");
        }
        assert_eq!(page.matches("</style>").count(), 1);
        assert!(page.matches("&lt;script&gt;alert(1)").count() >= 14, "all of it is shown");
        assert!(page.contains("script-src") || page.contains("default-src &#39;none&#39;"));
    }

    #[test]
    fn spans_stand_as_a_tree_each_once_whatever_the_order() {
        let mut records = vec![
            end(3, Some(2), "grandchild", ""),
            end(2, Some(1), "child", ",\"status\":\"error\""),
            end(1, None, "root", ""),
            end(9, Some(8), "orphan", ""),
        ];
        let start = |span: u8| {
            record(&format!(
                "{{\"__tracer_meta__\":{{\"timestamp\":\"2026-01-01T00:00:01Z\",\"event\":\"begun.start\",\
                 \"trace_id\":\"{:032x}\",\"span_id\":\"{span:016x}\",\"provisional\":true,\"version\":\"2.1\",\
                 \"lifecycle\":\"start\",\"id\":\"{span}-start\",\"parent_span_id\":\"{:016x}\"}}}}",
                7, 1
            ))
        };
        records.extend([start(1), start(5), records[0].clone()]);
        let page = render("t", &records);
        records.reverse();
        assert_eq!(render("t", &records), page);
        let rows: Vec<(usize, &str)> = page
            .split("<details class=\"span ")
            .skip(1)
            .map(|row| {
                let depth = row.split(" d").nth(1).and_then(|rest| rest.split('"').next());
                let name = row.split("<b>").nth(1).and_then(|rest| rest.split("</b>").next());
                (depth.and_then(|depth| depth.parse().ok()).expect("a depth"), name.expect("a name"))
            })
            .collect();
        assert_eq!(rows, [(0, "root"), (1, "begun"), (1, "child"), (2, "grandchild"), (0, "orphan")]);
        assert!(page.contains("1 traces, 5 spans, 1 failed, 0 log records"), "{page}");
        assert!(page.contains("class=\"span running d1\"") && page.contains("class=\"span error d1\""));
    }

    #[test]
    fn a_circle_and_a_hundred_thousand_levels_are_shown() {
        let id = |number: usize| format!("{:016x}", number + 1);
        let span = |number: usize, parent: usize| {
            record(&format!(
                "{{\"__tracer_meta__\":{{\"timestamp\":\"2026-01-01T00:00:02Z\",\"event\":\"s.end\",\"trace_id\":\
                 \"{:032x}\",\"span_id\":\"{}\",\"parent_span_id\":\"{}\",\"version\":\"2.1\",\"lifecycle\":\"end\",\
                 \"id\":\"{number}\"}}}}",
                7,
                id(number),
                id(parent)
            ))
        };
        let deep: Vec<Record> =
            (0..20_000).map(|number| span(number, if number == 0 { 19_999 } else { number - 1 })).collect();
        assert_eq!(render("t", &deep).matches("<summary>").count(), 20_000);
    }
}
