//! A view as part of a query's plan: a task a group of captures.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use super::View;
use crate::captures::{self, How};
use crate::rule_files::RuleFile;
use crate::task_exec::{Out, Reads, TaskExec};

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

pub type ViewExec = TaskExec<ViewScan>;

impl ViewScan {
    /// `input`: groups of captures, as [`crate::tasks::source`] makes them; `how`: how this process reads captures, and where it
    /// says what is missing.
    pub fn exec(self, input: Arc<dyn ExecutionPlan>, how: Option<How>) -> Result<ViewExec> {
        let schema: SchemaRef = Arc::new(self.view.schema().project(&self.projection)?);
        Ok(TaskExec::new(Arc::new(self), schema, input, how))
    }
}

impl Reads for ViewScan {
    type Task = Vec<String>;
    type Known = How;
    const NAME: &'static str = "CaptureView";

    fn describe(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, captures={}, groups={}", self.view.name(), self.captures, self.groups)
    }

    fn read(&self, group: Vec<String>, known: Option<&How>, out: &Out) -> Result<()> {
        let others = || How { rules: Arc::clone(&self.rules), ..How::default() };
        let how = known.cloned().unwrap_or_else(others);
        let opened = captures::open(Arc::new(group), Vec::new(), &how)?;
        let rows = self.view.rows(&opened).map_err(|error| DataFusionError::External(error.into()))?;
        out.send(rows.batch()?.project(&self.projection)?);
        Ok(())
    }
}
