//! The table of prices and its two forms: our own, and `LiteLLM`'s.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Dollars for a million tokens. What is not told is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
pub(crate) struct Rates {
    pub(crate) input: Option<f64>,
    pub(crate) output: Option<f64>,
    pub(crate) cache_read: Option<f64>,
    pub(crate) cache_write: Option<f64>,
    pub(crate) reasoning: Option<f64>,
}

impl Rates {
    /// A rate that is none, and its name.
    fn wrong(&self) -> Option<(&'static str, f64)> {
        let Self { input, output, cache_read, cache_write, reasoning } = *self;
        let all = [
            ("input", input),
            ("output", output),
            ("cache_read", cache_read),
            ("cache_write", cache_write),
            ("reasoning", reasoning),
        ];
        all.into_iter().find_map(|(name, rate)| rate.filter(|rate| !is_rate(*rate)).map(|rate| (name, rate)))
    }
}

/// More is a mistake, and with many tokens no number any more.
const MOST: f64 = 1e9;

fn is_rate(rate: f64) -> bool {
    (0.0..=MOST).contains(&rate)
}

/// Other rates for calls with more input tokens than `over`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Tier {
    pub(crate) over: u64,
    #[serde(flatten)]
    pub(crate) rates: Rates,
}

/// A model's prices.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Model {
    /// Who sells it, in the words of the table.
    pub(crate) provider: String,
    #[serde(flatten)]
    pub(crate) rates: Rates,
    /// By rising `over`.
    #[serde(default)]
    pub(crate) tiers: Vec<Tier>,
}

/// Prices of models on a day.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Table {
    date: String,
    pub(crate) models: HashMap<String, Model>,
}

/// Why a file is no table of prices.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not JSON.
    #[error(
        "the price table is not JSON: {0}; take aitrace's own form or LiteLLM's model_prices_and_context_window.json"
    )]
    Json(#[from] serde_json::Error),
    /// No model of it has a price.
    #[error(
        "the price table names no model with a price of tokens; expected an object of models, each with input_cost_per_token"
    )]
    Empty,
    /// A model of a table in our own form has a price that is none.
    #[error(
        "the price table says that `{name}` of the model `{model}` is {rate}: a price is from 0 to 1000000000 dollars for a million tokens; leave out what is not known"
    )]
    Rate {
        /// The model's name in the table.
        model: String,
        /// Which of its prices.
        name: &'static str,
        /// Dollars for a million tokens.
        rate: f64,
    },
}

static BUILT_IN: LazyLock<Arc<Table>> = LazyLock::new(|| {
    // A test reads it, so that a table that cannot be read is never released.
    let table = serde_json::from_str(include_str!("../data/prices.json"));
    Arc::new(table.unwrap_or_else(|_| Table { date: String::new(), models: HashMap::new() }))
});

impl Table {
    /// The table that comes with this version. Read at its first use.
    pub fn built_in() -> Arc<Self> {
        BUILT_IN.clone()
    }

    /// Reads a table in our own form, `{"date": "…", "models": {name: {"provider", "input", "output", "cache_read",
    /// "cache_write", "reasoning", "tiers": [{"over", …}]}}}` with dollars for a million tokens, or in `LiteLLM`'s, with
    /// dollars for a token. `date` says of when one without a date is (`2026-11-21`). A price below 0 or above 10^9 is an error in our
    /// own form, and not known in `LiteLLM`'s, which is not the reader's to mend.
    ///
    /// # Errors
    /// When it is not JSON, has no prices, or one that is none.
    pub fn read(text: &str, date: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(text)?;
        let table = match value {
            Value::Object(members) if members.contains_key("models") => {
                let mut own: Self = serde_json::from_value(with_date(members, date))?;
                own.models.values_mut().for_each(|model| model.tiers.sort_by_key(|tier| tier.over));
                own.check()?;
                own
            }
            Value::Object(members) => Self { date: date.to_owned(), models: foreign(&members) },
            _ => return Err(Error::Empty),
        };
        if table.models.is_empty() { Err(Error::Empty) } else { Ok(table) }
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = self.models.iter().filter_map(|(model, prices)| {
            let mut all = std::iter::once(&prices.rates).chain(prices.tiers.iter().map(|tier| &tier.rates));
            all.find_map(Rates::wrong).map(|(name, rate)| (model, name, rate))
        });
        // The first one by name: models have no order.
        let first = wrong.min_by_key(|(model, ..)| *model);
        first.map_or(Ok(()), |(model, name, rate)| Err(Error::Rate { model: model.clone(), name, rate }))
    }

    /// Of which day the prices are: `2026-11-21`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// How many models it prices.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether it prices none.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

fn with_date(mut members: Map<String, Value>, date: &str) -> Value {
    members.entry("date").or_insert_with(|| Value::from(date));
    Value::Object(members)
}

fn foreign(members: &Map<String, Value>) -> HashMap<String, Model> {
    let models = members.iter().filter_map(|(name, entry)| Some((name.clone(), model(entry.as_object()?)?)));
    models.collect()
}

fn model(entry: &Map<String, Value>) -> Option<Model> {
    let rates = rates(entry, "");
    // Zeros stand for "not known" there.
    if rates.input.unwrap_or(0.0) + rates.output.unwrap_or(0.0) <= 0.0 {
        return None;
    }
    let over = |key: &str| {
        key.strip_prefix("input_cost_per_token_above_")?.strip_suffix("k_tokens")?.parse::<u64>().ok()
    };
    let mut tiers: Vec<Tier> = entry
        .keys()
        .filter_map(|key| over(key))
        .map(|thousands| Tier {
            over: thousands.saturating_mul(1000),
            rates: self::rates(entry, &format!("_above_{thousands}k_tokens")),
        })
        .collect();
    tiers.sort_by_key(|tier| tier.over);
    let provider = entry.get("litellm_provider").and_then(Value::as_str).unwrap_or_default();
    Some(Model { provider: provider.to_owned(), rates, tiers })
}

fn rates(entry: &Map<String, Value>, suffix: &str) -> Rates {
    let rate = |name: &str| {
        let dollars = entry.get(&format!("{name}{suffix}"))?.as_f64()?;
        // For a million tokens, without what the multiplication adds in the last place.
        Some((dollars * 1e15).round() / 1e9).filter(|rate| is_rate(*rate))
    };
    Rates {
        input: rate("input_cost_per_token"),
        output: rate("output_cost_per_token"),
        cache_read: rate("cache_read_input_token_cost"),
        cache_write: rate("cache_creation_input_token_cost"),
        reasoning: rate("output_cost_per_reasoning_token"),
    }
}
