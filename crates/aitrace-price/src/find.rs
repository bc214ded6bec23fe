//! Which model of the table a span's model is.

use std::borrow::Cow;

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
    let lower = lower(model);
    let mut names = names(&lower);
    let sold = |name: &str, sellers: &[&str]| {
        let (key, found) = table.models.get_key_value(name)?;
        sellers.contains(&found.provider.as_str()).then_some((key.as_str(), found))
    };
    match provider {
        Some(provider) => {
            let sellers = sellers(provider);
            names.find_map(|name| {
                let prefixed = || {
                    let seller = sellers.first()?;
                    let (key, found) = table.models.get_key_value(&format!("{seller}/{name}"))?;
                    Some((key.as_str(), found))
                };
                sold(&name, &sellers).or_else(prefixed)
            })
        }
        None => names.find_map(|name| sold(&name, FIRST_HAND)),
    }
}

fn lower(model: &str) -> Cow<'_, str> {
    let model = model.trim();
    if model.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(model.to_ascii_lowercase())
    } else {
        Cow::Borrowed(model)
    }
}

/// A model's name as sent, in lower case, and what it is without a folder, a fine-tuning or a date. Most are found by
/// the first.
fn names(lower: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let bare = lower.strip_prefix("models/").unwrap_or(lower);
    let fine = bare.strip_prefix("ft:");
    // ft:gpt-4o-mini:org::id is priced as ft:gpt-4o-mini.
    let tuned = fine.and_then(|rest| rest.split(':').next()).map(|base| Cow::Owned(format!("ft:{base}")));
    let plain = if fine.is_none() { [undated(bare), bare.strip_suffix("-latest")] } else { [None; 2] };
    std::iter::once(Cow::Borrowed(bare)).chain(tuned).chain(plain.into_iter().flatten().map(Cow::Borrowed))
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
        let all = |model: &str| names(&lower(model)).collect::<Vec<_>>().join(" ");
        assert_eq!(all("models/Gemini-2.5-flash"), "gemini-2.5-flash");
        assert_eq!(all("gpt-5-mini-2026-01-01"), "gpt-5-mini-2026-01-01 gpt-5-mini");
        assert_eq!(all("claude-sonnet-4-5-20250929"), "claude-sonnet-4-5-20250929 claude-sonnet-4-5");
        assert_eq!(all("claude@20250929"), "claude@20250929 claude");
        assert_eq!(all("gpt-5-latest"), "gpt-5-latest gpt-5");
        assert_eq!(all("ft:gpt-4o-mini:me::x1"), "ft:gpt-4o-mini:me::x1 ft:gpt-4o-mini");
        assert_eq!(all("é-2026-01-1"), "é-2026-01-1");
    }
}
