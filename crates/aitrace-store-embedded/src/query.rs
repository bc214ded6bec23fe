//! SQL over everything: DataFusion on memory and files.
//!
//! All that a statement takes is taken from the room that it was given: what its steps keep (`pool`), what reading takes
//! (`needs`), rows in memory that it looks at (`table`, `made`), and its answer.

mod files;
mod made;
mod needs;
mod pool;
mod table;

use std::sync::Arc;

use aitrace_store::{
    ErrorKind, ProjectScope, Result, SqlLimits, SqlRows, SqlValue, StoreError, Taken, log_bytes, span_bytes,
};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext, col, lit};
use futures_util::StreamExt as _;

use self::made::Made;
use self::needs::{Needs, Settings};
use self::pool::{Pool, too_much};
use self::table::Table;
use crate::corrections::Need;
use crate::rows::{LOGS, SPANS, SpanRow};
use crate::shared::Shared;
use crate::snapshot::Everything;
use crate::{faults, views};

/// What a cell takes beside its text, and a row beside its cells.
const CELL: usize = size_of::<SqlValue>() + 16;
const ROW: usize = size_of::<Vec<SqlValue>>() + 16;

/// Functions that make much of little: what they make is in memory before anybody can count it.
const LEFT_OUT: &[&str] = &[
    "repeat",
    "lpad",
    "rpad",
    "range",
    "generate_series",
    "gen_series",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
];

/// Runs one statement that reads, within its bounds.
pub(crate) async fn sql(
    shared: &Arc<Shared>,
    scope: &ProjectScope,
    sql: &str,
    limits: &SqlLimits,
) -> Result<SqlRows> {
    tokio::time::timeout(limits.time, run(shared, scope, sql, limits)).await.unwrap_or_else(|_| {
        let text = format!("the query took longer than {:?}: narrow it by project or time", limits.time);
        Err(StoreError::new(ErrorKind::Overloaded, text))
    })
}

async fn run(shared: &Arc<Shared>, scope: &ProjectScope, sql: &str, limits: &SqlLimits) -> Result<SqlRows> {
    let needs = Arc::new(Needs::new(Arc::clone(&limits.room)));
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let usual = needs.settings(cores).0;
    let pool = Arc::new(Pool::new(Arc::clone(&limits.room)));
    let context = context(&pool, usual)?;
    register(&context, shared, scope, sql, &needs).await?;
    let (mut plan, mut tasks) = planned(&context, sql).await?;
    let (wanted, reading) = needs.settings(cores);
    if wanted != usual {
        // Steps are made for a size of batch.
        drop(plan);
        needs.again();
        set(&context, wanted);
        (plan, tasks) = planned(&context, sql).await?;
    }
    // With it the rows in memory that the plan does not need.
    drop(context);
    needs.keep(reading).map_err(exceeded)?;
    let mut stream = execute_stream(plan, tasks).map_err(|error| pool.explain(error))?;
    let mut answer = SqlRows { columns: views::columns_of(&stream.schema()), ..SqlRows::default() };
    let mut taken = Taken::nothing(Arc::clone(&limits.room));
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| pool.explain(error))?;
        let left = limits.rows - answer.rows.len();
        answer.truncated = batch.num_rows() > left;
        let rows = views::rows_of(&batch.slice(0, batch.num_rows().min(left)))?;
        taken.grow(rows.iter().map(|row| weigh(row)).sum()).map_err(exceeded)?;
        answer.rows.extend(rows);
        if answer.truncated {
            break;
        }
    }
    taken.leave();
    Ok(answer)
}

fn weigh(row: &[SqlValue]) -> usize {
    let text = |value: &SqlValue| if let SqlValue::Text(text) = value { text.capacity() } else { 0 };
    ROW + row.iter().map(|value| CELL + text(value)).sum::<usize>()
}

/// What a caller is told where the statement's own memory is too much.
fn exceeded(error: StoreError) -> StoreError {
    if error.kind() != ErrorKind::Overloaded {
        return error;
    }
    too_much(&error.to_string()).with_source(error)
}

fn context(pool: &Arc<Pool>, usual: Settings) -> Result<SessionContext> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime =
        RuntimeEnvBuilder::new().with_memory_pool(Arc::<Pool>::clone(pool)).with_disk_manager_builder(disk);
    let runtime = runtime.build_arc().map_err(faults::query)?;
    let mut config = SessionConfig::new().with_information_schema(false);
    // Errors say where.
    config.options_mut().sql_parser.collect_spans = true;
    let context = SessionContext::new_with_config_rt(config, runtime);
    for name in LEFT_OUT {
        context.deregister_udf(name);
        context.deregister_udtf(name);
    }
    set(&context, usual);
    Ok(context)
}

fn set(context: &SessionContext, settings: Settings) {
    let state = context.state_ref();
    let mut state = state.write();
    let config = state.config_mut();
    *config = config.clone().with_batch_size(settings.rows).with_target_partitions(settings.threads);
}

/// The plan of a statement.
async fn planned(context: &SessionContext, sql: &str) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
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
    Ok((yielding.map_err(faults::query)?.data, tasks))
}

/// Makes the views known that a statement may mean.
async fn register(
    context: &SessionContext,
    shared: &Arc<Shared>,
    scope: &ProjectScope,
    sql: &str,
    needs: &Arc<Needs>,
) -> Result<()> {
    let made = {
        // Spans that were corrected may have to be looked up in files.
        let (shared, scope, needs) = (Arc::clone(shared), scope.clone(), Arc::clone(needs));
        tokio::task::spawn_blocking(move || tables(&shared, &scope, &needs)).await
    };
    let broken = |error| StoreError::new(ErrorKind::Internal, "a view cannot be made").with_source(error);
    let (spans, logs) = made.map_err(broken)?;
    let spans = context.read_table(Arc::new(spans)).map_err(faults::query)?;
    let logs = context.read_table(Arc::new(logs)).map_err(faults::query)?;
    for (name, mut frame, columns) in
        [("spans", spans, views::span_columns()), ("logs", logs, views::log_columns())]
    {
        if let ProjectScope::One(project) = scope {
            frame = frame.filter(col("project").eq(lit(project.as_str()))).map_err(faults::query)?;
        }
        let view = frame.select(columns).map_err(faults::query)?.into_view();
        context.register_table(name, view).map_err(faults::query)?;
    }
    let sql = sql.to_lowercase();
    for name in views::MADE.iter().filter(|name| sql.contains(**name)) {
        let made = Made::new(name, shared, scope, needs);
        context.register_table(*name, Arc::new(made)).map_err(faults::query)?;
    }
    Ok(())
}

/// What is in memory and which files there are, at one moment.
fn tables(
    shared: &Arc<Shared>,
    scope: &ProjectScope,
    needs: &Arc<Needs>,
) -> (Table<SpanRow>, Table<Arc<aitrace_model::LogRecord>>) {
    let all = Everything::take(shared, scope, Need::All);
    let mut spans = Vec::with_capacity(all.spans.len());
    for row in all.spans {
        let orphans = row.state.as_ref().is_some_and(|state| state.orphan_logs().next().is_some());
        spans.push(SpanRow { stored: row.stored, parts: None, wraps: row.wraps, orphans });
    }
    let (span_files, log_files): (Vec<_>, Vec<_>) = all.files.into_iter().partition(|(file, _)| file.spans);
    let of_span = |row: &SpanRow| span_bytes(&row.stored.span);
    let spans = Table::new(SPANS, (spans, of_span), span_files, shared, needs);
    (spans, Table::new(LOGS, (all.logs, |log| log_bytes(log)), log_files, shared, needs))
}
