//! Bytes of the log, packed: one zstd frame with a checksum, made in buffers that are used again.
//!
//! A batch is some MiB before it is packed. Memory of that size comes from the system and goes back to it each time,
//! page by page, which takes as long as a third of the packing.

use std::io;

use parking_lot::Mutex;
use zstd::bulk::Compressor;

/// zstd level: rows of the log live for seconds, so speed counts. Level 1 takes half as much time again and saves a third.
const LEVEL: i32 = -7;
/// A frame never unpacks to more than this: protection from a damaged length.
const MOST: usize = 1 << 30;
/// Kits that are kept, and bytes of a buffer that is kept in one: as many as senders that pack at once on a small
/// machine, with batches of usual size.
const KITS: usize = 3;
const KEPT: usize = 4 << 20;

/// What packing takes.
struct Kit {
    plain: Vec<u8>,
    packed: Vec<u8>,
    // Making one takes as long as using it once.
    compressor: Compressor<'static>,
}

static SHELF: Mutex<Vec<Kit>> = Mutex::new(Vec::new());

impl Kit {
    fn take() -> io::Result<Self> {
        if let Some(kit) = SHELF.lock().pop() {
            return Ok(kit);
        }
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Self { plain: Vec::with_capacity(4096), packed: Vec::new(), compressor })
    }

    /// For the next one, unless it has grown too large or there are enough.
    fn keep(mut self) {
        self.plain.clear();
        self.packed.clear();
        let mut shelf = SHELF.lock();
        if shelf.len() < KITS && self.plain.capacity().max(self.packed.capacity()) <= KEPT {
            shelf.push(self);
        }
    }
}

/// What `fill` writes, packed.
pub(crate) fn pack(fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<Vec<u8>> {
    let mut kit = Kit::take()?;
    fill(&mut kit.plain);
    kit.packed.reserve(zstd::zstd_safe::compress_bound(kit.plain.len()));
    // One that failed is not used again.
    kit.compressor.compress_to_buffer(&kit.plain, &mut kit.packed)?;
    let packed = kit.packed.as_slice().to_vec();
    kit.keep();
    Ok(packed)
}

/// What was packed.
pub(crate) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let length = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().unwrap_or(0);
    let capacity = usize::try_from(length).unwrap_or(usize::MAX);
    if capacity > MOST {
        return Err(io::Error::other("the frame claims to be larger than 1 GiB"));
    }
    zstd::bulk::decompress(packed, capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kit_leaves_nothing_of_what_it_packed_before() {
        for bytes in [&b"a longer text, packed first"[..], b"short", b"", &[7; 10_000], b"again"] {
            let packed = pack(|out| out.extend_from_slice(bytes)).expect("packs");
            assert_eq!(unpack(&packed).expect("unpacks"), bytes);
        }
    }
}
