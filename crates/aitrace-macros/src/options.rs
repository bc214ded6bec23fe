//! What stands in the parentheses of `#[trace(…)]`.

use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitStr, Token, parenthesized};

const EVENT_TYPES: &[&str] = &["model", "tool", "chain", "session"];
const KINDS: &[&str] = &[
    "llm",
    "chain",
    "tool",
    "retriever",
    "embedding",
    "agent",
    "reranker",
    "guardrail",
    "evaluator",
    "prompt",
    "span",
];

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) event_type: Option<LitStr>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) tracer: Option<Expr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) skip_all: bool,
    pub(crate) skip_output: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            match key.to_string().as_str() {
                "name" => options.name = Some(value(input)?),
                "event_type" => options.event_type = Some(word(value(input)?, EVENT_TYPES)?),
                "kind" => options.kind = Some(word(value(input)?, KINDS)?),
                "tracer" => {
                    input.parse::<Token![=]>()?;
                    options.tracer = Some(input.parse()?);
                }
                "skip" => {
                    let names;
                    parenthesized!(names in input);
                    let names =
                        names.parse_terminated(<Ident as syn::ext::IdentExt>::parse_any, Token![,])?;
                    options.skip.extend(names);
                }
                "skip_all" => options.skip_all = true,
                "skip_output" => options.skip_output = true,
                _ => {
                    let known = "name, event_type, kind, tracer, skip(…), skip_all, skip_output";
                    return Err(syn::Error::new(key.span(), format!("no such option; there are {known}")));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn value(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn word(literal: LitStr, known: &[&str]) -> syn::Result<LitStr> {
    if known.contains(&literal.value().as_str()) {
        return Ok(literal);
    }
    Err(syn::Error::new(literal.span(), format!("expected one of {}", known.join(", "))))
}
