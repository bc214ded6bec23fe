//! What the attribute stands on: a function with a body, and nothing else.

use syn::parse::{Parse, ParseStream};
use syn::{Item, ItemFn, Safety, TraitItemFn};

/// A function that can be traced.
pub(crate) struct Traceable(pub(crate) ItemFn);

impl Parse for Traceable {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if let Ok(signature) = input.fork().parse::<TraitItemFn>()
            && signature.default.is_none()
        {
            let message = "a function without a body cannot be traced: put #[trace] on its implementations";
            return Err(syn::Error::new_spanned(signature.sig, message));
        }
        if let Ok(function) = input.fork().parse::<ItemFn>() {
            input.parse::<ItemFn>()?;
            return check(function).map(Self);
        }
        match input.fork().parse::<Item>() {
            Ok(Item::Impl(item)) => {
                let message = "#[trace] traces functions: put it on the methods inside of the `impl`";
                Err(syn::Error::new(item.impl_token.span, message))
            }
            Ok(Item::Trait(item)) => {
                let message =
                    "#[trace] traces functions: put it on the methods inside of the implementations";
                Err(syn::Error::new(item.trait_token.span, message))
            }
            Ok(item) => Err(syn::Error::new_spanned(item, "#[trace] traces functions and methods only")),
            // Not an item at all, or one that does not parse: the function's own message says why.
            Err(_) => input.parse::<ItemFn>().and_then(check).map(Self),
        }
    }
}

fn check(function: ItemFn) -> syn::Result<ItemFn> {
    if let Some(constness) = &function.sig.constness {
        let message = "a const function cannot be traced: it may run at compile time. \
                       Trace the function that calls it";
        return Err(syn::Error::new(constness.span, message));
    }
    if let Safety::Unsafe(keyword) = &function.sig.safety {
        let message = "an unsafe function cannot be traced: its body would run in a closure, where the \
                       caller's promises do not hold. Trace a safe function around it";
        return Err(syn::Error::new(keyword.span, message));
    }
    Ok(function)
}
