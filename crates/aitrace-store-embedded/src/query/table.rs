//! Tables over rows in memory and files.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aitrace_model::{SpanId, TraceId};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::functions::expr_fn::concat;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::{Expr, col, lit};
use futures_util::stream;

use super::files::Held;
use super::needs::Needs;
use crate::columns::{self, Column};
use crate::rows::LONG;
use crate::segment::{self, Dead, Segment};
use crate::shared::Shared;

/// Rows of a batch that is made of memory, and their bytes where they have contents; a row that is larger is alone.
const SLICE: usize = 4096;
const SLICE_BYTES: usize = 2 << 20;
/// Bytes of unpacked conditions' columns that a reader keeps, so that they are not unpacked twice.
const CACHE: usize = 2 << 20;

/// Rows in memory are the store's, which counts them; those that it seals meanwhile are the statement's alone. One part in
/// so many of them is taken for that.
const SHARED: usize = 4;

type Columns<T> = &'static [(&'static str, Column<T>)];

/// A table over rows in memory and files.
pub(super) struct Table<T: 'static> {
    columns: Columns<T>,
    schema: SchemaRef,
    rows: Arc<[T]>,
    weigh: fn(&T) -> usize,
    whole: Vec<Arc<Segment>>,
    partial: Vec<(Arc<Segment>, Arc<Dead>)>,
    shared: Arc<Shared>,
    needs: Arc<Needs>,
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// Rows in memory with contents, that become columns batch by batch.
struct Rows<T: 'static> {
    columns: Columns<T>,
    schema: SchemaRef,
    picks: Vec<usize>,
    all: Arc<[T]>,
    weigh: fn(&T) -> usize,
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("rows", &self.all.len()).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> PartitionStream for Rows<T> {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let Self { columns, schema, picks, all, weigh } = self;
        let (columns, weigh, picks) = (*columns, *weigh, picks.clone());
        let (made, rows, mut next) = (Arc::clone(schema), Arc::clone(all), 0);
        let batches = std::iter::from_fn(move || {
            let rest = rows.get(next..).filter(|rest| !rest.is_empty())?;
            let mut bytes = 0;
            let fits = |row: &&T| {
                bytes += weigh(row);
                bytes <= SLICE_BYTES
            };
            let count = rest.iter().take(SLICE).take_while(fits).count().max(1);
            next += count;
            Some(columns::picked(&made, columns, &picks, &rest[..count]).map_err(failed))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), stream::iter(batches)))
    }
}

/// An error of ours within the engine.
pub(super) fn failed(error: aitrace_store::StoreError) -> DataFusionError {
    if error.kind() == aitrace_store::ErrorKind::Overloaded {
        return DataFusionError::ResourcesExhausted(error.to_string());
    }
    DataFusionError::External(error.into())
}

impl<T: Send + Sync + 'static> Table<T> {
    pub(super) fn new(
        columns: Columns<T>,
        (rows, weigh): (Vec<T>, fn(&T) -> usize),
        files: Vec<(Arc<Segment>, Arc<Dead>)>,
        shared: &Arc<Shared>,
        needs: &Arc<Needs>,
    ) -> Self {
        let (whole, partial): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, dead)| dead.is_empty());
        Self {
            columns,
            schema: columns::schema(columns),
            rows: rows.into(),
            weigh,
            whole: whole.into_iter().map(|(file, _)| file).collect(),
            partial,
            shared: Arc::clone(shared),
            needs: Arc::clone(needs),
        }
    }

    /// The rows in memory. Without contents they become columns at once: the rows themselves may go meanwhile.
    fn scan_memory(&self, picks: Vec<usize>, wide: bool) -> DfResult<Arc<dyn ExecutionPlan>> {
        let schema = Arc::new(self.schema.project(&picks)?);
        if !wide {
            let mut batches = Vec::new();
            for rows in self.rows.chunks(SLICE) {
                let batch = columns::picked(&schema, self.columns, &picks, rows).map_err(failed)?;
                self.needs.keep(batch.get_array_memory_size()).map_err(failed)?;
                batches.push(batch);
            }
            return Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?);
        }
        let (mut bytes, mut widest) = (0, 0);
        for row in &*self.rows {
            let weight = (self.weigh)(row);
            bytes += weight;
            widest = widest.max(weight);
        }
        self.needs.keep(bytes / SHARED).map_err(failed)?;
        self.needs.note((bytes / self.rows.len().max(1)).max(widest / 16), 0);
        let (columns, all, weigh) = (self.columns, Arc::clone(&self.rows), self.weigh);
        let rows = Rows { columns, schema: Arc::clone(&schema), picks, all, weigh };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(rows)], None, [], false, None)?))
    }

    /// Notes how wide the rows of the files are.
    async fn measure(&self, picks: &[usize]) {
        let (shared, schema, needs) =
            (Arc::clone(&self.shared), Arc::clone(&self.schema), Arc::clone(&self.needs));
        let picks = picks.to_vec();
        let partial = self.partial.iter().map(|(file, _)| file);
        let files: Vec<_> = self.whole.iter().chain(partial).cloned().collect();
        let measured = tokio::task::spawn_blocking(move || {
            let names: Vec<&str> = picks.iter().map(|index| schema.field(*index).name().as_str()).collect();
            for file in files {
                // One that cannot be read is met again when it is.
                if let Ok((width, packed)) = segment::width(&shared.segments, &file, &names) {
                    needs.note(width, packed);
                }
            }
        });
        // The reader panics on some footers that do not add up: they are met again as well.
        drop(measured.await);
    }

    fn scan_files(
        &self,
        files: &[Arc<Segment>],
        projection: Option<&Vec<usize>>,
        partitions: usize,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let held = files.iter().map(|file| (file.id, Arc::clone(file))).collect();
        let mut options = TableParquetOptions::default();
        options.global.max_predicate_cache_size = Some(CACHE);
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(Held { files: held }))
            .with_pushdown_filters(true)
            .with_enable_page_index(true);
        let mut groups = vec![Vec::new(); partitions.clamp(1, files.len().max(1))];
        let count = groups.len();
        for (index, file) in files.iter().enumerate() {
            groups[index % count].push(PartitionedFile::new(file.id.to_string(), file.bytes));
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups.into_iter().map(FileGroup::new).collect())
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// A file without its rows that do not count.
    fn scan_partial(
        &self,
        state: &dyn Session,
        (file, dead): &(Arc<Segment>, Arc<Dead>),
        projection: Option<&Vec<usize>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let counts = gone(dead, self.schema.column_with_name("span_id").is_some())
            .map_or_else(|| lit(true), |gone| !gone);
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let predicate = state.create_physical_expr(counts, &schema)?;
        let scan = self.scan_files(std::slice::from_ref(file), None, 1)?;
        let rows = state.config().batch_size();
        let filtered = FilterExec::try_new(predicate, scan)?.with_batch_size(rows)?;
        let filtered: Arc<dyn ExecutionPlan> = Arc::new(filtered);
        let Some(projection) = projection else { return Ok(filtered) };
        let columns = projection.iter().map(|index| {
            let name = self.schema.field(*index).name();
            let column = datafusion::physical_expr::expressions::col(name, &self.schema)?;
            Ok((column, name.clone()))
        });
        Ok(Arc::new(ProjectionExec::try_new(columns.collect::<DfResult<Vec<_>>>()?, filtered)?))
    }
}

/// Whether a row does not count, as an expression; `None` if all do.
fn gone(dead: &Dead, spans: bool) -> Option<Expr> {
    let of = |(project, whole, traces, superseded): (
        &str,
        bool,
        &BTreeSet<TraceId>,
        &BTreeSet<(TraceId, SpanId)>,
    )| {
        let project = col("project").eq(lit(project));
        if whole {
            return Some(project);
        }
        let traces: Vec<Expr> = traces.iter().map(|id| lit(id.to_hex())).collect();
        // Log records may be in no trace: that is not one of those.
        let in_traces = (!traces.is_empty())
            .then(|| col("trace_id").is_not_null().and(col("trace_id").in_list(traces, false)));
        let pairs = superseded.iter().filter(|_| spans).map(|(trace, span)| lit(format!("{trace}{span}")));
        let pairs: Vec<Expr> = pairs.collect();
        let key = || concat(vec![col("trace_id"), col("span_id")]);
        let in_spans = (!pairs.is_empty()).then(|| key().in_list(pairs, false));
        let rows = [in_traces, in_spans].into_iter().flatten().reduce(Expr::or)?;
        Some(project.and(rows))
    };
    dead.each().filter_map(of).reduce(Expr::or)
}

#[async_trait]
impl<T: Send + Sync + 'static> TableProvider for Table<T> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let picks = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let wide = picks.iter().any(|index| LONG.contains(&self.schema.field(*index).name().as_str()));
        if wide {
            self.measure(&picks).await;
        }
        if !self.rows.is_empty() {
            plans.push(self.scan_memory(picks, wide)?);
        }
        if !self.whole.is_empty() {
            let partitions = state.config().target_partitions();
            plans.push(self.scan_files(&self.whole, projection, partitions)?);
        }
        for partial in &self.partial {
            plans.push(self.scan_partial(state, partial, projection)?);
        }
        match plans.len() {
            0 => {
                let schema = match projection {
                    Some(projection) => Arc::new(self.schema.project(projection)?),
                    None => Arc::clone(&self.schema),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }
}
