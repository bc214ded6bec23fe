//! Files as the engine reads them.

use std::collections::HashMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result as DfResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::Length as _;

use crate::segment::{Segment, Verified};

/// Opens files for checked reading, and keeps them from being removed meanwhile. They are named by numbers.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) files: HashMap<i64, Arc<Segment>>,
}

impl ParquetFileReaderFactory for Held {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> DfResult<Box<dyn AsyncFileReader + Send>> {
        let id = file.object_meta.location.as_ref().parse().ok();
        let segment = id.and_then(|id: i64| self.files.get(&id)).cloned();
        let segment = segment.ok_or_else(|| DataFusionError::Internal("a file is not held".to_owned()))?;
        Ok(Box::new(Checked { file: segment.open()?, segment }))
    }
}

/// A file that is being read.
struct Checked {
    file: Verified,
    segment: Arc<Segment>,
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = parquet::errors::Result<T>> + Send + 'a>>;

impl AsyncFileReader for Checked {
    fn get_bytes(&mut self, range: Range<u64>) -> Pending<'_, Bytes> {
        Box::pin(std::future::ready(self.file.range(range)))
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> Pending<'a, Arc<ParquetMetaData>> {
        debug_assert_eq!(self.file.len(), self.segment.bytes, "checked when it was opened");
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load(&self.file, options);
        Box::pin(std::future::ready(footer.map(|footer| Arc::clone(footer.metadata()))))
    }
}
