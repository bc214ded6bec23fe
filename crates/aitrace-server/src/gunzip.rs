//! Bounded decompression: output is counted as it comes, so a bomb costs what is allowed and no more.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use crate::error::{ApiError, Kind, Result};
use crate::memory::Reservation;

const STEP: usize = 256 << 10;

/// Decompresses gzip of one or more members.
///
/// `reserve` is the request's part of the memory budget; it grows by `weight` bytes for each byte of output.
pub(crate) fn gunzip(body: &[u8], limit: usize, weight: usize, reserve: &mut Reservation) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = MultiGzDecoder::new(body);
    loop {
        let room = STEP.max(out.len()).min(limit + 1 - out.len());
        reserve.grow((out.len() + room).saturating_mul(weight).saturating_add(body.len()))?;
        out.try_reserve_exact(room).map_err(|_| no_memory())?;
        let read = decoder.by_ref().take(room as u64).read_to_end(&mut out).map_err(|error| {
            ApiError::new(
                Kind::BadRequest,
                format!("the body is not gzip: {error}, after {} bytes of content", out.len()),
                "Send complete gzip, or no Content-Encoding for a plain body.",
            )
        })?;
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
        gunzip(body, limit, 1, &mut Memory::new(1 << 30).reserve(0).unwrap())
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
        let error = gunzip(&bomb, 64 << 20, 1, &mut memory.reserve(0).unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Overloaded);
        drop(other);
        assert_eq!(memory.free(), 1 << 20);
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
