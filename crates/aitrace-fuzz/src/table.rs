//! The table of prices.

use aitrace_model::Usage;
use aitrace_price::Table;

use crate::Target;

pub(crate) const PRICES: Target = Target {
    name: "table of prices",
    seeds: || vec![SEED.as_bytes().to_vec(), OWN.as_bytes().to_vec()],
    law: |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(table) = Table::read(text, "2026-11-01") else { return };
        for model in ["gpt-5", "claude-5", ""] {
            let usage = Usage {
                provider: Some("openai".to_owned()),
                model: Some(model.to_owned()),
                input: Some(u64::MAX),
                cache_read: Some(7),
                cache_write: None,
                output: Some(3),
                reasoning: Some(9),
            };
            assert!(
                table.price(&usage).is_none_or(|price| price.total >= 0.0 && price.total.is_finite()),
                "a price is a number from 0"
            );
        }
    },
    read: |bytes| drop(std::str::from_utf8(bytes).map(|text| Table::read(text, "2026-11-01"))),
    growth: 128,
};

const SEED: &str = r#"{"gpt-5":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1.25e-06,"output_cost_per_token":1e-05,"cache_read_input_token_cost":1.25e-07,"input_cost_per_token_above_200k_tokens":2.5e-06},"claude-5":{"litellm_provider":"anthropic","input_cost_per_token":3e-06,"output_cost_per_token":1.5e-05}}"#;

const OWN: &str = r#"{"date":"2026-11-01","models":{"gpt-5":{"provider":"openai","input":1.25,"output":10,"cache_read":0.125,"cache_write":2,"reasoning":12,"tiers":[{"over":200000,"input":2.5}]}}}"#;
