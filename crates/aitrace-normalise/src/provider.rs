//! Providers by one name each: that of OpenTelemetry's list, where it has one.

/// What SDKs append to the name of a provider: the kind of its API.
const APIS: &[&str] = &[
    "chat",
    "responses",
    "completion",
    "embedding",
    "embeddings",
    "image",
    "messages",
    "speech",
    "transcription",
];

/// The provider's name; `None` for what is no provider, but a library that calls one.
pub(crate) fn canonical(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let bare = match lower.rsplit_once('.') {
        Some((bare, api)) if APIS.contains(&api) => bare,
        _ => lower.as_str(),
    };
    let known = match bare {
        "langchain" | "langgraph" | "llama_index" | "llamaindex" | "litellm" => return None,
        "gemini" | "google" | "google_genai" | "google-genai" | "google.generative-ai" | "gcp.gen_ai" => {
            "gcp.gemini"
        }
        "vertexai" | "vertex_ai" | "google_vertexai" | "google.vertex" => "gcp.vertex_ai",
        "aws" | "bedrock" | "aws_bedrock" | "amazon-bedrock" | "bedrock_converse" => "aws.bedrock",
        "azure" | "azure_openai" | "azure-openai" | "az.ai.openai" => "azure.ai.openai",
        "az.ai.inference" | "azure_ai" => "azure.ai.inference",
        "mistral" | "mistralai" => "mistral_ai",
        "xai" => "x_ai",
        "watsonx" => "ibm.watsonx.ai",
        other => other,
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_each() {
        for (given, expected) in [
            ("openai.chat", "openai"),
            ("OpenAI", "openai"),
            ("openai.responses", "openai"),
            ("azure-openai.chat", "azure.ai.openai"),
            ("google.generative-ai", "gcp.gemini"),
            ("google", "gcp.gemini"),
            ("aws.bedrock", "aws.bedrock"),
            ("aws", "aws.bedrock"),
            ("azure.ai.openai", "azure.ai.openai"),
            ("someone.else", "someone.else"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(expected));
        }
        assert_eq!(canonical("langchain"), None);
    }
}
