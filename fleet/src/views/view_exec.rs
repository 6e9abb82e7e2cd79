//! A view as part of a query's plan: a task a group of captures.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use serde::{Deserialize, Serialize};

use super::View;
use crate::captures::{self, Opened};
use crate::rule_files::RuleFile;
use crate::tasks;

/// A view in words that another process can make.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct ViewScan {
    pub view: View,
    /// Captures, and in how many groups they are looked at together.
    pub captures: usize,
    pub groups: usize,
    pub projection: Vec<usize>,
    /// Rules that are asked beside those of the program.
    pub rules: Arc<Vec<RuleFile>>,
}

impl ViewScan {
    /// `input`: groups of captures, as [`tasks::source`] makes them; `opened`: how this process reads captures, and where it says
    /// what is missing.
    pub fn exec(self, input: Arc<dyn ExecutionPlan>, opened: Option<Opened>) -> Result<ViewExec> {
        let schema: SchemaRef = Arc::new(self.view.schema().project(&self.projection)?);
        let properties = tasks::properties(&schema, &input);
        Ok(ViewExec { scan: Arc::new(self), input, opened, schema, properties })
    }
}

#[derive(Clone, Debug)]
pub struct ViewExec {
    pub scan: Arc<ViewScan>,
    /// The groups of each partition.
    input: Arc<dyn ExecutionPlan>,
    opened: Option<Opened>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ViewScan {
    /// The rows of a group.
    fn batch(&self, group: &[String], known: Option<&Opened>) -> Result<RecordBatch> {
        let opened = captures::open(group, known.and_then(|it| it.identity.as_deref()))?;
        let opened = match known {
            Some(known) => Opened { source: opened.source, ..known.clone() },
            None => Opened { rules: Arc::clone(&self.rules), ..opened },
        };
        let rows = self.view.rows(&opened).map_err(|error| DataFusionError::External(error.into()))?;
        Ok(rows.batch()?.project(&self.projection)?)
    }
}

impl DisplayAs for ViewExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "CaptureView: {}, captures={}, groups={}",
            self.scan.view.name(),
            self.scan.captures,
            self.scan.groups
        )
    }
}

impl ExecutionPlan for ViewExec {
    fn name(&self) -> &str {
        "CaptureView"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// The groups are as many as they should be.
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
        let input = tasks::only(children)?;
        let properties = tasks::properties(&self.schema, &input);
        Ok(Arc::new(ViewExec { input, properties, ..self.as_ref().clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 1);
        let (sender, scan, known) = (stream.tx(), Arc::clone(&self.scan), self.opened.clone());
        let groups = self.input.execute(partition, context)?;
        stream.spawn(async move {
            for group in tasks::read::<Vec<String>>(groups).await? {
                let (scan, known) = (Arc::clone(&scan), known.clone());
                let rows = tokio::task::spawn_blocking(move || scan.batch(&group, known.as_ref()));
                let batch = rows.await.map_err(|error| DataFusionError::External(error.into()))??;
                // Nobody waits for more.
                if sender.send(Ok(batch)).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(stream.build())
    }
}
