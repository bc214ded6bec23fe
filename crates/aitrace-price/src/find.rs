//! Which model of the table a span's model is.

use crate::table::{Model, Table};

/// Who sells models under their bare names, so that a name alone tells the price.
const FIRST_HAND: &[&str] = &[
    "openai",
    "anthropic",
    "gemini",
    "vertex_ai-language-models",
    "mistral",
    "cohere",
    "cohere_chat",
    "deepseek",
    "xai",
    "text-completion-openai",
];

/// The words of the table for a provider, that of its names' prefix first.
fn sellers(provider: &str) -> Vec<&str> {
    match provider {
        "gcp.gemini" => vec!["gemini", "vertex_ai-language-models"],
        "gcp.vertex_ai" => {
            vec!["vertex_ai", "vertex_ai-language-models", "vertex_ai-anthropic_models", "gemini"]
        }
        "aws.bedrock" => vec!["bedrock", "bedrock_converse"],
        "azure.ai.openai" => vec!["azure", "azure_text"],
        "azure.ai.inference" => vec!["azure_ai"],
        "mistral_ai" => vec!["mistral"],
        "x_ai" => vec!["xai"],
        "cohere" => vec!["cohere", "cohere_chat"],
        "openai" => vec!["openai", "text-completion-openai"],
        other => vec![other],
    }
}

/// The model's name in the table and its prices.
pub(crate) fn find<'t>(
    table: &'t Table,
    provider: Option<&str>,
    model: &str,
) -> Option<(&'t str, &'t Model)> {
    let names = names(model);
    let sold = |name: &str, sellers: &[&str]| {
        let (key, found) = table.models.get_key_value(name)?;
        sellers.contains(&found.provider.as_str()).then_some((key.as_str(), found))
    };
    match provider {
        Some(provider) => {
            let sellers = sellers(provider);
            names.iter().find_map(|name| {
                let prefixed = sellers.first().and_then(|seller| {
                    let (key, found) = table.models.get_key_value(&format!("{seller}/{name}"))?;
                    Some((key.as_str(), found))
                });
                sold(name, &sellers).or(prefixed)
            })
        }
        None => names.iter().find_map(|name| sold(name, FIRST_HAND)),
    }
}

/// A model's name as sent, and what it is without a folder, a fine-tuning or a date.
fn names(model: &str) -> Vec<String> {
    let lower = model.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("models/").unwrap_or(&lower);
    // ft:gpt-4o-mini:org::id is priced as ft:gpt-4o-mini.
    let tuned =
        bare.strip_prefix("ft:").and_then(|rest| rest.split(':').next()).map(|base| format!("ft:{base}"));
    let mut names = vec![bare.to_owned()];
    names.extend(tuned);
    if !bare.starts_with("ft:") {
        names.extend(undated(bare).map(str::to_owned));
        names.extend(bare.strip_suffix("-latest").map(str::to_owned));
    }
    names
}

/// A name without the date at its end: `-2026-01-31`, `-20260131` or `@20260131`.
fn undated(name: &str) -> Option<&str> {
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let compact = name.rsplit_once(['-', '@']).filter(|(_, date)| digits(date, 8)).map(|(base, _)| base);
    compact.or_else(|| {
        let (base, date) = name.len().checked_sub(11).and_then(|at| name.split_at_checked(at))?;
        let parts: Vec<&str> = date.strip_prefix('-')?.split('-').collect();
        matches!(parts.as_slice(), [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
            .then_some(base)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_folders_fall_away() {
        assert_eq!(names("models/Gemini-2.5-flash"), ["gemini-2.5-flash"]);
        assert_eq!(names("gpt-5-mini-2026-01-01"), ["gpt-5-mini-2026-01-01", "gpt-5-mini"]);
        assert_eq!(names("claude-sonnet-4-5-20250929"), ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5"]);
        assert_eq!(names("claude@20250929"), ["claude@20250929", "claude"]);
        assert_eq!(names("ft:gpt-4o-mini:me::x1"), ["ft:gpt-4o-mini:me::x1", "ft:gpt-4o-mini"]);
        assert_eq!(names("é-2026-01-1"), ["é-2026-01-1"]);
    }
}
