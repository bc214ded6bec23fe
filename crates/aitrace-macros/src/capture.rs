//! Taking over arguments and results.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Ident, LitStr, Pat, Signature};

use crate::options::Arguments;

/// Captures the arguments by reference, before the body takes them.
pub(crate) fn inputs(arguments: &Arguments, signature: &Signature) -> syn::Result<TokenStream> {
    let mut names = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(argument) = input {
            bound(&argument.pat, &mut names);
        }
    }
    for named in arguments.named() {
        if named != "self" && !names.contains(named) {
            let message = format!("no argument `{named}`: there is {}", list(&names));
            return Err(syn::Error::new(named.span(), message));
        }
    }
    names.retain(|name| arguments.takes(name));
    if names.is_empty() {
        return Ok(TokenStream::new());
    }
    let captures = names.iter().map(|name| {
        let key = LitStr::new(&unraw(name), name.span());
        quote_spanned!(name.span()=> (#key, (&&&::aitrace::__private::Wrap(&#name)).capture()))
    });
    Ok(quote! {
        if __span.is_recording() {
            #[allow(unused_imports)]
            use ::aitrace::__private::{AsDebug as _, AsJson as _, AsNothing as _};
            ::aitrace::__private::inputs(&__span, &[#(#captures),*]);
        }
    })
}

/// All names that a pattern binds, in order.
fn bound(pattern: &Pat, names: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(name) => {
            // A capital is a unit struct or a constant: it binds nothing.
            if !name.ident.to_string().starts_with(char::is_uppercase) {
                names.push(name.ident.clone());
            }
            if let Some((_, inner)) = &name.subpat {
                bound(inner, names);
            }
        }
        Pat::Paren(inner) => bound(&inner.pat, names),
        Pat::Reference(inner) => bound(&inner.pat, names),
        Pat::Type(inner) => bound(&inner.pat, names),
        Pat::Tuple(inner) => inner.elems.iter().for_each(|inner| bound(inner, names)),
        Pat::TupleStruct(inner) => inner.elems.iter().for_each(|inner| bound(inner, names)),
        Pat::Slice(inner) => inner.elems.iter().for_each(|inner| bound(inner, names)),
        Pat::Struct(inner) => inner.fields.iter().for_each(|field| bound(&field.pat, names)),
        _ => {}
    }
}

fn list(names: &[Ident]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Captures the result, and marks the span if it is an error.
pub(crate) fn finish(skip_output: bool) -> TokenStream {
    let output = if skip_output {
        quote!(None)
    } else {
        quote!((&&&&&::aitrace::__private::Wrap(&__result)).capture_output())
    };
    quote! {
        if __span.is_recording() {
            #[allow(unused_imports)]
            use ::aitrace::__private::{
                AsDebug as _, AsFailure as _, AsFine as _, AsJson as _, AsNothing as _, AsOkDebug as _,
                AsOkJson as _, AsSilentFailure as _,
            };
            match (&&&::aitrace::__private::Wrap(&__result)).failure() {
                Some(error) => __span.record_exception(error),
                None => ::aitrace::__private::output(__span, #output),
            }
        }
    }
}

/// A name as people read it: without `r#`.
pub(crate) fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}
