//! Functions of many shapes, under the strictest lints.
#![deny(warnings, clippy::pedantic)]

use std::pin::Pin;
use std::sync::Arc;

struct Agent<T> {
    items: Vec<T>,
}

impl<T: Clone + Send + Sync + 'static> Agent<T> {
    #[aitrace::trace]
    fn first(&self) -> Option<&T> {
        self.items.first()
    }

    #[aitrace::trace]
    fn first_mut(&mut self) -> Option<&mut T> {
        let first = self.items.first_mut()?;
        Some(first)
    }

    #[aitrace::trace]
    fn into_items(self) -> Vec<T> {
        self.items
    }

    #[aitrace::trace]
    fn boxed(self: Box<Self>) -> usize {
        self.items.len()
    }

    #[aitrace::trace]
    fn shared(self: Arc<Self>) -> Arc<Self> {
        self
    }

    #[aitrace::trace]
    async fn pinned(self: Pin<&mut Self>) -> usize {
        self.items.len()
    }

    #[aitrace::trace(skip(self))]
    async fn later<'a>(&'a self, other: &'a T) -> &'a T {
        self.items.first().unwrap_or(other)
    }

    #[aitrace::trace]
    fn iterate<'a>(&'a self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.items.iter()
    }

    #[aitrace::trace]
    fn future(&self) -> impl Future<Output = usize> + Send + '_ {
        async { self.items.len() }
    }

    #[aitrace::trace]
    fn boxed_future(&self) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
        Box::pin(async { self.items.len() })
    }
}

/// Documented.
#[must_use]
#[aitrace::trace]
pub fn patterns((left, mut right): (u8, u8), [first, ..]: [u8; 3], _: u8, mut rest: Vec<u8>) -> u8 {
    right += 1;
    rest.push(first);
    left + right + rest.len() as u8
}

#[aitrace::trace(capture(number))]
fn generic<const N: usize, A: Into<u64>>(number: A, _array: [u8; N]) -> Result<u64, std::fmt::Error>
where
    A: Copy,
{
    if N == 0 {
        return Err(std::fmt::Error);
    }
    Ok(number.into())
}

#[aitrace::trace]
fn by_impl(text: impl AsRef<str>, work: impl FnOnce(&str) -> usize) -> usize {
    work(text.as_ref())
}

#[aitrace::trace]
fn never() -> ! {
    panic!("never returns")
}

#[aitrace::trace]
async fn never_later() -> ! {
    std::future::pending::<()>().await;
    panic!("never returns")
}

#[aitrace::trace]
fn nothing() {}

#[aitrace::trace]
async fn nothing_later() {}

#[aitrace::trace]
extern "C" fn exported(number: i32) -> i32 {
    number
}

#[aitrace::trace]
fn r#match(r#type: u8) -> u8 {
    r#type
}

mod aitrace_free {
    #[aitrace::trace(tracer = own(), name = "named", event_type = "model", kind = "llm", skip_all, skip_output)]
    pub fn all_options(secret: &str) -> usize {
        secret.len()
    }

    fn own() -> aitrace::Tracer {
        aitrace::Tracer::builder().target("memory").build()
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let mut agent = Agent { items: vec![1_u8] };
    assert_eq!(agent.first(), Some(&1));
    assert_eq!(agent.first_mut(), Some(&mut 1));
    assert_eq!(agent.iterate().count(), 1);
    drop(assert_send(agent.later(&2)));
    drop(assert_send(agent.future()));
    drop(assert_send(agent.boxed_future()));
    drop(assert_send(Pin::new(&mut agent).pinned()));
    assert_eq!(Arc::new(Agent { items: vec![1] }).shared().items.len(), 1);
    assert_eq!(Box::new(Agent { items: vec![1] }).boxed(), 1);
    assert_eq!(agent.into_items(), [1]);
    assert_eq!(patterns((1, 2), [3, 4, 5], 6, vec![]), 5);
    assert_eq!(generic(3_u8, [0; 2]), Ok(3));
    assert_eq!(by_impl("four", str::len), 4);
    assert!(std::panic::catch_unwind(|| never()).is_err());
    drop(assert_send(never_later()));
    nothing();
    drop(assert_send(nothing_later()));
    assert_eq!(exported(7) + i32::from(r#match(1)), 8);
    assert_eq!(aitrace_free::all_options("pw"), 2);
}
