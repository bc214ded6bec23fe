//! `aitrace reprice`: stored calls of models under the present table of prices.

use std::process::ExitCode;

use aitrace_store::Repriced;
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wanted;
use crate::asks;
use crate::client::Client;
use crate::output;
use crate::serving;
use crate::settings::ServerUrl;

/// What one step did.
#[derive(Debug, Deserialize)]
struct Step {
    #[serde(flatten)]
    done: Repriced,
    prices_of: String,
    next: Option<String>,
}

pub(super) fn run(args: &asks::Reprice) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut body = Map::new();
    for (name, value) in wanted::pairs(&args.wanted)? {
        body.insert(name.to_owned(), value.into());
    }
    if let Some(model) = &args.model {
        body.insert("model".to_owned(), model.as_str().into());
    }
    if let Some(path) = &args.prices {
        let (text, date) = serving::read_prices(path)?;
        let table = serde_json::from_str(&text).map_err(|error| serving::no_prices(path, &error))?;
        body.insert("prices".to_owned(), table);
        body.insert("date".to_owned(), date.into());
    }
    body.insert("dry_run".to_owned(), args.dry_run.into());
    let (mut sum, mut prices_of) = (Repriced::default(), String::new());
    loop {
        let step: Step = client.post_json("/api/reprice", &Value::Object(body.clone()))?;
        sum.add(&step.done);
        prices_of = if step.prices_of.is_empty() { prices_of } else { step.prices_of };
        match step.next {
            Some(next) => body.insert("cursor".to_owned(), next.into()),
            None => break,
        };
    }
    let difference = sum.after - sum.before;
    if args.json {
        let mut said = json!(sum);
        said["difference"] = json!(difference);
        said["prices_of"] = json!(prices_of);
        said["dry_run"] = json!(args.dry_run);
        output::answer(&said.to_string())?;
    } else {
        let would = if args.dry_run { "would change" } else { "changed" };
        output::answer(&format!(
            "{} of {} calls {would}, {} of them had no price\n${:.6} before, ${:.6} after: {difference:+.6}",
            sum.changed, sum.calls, sum.newly_known, sum.before, sum.after
        ))?;
        if sum.unknown > 0 {
            output::note(&format!(
                "{} calls are of models that are not in the table: left as they were",
                sum.unknown
            ));
        }
        if sum.stated > 0 {
            output::note(&format!("{} calls state what they cost: left as they were", sum.stated));
        }
    }
    Ok(ExitCode::SUCCESS)
}
