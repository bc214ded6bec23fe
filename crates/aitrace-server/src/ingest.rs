//! Stage: ingest. In: an HTTP request with a body. Out: its bytes, within every limit.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout, timeout_at};

use crate::app::App;
use crate::error::{ApiError, Kind, Result};
use crate::limits::Limits;
use crate::media::{Media, Packing, packing};
use crate::memory::Reservation;
use crate::unpack::unpack;

/// A body as it was sent, and the memory it may use until its request is over.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) media: Media,
    bytes: Bytes,
    packing: Packing,
    limit: usize,
    reservation: Reservation,
}

impl Upload {
    /// About how many bytes [`Upload::open`] and a decoder will go through; of what is packed nobody knows.
    pub(crate) fn size(&self) -> usize {
        match self.packing {
            Packing::None => self.bytes.len(),
            Packing::Gzip | Packing::Zstd => usize::MAX,
        }
    }

    /// The one message of a unary gRPC call: a byte that says whether it is compressed (by `packing`), four bytes
    /// of its length, and itself.
    pub(crate) fn unframed(mut self, packing: Packing) -> Result<Self> {
        let bad = |message: String| ApiError::new(Kind::BadRequest, message, "Send one message of gRPC.");
        let Some((&[flag, length @ ..], rest)) = self.bytes.split_first_chunk::<5>() else {
            return Err(bad(format!("the call has {} bytes and no message", self.bytes.len())));
        };
        let length = u32::from_be_bytes(length);
        if rest.len() as u64 != u64::from(length) {
            return Err(bad(format!("the message says {length} bytes, and {} came", rest.len())));
        }
        self.packing = match (flag, packing) {
            (0, _) => Packing::None,
            (1, Packing::Gzip | Packing::Zstd) => packing,
            (1, Packing::None) => return Err(bad("the message is compressed, by nothing named".to_owned())),
            _ => return Err(bad(format!("the message's flag is {flag}"))),
        };
        self.bytes = self.bytes.slice(5..);
        Ok(self)
    }

    /// The plain body, and the reservation to hold until it is stored. Long work: see [`App::work`].
    pub(crate) fn open(mut self) -> Result<(Bytes, Reservation)> {
        if self.packing != Packing::None {
            let plain = unpack(self.packing, &self.bytes, self.limit, &mut self.reservation)?;
            return Ok((plain.into(), self.reservation));
        }
        if self.bytes.len() > self.limit {
            return Err(too_large(self.limit));
        }
        Ok((self.bytes, self.reservation))
    }
}

/// Reads a request's body. The route's policy has checked that its type is one it takes.
pub(crate) async fn receive(app: &App, request: Request) -> Result<Upload> {
    let limits = &app.options.limits;
    let (head, body) = request.into_parts();
    let media = Media::of(&head.headers)
        .ok_or_else(|| ApiError::new(Kind::UnsupportedMediaType, "the body's type is missing", ""))?;
    let mut reader = Reader::new(body, limits);
    match read(app, &head.headers, &mut reader).await {
        Ok((bytes, packing, reservation)) => {
            app.metrics.received(bytes.len());
            Ok(Upload { media, bytes, packing, limit: limits.decoded_bytes, reservation })
        }
        Err(error) => {
            if error.kind() != Kind::Timeout {
                reader.drain(limits).await;
            }
            Err(error)
        }
    }
}

/// Reads a request's body as JSON of one shape.
pub(crate) async fn receive_json<T: DeserializeOwned + Send + 'static>(
    app: &App,
    request: Request,
) -> Result<T> {
    let upload = receive(app, request).await?;
    let read = move |upload: Upload| {
        let (body, mut reservation) = upload.open()?;
        // What is read of it takes about as much again, several times where it is small values.
        reservation.grow(body.len().saturating_mul(4))?;
        serde_json::from_slice(&body).map_err(|error| {
            // What serde says may repeat the body; where it stopped does not.
            let place = format!("line {}, column {}", error.line(), error.column());
            let message = format!("the body is not the JSON that is read here: {place}");
            ApiError::new(Kind::BadRequest, message, "See its fields in the documentation of the API.")
        })
    };
    app.work(upload.size(), move || read(upload)).await?
}

/// Bytes of a stream that are worked on at once.
const STEP: usize = 256 << 10;

/// A body that is worked on while it comes.
pub(crate) struct Stream {
    reader: Reader,
    /// How it is compressed; an error where that is nothing that is read here.
    pub(crate) packing: Result<Packing>,
}

impl Stream {
    /// The stream that a request brings; `None` where its body is announced to be so short that it is read as a
    /// whole.
    pub(crate) fn of(request: Request, limits: &Limits) -> Result<Self, Box<Request>> {
        if announced(request.headers()).is_some_and(|length| length <= STEP as u64) {
            return Err(Box::new(request));
        }
        let packing = packing(request.headers());
        let mut reader = Reader::new(request.into_body(), limits);
        reader.endless = true;
        Ok(Self { reader, packing })
    }

    /// Memory for two steps: the one that is worked on, and the one that comes.
    pub(crate) const fn memory() -> usize {
        2 * STEP
    }

    /// What has come, about [`STEP`] bytes; `None` at the end.
    pub(crate) async fn next(&mut self, limits: &Limits) -> Result<Option<Vec<Bytes>>> {
        let (mut chunks, mut length) = (Vec::new(), 0);
        while length < STEP {
            let Some(bytes) = self.reader.next(limits).await? else { break };
            length += bytes.len();
            chunks.push(bytes);
        }
        Ok((length > 0).then_some(chunks))
    }

    /// Reads the rest of a refused stream.
    pub(crate) async fn drain(mut self, limits: &Limits) {
        self.reader.drain(limits).await;
    }
}

/// Reads a body of a refused request to its end, within bounds: a client that is still sending reads the
/// answer only then, and would report a broken connection otherwise.
pub(crate) async fn drain(body: Body, limits: &Limits) {
    Reader::new(body, limits).drain(limits).await;
}

async fn read(app: &App, headers: &HeaderMap, reader: &mut Reader) -> Result<(Bytes, Packing, Reservation)> {
    /// What a sender says it will send is reserved at once up to here, and then twice what has come.
    const TRUSTED: usize = 64 << 10;
    let limits = &app.options.limits;
    let packing = packing(headers)?;
    let announced = announced(headers).unwrap_or(0);
    if announced > limits.body_bytes as u64 {
        return Err(too_large(limits.body_bytes));
    }
    let announced = announced as usize;
    let mut reservation = app.memory.reserve(announced.min(TRUSTED))?;
    let Some(first) = reader.next(limits).await? else { return Ok((Bytes::new(), packing, reservation)) };
    let Some(second) = reader.next(limits).await? else {
        check(first.len(), limits)?;
        reservation.grow(first.len())?;
        return Ok((first, packing, reservation));
    };
    let mut all = Vec::with_capacity(announced.min(TRUSTED).max(first.len() + second.len()));
    all.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(bytes) = next {
        let length = all.len() + bytes.len();
        check(length, limits)?;
        if length > all.capacity() {
            let most = if announced > 0 { announced } else { limits.body_bytes };
            let capacity = (all.capacity() * 2).min(most).max(length);
            reservation.grow(capacity)?;
            all.reserve_exact(capacity - all.len());
        }
        all.extend_from_slice(&bytes);
        next = reader.next(limits).await?;
    }
    reservation.grow(all.len())?;
    Ok((all.into(), packing, reservation))
}

fn check(length: usize, limits: &Limits) -> Result<()> {
    if length > limits.body_bytes { Err(too_large(limits.body_bytes)) } else { Ok(()) }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(Kind::TooLarge, format!("the body is larger than {limit} bytes"), "Send smaller batches.")
}

fn too_slow() -> ApiError {
    ApiError::new(Kind::Timeout, "the body came too slowly", "Send it again.")
}

struct Reader {
    body: axum::body::BodyDataStream,
    started: Instant,
    deadline: Instant,
    /// Bytes that came since `started`.
    received: u64,
    /// Whether the body may last for ever: then its rate counts anew from time to time.
    endless: bool,
}

impl Reader {
    fn new(body: Body, limits: &Limits) -> Self {
        let started = Instant::now();
        let deadline = started + limits.body_timeout;
        Self { body: body.into_data_stream(), started, deadline, received: 0, endless: false }
    }

    /// Whether so little has come for so long that it is a way to hold the connection.
    fn dribbles(&self, limits: &Limits) -> bool {
        let lasted = self.started.elapsed();
        lasted > limits.body_idle_timeout && self.received < limits.body_rate.saturating_mul(lasted.as_secs())
    }

    async fn next(&mut self, limits: &Limits) -> Result<Option<Bytes>> {
        let now = Instant::now();
        if self.endless && now >= self.deadline {
            (self.started, self.deadline, self.received) = (now, now + limits.body_timeout, 0);
        }
        let silence = now + limits.body_idle_timeout;
        let patience = if self.endless { silence } else { silence.min(self.deadline) };
        match timeout_at(patience, self.body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => {
                self.received += bytes.len() as u64;
                if self.dribbles(limits) { Err(too_slow()) } else { Ok(Some(bytes)) }
            }
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a body broke off");
                Err(ApiError::new(
                    Kind::BadRequest,
                    "the body broke off or is badly framed",
                    "Send it again.",
                ))
            }
            Err(_) => Err(too_slow()),
        }
    }

    async fn drain(&mut self, limits: &Limits) {
        /// Reading costs no memory, only the time that is bounded as well.
        const DRAINED: usize = 128 << 20;
        let all = async {
            let mut left = DRAINED;
            while let Ok(Some(bytes)) = self.next(limits).await {
                let Some(rest) = left.checked_sub(bytes.len()) else { return };
                left = rest;
            }
        };
        let ended = timeout(limits.drain_timeout, all).await;
        tracing::trace!(in_time = ended.is_ok(), "rest of a refused body");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::Memory;

    /// A call of gRPC with this body.
    fn call(body: Vec<u8>) -> Upload {
        let reservation = Memory::new(1 << 20).reserve(0).unwrap();
        Upload { media: Media::Grpc, bytes: body.into(), packing: Packing::None, limit: 1 << 16, reservation }
    }

    proptest! {
        #[test]
        fn one_whole_message_is_taken_out_of_its_frame_and_nothing_else(
            flag in 0_u8..4,
            claimed in prop_oneof![0_u32..40, any::<u32>()],
            message in proptest::collection::vec(any::<u8>(), 0..40),
            cut in 0_usize..50,
        ) {
            let body = [&[flag], &claimed.to_be_bytes()[..], &message].concat();
            let body = body[..body.len() - cut.min(body.len())].to_vec();
            let whole = body.len() >= 5 && body.len() - 5 == claimed as usize;
            for packing in [Packing::None, Packing::Gzip, Packing::Zstd] {
                let fine = whole && (flag == 0 || flag == 1 && packing != Packing::None);
                match call(body.clone()).unframed(packing) {
                    Ok(upload) => {
                        prop_assert!(fine);
                        prop_assert_eq!(&upload.bytes[..], &body[5..]);
                        prop_assert_eq!(upload.packing, if flag == 0 { Packing::None } else { packing });
                        prop_assert!(flag != 0 || upload.open().is_ok());
                    }
                    Err(error) => {
                        prop_assert!(!fine);
                        prop_assert_eq!(error.kind(), Kind::BadRequest);
                    }
                }
            }
        }
    }

    /// A body of so many bytes, one in each interval.
    fn dribble(bytes: usize, interval: Duration) -> Body {
        Body::from_stream(stream::unfold(bytes, move |left| async move {
            tokio::time::sleep(interval).await;
            (left > 0).then(|| (Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x")), left - 1))
        }))
    }

    async fn read_all(body: Body, limits: &Limits) -> Result<u64> {
        let mut reader = Reader::new(body, limits);
        while reader.next(limits).await?.is_some() {}
        Ok(reader.received)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_dribbles_is_left() {
        let limits = Limits::default();
        let second = Duration::from_secs(1);
        assert_eq!(read_all(dribble(20, second), &limits).await, Ok(20), "short ones may");
        let error = read_all(dribble(60, second), &limits).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout);
        let rate = Limits { body_rate: 1, ..Limits::default() };
        assert_eq!(read_all(dribble(60, second / 2), &rate).await, Ok(60));
    }
}
