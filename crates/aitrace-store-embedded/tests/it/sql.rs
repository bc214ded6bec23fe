//! Queries over memory and files at once.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{Json, Timestamp};
use aitrace_store::conformance::{contents, end, log, span_id, start};
use aitrace_store::{
    Batch, Correction, DocumentStore, ErrorKind, FixedRoom, ProjectScope, Record, Score, SqlLimits, SqlRows,
    SqlStore, SqlValue, TelemetryStore, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, Options};

async fn rows(store: &EmbeddedStore, sql: &str) -> SqlRows {
    store.sql(&ProjectScope::All, sql, &SqlLimits::default()).await.expect("is answered")
}

/// Rows as text, cells parted by blanks.
async fn text(store: &EmbeddedStore, sql: &str) -> String {
    let cell = |value: &SqlValue| match value {
        SqlValue::Null => "-".to_owned(),
        SqlValue::Bool(value) => value.to_string(),
        SqlValue::Int(value) => value.to_string(),
        SqlValue::UInt(value) => value.to_string(),
        SqlValue::Double(value) => value.to_string(),
        SqlValue::Time(value) => value.to_string(),
        SqlValue::Text(value) => value.clone(),
    };
    let lines = rows(store, sql).await.rows;
    let line = |row: &Vec<SqlValue>| row.iter().map(cell).collect::<Vec<_>>().join(" ");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn each_row_is_seen_once_wherever_it_is() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    let sql = "SELECT count(*) AS n, count(DISTINCT span_id) AS d, sum(cost) AS c FROM spans";
    assert_eq!(text(&store, sql).await, "0 0 -");
    let mut corrected = end("p", 1, 1);
    corrected.cost = Some(9.0);
    let logs = vec![log("p", None, "x", 1), log("p", Some(1), "y", 1)];
    let steps = [
        Batch { spans: vec![end("p", 1, 0), end("p", 1, 1)], logs },
        Batch { spans: vec![end("p", 2, 2), start("p", 2, 3)], logs: Vec::new() },
        Batch { spans: vec![corrected], logs: Vec::new() },
    ];
    let expected = ["2 2 0.5", "4 4 0.75", "4 4 9.5"];
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
    assert!(text(&store, "SELECT count(*) AS n FROM logs").await.contains('2'));
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
        let refused = store.sql(&ProjectScope::All, sql, &SqlLimits::default()).await.expect_err(sql);
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{sql}");
    }
}

#[tokio::test]
async fn views_hold_what_their_names_say_and_only_of_the_scope() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    for (stage, number) in [("sealed", 1), ("hot", 2)] {
        let mut span = end("p", number, 0);
        span.session_id = Some("s".into());
        let batch = Batch { spans: vec![span, end("q", number, 0)], logs: Vec::new() };
        store.append(batch).await.expect(stage);
        if number == 1 {
            store.seal().await.expect("seals");
        }
    }
    let score: Score =
        serde_json::from_str(r#"{"project":"p","id":"1","name":"good","value":true}"#).expect("reads");
    store.put_documents(vec![score.write(Timestamp::from_nanos(5)).expect("writes")]).await.expect("puts");
    for (sql, expected) in [
        ("SELECT count(*), sum(spans), min(status) FROM traces", "4 4 ok"),
        ("SELECT session_id, traces, cost FROM sessions", "s 2 0.5"),
        ("SELECT name, value, value_json FROM scores", "good 1 true"),
        ("SELECT count(*) FROM runs", "0"),
        ("SELECT status, count(*) FROM spans GROUP BY 1", "ok 4"),
        (r"SELECT count(*) FROM spans JOIN traces USING (project, trace_id)", "4"),
    ] {
        assert_eq!(text(&store, sql).await, expected, "{sql}");
    }
    for view in store.views() {
        let columns: Vec<_> = view.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), view.name);
        let answer = rows(&store, &sql).await;
        assert_eq!(answer.columns, view.columns, "{}", view.name);
        let one = ProjectScope::One("q".into());
        let sql = format!("SELECT count(*) AS n FROM {} WHERE project <> 'q'", view.name);
        let others = store.sql(&one, &sql, &SqlLimits::default()).await.expect("is answered");
        assert_eq!(others.rows, [[SqlValue::Int(0)]], "{}", view.name);
    }
}

#[tokio::test]
async fn bounds_hold() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    let spans = (0..200).map(|id| end("p", id, 0)).collect();
    store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
    let limits = SqlLimits { rows: 7, ..SqlLimits::default() };
    let cut = store.sql(&ProjectScope::All, "SELECT name FROM spans", &limits).await.expect("is answered");
    assert_eq!((cut.rows.len(), cut.truncated), (7, true));
    assert!(!rows(&store, "SELECT name FROM spans").await.truncated);
    let product =
        "SELECT count(*) FROM spans a, spans b, spans c, spans d WHERE a.name < d.trace_id || b.name";
    for limits in [
        SqlLimits { time: Duration::from_millis(50), ..SqlLimits::default() },
        SqlLimits { room: Arc::new(FixedRoom::new(1000)), ..SqlLimits::default() },
    ] {
        let refused = store.sql(&ProjectScope::All, product, &limits).await.expect_err("too much");
        assert_eq!(refused.kind(), ErrorKind::Overloaded, "{refused}");
    }
}

/// What was said of spans afterwards is what statements see, in memory and in files.
#[tokio::test]
async fn contents_in_log_records_are_seen_in_their_span() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    let silent = |id| aitrace_model::Span { inputs: None, ..end("p", 1, id) };
    let asked = "SELECT name, inputs FROM spans WHERE inputs LIKE '%asked%' ORDER BY name";
    let steps = [
        (vec![contents("p", 1, 1, "a", 1)], ""),
        (vec![silent(1), silent(2)], r#"span 1 ["asked a"]"#),
        (vec![contents("p", 1, 2, "b", 1)], "span 1 [\"asked a\"]\nspan 2 [\"asked b\"]"),
        (vec![contents("p", 1, 1, "c", 2)], "span 1 [\"asked a\",\"asked c\"]\nspan 2 [\"asked b\"]"),
    ];
    for (spans, expected) in steps {
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
        for stage in ["hot", "sealed"] {
            assert_eq!(text(&store, asked).await, expected, "{stage}");
            store.seal().await.expect("seals");
        }
    }
    assert_eq!(text(&store, "SELECT count(*) FROM spans").await, "2");
    assert_eq!(text(&store, "SELECT count(*) FROM traces").await, "1");
}

#[tokio::test]
async fn corrections_are_seen() {
    let dir = crate::place();
    let store = EmbeddedStore::open(dir.path(), Options::default()).expect("opens");
    let spans = vec![end("p", 1, 0), end("p", 1, 1), end("q", 1, 1)];
    store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
    let say = async |id, data: &str| {
        let data = Json::from_trusted(data);
        let span_id = span_id(id);
        let correction = Correction { project: "p".into(), span_id, at: Timestamp::from_nanos(1), data };
        store.put_correction(correction).await.expect("puts");
    };
    say(0, r#"{"error":"found wrong"}"#).await;
    say(1, r#"{"outputs":"amended","feedback":{"good":true}}"#).await;
    for stage in 0..3 {
        let spans = "SELECT project, name, status, outputs, feedback, error_message FROM spans ORDER BY project, name";
        let expected = "p span 0 error \"out 1/0\" - found wrong\n\
                        p span 1 ok \"amended\" {\"good\":true} -\n\
                        q span 1 ok \"out 1/1\" - -";
        assert_eq!(text(&store, spans).await, expected, "stage {stage}");
        let traces = "SELECT project, status, errors FROM traces ORDER BY project";
        assert_eq!(text(&store, traces).await, "p error 1\nq ok 0", "stage {stage}");
        if stage == 0 { store.seal().await.expect("seals") } else { store.compact().await.expect("merges") }
    }
}
