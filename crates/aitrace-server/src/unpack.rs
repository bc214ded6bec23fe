//! Bounded decompression: output is counted as it comes, so a bomb costs what is allowed and no more.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::error::{ApiError, Kind, Result};
use crate::media::Packing;
use crate::memory::Reservation;

const STEP: usize = 256 << 10;

/// Largest window of zstd, as a power of two: 8 MiB, which RFC 8878 asks every decoder to have. A frame that wants
/// more is refused before anything is allocated for it.
pub(crate) const WINDOW_LOG: u32 = 23;

/// Decompresses gzip of one or more members, or zstd of one or more frames; a plain body is copied.
///
/// `reserve` is the request's part of the memory budget; it grows with the output.
pub(crate) fn unpack(
    packing: Packing,
    body: &[u8],
    limit: usize,
    reserve: &mut Reservation,
) -> Result<Vec<u8>> {
    match packing {
        Packing::None => read(body, "plain", body.len(), limit, reserve),
        Packing::Gzip => read(MultiGzDecoder::new(body), "gzip", body.len(), limit, reserve),
        Packing::Zstd => {
            if body.is_empty() {
                return Err(bad("zstd", "it is empty", 0));
            }
            let held = body.len() + (1 << WINDOW_LOG);
            reserve.grow(held)?;
            let decoder = zstd::stream::read::Decoder::with_buffer(body).and_then(|mut decoder| {
                decoder.window_log_max(WINDOW_LOG)?;
                Ok(decoder)
            });
            read(decoder.map_err(|_| no_memory())?, "zstd", held, limit, reserve)
        }
    }
}

/// Reads what a decoder puts out. `held` is the memory that is in use beside the output.
fn read(
    mut decoder: impl Read,
    name: &str,
    held: usize,
    limit: usize,
    reserve: &mut Reservation,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let room = STEP.max(out.len()).min(limit + 1 - out.len());
        reserve.grow((out.len() + room).saturating_add(held))?;
        out.try_reserve_exact(room).map_err(|_| no_memory())?;
        let read = decoder
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut out)
            .map_err(|error| bad(name, &error.to_string(), out.len()))?;
        if out.len() > limit {
            return Err(ApiError::new(
                Kind::TooLarge,
                format!("the body holds more than {limit} bytes once decompressed"),
                "Send smaller batches.",
            ));
        }
        if read < room {
            return Ok(out);
        }
    }
}

fn bad(name: &str, reason: &str, after: usize) -> ApiError {
    ApiError::new(
        Kind::BadRequest,
        format!("the body is not {name}: {reason}, after {after} bytes of content"),
        format!("Send complete {name}, or no Content-Encoding for a plain body."),
    )
}

fn no_memory() -> ApiError {
    ApiError::new(
        Kind::Overloaded,
        "no memory for the body",
        "Nothing was acknowledged: send it again later, in smaller batches.",
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::Memory;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn open(body: &[u8], limit: usize) -> Result<Vec<u8>> {
        unpack(Packing::Gzip, body, limit, &mut Memory::new(1 << 30).reserve(0).unwrap())
    }

    #[test]
    fn members_are_joined_and_rubbish_is_refused() {
        let two = [gzip(b"ab"), gzip(b"cd")].concat();
        assert_eq!(open(&two, 100).unwrap(), b"abcd");
        assert_eq!(open(&two, 4).unwrap(), b"abcd");
        assert_eq!(open(&two, 3).unwrap_err().kind(), Kind::TooLarge);
        assert_eq!(open(&two[..two.len() - 3], 100).unwrap_err().kind(), Kind::BadRequest);
        assert_eq!(open(&[two, b"tail".to_vec()].concat(), 100).unwrap_err().kind(), Kind::BadRequest);
        assert_eq!(open(b"", 100).unwrap_err().kind(), Kind::BadRequest);
        assert_eq!(open(b"plain", 100).unwrap_err().kind(), Kind::BadRequest);
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = gzip(&vec![0; 8 << 20]);
        assert!(bomb.len() < 64 << 10);
        assert_eq!(open(&bomb, 1 << 20).unwrap_err().kind(), Kind::TooLarge);
    }

    #[test]
    fn output_is_reserved_before_it_exists() {
        let memory = Memory::new(1 << 20);
        let other = memory.reserve(512 << 10).unwrap();
        let bomb = gzip(&vec![0; 8 << 20]);
        let error = unpack(Packing::Gzip, &bomb, 64 << 20, &mut memory.reserve(0).unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Overloaded);
        drop(other);
        assert_eq!(memory.free(), 1 << 20);
    }

    fn open_zstd(body: &[u8], limit: usize) -> Result<Vec<u8>> {
        unpack(Packing::Zstd, body, limit, &mut Memory::new(1 << 30).reserve(0).unwrap())
    }

    #[test]
    fn frames_are_joined_and_rubbish_is_refused() {
        let pack = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
        let two = [pack(b"ab"), pack(b"cd")].concat();
        assert_eq!(open_zstd(&two, 4).unwrap(), b"abcd");
        assert_eq!(open_zstd(&two, 3).unwrap_err().kind(), Kind::TooLarge);
        for bad in [&two[..two.len() - 1], &[&two[..], b"tail"].concat(), b"", b"plain"] {
            assert_eq!(open_zstd(bad, 100).unwrap_err().kind(), Kind::BadRequest, "{bad:?}");
        }
    }

    #[test]
    fn a_bomb_of_zstd_is_refused_at_the_limit_and_reserved_stepwise() {
        let bomb = zstd::encode_all(&*vec![0; 64 << 20], 1).unwrap();
        assert!(bomb.len() < 16 << 10, "{}", bomb.len());
        assert_eq!(open_zstd(&bomb, 1 << 20).unwrap_err().kind(), Kind::TooLarge);
        let memory = Memory::new(32 << 20);
        let other = memory.reserve(16 << 20).unwrap();
        let reserve = &mut memory.reserve(0).unwrap();
        let error = unpack(Packing::Zstd, &bomb, 256 << 20, reserve).unwrap_err();
        assert_eq!(error.kind(), Kind::Overloaded);
        drop(other);
    }

    #[test]
    fn a_frame_with_a_large_window_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(WINDOW_LOG + 1).unwrap();
        encoder.write_all(b"small").unwrap();
        assert_eq!(open_zstd(&encoder.finish().unwrap(), 100).unwrap_err().kind(), Kind::BadRequest);
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(content in proptest::collection::vec(any::<u8>(), 0..5000), cut in 0_usize..5000) {
            let packed = gzip(&content);
            prop_assert_eq!(open(&packed, 5000).unwrap(), content);
            let cut = cut.min(packed.len() - 1);
            prop_assert!(open(&packed[..cut], 5000).is_err());
        }
    }
}
