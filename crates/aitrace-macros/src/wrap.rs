//! The function inside its span.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, ItemFn, LitStr, ReturnType, Type};

use crate::capture::{self, unraw};
use crate::options::Options;
use crate::shape::Shape;

pub(crate) fn wrap(options: &Options, function: ItemFn) -> syn::Result<TokenStream> {
    let start = start(options, &function.sig.ident);
    let inputs = capture::inputs(&options.arguments, &function.sig)?;
    let finish = capture::finish(options.skip_output);
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let body = Body { start, inputs, finish, block: quote!(#block), output: &sig.output };
    let body = match Shape::of(sig.asyncness.is_some(), &sig.output) {
        _ if is_never(&sig.output) && sig.asyncness.is_none() => body.endless(),
        Shape::Sync => body.sync(),
        Shape::Async => body.asynchronous(),
        Shape::Future { boxed } => body.future(boxed),
        Shape::Stream { boxed } => body.stream(boxed),
    };
    Ok(quote!(#(#attrs)* #vis #sig { #body }))
}

/// The parts of a wrapped function.
struct Body<'f> {
    start: TokenStream,
    inputs: TokenStream,
    finish: TokenStream,
    block: TokenStream,
    output: &'f ReturnType,
}

/// What the body of a user's function may look like to lints once it stands in ours.
fn lenient() -> TokenStream {
    quote!(#[allow(
        clippy::diverging_sub_expression, clippy::let_unit_value, clippy::redundant_closure_call,
        clippy::let_and_return, clippy::unit_arg, clippy::ignored_unit_patterns,
        unreachable_code
    )])
}

impl Body<'_> {
    /// The body as a closure of its own, so that `return` and `?` leave it and not the wrapper. Its type is
    /// named where it can be, which keeps the compiler's messages about the body.
    fn closure(&self) -> TokenStream {
        let block = &self.block;
        match self.output {
            // Called through a function that takes any `FnOnce`, so that it may give away what it captured.
            ReturnType::Type(_, output) if !has_opaque(&quote!(#output)) => {
                quote!(::aitrace::__private::call(move || -> #output #block))
            }
            _ => quote!(::aitrace::__private::call(move || #block)),
        }
    }

    fn sync(&self) -> TokenStream {
        let (lenient, closure) = (lenient(), self.closure());
        let Self { start, inputs, finish, .. } = self;
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::enter(__span);
            #lenient
            let __result = #closure;
            let __span = &*__guard;
            #finish
            __result
        }
    }

    /// Of a function that never returns only the beginning can be told, and a panic.
    fn endless(&self) -> TokenStream {
        let Self { start, inputs, block, .. } = self;
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::enter(__span);
            #block
        }
    }

    fn asynchronous(&self) -> TokenStream {
        let (lenient, block) = (lenient(), &self.block);
        let Self { start, inputs, .. } = self;
        // The type is named where it can be: how the result is captured depends on it.
        let typed = match self.output {
            ReturnType::Default => quote!(: ()),
            ReturnType::Type(_, output) if !has_opaque(&quote!(#output)) => quote!(: #output),
            ReturnType::Type(..) => TokenStream::new(),
        };
        let awaited = if is_never(self.output) {
            quote! {
                let __future = ::core::pin::pin!(async move #block);
                ::aitrace::__private::inside(&__guard, __future).await
            }
        } else {
            self.awaited(&quote!(async move { #lenient { let __result #typed = #block; __result } }), &typed)
        };
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::hold(__span);
            #awaited
        }
    }

    /// Awaits a future inside of the span that `__guard` holds, and tells what came of it.
    fn awaited(&self, future: &TokenStream, typed: &TokenStream) -> TokenStream {
        let (lenient, finish) = (lenient(), &self.finish);
        quote! {
            let __future = ::core::pin::pin!(#future);
            #lenient
            let __result #typed = ::aitrace::__private::inside(&__guard, __future).await;
            #lenient
            {
                let __span = __guard.handle();
                #finish
                __guard.done();
                __result
            }
        }
    }

    fn future(&self, boxed: bool) -> TokenStream {
        let Self { start, inputs, .. } = self;
        let closure = self.closure();
        let awaited = self.awaited(&quote!(__made), &TokenStream::new());
        let future = quote!(async move { #awaited });
        let future = if boxed { quote!(::std::boxed::Box::pin(#future)) } else { future };
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::hold(__span);
            let __made = {
                let __context = __guard.attach();
                #closure
            };
            #future
        }
    }

    fn stream(&self, boxed: bool) -> TokenStream {
        let Self { start, inputs, .. } = self;
        let closure = self.closure();
        let stream = quote!(::aitrace::__private::stream(__guard, __made));
        let stream = if boxed { quote!(::std::boxed::Box::pin(#stream)) } else { stream };
        quote! {
            let __span = #start;
            #inputs
            let __guard = ::aitrace::__private::hold(__span);
            let __made = {
                let __context = __guard.attach();
                #closure
            };
            #stream
        }
    }
}

fn start(options: &Options, function: &Ident) -> TokenStream {
    let function_name = LitStr::new(&unraw(function), function.span());
    let name = options.name.as_ref().unwrap_or(&function_name);
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

fn is_never(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, output) if matches!(**output, Type::Never(_)))
}

/// Whether `impl Trait` stands in a type: it cannot be written inside of the function.
fn has_opaque(output: &TokenStream) -> bool {
    output.clone().into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(word) => word == "impl",
        proc_macro2::TokenTree::Group(group) => has_opaque(&group.stream()),
        _ => false,
    })
}
