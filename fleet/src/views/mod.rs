//! Views beside the table of events: processes, connections, answers of DNS, findings, files. What each says is what `tracer
//! tree`, `conn` and `scan` say: it is made of the same state, of all captures of a boot together.

mod connections;
mod dns;
mod findings;
mod processes;
mod rows;
mod view_exec;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use pipeline::Source;
use serde::{Deserialize, Serialize};

use crate::captures::{Asked, Opened};
use crate::rule_files::RuleFile;
use crate::tasks;
pub use rows::{Column, Kind, Rows};
pub use view_exec::{ViewExec, ViewScan};

/// What is shown.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum View {
    Processes,
    Connections,
    Dns,
    Findings,
}

/// The view that is a query: events that name a file.
pub const FILES: &str = "create view files as select time, host, event, host_pid, comm, exe, uid, container_id, \
    coalesce(pathname, fd_path) as path, path2, flags, mode, retval, errno from events \
    where pathname is not null or fd_path like '/%'";

impl View {
    pub const ALL: [View; 4] = [View::Processes, View::Connections, View::Dns, View::Findings];

    pub fn name(self) -> &'static str {
        match self {
            View::Processes => "processes",
            View::Connections => "connections",
            View::Dns => "dns",
            View::Findings => "findings",
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            View::Processes => processes::COLUMNS,
            View::Connections => connections::COLUMNS,
            View::Dns => dns::COLUMNS,
            View::Findings => findings::COLUMNS,
        }
    }

    pub fn schema(self) -> SchemaRef {
        rows::schema(self.columns())
    }

    /// The rows of captures that one machine recorded between two boots; of any number of threads.
    fn rows(self, opened: &Opened) -> anyhow::Result<Rows> {
        match self {
            View::Processes => processes::rows(opened),
            View::Connections => connections::rows(opened),
            View::Dns => dns::rows(opened),
            View::Findings => findings::rows(opened),
        }
    }
}

/// A view of captures.
#[derive(Clone, Debug)]
pub struct ViewTable {
    pub view: View,
    asked: Asked,
}

impl ViewTable {
    /// Rules that are asked beside those of the program.
    pub fn rules(&self) -> &[RuleFile] {
        &self.asked.how().rules
    }

    /// Paths and URLs of the captures.
    pub fn captures(&self) -> &[String] {
        self.asked.names()
    }

    pub fn new(view: View, asked: Asked) -> ViewTable {
        ViewTable { view, asked }
    }
}

/// Captures that are looked at together: those of one boot, and those that hosts of several boots share.
fn groups(source: &Source) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (number, file) in source.files().iter().enumerate() {
        let mut boots: Vec<usize> = file.hosts.iter().map(|host| host.boot).collect();
        let mut files = vec![number];
        groups.retain_mut(|(known, of)| {
            let is_shared = known.iter().any(|boot| boots.contains(boot));
            if is_shared {
                boots.append(known);
                files.append(of);
            }
            !is_shared
        });
        files.sort_unstable();
        groups.push((boots, files));
    }
    let mut groups: Vec<Vec<usize>> = groups.into_iter().map(|(_, files)| files).collect();
    groups.sort();
    groups
}

#[async_trait]
impl TableProvider for ViewTable {
    fn schema(&self) -> SchemaRef {
        self.view.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.view.columns().len()).collect();
        let opened = self.asked.all()?;
        let of = |files: Vec<usize>| files.iter().filter_map(|it| opened.names.get(*it).cloned()).collect();
        let groups: Vec<Vec<String>> = groups(&opened.source).into_iter().map(of).collect();
        let scan = ViewScan {
            view: self.view,
            captures: opened.names.len(),
            groups: groups.len(),
            projection: projection.cloned().unwrap_or_else(all),
            rules: Arc::clone(&opened.how.rules),
        };
        Ok(Arc::new(scan.exec(tasks::source(&groups)?, Some(opened.how.clone()))?))
    }
}
