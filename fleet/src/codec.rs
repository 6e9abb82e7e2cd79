//! Tables and scans of captures as bytes, so that a client, a scheduler and executors can hand them to each other: captures by
//! path or URL, blocks by number, conditions as filters.

use std::sync::Arc;

use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result, TableReference, plan_err};
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::{Deserialize, Serialize};

use crate::captures::{Asked, Catalogs, How};
use crate::events_table::{self, EventsTable};
use crate::question::Spec;
use crate::rule_files::RuleFile;
use crate::scan::{Scan, ScanExec};
use crate::scopes_function;
use crate::tasks;
use crate::views::{View, ViewExec, ViewScan, ViewTable};

/// What stands before our own nodes. The engine's are messages of protocol buffers, and none begins so.
const MAGIC: &[u8] = b"\xfftracer-fleet 1\n";

#[derive(Serialize, Deserialize)]
enum Table {
    Events(Spec, Catalogs),
    View(View, Vec<String>, Vec<RuleFile>),
}

#[derive(Serialize, Deserialize)]
enum Node {
    Scan(Scan),
    View(ViewScan),
}

fn write(value: &impl Serialize, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.extend_from_slice(MAGIC);
    serde_json::to_writer(buffer, value).map_err(|error| DataFusionError::External(error.into()))
}

/// `None` of a node that is not ours.
fn read<'b, T: Deserialize<'b>>(buffer: &'b [u8]) -> Result<Option<T>> {
    let Some(json) = buffer.strip_prefix(MAGIC) else { return Ok(None) };
    match serde_json::from_slice(json) {
        Ok(value) => Ok(Some(value)),
        Err(error) => plan_err!("a part of a query that this version does not read: {error}"),
    }
}

/// A name that the table of functions did not have.
fn function(name: &str) -> Result<Arc<ScalarUDF>> {
    match scopes_function::functions().into_iter().find(|it| it.name() == name) {
        Some(function) => Ok(Arc::new(function)),
        None => plan_err!("there is no function {name}"),
    }
}

/// Of tables.
#[derive(Debug, Default)]
pub struct LogicalCodec(BallistaLogicalExtensionCodec);

impl LogicalExtensionCodec for LogicalCodec {
    fn try_decode(&self, buffer: &[u8], inputs: &[LogicalPlan], context: &TaskContext) -> Result<Extension> {
        self.0.try_decode(buffer, inputs, context)
    }

    fn try_encode(&self, node: &Extension, buffer: &mut Vec<u8>) -> Result<()> {
        self.0.try_encode(node, buffer)
    }

    fn try_decode_table_provider(
        &self,
        buffer: &[u8],
        table: &TableReference,
        schema: SchemaRef,
        context: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        match read(buffer)? {
            Some(Table::Events(spec, catalogs)) => {
                let asked = Asked::listed(&spec.captures, &catalogs, How::default())?;
                Ok(Arc::new(EventsTable::new(spec, asked)?))
            }
            Some(Table::View(view, names, rules)) => {
                let how = How { rules: Arc::new(rules), ..How::default() };
                let asked = Asked::listed(&names, &Catalogs::default(), how)?;
                Ok(Arc::new(ViewTable::new(view, asked)))
            }
            None => self.0.try_decode_table_provider(buffer, table, schema, context),
        }
    }

    fn try_encode_table_provider(
        &self,
        table: &TableReference,
        node: Arc<dyn TableProvider>,
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        if let Some(events) = node.downcast_ref::<EventsTable>() {
            return write(&Table::Events(events.spec.clone(), events.catalogs().clone()), buffer);
        }
        if let Some(view) = node.downcast_ref::<ViewTable>() {
            return write(&Table::View(view.view, view.captures().to_vec(), view.rules().to_vec()), buffer);
        }
        self.0.try_encode_table_provider(table, node, buffer)
    }

    fn try_decode_file_format(
        &self,
        buffer: &[u8],
        context: &TaskContext,
    ) -> Result<Arc<dyn FileFormatFactory>> {
        self.0.try_decode_file_format(buffer, context)
    }

    fn try_encode_file_format(&self, buffer: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        self.0.try_encode_file_format(buffer, node)
    }

    fn try_decode_udf(&self, name: &str, _: &[u8]) -> Result<Arc<ScalarUDF>> {
        function(name)
    }
}

/// Of scans.
#[derive(Debug, Default)]
pub struct PhysicalCodec(BallistaPhysicalExtensionCodec);

impl PhysicalExtensionCodec for PhysicalCodec {
    fn try_decode(
        &self,
        buffer: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match read(buffer)? {
            Some(Node::Scan(scan)) => {
                let table = events_table::schema(&scan.spec.scopes);
                Ok(Arc::new(scan.exec(&table, tasks::only(inputs.to_vec())?, None)?))
            }
            Some(Node::View(view)) => Ok(Arc::new(view.exec(tasks::only(inputs.to_vec())?, None)?)),
            None => self.0.try_decode(buffer, inputs, context, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buffer: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if let Some(scan) = node.downcast_ref::<ScanExec>() {
            return write(&Node::Scan(scan.reads.as_ref().clone()), buffer);
        }
        if let Some(view) = node.downcast_ref::<ViewExec>() {
            return write(&Node::View(view.reads.as_ref().clone()), buffer);
        }
        self.0.try_encode(node, buffer, converter)
    }

    fn try_decode_udf(&self, name: &str, _: &[u8]) -> Result<Arc<ScalarUDF>> {
        function(name)
    }
}
