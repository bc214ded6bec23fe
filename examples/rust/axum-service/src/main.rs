//! A web service: one span for each request under the caller's, logs through `tracing`, and a library that
//! speaks OpenTelemetry.
//!
//! `curl -s localhost:8080/answer -H 'content-type: application/json' -d '{"question": "why"}'`

use std::time::Duration;

use aitrace::{Enrich, InSpan as _, Parent, SpanOptions, Tracer};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use tracing_subscriber::prelude::*;

#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Question {
    question: String,
}

#[derive(Debug, serde::Serialize)]
struct Answer {
    answer: String,
}

/// A span for each request, under the caller's where it sent `traceparent`.
async fn traced(State(tracer): State<Tracer>, request: Request, next: Next) -> Response {
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let caller = tracer.extract_context(headers);
    let name = format!("{} {}", request.method(), request.uri().path());
    let span = tracer.start(SpanOptions::new(name).parent(Parent::Context(caller.clone())));
    let inside = span.within(&caller);
    async move {
        let response = next.run(request).in_context(inside).await;
        span.set_attribute("http.response.status_code", response.status().as_u16());
        span.end();
        response
    }
    .await
}

async fn answer(State(tracer): State<Tracer>, Json(question): Json<Question>) -> Json<Answer> {
    tracing::info!(length = question.question.len(), "asked");
    tracer.enrich_span(Enrich::new().inputs(&question));
    let answer = think(&tracer, &question.question).await;
    tracer.enrich_span(Enrich::new().outputs(&answer));
    Json(Answer { answer })
}

#[aitrace::trace(event_type = "chain", skip(tracer))]
async fn think(tracer: &Tracer, question: &str) -> String {
    // What a library does that is instrumented with OpenTelemetry: its spans stand below ours.
    let library = tracer.provider().tracer("some-library");
    library.in_span("library call", |_| tracing::debug!("thinking"));
    tokio::task::yield_now().await;
    format!("{question}? Because.")
}

fn service(tracer: &Tracer) -> Router {
    // Before the first span: from here on both contexts are one.
    tracer.provider();
    Router::new()
        .route("/answer", post(answer))
        .layer(middleware::from_fn_with_state(tracer.clone(), traced))
        .with_state(tracer.clone())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let tracer = Tracer::builder().project("examples").service("axum-service").build();
    tracing_subscriber::registry()
        .with(aitrace::layer().with_tracer(&tracer).with_filter(tracing::level_filters::LevelFilter::INFO))
        .init();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    let ended = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, service(&tracer)).with_graceful_shutdown(ended).await?;
    tokio::task::spawn_blocking(move || tracer.shutdown(Duration::from_secs(5))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aitrace::testing;

    #[test]
    fn a_request_stands_under_its_caller() {
        let (tracer, _clock) = testing::tracer();
        let logged = tracing_subscriber::registry().with(aitrace::layer().with_tracer(&tracer));
        let _logged = tracing::subscriber::set_default(logged);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let caller = Tracer::builder().target("memory").build();
        let span = caller.start_span("caller");
        let headers = caller.inject_context();
        let ids = span.context().expect("recording");
        drop(span);
        let answered = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
            let url = format!("http://{}/answer", listener.local_addr().expect("an address"));
            let server = tokio::spawn(axum::serve(listener, service(&tracer)).into_future());
            let call = move || {
                let mut request = ureq::post(&url).header("Content-Type", "application/json");
                for (name, value) in &headers {
                    request = request.header(name, value);
                }
                let mut response = request.send(r#"{"question":"why"}"#).expect("answered");
                response.body_mut().read_to_string().expect("a text")
            };
            let answered = tokio::task::spawn_blocking(call).await.expect("no panic");
            server.abort();
            answered
        });
        assert_eq!(answered, r#"{"answer":"why? Because."}"#);
        testing::assert_tree(
            &tracer,
            "
            POST /answer 0ns
              think 0ns [chain]
                library call 0ns
            ",
        );
        let root = testing::span(&tracer, "POST /answer");
        assert_eq!((root.trace_id, root.parent_span_id), (ids.trace_id, Some(ids.span_id)));
        assert_eq!(testing::attribute(&root, "http.response.status_code"), 200);
        let logs = tracer.logs();
        let asked = logs.iter().find(|log| log.event == "asked").expect("logged");
        assert_eq!(asked.span_id, Some(root.span_id));
    }
}
