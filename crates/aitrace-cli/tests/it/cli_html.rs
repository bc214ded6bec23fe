//! `aitrace html`.

use std::fs;

use serde_json::json;

use crate::support::{Home, span, trace_id};

#[test]
fn a_file_and_a_trace_of_the_server_become_the_same_tree() {
    let home = Home::new();
    let server = home.serve();
    let root = span('a', '1', None, "root", &json!({}));
    let child = span('a', '2', Some('1'), "<script>alert(1)</script>", &json!({}));
    let file = home.file("t.jsonl", &format!("{root}\n{child}\n"));
    home.aitrace(&["import", file.to_str().unwrap(), "--server", &server.url]).expect(0);
    let of_file = home.aitrace(&["html", file.to_str().unwrap()]).expect(0).stdout;
    let out = home.path().join("out.html");
    let args = ["html", &trace_id('a'), "-o", out.to_str().unwrap(), "--json", "--server", &server.url];
    let done = home.aitrace(&args).expect(0);
    assert_eq!(done.json(), json!({"records": 2, "rejected": 0}));
    let of_server = fs::read_to_string(out).unwrap();
    for page in [&of_file, &of_server] {
        assert!(page.starts_with("<!doctype html>") && !page.contains("<script"), "{page}");
        let names: Vec<&str> =
            page.split("<summary><b>").skip(1).filter_map(|rest| rest.split("</b>").next()).collect();
        assert_eq!(names, ["root", "&lt;script&gt;alert(1)&lt;/script&gt;"]);
        assert!(page.contains("<h3>inputs</h3><pre>\n{\n  &quot;q&quot;: 1\n}</pre>"), "{page}");
        assert!(page.contains("320.0 ms"));
    }
}

#[test]
fn what_cannot_be_shown_is_told() {
    let home = Home::new();
    let good = span('a', '1', None, "root", &json!({}));
    let file = home.file("t.jsonl", &format!("{good}\nno json\n"));
    let done = home.aitrace(&["html", file.to_str().unwrap()]).expect(1);
    assert!(done.stdout.contains("<b>root</b>") && done.stderr.contains("t.jsonl:2: "), "{}", done.stderr);
    let empty = home.file("empty.jsonl", "");
    assert!(home.aitrace(&["html", empty.to_str().unwrap()]).expect(1).stderr.contains("nothing to show"));
    let done = home.aitrace(&["html", "nowhere.jsonl"]).expect(2);
    assert!(done.stderr.contains("neither a file nor the id"), "{}", done.stderr);
}
