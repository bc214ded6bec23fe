//! Views that are made of the catalog and of documents.

use std::fmt;
use std::sync::Arc;

use aitrace_store::{ErrorKind, ProjectScope, StoreError};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::Expr;

use super::needs::Needs;
use super::table::failed;
use crate::shared::Shared;
use crate::views;

/// A view whose rows are made when it is read, of the columns that are asked for alone.
pub(super) struct Made {
    name: &'static str,
    schema: SchemaRef,
    shared: Arc<Shared>,
    scope: ProjectScope,
    needs: Arc<Needs>,
}

impl Made {
    pub(super) fn new(
        name: &'static str,
        shared: &Arc<Shared>,
        scope: &ProjectScope,
        needs: &Arc<Needs>,
    ) -> Self {
        let (shared, needs) = (Arc::clone(shared), Arc::clone(needs));
        Self { name, schema: views::schema_of(name), shared, scope: scope.clone(), needs }
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Made").field(&self.name).finish()
    }
}

#[async_trait]
impl TableProvider for Made {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let picks = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&picks)?);
        let (name, made) = (self.name, Arc::clone(&schema));
        let (shared, scope, needs) = (Arc::clone(&self.shared), self.scope.clone(), Arc::clone(&self.needs));
        let batches = tokio::task::spawn_blocking(move || {
            let mut batches = Vec::new();
            views::make(&shared, &scope, name, (&made, &picks), &mut |batch| {
                needs.keep(batch.get_array_memory_size())?;
                batches.push(batch);
                Ok(())
            })?;
            Ok(batches)
        });
        let broken = |error| StoreError::new(ErrorKind::Internal, "a view cannot be made").with_source(error);
        let batches = batches.await.map_err(|error| failed(broken(error)))?.map_err(failed)?;
        Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?)
    }
}
