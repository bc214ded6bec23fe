//! The function inside its span.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{FnArg, Ident, ItemFn, LitStr, Pat, ReturnType};

use crate::options::Options;

pub(crate) fn wrap(options: &Options, function: ItemFn) -> syn::Result<TokenStream> {
    if let Some(constness) = &function.sig.constness {
        return Err(syn::Error::new(
            constness.span(),
            "a const function cannot be traced: it may run at compile time",
        ));
    }
    let start = start(options, &function.sig.ident);
    let inputs = inputs(options, &function)?;
    let finish = finish(options);
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let output = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => quote!(#output),
    };
    // The body as a closure or a block of its own, so that `return` and `?` leave it and not the wrapper.
    let body = if sig.asyncness.is_some() {
        // The type is named where it can be, which keeps the compiler's messages about the body.
        let typed = if has_opaque(&output) {
            quote!(async move #block)
        } else {
            quote!(async move {
                #[allow(clippy::diverging_sub_expression, clippy::let_unit_value, unreachable_code)]
                let __result: #output = #block;
                __result
            })
        };
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::hold(__span);
            let __result = ::aitrace::__private::inside(&__guard, #typed).await;
            let __span = __guard.handle();
            #finish
            __guard.done();
            __result
        }
    } else {
        let run = if has_opaque(&output) {
            quote!((move || #block)())
        } else {
            quote!((move || -> #output #block)())
        };
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::enter(__span);
            #[allow(clippy::redundant_closure_call, clippy::let_unit_value)]
            let __result = #run;
            let __span = &*__guard;
            #finish
            __result
        }
    };
    Ok(quote!(#(#attrs)* #vis #sig { #body }))
}

fn start(options: &Options, function: &Ident) -> TokenStream {
    let name = options.name.clone().unwrap_or_else(|| LitStr::new(&unraw(function), function.span()));
    let function_name = LitStr::new(&unraw(function), function.span());
    let option =
        |value: &Option<LitStr>| if let Some(word) = value { quote!(Some(#word)) } else { quote!(None) };
    let (event_type, kind) = (option(&options.event_type), option(&options.kind));
    let tracer = if let Some(tracer) = &options.tracer {
        quote!(Some(::aitrace::__private::tracer(&#tracer)))
    } else {
        quote!(::aitrace::Tracer::discover())
    };
    quote! {{
        static __FUNCTION: ::aitrace::Function = ::aitrace::Function {
            file: file!(), line: line!(), module: module_path!(), name: #function_name,
        };
        ::aitrace::__private::start(#tracer, #name, &__FUNCTION, #event_type, #kind)
    }}
}

/// Captures the arguments by reference, before the body takes them.
fn inputs(options: &Options, function: &ItemFn) -> syn::Result<TokenStream> {
    let mut names = Vec::new();
    for input in &function.sig.inputs {
        let FnArg::Typed(argument) = input else { continue };
        if let Pat::Ident(name) = &*argument.pat {
            names.push(name.ident.clone());
        }
    }
    for skipped in &options.skip {
        if skipped != "self" && !names.contains(skipped) {
            return Err(syn::Error::new(skipped.span(), "no argument of this name"));
        }
    }
    names.retain(|name| !options.skip_all && !options.skip.contains(name));
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

/// Captures the result, and marks the span if it is an error.
fn finish(options: &Options) -> TokenStream {
    let output = if options.skip_output {
        quote!(None)
    } else {
        quote!((&&&&&::aitrace::__private::Wrap(&__result)).capture_output())
    };
    quote! {
        if __span.is_recording() {
            #[allow(unused_imports)]
            use ::aitrace::__private::{
                AsDebug as _, AsFailure as _, AsFine as _, AsJson as _, AsNothing as _, AsOkDebug as _, AsOkJson as _,
                AsSilentFailure as _,
            };
            match (&&&::aitrace::__private::Wrap(&__result)).failure() {
                Some(error) => __span.record_exception(error),
                None => ::aitrace::__private::output(__span, #output),
            }
        }
    }
}

/// Whether `impl Trait` stands in a type: it cannot be written inside of the function.
fn has_opaque(output: &TokenStream) -> bool {
    output.clone().into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(word) => word == "impl",
        proc_macro2::TokenTree::Group(group) => has_opaque(&group.stream()),
        _ => false,
    })
}

fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}
