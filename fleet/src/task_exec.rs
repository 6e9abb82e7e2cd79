//! A node of a query's plan that reads captures: for each task that its input names, the rows of that task. Which rows, a
//! [`Reads`] says: words that another process can run as well.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;

use crate::tasks;

/// What is read.
pub trait Reads: fmt::Debug + Send + Sync + 'static {
    /// What one task reads, as [`tasks::source`] hands it out.
    type Task: DeserializeOwned + Send + 'static;
    /// What this process has open for it.
    type Known: Clone + fmt::Debug + Send + Sync + 'static;
    const NAME: &'static str;

    /// After its name, in a plan that is shown.
    fn describe(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Sends the rows of a task. `known`: where this process has made the plan.
    fn read(&self, task: Self::Task, known: Option<&Self::Known>, out: &Out) -> Result<()>;
}

/// Batches that wait for the query.
const WAITING: usize = 2;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

#[derive(Debug)]
pub struct TaskExec<R: Reads> {
    pub reads: Arc<R>,
    /// The tasks of each partition.
    input: Arc<dyn ExecutionPlan>,
    known: Option<R::Known>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl<R: Reads> TaskExec<R> {
    /// `input`: tasks, as [`tasks::source`] makes them; `schema`: that of the rows.
    pub fn new(
        reads: Arc<R>,
        schema: SchemaRef,
        input: Arc<dyn ExecutionPlan>,
        known: Option<R::Known>,
    ) -> TaskExec<R> {
        let properties = tasks::properties(&schema, &input);
        TaskExec { reads, input, known, schema, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

/// Where the rows of a partition go.
#[derive(Debug)]
pub struct Out {
    pub schema: SchemaRef,
    /// How many rows a batch has.
    pub rows: usize,
    partition: usize,
    sender: Sender<Result<RecordBatch>>,
    metrics: ExecutionPlanMetricsSet,
    baseline: BaselineMetrics,
}

impl Out {
    pub fn counter(&self, name: &'static str) -> Count {
        MetricBuilder::new(&self.metrics).counter(name, self.partition)
    }

    /// Whether somebody still waits for rows.
    pub fn send(&self, batch: RecordBatch) -> bool {
        self.baseline.record_output(batch.num_rows());
        self.sender.blocking_send(Ok(batch)).is_ok()
    }
}

impl<R: Reads> DisplayAs for TaskExec<R> {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", R::NAME)?;
        self.reads.describe(out)
    }
}

impl<R: Reads> ExecutionPlan for TaskExec<R> {
    fn name(&self) -> &str {
        R::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// The tasks are as many as they should be.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (reads, schema) = (Arc::clone(&self.reads), Arc::clone(&self.schema));
        Ok(Arc::new(TaskExec::new(reads, schema, tasks::only(children)?, self.known.clone())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), WAITING);
        let out = Out {
            schema: Arc::clone(&self.schema),
            rows: BATCH_ROWS.min(context.session_config().batch_size().max(1)),
            partition,
            sender: stream.tx(),
            metrics: self.metrics.clone(),
            baseline: BaselineMetrics::new(&self.metrics, partition),
        };
        let (reads, known) = (Arc::clone(&self.reads), self.known.clone());
        let tasks = self.input.execute(partition, context)?;
        stream.spawn(async move {
            let tasks: Vec<R::Task> = tasks::read(tasks).await?;
            // Reading waits for files, so it is done where waiting is allowed.
            let run = tokio::task::spawn_blocking(move || {
                for task in tasks {
                    // Nobody waits for more.
                    if out.sender.is_closed() {
                        break;
                    }
                    reads.read(task, known.as_ref(), &out)?;
                }
                out.baseline.done();
                Ok(())
            });
            run.await.map_err(|error| DataFusionError::External(error.into()))?
        });
        Ok(stream.build())
    }
}
