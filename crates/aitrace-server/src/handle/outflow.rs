//! Answers that hold memory until they are read. A task of its own makes them, piece by piece as they are taken: so a
//! client that is slow can be left when others need the memory that it holds.

use std::error::Error;
use std::pin::pin;

use axum::body::{Body, Bytes};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep_until};

use crate::memory::reads::Reads;

/// An answer up to so many bytes is made at once, and then holds nothing else.
const WHOLE: usize = 128 << 10;
/// Bytes that are handed over at once.
const PIECE: usize = 64 << 10;
/// Time that a client may let an answer wait, in all, while others wait for its memory, and bytes that it must have taken
/// for each second more.
const PATIENCE: Duration = Duration::from_mins(1);
const RATE: f64 = (1 << 20) as f64;
/// Time between two looks whether others wait.
const LOOK: Duration = Duration::from_secs(1);

/// A source that failed, or a client that was left: the connection is cut.
pub(crate) type Broken = Box<dyn Error + Send + Sync>;

/// A piece, and nothing at the end.
type Piece = Result<Option<Bytes>, Broken>;

/// A body of pieces. The source is dropped, and its memory given back, as soon as it has said all, fails, or is not read
/// any more.
pub(crate) async fn body(
    reads: &Reads,
    source: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static,
) -> Body {
    let mut source = Box::pin(source);
    let (mut first, mut length) = (Vec::new(), 0);
    while length <= WHOLE {
        match source.next().await {
            Some(Ok(piece)) => {
                length += piece.len();
                first.push(Ok(piece));
            }
            Some(Err(error)) => {
                first.push(Err(error));
                break;
            }
            None => return Body::from(first.into_iter().flatten().flatten().collect::<Vec<u8>>()),
        }
    }
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(produce(reads.clone(), stream::iter(first).chain(source), sender));
    Body::from_stream(stream::unfold(receiver, |mut receiver| async {
        let broken = || Err(Broken::from("the answer was not read, and others needed its memory"));
        let piece = receiver.recv().await.unwrap_or_else(broken).transpose()?;
        Some((piece, receiver))
    }))
}

async fn produce(
    reads: Reads,
    source: impl Stream<Item = Result<Bytes, Broken>>,
    sender: mpsc::Sender<Piece>,
) {
    let mut source = pin!(source);
    let (mut waited, mut taken) = (Duration::ZERO, 0_usize);
    while let Some(piece) = source.next().await {
        let mut rest = match piece {
            Ok(piece) => piece,
            Err(error) => {
                drop(sender.send(Err(error)).await);
                return;
            }
        };
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            let (began, length) = (Instant::now(), piece.len());
            let patience = PATIENCE + Duration::from_secs_f64(taken as f64 / RATE);
            if !send(&reads, &sender, piece, patience.saturating_sub(waited)).await {
                return;
            }
            waited += began.elapsed();
            taken += length;
        }
    }
    drop(sender.send(Ok(None)).await);
}

/// Hands a piece over. False where nobody takes it, or not in time.
async fn send(reads: &Reads, sender: &mpsc::Sender<Piece>, piece: Bytes, patience: Duration) -> bool {
    let mut place = pin!(sender.reserve());
    let mut due = Instant::now() + patience;
    loop {
        tokio::select! {
            place = &mut place => return place.map(|place| place.send(Ok(Some(piece)))).is_ok(),
            () = sleep_until(due) => {
                if reads.are_waited_for() {
                    tracing::info!("an answer is read too slowly while others wait for its memory: it is cut");
                    return false;
                }
                due = Instant::now() + LOOK;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::limits::Limits;
    use crate::memory::Memory;

    use super::*;

    fn reads() -> Reads {
        Reads::new(Memory::new(1 << 20), &Limits::default())
    }

    /// So many pieces of 64 KiB that hold something.
    fn pieces(count: usize, held: Arc<()>) -> impl Stream<Item = Result<Bytes, Broken>> + Send + 'static {
        let held = std::iter::repeat(held);
        let pieces = (0..count).zip(held).map(|(number, _)| Ok(Bytes::from(vec![number as u8; PIECE])));
        stream::iter(pieces)
    }

    /// What came, and whether it was whole.
    async fn read(body: Body) -> (Vec<u8>, bool) {
        let mut body = body.into_data_stream();
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => bytes.extend(piece),
                Err(_) => return (bytes, false),
            }
        }
        (bytes, true)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_made_is_what_is_read() {
        for count in [0, 1, 2, 3, 40] {
            let held = Arc::new(());
            let (bytes, whole) = read(body(&reads(), pieces(count, held.clone())).await).await;
            assert!(whole && bytes.len() == count * PIECE, "{count}");
            assert!(
                bytes.chunks(PIECE).zip(0..).all(|(piece, number)| piece.iter().all(|byte| *byte == number))
            );
            assert_eq!(Arc::strong_count(&held), 1, "{count}: nothing is held any more");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_answer_holds_nothing_while_it_waits_to_be_read() {
        let held = Arc::new(());
        let body = body(&reads(), pieces(1, held.clone())).await;
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(read(body).await.0.len(), PIECE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_fails_breaks_the_answer_off() {
        for before in [1, 10] {
            let failing = pieces(before, Arc::default()).chain(stream::iter([Err(Broken::from("gone"))]));
            let (bytes, whole) = read(body(&reads(), failing).await).await;
            assert!(!whole && bytes.len() == before * PIECE, "{before}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_left_when_others_need_the_memory() {
        let (reads, held) = (reads(), Arc::new(()));
        let slow = body(&reads, pieces(40, held.clone())).await;
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(Arc::strong_count(&held), 2, "nobody needs it");
        let all = reads.admit(usize::MAX).await.unwrap();
        let waits = tokio::spawn({
            let reads = reads.clone();
            async move { reads.admit(usize::MAX).await.map(drop) }
        });
        tokio::time::sleep(2 * LOOK).await;
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(!read(slow).await.1, "it does not look whole");
        drop(all);
        waits.await.unwrap().unwrap();
    }
}
