//! The attribute macro of the aitrace SDK.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//! ~~~~~~~~~~~~~~~~~~~~~~~~~
//! ```
//!
//! In: a function. Out: the same function inside a span. Use it as `aitrace::trace`.

mod capture;
mod item;
mod options;
mod shape;
mod wrap;

use proc_macro::TokenStream;

/// Runs each call of a function inside a span.
///
/// For functions and methods, with any receiver, generics and lifetimes:
///
/// | the function | its span |
/// |---|---|
/// | `fn` | lasts for the call; a panic marks it as failed |
/// | `async fn` | begins with the first poll and ends when the future is done |
/// | returns `impl Future`, `Pin<Box<dyn Future>>`, `BoxFuture` | begins with the call and ends when the future is done |
/// | returns `impl Stream`, `Pin<Box<dyn Stream>>`, `BoxStream` | begins with the call and ends with the last item; needs the feature `stream` |
/// | returns any other `impl Trait` | lasts for the call |
///
/// A future or stream that is dropped before its end has the attribute `aitrace.cancelled`. Futures stay
/// `Send` where they were. Under `#[async_trait]` put `#[trace]` on the methods inside of the `impl`.
///
/// Without a tracer (`aitrace::Tracer::discover`) the function just runs. Arguments are captured as the
/// span's inputs and the result as its output: what implements `serde::Serialize` as JSON, what implements
/// `Debug` as its text, within bounds; anything else is left out. An `Err` marks the span as failed, with the
/// error's type and message. Signature, documentation and other attributes stay as they are, but
/// `#[track_caller]` no longer reaches the body.
///
/// `const` and `unsafe` functions, and functions without a body, are refused.
///
/// Options, all optional:
/// - `name = "…"`: the span's name. Default: the function's.
/// - `event_type = "model" | "tool" | "chain" | "session"`.
/// - `kind = "llm" | "chain" | "tool" | "retriever" | …`: wins over what the event type suggests.
/// - `tracer = expression`: a `&Tracer` or `Tracer`. Default: the one that is found.
/// - `skip(a, b)`: arguments that are not captured; `capture(a, b)`: only these are; `skip_all`: none is.
/// - `skip_output`: the result is not captured.
#[proc_macro_attribute]
pub fn trace(options: TokenStream, function: TokenStream) -> TokenStream {
    let original = proc_macro2::TokenStream::from(function.clone());
    let parsed = syn::parse::<options::Options>(options).and_then(|options| {
        let item::Traceable(function) = syn::parse(function)?;
        wrap::wrap(&options, function)
    });
    match parsed {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let error = error.to_compile_error();
            // The function stays, so that only this error is shown and none of its callers.
            quote::quote!(#error #original).into()
        }
    }
}
