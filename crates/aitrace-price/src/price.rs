//! The price of a call, and how it is reckoned.

use std::fmt;

use aitrace_model::Usage;

use crate::find::find;
use crate::table::{Model, Rates, Table};

const MILLION: f64 = 1e6;

/// What tokens were for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Input that no cache had.
    Input,
    /// Input read from a cache.
    CacheRead,
    /// Input written to a cache.
    CacheWrite,
    /// Output.
    Output,
    /// Output spent on reasoning, where it has a price of its own.
    Reasoning,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache read",
            Self::CacheWrite => "cache write",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
        }
    }
}

/// One product of a price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// What the tokens were for.
    pub what: What,
    /// How many, at least 1.
    pub tokens: u64,
    /// Dollars for a million of them.
    pub rate: f64,
}

/// What a call costs. Its text is the formula: `input 15 × $0.25/M + output 9 × $2/M = $0.00002175 (gpt-5-mini, 2026-11-21)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// US dollars.
    pub total: f64,
    /// What it is the sum of.
    pub lines: Vec<Line>,
    /// The model's name in the table.
    pub model: String,
    /// Of which day the prices are.
    pub date: String,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.lines.iter().enumerate() {
            let plus = if at > 0 { " + " } else { "" };
            write!(f, "{plus}{} {} × ${}/M", line.what.word(), line.tokens, line.rate)?;
        }
        write!(f, " = ${} ({}, {})", trimmed(self.total), self.model, self.date)
    }
}

fn trimmed(dollars: f64) -> String {
    let text = format!("{dollars:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Table {
    /// The price of a call; `None` where its model is not in the table, a rate that it needs is not told, or
    /// no tokens are told.
    pub fn price(&self, usage: &Usage) -> Option<Price> {
        let (name, model) = find(self, usage.provider.as_deref(), usage.model.as_deref()?)?;
        usage.input.or(usage.output)?;
        let input = usage.input.unwrap_or(0);
        let rates = rates_for(model, input);
        let read = usage.cache_read.unwrap_or(0).min(input);
        let write = usage.cache_write.unwrap_or(0).min(input - read);
        let output = usage.output.unwrap_or(0);
        // Where reasoning costs what output costs it is not told apart.
        let reasoning = if rates.reasoning.is_some() { usage.reasoning.unwrap_or(0).min(output) } else { 0 };
        let parts = [
            (What::Input, input - read - write, rates.input),
            (What::CacheRead, read, rates.cache_read.or(rates.input)),
            (What::CacheWrite, write, rates.cache_write.or(rates.input)),
            (What::Output, output - reasoning, rates.output),
            (What::Reasoning, reasoning, rates.reasoning),
        ];
        let used = parts.into_iter().filter(|(_, tokens, _)| *tokens > 0);
        let lines: Option<Vec<Line>> =
            used.map(|(what, tokens, rate)| rate.map(|rate| Line { what, tokens, rate })).collect();
        let lines = lines?;
        // Summed first: a division each would add an error each.
        let total = lines.iter().map(|line| line.tokens as f64 * line.rate).sum::<f64>() / MILLION;
        Some(Price { total, lines, model: name.to_owned(), date: self.date().to_owned() })
    }
}

/// The rates of the highest tier that the call reaches; what a tier does not tell stays as it is.
fn rates_for(model: &Model, input: u64) -> Rates {
    let base = model.rates;
    let Some(tier) = model.tiers.iter().rev().find(|tier| input > tier.over) else { return base };
    Rates {
        input: tier.rates.input.or(base.input),
        output: tier.rates.output.or(base.output),
        cache_read: tier.rates.cache_read.or(base.cache_read),
        cache_write: tier.rates.cache_write.or(base.cache_write),
        reasoning: tier.rates.reasoning.or(base.reasoning),
    }
}
