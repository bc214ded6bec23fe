//! A result as text.

use std::fmt::Write as _;

use crate::cell::DatapointResult;
use crate::result::EvaluationResult;

/// Most failed rows that are shown.
const MOST_ROWS: usize = 20;
/// Longest reason that is shown, in characters.
const MOST_TEXT: usize = 120;

impl EvaluationResult {
    /// Metrics, totals and the rows that failed, as text for people.
    pub fn table(&self) -> String {
        render(self)
    }
}

fn render(result: &EvaluationResult) -> String {
    let mut out = String::new();
    let mut line = |text: &str| writeln!(out, "{text}").expect("a String takes everything");
    line(&format!(
        "{} ({}) {}: {} passed, {} failed, {:.2} s",
        result.name,
        result.run_id,
        result.status.as_str(),
        result.passed.len(),
        result.failed.len(),
        result.duration.as_secs_f64()
    ));
    if !result.metrics.is_empty() {
        for text in grid(result) {
            line(&text);
        }
    }
    let bad: Vec<_> = result.datapoints.iter().filter(|cell| !cell.passed).collect();
    if !bad.is_empty() {
        line("failed rows:");
        for cell in bad.iter().take(MOST_ROWS) {
            line(&format!("  {}  {}", cell.datapoint_id, reason(cell)));
        }
        if bad.len() > MOST_ROWS {
            line(&format!("  and {} more", bad.len() - MOST_ROWS));
        }
    }
    for warning in &result.warnings {
        line(&format!("note: {warning}"));
    }
    out
}

fn grid(result: &EvaluationResult) -> Vec<String> {
    let mut rows = vec![["metric", "aggregate", "scored", "missing"].map(str::to_owned)];
    for metric in &result.metrics {
        let scored = metric.values.iter().flatten().count();
        let aggregate = metric.aggregate.map_or_else(|| "-".to_owned(), short);
        let missing = metric.values.len() - scored;
        rows.push([metric.name.clone(), aggregate, scored.to_string(), missing.to_string()]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let rule = format!("+{}+", widths.map(|width| "-".repeat(width + 2)).join("+"));
    let body = rows.iter().map(|row| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |", cells.join(" | "))
    });
    let mut lines: Vec<String> = vec![rule.clone()];
    lines.extend(body);
    lines.insert(2, rule.clone());
    lines.push(rule);
    lines
}

/// Four significant digits.
fn short(number: f64) -> String {
    let digits = if number == 0.0 { 0 } else { number.abs().log10().floor() as i32 };
    let places = usize::try_from(3 - digits).unwrap_or(0);
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn reason(cell: &DatapointResult) -> String {
    let text = if let Some(error) = &cell.error {
        error.lines().next().unwrap_or_default().to_owned()
    } else {
        let scores =
            cell.scores.iter().filter_map(|(name, score)| Some(format!("{name}={}", score.as_ref()?)));
        let errors = cell.evaluator_errors.iter().map(|(name, why)| format!("{name}: {why}"));
        scores.chain(errors).collect::<Vec<_>>().join(", ")
    };
    text.chars().take(MOST_TEXT).collect()
}
