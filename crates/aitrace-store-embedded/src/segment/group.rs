//! A row group while rows come. Packing columns is most of the work of a file: two threads share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use arrow::array::{Array as _, RecordBatch};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::{ParquetError, Result};

/// Batches that wait for the other thread: each is handed over when it has packed the one before, so that no more than
/// two are in memory.
const WAITING: usize = 0;
/// What this thread does besides, as a share of all that is packed (one in so many): it makes the rows into columns.
const BESIDES: usize = 3;

type Chunks = Vec<(usize, ArrowColumnChunk)>;

/// A row group that is being filled.
pub(super) struct Group {
    near: Columns,
    far: Option<Far>,
    rows: usize,
}

impl Group {
    /// An empty one, the `index`th of its file. `first` is the batch that it will begin with: its columns are shared
    /// out by how large they are there. `shared` says whether there is enough for two threads.
    pub(super) fn begin(
        factory: &ArrowRowGroupWriterFactory,
        index: usize,
        first: &RecordBatch,
        shared: bool,
    ) -> Result<Self> {
        let writers = || factory.create_column_writers(index).map(|all| all.into_iter().enumerate());
        if shared {
            let lent = lent(&sizes(first));
            let (far, near) = writers()?.partition(|(column, _)| lent.contains(column));
            // Where the system gives no thread it is done by one.
            if let Ok(far) = Far::start(Columns(far)) {
                return Ok(Self { near: Columns(near), far: Some(far), rows: 0 });
            }
        }
        Ok(Self { near: Columns(writers()?.collect()), far: None, rows: 0 })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory that its columns take, packed and not, but for what the other thread has not seen yet.
    pub(super) fn memory_size(&self) -> usize {
        self.near.memory_size() + self.far.as_ref().map_or(0, |far| far.size.load(Ordering::Relaxed))
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        let lost = self.far.as_ref().is_some_and(|far| far.batches.send(batch.clone()).is_err());
        if lost && let Some(far) = self.far.take() {
            far.end()?;
            return Err(broken());
        }
        self.near.write(batch)
    }

    /// The columns in their order.
    pub(super) fn close(self) -> Result<Vec<ArrowColumnChunk>> {
        let Self { near, far, .. } = self;
        let mut chunks = near.close()?;
        if let Some(far) = far {
            chunks.extend(far.end()?);
        }
        chunks.sort_unstable_by_key(|(column, _)| *column);
        Ok(chunks.into_iter().map(|(_, chunk)| chunk).collect())
    }
}

/// Bytes of each column of a batch.
fn sizes(batch: &RecordBatch) -> Vec<usize> {
    let size = |column: &arrow::array::ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
    batch.columns().iter().map(size).collect()
}

/// The columns that the other thread packs: the largest first, each to whom has less to do.
fn lent(sizes: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|column| std::cmp::Reverse(sizes[*column]));
    let (mut near, mut far) = (sizes.iter().sum::<usize>() / BESIDES, 0);
    let mut lent = Vec::new();
    for column in order {
        if far <= near {
            far += sizes[column];
            lent.push(column);
        } else {
            near += sizes[column];
        }
    }
    lent
}

fn broken() -> ParquetError {
    ParquetError::General("the thread that packs columns broke off".to_owned())
}

/// Columns by their numbers. Each column of a batch is one of the file: none is nested.
struct Columns(Vec<(usize, ArrowColumnWriter)>);

impl Columns {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for (column, writer) in &mut self.0 {
            for leaf in compute_leaves(batch.schema_ref().field(*column), batch.column(*column))? {
                writer.write(&leaf)?;
            }
        }
        Ok(())
    }

    fn memory_size(&self) -> usize {
        self.0.iter().map(|(_, writer)| writer.memory_size()).sum()
    }

    fn close(self) -> Result<Chunks> {
        self.0.into_iter().map(|(column, writer)| Ok((column, writer.close()?))).collect()
    }
}

/// The other thread. It ends when no more batches come, also where nobody waits for it.
struct Far {
    batches: SyncSender<RecordBatch>,
    size: Arc<AtomicUsize>,
    thread: JoinHandle<Result<Chunks>>,
}

impl Far {
    fn start(mut columns: Columns) -> std::io::Result<Self> {
        let (batches, receiver) = sync_channel::<RecordBatch>(WAITING);
        let size = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&size);
        let pack = move || {
            for batch in receiver {
                columns.write(&batch)?;
                told.store(columns.memory_size(), Ordering::Relaxed);
            }
            columns.close()
        };
        let thread = thread::Builder::new().name("aitrace-store-packer".to_owned()).spawn(pack)?;
        Ok(Self { batches, size, thread })
    }

    fn end(self) -> Result<Chunks> {
        drop(self.batches);
        self.thread.join().unwrap_or_else(|_| Err(broken()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_shared_by_its_size() {
        // 700 of 1080 bytes: what is left to this thread are 380, and what counts as 360 for all that it does besides.
        assert_eq!(lent(&[400, 200, 300, 100, 80]), [0, 1, 3]);
        assert_eq!(lent(&[0, 9, 0]), [1]);
        assert_eq!(lent(&[]), [0; 0]);
    }
}
