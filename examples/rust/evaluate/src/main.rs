//! A function over a dataset, judged by evaluators. Works with no server: run it again with the printed id to
//! go on where it stopped.

use std::io::Write as _;

use aitrace::Tracer;
use aitrace::evaluate::{Case, Datapoint, EvalError, Evaluation, Evaluator, evaluate};
use serde_json::{Value, json};

#[aitrace::trace(event_type = "model")]
fn classify(text: &str) -> &'static str {
    if text.contains("not") || text.contains("bad") { "negative" } else { "positive" }
}

fn sentiment(row: &Datapoint, _tracer: &Tracer) -> Result<&'static str, String> {
    let text = row.inputs["text"].as_str().ok_or("a row needs a text")?;
    Ok(classify(text))
}

fn rows() -> Vec<Value> {
    vec![
        json!({"inputs": {"text": "lovely shoes"}, "ground_truth": "positive"}),
        json!({"inputs": {"text": "not my size"}, "ground_truth": "negative"}),
        json!({"inputs": {"text": "not bad at all"}, "ground_truth": "positive"}),
    ]
}

fn evaluation() -> Evaluation {
    let correct = Evaluator::new("correct", |case: &Case| {
        let correct = Some(&case.outputs) == case.ground_truth.as_ref();
        (correct, format!("{} for {}", case.outputs, case.inputs["text"]))
    });
    let short = Evaluator::new("brevity", |case: &Case| Some(1.0 / case.outputs.as_str()?.len() as f64));
    evaluate(sentiment)
        .name("sentiment")
        .project("examples")
        .dataset(rows())
        .evaluator(correct)
        .evaluator(short.threshold(0.05))
        .repetitions(2)
        .retries(1)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut evaluation = evaluation();
    if let Some(run_id) = std::env::args().nth(1) {
        evaluation = evaluation.resume(run_id);
    }
    let result = evaluation.run().map_err(|error: EvalError| error.to_string())?;
    write!(std::io::stdout(), "{}", result.table())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_are_right() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let run = || evaluation().data_dir(folder.path()).offline();
        let result = run().run()?;
        assert_eq!((result.passed.len(), result.failed.len(), result.datapoints.len()), (2, 1, 6));
        let correct = result.metric("correct").and_then(|metric| metric.aggregate).ok_or("no metric")?;
        assert!((correct - 2.0 / 3.0).abs() < 1e-9);
        let spans = std::fs::read_to_string(result.path.with_extension("spans.jsonl"))?;
        let models = spans.lines().filter(|line| line.contains("\"event\":\"classify.end\""));
        assert_eq!(models.count(), 6);
        let again = run().resume(&result.run_id).run()?;
        assert_eq!(again.datapoints, result.datapoints);
        Ok(())
    }
}
