//! SQL over everything: DataFusion on memory and files.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use aitrace_model::{SpanId, TraceId};
use aitrace_store::{ErrorKind, ProjectScope, Result, SqlLimits, StoreError};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions::expr_fn::concat;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{Expr, SQLOptions, SessionConfig, SessionContext, col, lit};
use futures_util::StreamExt as _;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::Length as _;

use crate::columns::{self, Column};
use crate::corrections::Need;
use crate::rows::{LOGS, SPANS, SpanRow};
use crate::segment::{Dead, Segment, Verified};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::{faults, views};

/// Rows of a batch that is made of memory for a query.
const SLICE: usize = 4096;

/// Runs one statement that reads, within its bounds.
pub(crate) async fn sql(
    shared: &Arc<Shared>,
    scope: &ProjectScope,
    sql: &str,
    limits: &SqlLimits,
) -> Result<(Vec<RecordBatch>, bool)> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime =
        RuntimeEnvBuilder::new().with_memory_limit(limits.memory, 1.0).with_disk_manager_builder(disk);
    let runtime = runtime.build_arc().map_err(faults::query)?;
    let mut config = SessionConfig::new().with_information_schema(false);
    // Errors say where.
    config.options_mut().sql_parser.collect_spans = true;
    let context = SessionContext::new_with_config_rt(config, runtime);
    register(&context, shared, scope, sql).await?;
    let run = async {
        let only_reads =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = context.sql_with_options(sql, only_reads).await.map_err(faults::query)?;
        let tasks = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(faults::query)?;
        // Every step of the plan gives way now and then: only so the time limit can strike within it.
        let yielding = plan.transform_up(|step| {
            let step: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(step));
            Ok(Transformed::yes(step))
        });
        let plan = yielding.map_err(faults::query)?.data;
        let mut stream = execute_stream(plan, tasks).map_err(faults::query)?;
        let (mut batches, mut left) = (vec![RecordBatch::new_empty(stream.schema())], limits.rows);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(faults::query)?;
            if batch.num_rows() > left {
                batches.push(batch.slice(0, left));
                return Ok((batches, true));
            }
            left -= batch.num_rows();
            batches.push(batch);
        }
        Ok((batches, false))
    };
    tokio::time::timeout(limits.time, run).await.unwrap_or_else(|_| {
        let text = format!("the query took longer than {:?}: narrow it by project or time", limits.time);
        Err(StoreError::new(ErrorKind::Overloaded, text))
    })
}

/// Makes the views known that a statement may mean.
async fn register(
    context: &SessionContext,
    shared: &Arc<Shared>,
    scope: &ProjectScope,
    sql: &str,
) -> Result<()> {
    let made = {
        // Spans that were corrected may have to be looked up in files.
        let (shared, scope) = (Arc::clone(shared), scope.clone());
        tokio::task::spawn_blocking(move || tables(&shared, &scope)).await
    };
    let broken = |error| StoreError::new(ErrorKind::Internal, "a view cannot be made").with_source(error);
    let (spans, logs) = made.map_err(broken)??;
    for (name, table, columns) in
        [("spans", spans, views::span_columns()), ("logs", logs, views::log_columns())]
    {
        let mut frame = context.read_table(Arc::new(table)).map_err(faults::query)?;
        if let ProjectScope::One(project) = scope {
            frame = frame.filter(col("project").eq(lit(project.as_str()))).map_err(faults::query)?;
        }
        let view = frame.select(columns).map_err(faults::query)?.into_view();
        context.register_table(name, view).map_err(faults::query)?;
    }
    let sql = sql.to_lowercase();
    for name in views::MADE.iter().filter(|name| sql.contains(**name)) {
        let (shared, scope) = (Arc::clone(shared), scope.clone());
        let made = tokio::task::spawn_blocking(move || views::make(&shared, &scope, name)).await;
        let batch = made.map_err(broken)??;
        context.register_batch(*name, batch).map_err(faults::query)?;
    }
    Ok(())
}

/// What is in memory and which files there are, at one moment.
fn tables(shared: &Shared, scope: &ProjectScope) -> Result<(Table, Table)> {
    let all = Everything::take(shared, scope, Need::All);
    let mut spans = Vec::with_capacity(all.spans.len());
    for row in all.spans {
        let orphans = row.state.as_ref().is_some_and(|state| state.orphan_logs().next().is_some());
        spans.push(SpanRow { stored: row.stored, parts: None, wraps: row.wraps, orphans });
    }
    let (span_files, log_files): (Vec<_>, Vec<_>) = all.files.into_iter().partition(|(file, _)| file.spans);
    Ok((Table::new(SPANS, &spans, span_files)?, Table::new(LOGS, &all.logs, log_files)?))
}

/// Opens files for checked reading, and keeps them from being removed meanwhile. They are named by numbers.
#[derive(Debug)]
struct Held {
    files: HashMap<i64, Arc<Segment>>,
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

/// A table over batches in memory and files.
#[derive(Debug)]
struct Table {
    schema: SchemaRef,
    memory: Vec<RecordBatch>,
    whole: Vec<Arc<Segment>>,
    partial: Vec<(Arc<Segment>, Arc<Dead>)>,
}

impl Table {
    fn new<T>(
        columns: &[(&str, Column<T>)],
        rows: &[T],
        files: Vec<(Arc<Segment>, Arc<Dead>)>,
    ) -> Result<Self> {
        let schema = columns::schema(columns);
        let memory = rows.chunks(SLICE).map(|slice| columns::batch(&schema, columns, slice));
        let memory = memory.collect::<Result<_>>()?;
        let (whole, partial): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, dead)| dead.is_empty());
        Ok(Self { schema, memory, whole: whole.into_iter().map(|(file, _)| file).collect(), partial })
    }

    fn scan_files(
        &self,
        files: &[Arc<Segment>],
        projection: Option<&Vec<usize>>,
        partitions: usize,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let held = files.iter().map(|file| (file.id, Arc::clone(file))).collect();
        let source = ParquetSource::new(Arc::clone(&self.schema))
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
        let filtered: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(predicate, scan)?);
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
impl TableProvider for Table {
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
        if !self.memory.is_empty() {
            let batches = [self.memory.clone()];
            let schema = Arc::clone(&self.schema);
            plans.push(MemorySourceConfig::try_new_exec(&batches, schema, projection.cloned())?);
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
