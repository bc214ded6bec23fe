//! Why a model stopped, by the words of OpenTelemetry's list: `stop`, `length`, `content_filter`, `tool_call`, `error`.

use aitrace_model::Json;

/// The reason by its one name; a word that nobody knows stays as it was sent.
pub(crate) fn canonical(reason: &Json) -> Json {
    match serde_json::from_str::<String>(reason.as_str()).ok().as_deref().and_then(known) {
        Some(word) => Json::string(word),
        None => reason.clone(),
    }
}

/// Whether a word stays as it was sent.
pub(crate) fn is_told(word: &str) -> bool {
    known(word).is_none_or(|told| told == word)
}

/// Whether a reason stays as it was sent.
pub(crate) fn is_canonical(reason: &Json) -> bool {
    canonical(reason) == *reason
}

/// A message that is as OpenTelemetry has it, with its reason by that name.
pub(crate) fn told_anew(message: &Json, members: &[(String, Json)]) -> Json {
    let sent = members.iter().find(|(name, _)| name == "finish_reason").map(|(_, reason)| reason);
    let Some(told) = sent.map(canonical).filter(|told| Some(told) != sent) else { return message.clone() };
    let member = |(name, value): &'_ (String, Json)| {
        if name == "finish_reason" { told.clone() } else { value.clone() }
    };
    let values: Vec<Json> = members.iter().map(member).collect();
    Json::object(members.iter().map(|(name, _)| name.as_str()).zip(&values))
}

/// OpenAI's, Anthropic's, Gemini's, Bedrock's, Cohere's, Mistral's and Vercel's words.
fn known(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "stop" | "end_turn" | "stop_sequence" | "complete" | "completed" | "eos" => "stop",
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "model_context_window_exceeded" => {
            "length"
        }
        "tool_call" | "tool_calls" | "tool_use" | "function_call" => "tool_call",
        "content_filter"
        | "content_filtered"
        | "safety"
        | "refusal"
        | "guardrail_intervened"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii" => "content_filter",
        "error" => "error",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_has_one_name() {
        for (sent, told) in [
            ("\"tool-calls\"", "\"tool_call\""),
            ("\"tool_use\"", "\"tool_call\""),
            ("\"STOP\"", "\"stop\""),
            ("\"end_turn\"", "\"stop\""),
            ("\"MAX_TOKENS\"", "\"length\""),
            ("\"content-filter\"", "\"content_filter\""),
            ("\"pause_turn\"", "\"pause_turn\""),
            ("null", "null"),
            ("3", "3"),
        ] {
            assert_eq!(canonical(&Json::parse(sent).expect("valid")).as_str(), told);
        }
    }
}
