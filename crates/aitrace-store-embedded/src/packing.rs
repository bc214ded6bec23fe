//! Bytes of the log, packed: one zstd frame with a checksum, made in buffers that are used again.
//!
//! A batch is some MiB before it is packed. Memory of that size comes from the system and goes back to it each time,
//! page by page, which takes as long as a third of the packing. What does not get half as large is put into the frame as
//! it is: compressing takes longer than writing what it saves.

use std::io;

use parking_lot::Mutex;
use twox_hash::XxHash64;
use zstd::bulk::Compressor;

/// zstd level: rows of the log live for seconds, so speed counts. Level 1 takes half as much time again and saves a third.
const LEVEL: i32 = -7;
/// A frame never unpacks to more than this: protection from a damaged length.
const MOST: usize = 1 << 30;
/// Kits that are kept, and bytes of a buffer that is kept in one: as many as senders that pack at once on a small
/// machine, with batches of usual size.
const KITS: usize = 3;
const KEPT: usize = 4 << 20;

/// Bytes from which on a piece of so many is packed first, to see whether it gets half as large.
const LARGE: usize = 128 << 10;
const SAMPLE: usize = 32 << 10;

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

    /// Whether what is to be packed would not get half as large.
    fn is_hard(&mut self) -> io::Result<bool> {
        if self.plain.len() < LARGE {
            return Ok(false);
        }
        let sample = &self.plain[self.plain.len() / 2..][..SAMPLE];
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(SAMPLE));
        Ok(self.compressor.compress_to_buffer(sample, &mut self.packed)? > SAMPLE / 2)
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
    // One that failed is not used again.
    let packed = if kit.is_hard()? {
        framed(&kit.plain)
    } else {
        kit.packed.clear();
        kit.packed.reserve(zstd::zstd_safe::compress_bound(kit.plain.len()));
        kit.compressor.compress_to_buffer(&kit.plain, &mut kit.packed)?;
        kit.packed.as_slice().to_vec()
    };
    kit.keep();
    Ok(packed)
}

/// A zstd frame (RFC 8878, 3.1.1) that holds bytes as they are.
fn framed(plain: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
    /// The length follows in eight bytes, all is one segment, a checksum ends it.
    const DESCRIPTOR: u8 = 0b1110_0100;
    /// Bytes of a block at most; three bytes before it say its length, that it is raw, and whether it is the last one.
    const BLOCK: usize = 128 << 10;
    let mut out = Vec::with_capacity(plain.len() + plain.len() / BLOCK * 3 + 20);
    out.extend_from_slice(&MAGIC);
    out.push(DESCRIPTOR);
    out.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    let mut blocks = plain.chunks(BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        out.extend_from_slice(&((block.len() as u32) << 3 | last).to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&(XxHash64::oneshot(0, plain) as u32).to_le_bytes());
    out
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

    /// Text that is as good as random.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_hardly_gets_smaller_is_framed_as_it_is_and_nothing_else() {
        let hard = noise(LARGE + 5);
        let packed = pack(|out| out.extend_from_slice(&hard)).expect("packs");
        assert_eq!(packed, framed(&hard));
        assert_eq!(unpack(&packed).expect("unpacks"), hard);
        for easy in [hard[..LARGE - 1].to_vec(), b"abc, ".repeat(LARGE)] {
            let packed = pack(|out| out.extend_from_slice(&easy)).expect("packs");
            assert_ne!(packed, framed(&easy));
            assert_eq!(unpack(&packed).expect("unpacks"), easy);
        }
    }

    #[test]
    fn frames_of_any_length_come_back_and_tell_damage() {
        for length in [1, 7, (128 << 10) - 1, 128 << 10, (128 << 10) + 1, 1 << 20] {
            let plain = noise(length);
            let good = framed(&plain);
            assert_eq!(unpack(&good).expect("unpacks"), plain, "{length}");
            for place in [4, 5, 13, 14, 16, good.len() / 2, good.len() - 5, good.len() - 1] {
                let mut bad = good.clone();
                bad[place] ^= 1;
                assert!(
                    unpack(&bad).is_err() || unpack(&bad).expect("unpacks") == plain,
                    "{length}, byte {place}"
                );
            }
            assert!(unpack(&good[..good.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_kit_leaves_nothing_of_what_it_packed_before() {
        for bytes in [&b"a longer text, packed first"[..], b"short", b"", &[7; 10_000], b"again"] {
            let packed = pack(|out| out.extend_from_slice(bytes)).expect("packs");
            assert_eq!(unpack(&packed).expect("unpacks"), bytes);
        }
    }
}
