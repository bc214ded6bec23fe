//! The viewer's files.

use crate::rig::Rig;
use crate::samples::trace_id;

#[test]
fn the_page_stands_at_each_of_its_routes() {
    let rig = Rig::start();
    let page = rig.get("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(rig.get(&format!("/trace/{}", trace_id(1))).body, page.body);
    if aitrace_web::index().is_none() {
        assert_eq!(page.status, 404);
        assert!(page.text().contains("was not built"));
        return;
    }
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-cache")));
    let etag = page.header("etag").expect("a tag").to_owned();
    let again = rig.call("GET", "/").header("if-none-match", &etag).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert!(again.header("content-security-policy").is_some());
    let text = page.text();
    for name in text.split('"').filter(|word| word.starts_with("/assets/")) {
        let file = rig.get(name);
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"), "{name}");
        assert!(file.header("etag").is_some(), "{name}");
    }
}

#[test]
fn files_that_do_not_exist_are_not_found() {
    let rig = Rig::start();
    for target in
        ["/assets/none.js", "/assets/", "/assets/../index.html", "/assets/..%2findex.html", "/x.png"]
    {
        let answer = rig.get(target);
        assert_eq!((answer.status, answer.kind().as_str()), (404, "not_found"), "{target}");
    }
}
