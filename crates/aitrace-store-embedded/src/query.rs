//! SQL over everything: DataFusion on memory and files.

use std::collections::BTreeSet;
use std::sync::Arc;

use aitrace_model::{SpanId, TraceId};
use aitrace_store::{ProjectScope, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::functions::expr_fn::{coalesce, concat};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::{Expr, SQLOptions, SessionConfig, SessionContext, col, lit};

use crate::columns::{self, Column};
use crate::faults;
use crate::rows::{LOGS, SPANS, SpanRow};
use crate::segment::{Dead, Segment};
use crate::shared::Shared;
use crate::snapshot::Everything;

/// Rows of a batch that is made of memory for a query.
const SLICE: usize = 4096;

/// Runs one statement that reads, over the tables `spans` and `logs`. Their columns are those of
/// the segments; a span that has not ended has no `end`.
pub(crate) async fn query(shared: &Shared, sql: &str) -> Result<Vec<RecordBatch>> {
    let config = SessionConfig::new().with_information_schema(false);
    let context = SessionContext::new_with_config(config);
    let (spans, logs) = tables(shared)?;
    context.register_table("spans", Arc::new(spans)).map_err(faults::query)?;
    context.register_table("logs", Arc::new(logs)).map_err(faults::query)?;
    let only_reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let frame = context.sql_with_options(sql, only_reads).await.map_err(faults::query)?;
    frame.collect().await.map_err(faults::query)
}

/// What is in memory and which files there are, at one moment.
fn tables(shared: &Shared) -> Result<(Table, Table)> {
    let all = Everything::take(shared, &ProjectScope::All);
    let mut spans = Vec::with_capacity(all.spans.len());
    for row in all.spans {
        let orphans = row.state.as_ref().is_some_and(|state| state.orphan_logs().next().is_some());
        spans.push(SpanRow { stored: row.stored, parts: None, wraps: row.wraps, orphans });
    }
    let (span_files, log_files): (Vec<_>, Vec<_>) = all.files.into_iter().partition(|(file, _)| file.spans);
    Ok((Table::new(SPANS, &spans, span_files)?, Table::new(LOGS, &all.logs, log_files)?))
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
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_pushdown_filters(true)
            .with_enable_page_index(true);
        let mut groups = vec![Vec::new(); partitions.clamp(1, files.len().max(1))];
        let count = groups.len();
        for (index, file) in files.iter().enumerate() {
            groups[index % count].push(PartitionedFile::new(file.path.to_string_lossy(), file.bytes));
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
        let trace = || coalesce(vec![col("trace_id"), lit("")]);
        let in_traces = (!traces.is_empty()).then(|| trace().in_list(traces, false));
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
