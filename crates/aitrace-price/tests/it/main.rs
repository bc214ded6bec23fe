//! Prices against invoices reckoned by hand, and what holds for any usage.

#![expect(clippy::float_cmp, reason = "prices of few tokens are exact")]

use aitrace_model::Usage;
use aitrace_price::{Error, Table, What};
use proptest::prelude::*;

fn usage(provider: &str, model: &str, counts: [u64; 5]) -> Usage {
    let [input, cache_read, cache_write, output, reasoning] = counts.map(Some);
    Usage {
        provider: Some(provider.to_owned()).filter(|name| !name.is_empty()),
        model: Some(model.to_owned()),
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    }
}

fn own() -> Table {
    let text = r#"{"date": "2026-01-02", "models": {
        "m": {"provider": "openai", "input": 2, "output": 10, "cache_read": 0.5, "cache_write": 2.5, "reasoning": 20,
              "tiers": [{"over": 200000, "input": 4, "output": 15}]},
        "azure/m": {"provider": "azure", "input": 3, "output": 12},
        "in-only": {"provider": "openai", "input": 0.1}}}"#;
    Table::read(text, "").expect("a table")
}

#[test]
fn the_formula_is_the_price() {
    let price = own().price(&usage("openai", "m", [1000, 400, 100, 200, 50])).expect("known");
    // 500 × 2 + 400 × 0.5 + 100 × 2.5 + 150 × 10 + 50 × 20, of a million.
    assert_eq!(price.total, 0.00395);
    assert_eq!(
        price.to_string(),
        "input 500 × $2/M + cache read 400 × $0.5/M + cache write 100 × $2.5/M + output 150 × $10/M \
         + reasoning 50 × $20/M = $0.00395 (m, 2026-01-02)"
    );
}

#[test]
fn long_inputs_reach_a_tier_and_the_border_does_not() {
    let table = own();
    let total = |input| table.price(&usage("openai", "m", [input, 0, 0, 1, 0])).expect("known").total;
    assert_eq!(total(200_000), (200_000.0 * 2.0 + 10.0) / 1e6);
    assert_eq!(total(200_001), (200_001.0 * 4.0 + 15.0) / 1e6);
}

#[test]
fn unknown_is_unknown_and_never_nothing() {
    let table = own();
    assert_eq!(table.price(&usage("openai", "other", [1, 0, 0, 1, 0])), None);
    assert_eq!(
        table.price(&usage("groq", "m", [1, 0, 0, 1, 0])),
        None,
        "another seller's price is not its price"
    );
    assert_eq!(table.price(&usage("openai", "in-only", [1, 0, 0, 1, 0])), None, "output has no price");
    assert_eq!(
        table.price(&Usage { model: Some("m".to_owned()), ..Usage::default() }),
        None,
        "no tokens told"
    );
    assert_eq!(
        table.price(&usage("azure.ai.openai", "m", [1_000_000, 0, 0, 0, 0])).expect("known").total,
        3.0
    );
}

#[test]
fn the_built_in_table_knows_the_models_of_today() {
    let table = Table::built_in();
    assert!(table.len() > 2000, "{}", table.len());
    assert_eq!(table.date().len(), 10);
    for (provider, model) in [
        ("openai", "gpt-5-mini-2026-01-01"),
        ("", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("gcp.gemini", "models/gemini-2.5-flash"),
        ("gcp.vertex_ai", "gemini-2.5-pro"),
        ("aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("azure.ai.openai", "gpt-4o-mini"),
        ("openai", "text-embedding-3-small"),
        ("mistral_ai", "mistral-large-latest"),
        ("groq", "llama-guard-3-8b"),
    ] {
        let price = table.price(&usage(provider, model, [1000, 0, 0, 0, 0]));
        assert!(price.is_some_and(|price| price.total > 0.0), "{provider} {model}");
    }
}

#[test]
fn a_table_of_litellm_is_read() {
    let text = r#"{"sample_spec": {"input_cost_per_token": 0}, "m": {"litellm_provider": "openai",
        "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 2.5e-08,
        "input_cost_per_token_above_272k_tokens": 5e-07, "max_tokens": 1}, "image": {"output_cost_per_image": 1}}"#;
    let table = Table::read(text, "2026-02-03").expect("a table");
    assert_eq!((table.len(), table.date()), (1, "2026-02-03"));
    let price = table.price(&usage("openai", "m", [300_000, 100_000, 0, 1000, 0])).expect("known");
    let rates: Vec<_> = price.lines.iter().map(|line| (line.what, line.rate)).collect();
    assert_eq!(rates, [(What::Input, 0.5), (What::CacheRead, 0.025), (What::Output, 2.0)]);
}

#[test]
fn a_price_below_nothing_is_none() {
    let text = r#"{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": -1,
            "input_cost_per_token_above_200k_tokens": -2e-06},
        "auto": {"litellm_provider": "openai", "input_cost_per_token": -1, "output_cost_per_token": -1},
        "huge": {"litellm_provider": "openai", "input_cost_per_token": 1e300}}"#;
    let table = Table::read(text, "2026-02-03").expect("a table");
    let price = |model, counts| table.price(&usage("openai", model, counts)).map(|price| price.total);
    assert_eq!(price("m", [1000, 0, 0, 0, 0]), Some(0.001));
    assert_eq!(price("m", [300_000, 0, 0, 0, 0]), Some(0.3), "the tier says nothing");
    assert_eq!(price("m", [1000, 0, 0, 1, 0]), None, "not known, and never less than nothing");
    assert_eq!((price("auto", [1, 0, 0, 0, 0]), price("huge", [1, 0, 0, 0, 0])), (None, None));
    let own = r#"{"models": {"b": {"provider": "p", "input": 1, "tiers": [{"over": 5, "cache_read": -0.5}]},
        "c": {"provider": "p", "output": -2}}}"#;
    let error = Table::read(own, "").expect_err("is none").to_string();
    assert_eq!(
        error,
        "the price table says that `cache_read` of the model `b` is -0.5: a price is from 0 to 1000000000 dollars for a million tokens; leave out what is not known"
    );
}

#[test]
fn what_is_no_table_is_refused_in_words() {
    assert!(matches!(Table::read("{", ""), Err(Error::Json(_))));
    for text in ["[]", "{}", r#"{"models": {}}"#, r#"{"m": {"input_cost_per_token": 0}}"#] {
        assert!(matches!(Table::read(text, ""), Err(Error::Empty)), "{text}");
    }
}

proptest! {
    /// Whatever the counts say, a price is a finite sum of its lines, and tokens are counted once.
    #[test]
    fn tokens_are_priced_once(counts in prop::array::uniform5(0_u64..2_000_000)) {
        let price = own().price(&usage("openai", "m", counts)).expect("known");
        let priced: u64 = price.lines.iter().map(|line| line.tokens).sum();
        prop_assert_eq!(priced, counts[0] + counts[3]);
        let sum: f64 = price.lines.iter().map(|line| line.tokens as f64 * line.rate / 1e6).sum();
        prop_assert!(price.total.is_finite() && (price.total - sum).abs() < 1e-9);
    }
}
