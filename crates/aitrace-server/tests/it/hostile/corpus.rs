//! What hostile clients send.

use crate::pb::{self, Message};
use crate::samples::{gzip, log, otlp, otlp_json, otlp_span, span, span_id, trace_id};

type Named = (String, Vec<u8>);

fn named(name: &str, body: impl Into<Vec<u8>>) -> Named {
    (name.to_owned(), body.into())
}

/// Bodies without an encoding.
pub(super) fn bodies() -> Vec<Named> {
    let mut all = small_bodies();
    all.extend(values());
    all.extend(protobuf());
    all.push(named("a depth of a million arrays", nested("[", "]", 1_000_000)));
    all.push(named("a depth of a million objects", nested(r#"{"a":"#, "}", 1_000_000)));
    all.push(named("a million brackets that open", "[".repeat(1_000_000)));
    let keys: Vec<String> = (0..100_000).map(|key| format!("\"{key}\":0,")).collect();
    let keys = keys.concat();
    all.push(named("many keys", log("keys").replace(r#""n":1"#, &format!(r#"{keys}"n":1"#))));
    all.push(named("many elements", format!("[{}0]", "0,".repeat(300_000))));
    all.push(named("many spans of nothing", pb::request(&vec![Message::default(); 100_000])));
    let long = "é".repeat(1 << 19);
    all.push(named("an event of 1 MiB", log(&long)));
    all.push(named("a span's name of 1 MiB", otlp_json(9, 1).replace("chat", &long)));
    all.push(named("every byte", (0..=255).collect::<Vec<u8>>()));
    all
}

/// Small ones, also for routes that take no body.
pub(super) fn small_bodies() -> Vec<Named> {
    let plain = |text: &str| named(text, text);
    let mut all: Vec<Named> = [
        "",
        " ",
        "\0",
        "null",
        "true",
        "\"\"",
        "[",
        "{",
        "]",
        "}",
        "[]",
        "{}",
        "[{}]",
        "[[]]",
        "[null]",
        "[,]",
        "[1,]",
        "{\"a\"",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1e400]",
        "[NaN]",
        "[Infinity]",
        "[-]",
        "[01]",
        "\u{feff}[]",
        "\u{feff}",
        "[\"\\ud800\"]",
        "[\"\\u0000\"]",
        "//",
        "{}{}",
        "[] []",
        "\n\n\n",
        "\r",
        "[1]\0",
    ]
    .iter()
    .map(|text| plain(text))
    .collect();
    all.push(named("UTF-16", [0xff, 0xfe, b'[', 0, b']', 0]));
    all.push(named("bad UTF-8", [b"[\"".as_slice(), &[0xc3, 0x28, 0xff], b"\"]"].concat()));
    all
}

/// Good records and requests with one bad value.
fn values() -> Vec<Named> {
    let mut all = Vec::new();
    for value in [
        "1e400",
        "-1e400",
        "1e-400",
        "NaN",
        "-Infinity",
        "9223372036854775808",
        "18446744073709551616",
        "-0.0",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\u{202e}\u{200b}\u{1b}[31m\"",
        "{\"__proto__\":{\"x\":1},\"constructor\":1,\"prototype\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"\":0}",
        "{\"\\u0000\":0}",
        "[[[[[[[]]]]]]]",
        "1.",
        ".5",
        "0x10",
        "'a'",
    ] {
        all.push(named(value, log("value").replace(r#""n":1"#, &format!(r#""n":{value}"#))));
        all.push(named(value, span("end", 20, 1, 0, value)));
        all.push(named(value, span("end", 21, 1, 0, &format!(r#"{{"inputs":{value},"metrics":{value}}}"#))));
        let attribute = format!(
            r#""attributes":[{{"key":"k","value":{value}}},{{"key":"l","value":{{"doubleValue":{value}}}}}],"name""#
        );
        all.push(named(value, otlp_json(22, 1).replace(r#""name""#, &attribute)));
    }
    all.extend(fields());
    all
}

/// Good records and requests with one field that is not what it should be.
fn fields() -> Vec<Named> {
    let mut all = Vec::new();
    for key in [
        "timestamp",
        "event",
        "trace_id",
        "span_id",
        "parent_span_id",
        "level",
        "id",
        "lifecycle",
        "project",
        "duration_ns",
    ] {
        for value in
            ["null", "0", "-1", "1e400", "\"\"", "\"\\u0000\"", "[]", "{}", "\"9999-12-31T23:59:59Z\""]
        {
            let meta = format!(r#"{{"__tracer_meta__":{{"{key}":{value},"#);
            all.push(named(&meta, span("end", 23, 1, 0, "{}").replace(r#"{"__tracer_meta__":{"#, &meta)));
        }
    }
    for (key, value) in [
        ("traceId", "\"\""),
        ("traceId", "7"),
        ("spanId", "\"ZZ\""),
        ("startTimeUnixNano", "-1"),
        ("startTimeUnixNano", "\"1e3\""),
        ("endTimeUnixNano", "18446744073709551616"),
        ("kind", "\"SPAN_KIND_CLIENT\""),
        ("status", "{\"code\":\"STATUS_CODE_ERROR\"}"),
        ("events", "7"),
        ("links", "[{}]"),
        ("name", "null"),
        ("attributes", "{}"),
        ("unknown", "[[]]"),
    ] {
        let name = format!("{key}: {value}");
        all.push(named(&name, otlp_json(24, 1).replace(r#""kind":1"#, &format!(r#""{key}":{value}"#))));
    }
    all
}

/// Bytes that are nearly protobuf.
fn protobuf() -> Vec<Named> {
    let good = otlp(30, 1);
    let value = |inner: &Message| {
        let attribute = Message::default().bytes(1, "deep").message(2, inner);
        pb::request(&[otlp_span(30, 2).message(9, &attribute)])
    };
    let mut deep = Message::default().bytes(1, "x");
    for _ in 0..20_000 {
        // AnyValue.array_value.values
        deep = Message::default().message(5, &Message::default().message(1, &deep));
    }
    let groups = |count: usize| [vec![0x0b; count], vec![0x0c; count]].concat();
    let mut all = vec![
        named("cut off", &good[..good.len() - 3]),
        named("twice", [good.clone(), good.clone()].concat()),
        named("a varint without an end", vec![0xff; 64]),
        named("a length of 2 GiB", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x07]),
        named("a length of 2^64", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        named("groups, 200 000 deep", groups(200_000)),
        named("a group that is never closed", [good.clone(), vec![0x0b]].concat()),
        named("field number 0", [0x00, 0x01]),
        named("wire types 6 and 7", [0x0e, 0x0f, 0x00]),
        named("values, 20 000 deep", value(&deep)),
        named(
            "a name that is not UTF-8",
            pb::request(&[Message::default().bytes(1, [1; 16]).bytes(2, [1; 8]).bytes(5, [0xff, 0xfe])]),
        ),
        named(
            "unknown fields",
            pb::request(&[otlp_span(30, 3).varint(1000, 7).bytes(1001, "x").fixed64(1002, 1)]),
        ),
        named("a name of the wrong type", pb::request(&[otlp_span(30, 4).varint(5, 7)])),
        named("NaN and infinity", value(&Message::default().fixed64(4, f64::NAN.to_bits()))),
        named("bytes", value(&Message::default().bytes(7, [0, 159, 146, 150]))),
        named("2^63", value(&Message::default().varint(3, 1 << 63))),
    ];
    // 200 000 lengths, each within the one before: no message can be built from the inside that deep in time.
    all.push(named("200 000 fields within each other", [0x0a, 0x80, 0x80, 0x80, 0x01].repeat(200_000)));
    all
}

/// Bodies with a Content-Encoding; each must be refused.
pub(super) fn encodings() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let good = gzip(log("zipped").as_bytes());
    let mut flipped = good.clone();
    let middle = flipped.len() - 6;
    flipped[middle] ^= 1;
    vec![
        ("a bomb of 1:1000", "gzip", gzip(&vec![0; 64 << 20])),
        ("a bomb within a bomb", "gzip", gzip(&gzip(&vec![0; 64 << 20]))),
        ("a bomb of many members", "gzip", gzip(&vec![b' '; 1 << 20]).repeat(20)),
        ("cut off", "gzip", good[..good.len() - 4].to_vec()),
        ("only a head", "gzip", good[..10].to_vec()),
        ("nothing", "gzip", Vec::new()),
        ("a wrong checksum", "gzip", flipped),
        ("a tail", "gzip", [good.clone(), b"tail".to_vec()].concat()),
        ("plain text", "gzip", log("plain").into_bytes()),
        ("zlib", "gzip", vec![0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]),
        ("deflate", "deflate", good.clone()),
        ("brotli", "br", good.clone()),
        ("two encodings", "gzip, gzip", gzip(&good)),
        ("rubbish", "\u{1}", good),
    ]
}

/// Header lines that no sane client sends.
const LINES: &[&str] = &[
    "content-length: 1",
    "content-length: 3",
    "content-length: -1",
    "content-length: 99999999999999999999999",
    "content-length: 2\r\ncontent-length: 3",
    "content-length: 2, 2",
    "content-length: 0x2",
    "content-length: +2",
    "content-length: 9223372036854775807",
    "transfer-encoding: chunked",
    "transfer-encoding: chunked\r\ncontent-length: 2",
    "transfer-encoding: identity, chunked",
    "transfer-encoding: gzip",
    "transfer-encoding : chunked",
    "content-type: text/plain",
    "host: evil",
    "host:",
    "origin: null",
    "expect: 100-continue\r\ncontent-length: 2",
    "expect: nonsense",
    "upgrade: websocket\r\nconnection: upgrade",
    "upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA",
    "x\0y: z",
    "x: \0",
    "x y: z",
    ": z",
    " folded: line",
    "traceparent: 00-00000000000000000000000000000000-0000000000000000-ff",
    "authorization: Bearer \u{7f}",
    "accept-encoding: gzip;q=nan",
    "if-none-match: W/\"",
    "range: bytes=0-18446744073709551616",
];

/// Whole requests with something wrong before the body.
pub(super) fn heads(host: &str, method: &str, path: &str) -> Vec<Named> {
    let body = "{}";
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n");
    let with = |line: &str| format!("{head}{line}\r\nconnection: close\r\n\r\n{body}");
    let mut all: Vec<Named> = LINES.iter().map(|line| named(line, with(line))).collect();
    for chunks in [
        "2\r\n{}\r\n",
        "2\r\n{}\r\n0",
        "ffffffffffffffff\r\n{}",
        "-1\r\n{}",
        "2;x=y\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
        "\r\n",
    ] {
        let text = format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n{chunks}");
        all.push(named(chunks, text));
    }
    let huge = "a".repeat(100_000);
    all.push(named("a huge header", with(&format!("x: {huge}"))));
    all.push(named("a huge name", with(&format!("{huge}: x"))));
    all.push(named("10 000 headers", with(&"x: y\r\n".repeat(10_000))));
    all.push(named("64 baggage headers", with(&"baggage: a=b\r\n".repeat(64))));
    all.push(named("a huge target", head.replacen(path, &format!("{path}?q={huge}"), 1) + "\r\n"));
    all.push(named("no version", format!("{method} {path}\r\n\r\n")));
    all.push(named("HTTP/1.0", format!("{method} {path} HTTP/1.0\r\nhost: {host}\r\n\r\n")));
    all.push(named("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()));
    all.push(named("TLS", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));
    all.push(named("smuggled", with("content-length: 2") + "GET / HTTP/1.1\r\nhost: evil\r\n\r\n"));
    all.push(named("nothing", Vec::new()));
    all
}

/// A path as hostile clients write it.
pub(super) fn targets(path: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "/",
        "//",
        "/..",
        "/../..",
        "/..;/",
        ";x=y",
        "/;",
        "%2F",
        "%2f..%2f..%2fetc%2fpasswd",
        "%00",
        "%",
        "%zz",
        "%252e%252e%252f",
        "/.",
        "?",
        "??",
        "?a&b&&=&=c",
        "?%ff=%fe",
        "#x",
        "\\..\\..",
        "*",
        "{}",
        "/index.html",
        "%c0%af",
        "~",
    ]
    .iter()
    .map(|tail| format!("{path}{tail}"))
    .collect();
    all.push(format!("/{path}"));
    all.push(format!("/.{path}"));
    all.push(format!("/x/..{path}"));
    all.push(path.to_uppercase());
    all.push(path.replacen('a', "%61", 1));
    all.push(format!("http://evil{path}"));
    all.push(format!("//evil{path}"));
    all.push("*".to_owned());
    all.push("evil:80".to_owned());
    all
}

/// Values of query parameters.
pub(super) fn query_values() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        "%00",
        "%ff",
        "%",
        "'",
        "%27%20OR%201=1--",
        "%25",
        "_",
        "*",
        "-1",
        "0",
        "1",
        "1e9",
        "18446744073709551616",
        "null",
        "[]",
        "..%2F..",
        "%F0%9F%98%80",
        "%E2%80%AE",
        "2262-04-11T23:47:16.854775807Z",
        "2262-04-12T00:00:00Z",
        "1677-01-01T00:00:00Z",
        "9223372036854775807.01010101010101010101010101010101.",
        "-9223372036854775808.ffffffffffffffffffffffffffffffff.%00",
        "0.0.0",
        "a;b",
        "a=b",
        "+",
        "%0d%0aset-cookie:x",
    ]
    .iter()
    .map(|value| (*value).to_owned())
    .collect();
    all.push("x".repeat(20_000));
    all
}

/// Spans that are well written and make no sense.
pub(super) fn strange_spans() -> Vec<Named> {
    let id = |number: u8| u128::from_str_radix(&trace_id(number), 16).expect("hex").to_be_bytes();
    let own = |number: u8| [number; 8];
    let child = |trace: u8, number: u8, parent: u8| {
        pb::span(&id(trace), &own(number), "s", 10, 20).bytes(4, own(parent))
    };
    let times =
        |trace: u8, start: u64, end: u64| pb::request(&[pb::span(&id(trace), &own(1), "t", start, end)]);
    let ids = |trace: &[u8], span: &[u8]| pb::request(&[pb::span(trace, span, "ids", 1, 2)]);
    let ring: Vec<Message> = (1..=50).map(|number| child(42, number, number % 50 + 1)).collect();
    let chain: Vec<Message> = (2..=255).map(|number| child(43, number, number - 1)).collect();
    let mut links = pb::span(&id(44), &own(1), "linked", 1, 2);
    links = links.message(13, &Message::default().bytes(1, id(44)).bytes(2, own(1)));
    links = links.message(13, &Message::default().bytes(1, [0; 16]).bytes(2, [0; 3]));
    let hostile_name = pb::span(&id(45), &own(1), "\u{1b}]0;x\u{7}\u{202e}\0<script>alert(1)</script>", 1, 2);
    vec![
        named("its own parent", pb::request(&[child(40, 1, 1)])),
        named("two that are each other's parents", pb::request(&[child(41, 1, 2), child(41, 2, 1)])),
        named("a ring of 50", pb::request(&ring)),
        named("a chain", pb::request(&chain)),
        named("links to itself and to nothing", pb::request(&[links])),
        named("a name that terminals and pages would obey", pb::request(&[hostile_name])),
        named("an end before its start", times(46, 20, 10)),
        named("no times", times(47, 0, 0)),
        named("an end alone", times(48, 0, 5)),
        named("beyond 2262", times(49, 9_223_372_036_854_775_807, u64::MAX)),
        named("all of time", times(50, 1, u64::MAX)),
        named("no ids", ids(&[], &[])),
        named("ids of zeros", ids(&[0; 16], &[0; 8])),
        named("short ids", ids(&[1; 15], &[1; 7])),
        named("long ids", ids(&[1; 17], &[1; 9])),
        named("one id, two spans", pb::request(&[child(51, 1, 2), child(51, 1, 3)])),
        named("no name", pb::request(&[pb::span(&id(52), &own(1), "", 1, 2)])),
        named("a long name", pb::request(&[pb::span(&id(53), &own(1), &"n".repeat(1 << 20), 1, 2)])),
    ]
}

/// The same as trace records.
pub(super) fn strange_records() -> Vec<(String, String)> {
    let mut all = vec![
        ("its own parent".to_owned(), span("end", 60, 1, 1, "{}")),
        ("an end before any start".to_owned(), span("end", 61, 1, 9, "{}")),
        ("a start twice".to_owned(), format!("[{0},{0}]", span("start", 62, 1, 0, "{}"))),
        (
            "duration of all time".to_owned(),
            span("end", 63, 1, 0, "{}").replace("1000000", "9223372036854775807"),
        ),
        ("a negative duration".to_owned(), span("end", 64, 1, 0, "{}").replace("1000000", "-5")),
        ("upper-case ids".to_owned(), span("end", 65, 1, 0, "{}").replace(&span_id(1), &"AB".repeat(8))),
    ];
    for year in ["0000", "1677", "1969", "2262", "9999", "10000"] {
        all.push((
            format!("year {year}"),
            span("end", 66, 1, 0, "{}").replace("2026-01", &format!("{year}-01")),
        ));
    }
    all
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}0{}", open.repeat(depth), close.repeat(depth))
}
