//! Queries over memory and files at once.

use aitrace_store::conformance::{end, log, start};
use aitrace_store::{Batch, ErrorKind, TelemetryStore};
use aitrace_store_embedded::{EmbeddedStore, Options};
use arrow::util::pretty::pretty_format_batches;

async fn text(store: &EmbeddedStore, sql: &str) -> String {
    let batches = store.query(sql).await.expect("is answered");
    pretty_format_batches(&batches).expect("formats").to_string()
}

#[tokio::test]
async fn each_row_is_seen_once_wherever_it_is() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    let sql = "SELECT count(*) AS n, count(DISTINCT span_id) AS d, sum(cost) AS c FROM spans";
    assert!(text(&store, sql).await.contains("| 0 | 0 |"));
    let mut corrected = end("p", 1, 1);
    corrected.cost = Some(9.0);
    let logs = vec![log("p", None, "x", 1), log("p", Some(1), "y", 1)];
    let steps = [
        Batch { spans: vec![end("p", 1, 0), end("p", 1, 1)], logs },
        Batch { spans: vec![end("p", 2, 2), start("p", 2, 3)], logs: Vec::new() },
        Batch { spans: vec![corrected], logs: Vec::new() },
    ];
    let expected = ["| 2 | 2 | 0.5", "| 4 | 4 | 0.75", "| 4 | 4 | 9.5"];
    for (batch, expected) in steps.into_iter().zip(expected) {
        store.append(batch).await.expect("appends");
        for stage in ["hot", "sealed"] {
            let seen = text(&store, sql).await;
            assert!(seen.contains(expected), "{stage}: {seen}");
            store.seal().await.expect("seals");
        }
    }
    drop(store);
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    assert!(text(&store, sql).await.contains(expected[2]));
    assert!(text(&store, "SELECT count(*) AS n FROM logs").await.contains("| 2 |"));
    let where_ = r#"SELECT name, "end" FROM spans WHERE trace_id LIKE '%2%' AND kind = 'llm' ORDER BY 1"#;
    assert!(text(&store, where_).await.contains("span 2"));
}

#[tokio::test]
async fn only_queries_are_answered() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    for sql in [
        "CREATE TABLE t (a INT)",
        "INSERT INTO spans SELECT * FROM spans",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "CREATE EXTERNAL TABLE e STORED AS PARQUET LOCATION '/'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT nothing FROM spans",
        "",
    ] {
        let refused = store.query(sql).await.expect_err(sql);
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{sql}");
    }
}
