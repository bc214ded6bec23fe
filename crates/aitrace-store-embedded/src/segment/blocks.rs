//! Files whose blocks are checked whenever they are read: Parquet alone would let flipped bits pass.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::stop;

/// Bytes of a block. Reading a page checks one or two more than it needs.
const BLOCK: usize = 64 << 10;

/// Sums the blocks of what is written through it.
#[derive(Debug)]
pub(crate) struct Summing<W> {
    inner: W,
    current: crc32fast::Hasher,
    filled: usize,
    sums: Vec<u32>,
}

impl<W: Write> Summing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, current: crc32fast::Hasher::new(), filled: 0, sums: Vec::new() }
    }

    /// What it wrote to, and the sum of each block.
    pub(crate) fn finish(mut self) -> (W, Vec<u32>) {
        if self.filled > 0 {
            self.sums.push(self.current.finalize());
        }
        (self.inner, self.sums)
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.filled);
        let written = self.inner.write(&bytes[..taken])?;
        self.current.update(&bytes[..written]);
        self.filled += written;
        if self.filled == BLOCK {
            self.sums.push(std::mem::take(&mut self.current).finalize());
            self.filled = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// A file that is read by checked blocks.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    file: Arc<File>,
    length: u64,
    sums: Option<Arc<[u32]>>,
}

impl Verified {
    /// Opens a file that must be `length` bytes long. Without sums nothing is checked (files of version 1).
    pub(crate) fn open(path: &Path, length: u64, sums: Option<Arc<[u32]>>) -> Result<Self> {
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        if found != length {
            return Err(ParquetError::General(format!("it is {found} bytes long, not {length}")));
        }
        Ok(Self { file: Arc::new(file), length, sums })
    }

    /// Reads all of it, to check it.
    pub(crate) fn check(&self) -> Result<()> {
        (0..self.length.div_ceil(BLOCK as u64)).try_for_each(|block| self.block(block).map(drop))
    }

    /// Bytes of a range.
    pub(crate) fn range(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.length {
            return Err(ParquetError::EOF(format!("bytes {range:?} of {}", self.length)));
        }
        let mut out = Vec::with_capacity((range.end - range.start) as usize);
        let mut at = range.start;
        while at < range.end {
            let index = at / BLOCK as u64;
            let block = self.block(index)?;
            let begin = index * BLOCK as u64;
            let end = (range.end - begin).min(block.len() as u64);
            out.extend_from_slice(&block[(at - begin) as usize..end as usize]);
            at = begin + end;
        }
        Ok(out.into())
    }

    fn block(&self, index: u64) -> Result<Vec<u8>> {
        if stop::is_given() {
            return Err(ParquetError::General("nobody waits for it any more".to_owned()));
        }
        let start = index * BLOCK as u64;
        let mut bytes = vec![0; (self.length - start).min(BLOCK as u64) as usize];
        read_exact_at(&self.file, &mut bytes, start)?;
        let expected = self.sums.as_ref().map(|sums| sums.get(index as usize).copied().unwrap_or_default());
        match expected {
            Some(sum) if sum != crc32fast::hash(&bytes) => {
                Err(ParquetError::General(format!("its bytes from {start} on are not what was written")))
            }
            _ => Ok(bytes),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], start: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, start)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut start: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, start)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        (bytes, start) = (&mut bytes[read..], start + read as u64);
    }
    Ok(())
}

impl Length for Verified {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Verified {
    type T = Stream;

    fn get_read(&self, start: u64) -> Result<Stream> {
        Ok(Stream { file: self.clone(), at: start, rest: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.range(start..start.saturating_add(length as u64))
    }
}

/// A file from some place on.
#[derive(Debug)]
pub(crate) struct Stream {
    file: Verified,
    at: u64,
    rest: Bytes,
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() && self.at < self.file.length {
            let next = (self.at / BLOCK as u64 + 1) * BLOCK as u64;
            let end = next.min(self.file.length);
            self.rest = self.file.range(self.at..end).map_err(std::io::Error::other)?;
            self.at = end;
        }
        let taken = self.rest.split_to(out.len().min(self.rest.len()));
        out[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_seen_and_good_bytes_are_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..3 * BLOCK + 7).map(|number| (number * 31 % 251) as u8).collect();
        let mut summing = Summing::new(File::create(&path).expect("creates"));
        for piece in bytes.chunks(1000) {
            summing.write_all(piece).expect("writes");
        }
        let sums: Arc<[u32]> = summing.finish().1.into();
        let open = || Verified::open(&path, bytes.len() as u64, Some(Arc::clone(&sums))).expect("opens");
        let file = open();
        file.check().expect("is good");
        for (start, length) in [(0, 5), (BLOCK - 1, 2), (10, 3 * BLOCK - 10), (3 * BLOCK, 7), (4, 0)] {
            let read = file.get_bytes(start as u64, length).expect("reads");
            assert_eq!(read, bytes[start..start + length]);
        }
        let mut streamed = Vec::new();
        file.get_read(9).expect("reads").read_to_end(&mut streamed).expect("reads");
        assert_eq!(streamed, bytes[9..]);
        assert!(file.get_bytes(0, bytes.len() + 1).is_err());
        let stop = stop::Stop::default();
        stop.over(|| file.check().expect("nobody gave a sign"));
        drop(stop.waiting());
        stop.over(|| file.get_bytes(0, 1).expect_err("nobody waits for it"));
        file.check().expect("the sign holds for the work alone");
        for place in [0, BLOCK, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[place] ^= 1;
            std::fs::write(&path, &bad).expect("writes");
            assert!(open().check().is_err(), "byte {place}");
        }
        std::fs::write(&path, &bytes[1..]).expect("writes");
        assert!(Verified::open(&path, bytes.len() as u64, None).is_err());
    }
}
