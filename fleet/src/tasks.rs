//! What each task of a scan reads, as rows that stand below it in a plan.
//!
//! A scheduler hands parts of a plan to executors by choosing among partitions of leaves that it knows, such as rows in memory. So
//! what is to be read is such a row, and a scan reads captures for each row that it gets.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{ExecutionPlan, Partitioning, PlanProperties};
use futures::TryStreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("task", DataType::Utf8, false)]))
}

/// A partition a task.
pub fn source<T: Serialize>(tasks: &[T]) -> Result<Arc<dyn ExecutionPlan>> {
    let batch = |task: &T| -> Result<Vec<RecordBatch>> {
        let text = serde_json::to_string(task).map_err(|error| DataFusionError::External(error.into()))?;
        let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
        Ok(vec![RecordBatch::try_new(schema(), vec![column])?])
    };
    let mut partitions = tasks.iter().map(batch).collect::<Result<Vec<_>>>()?;
    if partitions.is_empty() {
        partitions.push(Vec::new());
    }
    Ok(MemorySourceConfig::try_new_exec(&partitions, schema(), None)?)
}

/// The tasks of a partition.
pub async fn read<T: DeserializeOwned>(rows: SendableRecordBatchStream) -> Result<Vec<T>> {
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let mut tasks = Vec::new();
    for batch in &batches {
        let texts = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        for text in texts.into_iter().flatten().flatten() {
            tasks.push(serde_json::from_str(text).map_err(|error| DataFusionError::External(error.into()))?);
        }
    }
    Ok(tasks)
}

/// Of a plan that reads captures for the rows of `input`.
pub fn properties(schema: &SchemaRef, input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(input.properties().partitioning.partition_count()),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// The one input of a plan that was rebuilt.
pub fn only(mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match (inputs.pop(), inputs.is_empty()) {
        (Some(input), true) => Ok(input),
        _ => Err(DataFusionError::Internal("a scan of captures has one input".into())),
    }
}
