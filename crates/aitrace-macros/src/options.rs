//! What stands in the parentheses of `#[trace(…)]`.

use syn::ext::IdentExt as _;
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
const KNOWN: &str =
    "name, event_type, kind, tracer, capture(…), skip(…), skip_all, skip_output, and nothing else";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) event_type: Option<LitStr>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) tracer: Option<Expr>,
    pub(crate) arguments: Arguments,
    pub(crate) skip_output: bool,
}

/// Which arguments are captured.
#[derive(Default)]
pub(crate) enum Arguments {
    #[default]
    All,
    Without(Vec<Ident>),
    Only(Vec<Ident>),
    None,
}

impl Arguments {
    /// The names that the user wrote: each must be an argument.
    pub(crate) fn named(&self) -> &[Ident] {
        match self {
            Self::Without(names) | Self::Only(names) => names,
            Self::All | Self::None => &[],
        }
    }

    pub(crate) fn takes(&self, name: &Ident) -> bool {
        match self {
            Self::All => true,
            Self::Without(names) => !names.contains(name),
            Self::Only(names) => names.contains(name),
            Self::None => false,
        }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let key: Ident = input.call(Ident::parse_any)?;
            if seen.contains(&key) {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            options.read(&key, input)?;
            if let Some(other) = seen.iter().find(|other| selects(other) && selects(&key)) {
                let message = format!("`{key}` and `{other}` both say which arguments are captured: use one");
                return Err(syn::Error::new(key.span(), message));
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn selects(key: &Ident) -> bool {
    key == "skip" || key == "skip_all" || key == "capture"
}

impl Options {
    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "name" => self.name = Some(name(input)?),
            "event_type" => self.event_type = Some(word(text(input)?, EVENT_TYPES)?),
            "kind" => self.kind = Some(word(text(input)?, KINDS)?),
            "tracer" => {
                input.parse::<Token![=]>()?;
                self.tracer = Some(input.parse()?);
            }
            "skip" => self.arguments = Arguments::Without(names(input)?),
            "capture" => self.arguments = Arguments::Only(names(input)?),
            "skip_all" => self.arguments = Arguments::None,
            "skip_output" => self.skip_output = true,
            other => {
                let message = format!("no option `{other}`: there are {KNOWN}");
                return Err(syn::Error::new(key.span(), message));
            }
        }
        Ok(())
    }
}

fn names(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let names;
    parenthesized!(names in input);
    Ok(names.parse_terminated(Ident::parse_any, Token![,])?.into_iter().collect())
}

fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn name(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let name = text(input)?;
    if name.value().trim().is_empty() {
        return Err(syn::Error::new(name.span(), "a span's name cannot be empty"));
    }
    Ok(name)
}

fn word(literal: LitStr, known: &[&str]) -> syn::Result<LitStr> {
    if known.contains(&literal.value().as_str()) {
        return Ok(literal);
    }
    Err(syn::Error::new(literal.span(), format!("expected one of {}", known.join(", "))))
}
