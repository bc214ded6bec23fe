//! Some futures at a time, of many, in one task.

use std::future::poll_fn;
use std::task::Poll;

use super::call::Pending;

/// Runs the futures that `next` gives, at most `most` at a time, and hands over each output as it comes.
///
/// `next` is asked again whenever there is room; none ends the asking.
pub(super) async fn drive<T>(
    most: usize,
    mut next: impl FnMut() -> Option<Pending<T>>,
    mut take: impl FnMut(T),
) {
    let mut running: Vec<Pending<T>> = Vec::new();
    let mut over = false;
    poll_fn(|task| {
        loop {
            while !over && running.len() < most {
                match next() {
                    Some(future) => running.push(future),
                    None => over = true,
                }
            }
            let before = running.len();
            // All are polled at each wake: they are few, and none may be overslept.
            running.retain_mut(|future| match future.as_mut().poll(task) {
                Poll::Ready(output) => {
                    take(output);
                    false
                }
                Poll::Pending => true,
            });
            if running.len() == before || (over && running.is_empty()) {
                break;
            }
        }
        if over && running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
