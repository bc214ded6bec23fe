//! The attribute macro of the aitrace SDK.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//! ~~~~~~~~~~~~~~~~~~~~~~~~~
//! ```
//!
//! In: a function. Out: the same function inside a span. Use it as `aitrace::trace`.

mod options;
mod wrap;

use proc_macro::TokenStream;

/// Runs each call of a function inside a span.
///
/// For sync and async functions and methods. Without a tracer (`aitrace::Tracer::discover`) the function just
/// runs. Arguments are captured as the span's inputs and the result as its output: what implements
/// `serde::Serialize` as JSON, what implements `Debug` as its text, within bounds; anything else is left out.
/// An `Err` marks the span as failed.
///
/// Options, all optional:
/// - `name = "…"`: the span's name. Default: the function's.
/// - `event_type = "model" | "tool" | "chain" | "session"`.
/// - `kind = "llm" | "chain" | "tool" | "retriever" | …`: wins over what the event type suggests.
/// - `tracer = expression`: a `&Tracer` or `Tracer`. Default: the one that is found.
/// - `skip(a, b)`: arguments that are not captured; `skip_all`: none is.
/// - `skip_output`: the result is not captured.
#[proc_macro_attribute]
pub fn trace(options: TokenStream, function: TokenStream) -> TokenStream {
    let function_tokens = proc_macro2::TokenStream::from(function.clone());
    let parsed = syn::parse::<options::Options>(options)
        .and_then(|options| wrap::wrap(&options, syn::parse::<syn::ItemFn>(function)?));
    match parsed {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let error = error.to_compile_error();
            // The function stays, so that only this error is shown and none of its callers.
            quote::quote!(#error #function_tokens).into()
        }
    }
}
