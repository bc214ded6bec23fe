//! What a function gives back decides how its span ends: at once, when a future is done, when a stream is.

use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound};

/// How a function is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The span ends when the function returns.
    Sync,
    /// `async fn`: the span ends with its future.
    Async,
    /// A function that returns a future: the span ends with that future.
    Future { boxed: bool },
    /// A function that returns a stream: the span ends with that stream.
    Stream { boxed: bool },
}

impl Shape {
    /// The shape as the signature tells it; a type behind an alias or a generic is not seen through.
    pub(crate) fn of(asyncness: bool, output: &ReturnType) -> Self {
        if asyncness {
            return Self::Async;
        }
        let ReturnType::Type(_, output) = output else { return Self::Sync };
        opaque(output).or_else(|| boxed(output)).unwrap_or(Self::Sync)
    }
}

/// `impl Future<…> + …` and `impl Stream<…> + …`. With `Unpin` they are boxed, which makes them so.
fn opaque(output: &Type) -> Option<Shape> {
    let Type::ImplTrait(output) = output else { return None };
    let boxed = output.bounds.iter().any(|bound| last(bound).is_some_and(|name| name == "Unpin"));
    of_bounds(output.bounds.iter(), boxed)
}

/// `Pin<Box<dyn Future<…> + …>>`, as `async_trait` writes it, and the aliases of the futures crates.
fn boxed(output: &Type) -> Option<Shape> {
    let Type::Path(path) = output else { return None };
    let segment = path.path.segments.last()?;
    match segment.ident.to_string().as_str() {
        "BoxFuture" | "LocalBoxFuture" => return Some(Shape::Future { boxed: true }),
        "BoxStream" | "LocalBoxStream" => return stream(true),
        "Pin" => {}
        _ => return None,
    }
    let Type::Path(inner) = argument(&segment.arguments)? else { return None };
    let inner = inner.path.segments.last().filter(|segment| segment.ident == "Box")?;
    let Type::TraitObject(object) = argument(&inner.arguments)? else { return None };
    of_bounds(object.bounds.iter(), true)
}

fn argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

fn of_bounds<'b>(bounds: impl Iterator<Item = &'b TypeParamBound>, boxed: bool) -> Option<Shape> {
    bounds.filter_map(last).find_map(|name| match name.as_str() {
        "Future" => Some(Shape::Future { boxed }),
        "Stream" => stream(boxed),
        _ => None,
    })
}

/// Streams are known where the SDK has its feature `stream`.
fn stream(boxed: bool) -> Option<Shape> {
    cfg!(feature = "stream").then_some(Shape::Stream { boxed })
}

fn last(bound: &TypeParamBound) -> Option<String> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    bound.path.segments.last().map(|segment| segment.ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        let signature: syn::Signature = syn::parse_str(text).expect("a signature");
        Shape::of(signature.asyncness.is_some(), &signature.output)
    }

    #[test]
    fn each_shape() {
        assert_eq!(shape("async fn f() -> impl Future<Output = u8>"), Shape::Async);
        for text in [
            "fn f()",
            "fn f() -> impl Iterator<Item = u8>",
            "fn f() -> Result<Pin<Box<dyn Future<Output = u8>>>, E>",
        ] {
            assert_eq!(shape(text), Shape::Sync, "{text}");
        }
        let future = "fn f<'a>(&'a self) -> impl std::future::Future<Output = u8> + Send + use<'a>";
        assert_eq!(shape(future), Shape::Future { boxed: false });
        for text in [
            "fn f() -> impl Future<Output = u8> + Unpin",
            "fn f<'a>() -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = u8> + Send + 'a>>",
            "fn f() -> futures::future::BoxFuture<'static, u8>",
        ] {
            assert_eq!(shape(text), Shape::Future { boxed: true }, "{text}");
        }
    }
}
