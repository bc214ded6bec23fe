//! Traced async functions, a stream, tasks of a runtime, and one that is cancelled.

use std::io::Write as _;
use std::time::Duration;

use aitrace::{Context, InSpan as _, SpanOptions, Tracer};
use futures_util::{Stream, StreamExt as _};

/// The span begins with the first poll and ends when the future is done.
#[aitrace::trace(event_type = "tool")]
async fn search(query: &str) -> Vec<String> {
    tokio::task::yield_now().await;
    vec![format!("about {query}"), format!("more about {query}")]
}

/// The span ends with the stream's last item.
#[aitrace::trace(event_type = "model", kind = "llm")]
fn tokens(prompt: String) -> impl Stream<Item = String> + Send {
    let words: Vec<String> = prompt.split(' ').map(str::to_uppercase).collect();
    futures_util::stream::iter(words).then(|word| async move {
        tokio::task::yield_now().await;
        word
    })
}

#[aitrace::trace(event_type = "chain")]
async fn answer(question: &str) -> String {
    // Both run inside of this span, side by side.
    let (one, two) = tokio::join!(search(question), search("shoes"));
    // A task of its own takes the context along.
    let counted = tokio::spawn(async move { one.len() + two.len() }.in_context(Context::current()));
    let hits = counted.await.unwrap_or_default();
    tokens(format!("{hits} hits")).collect::<Vec<_>>().await.join(" ")
}

async fn run(tracer: &Tracer) -> String {
    let span = tracer.start(SpanOptions::new("request"));
    async {
        let answer = answer("red").await;
        // Cancelled by its limit of time: the span says so.
        let endless = async { std::future::pending::<()>().await };
        let endless = endless.in_span(tracer.start(SpanOptions::new("endless")));
        assert!(tokio::time::timeout(Duration::from_millis(1), endless).await.is_err());
        answer
    }
    .in_span(span)
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let tracer = Tracer::builder().project("examples").service("async").build();
    writeln!(std::io::stdout(), "{}", run(&tracer).await)?;
    let sent = tracer.shutdown(Duration::from_secs(5));
    writeln!(std::io::stderr(), "trace: {} sent, {} not", sent.sent, sent.remaining)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace::testing;

    #[tokio::test]
    async fn the_trace_is_complete() {
        let (tracer, _clock) = testing::tracer();
        assert_eq!(run(&tracer).await, "4 HITS");
        testing::assert_tree(
            &tracer,
            "
            request 0ns
              answer 0ns [chain]
                search 0ns [tool]
                search 0ns [tool]
                tokens 0ns [llm]
              endless 0ns
            ",
        );
        assert_eq!(testing::attribute(&testing::span(&tracer, "tokens"), "aitrace.items"), 2);
        assert_eq!(testing::attribute(&testing::span(&tracer, "endless"), "aitrace.cancelled"), true);
    }
}
