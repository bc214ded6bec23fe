//! Stage: ingest. In: an HTTP request with a body. Out: its bytes, within every limit.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::app::App;
use crate::error::{ApiError, Kind, Result};
use crate::limits::Limits;
use crate::media::{Media, Packing, packing};
use crate::memory::Reservation;
use crate::unpack::unpack;

/// Bytes of memory that one byte of a decoded body may need until it is stored: itself, the decoded spans, and
/// the batch that the store makes of them.
const WEIGHT: usize = 4;

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
    /// About how many bytes [`Upload::open`] and a decoder will go through.
    pub(crate) fn size(&self) -> usize {
        match self.packing {
            Packing::None => self.bytes.len(),
            Packing::Gzip | Packing::Zstd => self.bytes.len().saturating_mul(32),
        }
    }

    /// The plain body, and the reservation to hold until it is stored. Long work: see [`App::work`].
    pub(crate) fn open(mut self) -> Result<(Bytes, Reservation)> {
        if self.packing != Packing::None {
            let plain = unpack(self.packing, &self.bytes, self.limit, WEIGHT, &mut self.reservation)?;
            return Ok((plain.into(), self.reservation));
        }
        if self.bytes.len() > self.limit {
            return Err(too_large(self.limit));
        }
        self.reservation.grow(self.bytes.len().saturating_mul(WEIGHT))?;
        Ok((self.bytes, self.reservation))
    }
}

/// Reads a request's body. The route's policy has checked that its type is one it takes.
pub(crate) async fn receive(app: &App, request: Request) -> Result<Upload> {
    let limits = &app.options.limits;
    let (head, body) = request.into_parts();
    let media = Media::of(&head.headers)
        .ok_or_else(|| ApiError::new(Kind::UnsupportedMediaType, "the body's type is missing", ""))?;
    let mut reader = Reader { body: body.into_data_stream(), deadline: Instant::now() + limits.body_timeout };
    match read(app, &head.headers, &mut reader).await {
        Ok((bytes, packing, reservation)) => {
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

/// Reads a body of a refused request to its end, within bounds: a client that is still sending reads the
/// answer only then, and would report a broken connection otherwise.
pub(crate) async fn drain(body: Body, limits: &Limits) {
    let deadline = Instant::now() + limits.body_timeout;
    Reader { body: body.into_data_stream(), deadline }.drain(limits).await;
}

async fn read(app: &App, headers: &HeaderMap, reader: &mut Reader) -> Result<(Bytes, Packing, Reservation)> {
    /// What a sender may claim to send is reserved at once up to here, the rest when it has come.
    const TRUSTED: usize = 1 << 20;
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
            // What was announced at once, when as much as was trusted has really come.
            let capacity = announced.max(all.capacity() * 2).max(length).min(limits.body_bytes);
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

struct Reader {
    body: axum::body::BodyDataStream,
    deadline: Instant,
}

impl Reader {
    async fn next(&mut self, limits: &Limits) -> Result<Option<Bytes>> {
        let silence = Instant::now() + limits.body_idle_timeout;
        match timeout_at(silence.min(self.deadline), self.body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a body broke off");
                Err(ApiError::new(
                    Kind::BadRequest,
                    "the body broke off or is badly framed",
                    "Send it again.",
                ))
            }
            Err(_) => Err(ApiError::new(Kind::Timeout, "the body came too slowly", "Send it again.")),
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
