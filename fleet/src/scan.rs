//! Reading captures for a query: which blocks, which columns, and in how many parts at a time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use interchange::export::parquet::{self, Batches};
use pipeline::{Error, Question, Source};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use crate::captures::{self, Opened};
use crate::events_table::failed;
use crate::question::{Compiled, Pushed, Spec};
use crate::tasks;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// Batches that wait for the query.
const WAITING: usize = 2;

/// A scan in words that another process can run.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Scan {
    pub spec: Spec,
    pub pushed: Pushed,
    /// All captures are needed for what goes from block to block: who descends from whom, streams, names of peers.
    pub is_whole: bool,
    /// Columns of the table.
    pub projection: Vec<usize>,
    /// No more rows than this from each part.
    pub fetch: Option<usize>,
    /// Blocks of the captures, and those of them that are read.
    pub total_blocks: usize,
    pub chosen_blocks: usize,
}

/// What one task reads: blocks by file.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Part {
    pub files: Vec<(usize, Vec<usize>)>,
}

impl Part {
    /// Cuts blocks, sorted by file and number, into so many parts of about as many rows each.
    pub fn cut(blocks: &[(usize, usize, u64)], parts: usize) -> Vec<Part> {
        let rows: u64 = blocks.iter().map(|(.., rows)| rows).sum();
        let parts = (parts.max(1) as u64).min(blocks.len().max(1) as u64);
        let mut cut = vec![Part::default(); parts as usize];
        let mut before = 0;
        for (file, block, of_block) in blocks {
            let at = before * parts / rows.max(1);
            before += of_block;
            let Some(part) = cut.get_mut(at as usize) else { continue };
            match part.files.last_mut().filter(|(last, _)| last == file) {
                Some((_, blocks)) => blocks.push(*block),
                None => part.files.push((*file, vec![*block])),
            }
        }
        cut.retain(|part| !part.files.is_empty());
        if cut.is_empty() {
            cut.push(Part::default());
        }
        cut
    }

    pub fn blocks(&self) -> usize {
        self.files.iter().map(|(_, blocks)| blocks.len()).sum()
    }
}

impl Scan {
    /// `table`: the columns of the table; `input`: the parts, as [`tasks::source`] makes them; `opened`: the captures, where this
    /// process has them open.
    pub fn exec(
        self,
        table: &SchemaRef,
        input: Arc<dyn ExecutionPlan>,
        opened: Option<(Opened, Arc<Compiled>)>,
    ) -> Result<ScanExec> {
        let schema: SchemaRef = Arc::new(table.project(&self.projection)?);
        let properties = tasks::properties(&schema, &input);
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(ScanExec { scan: Arc::new(self), input, opened, schema, properties, metrics })
    }
}

/// The scan as part of a query's plan.
#[derive(Clone, Debug)]
pub struct ScanExec {
    pub scan: Arc<Scan>,
    /// What each partition reads.
    input: Arc<dyn ExecutionPlan>,
    opened: Option<(Opened, Arc<Compiled>)>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scan = &self.scan;
        write!(
            out,
            "CaptureScan: captures={}, blocks={} of {}, columns={}",
            scan.spec.captures.len(),
            scan.chosen_blocks,
            scan.total_blocks,
            scan.projection.len()
        )?;
        if !scan.pushed.conditions.is_empty() {
            let conditions = scan.pushed.conditions.iter().map(|condition| {
                let scopes: Vec<String> = condition.scopes.iter().map(|scope| scope.join(" ")).collect();
                scopes.join(" | ")
            });
            write!(out, ", scopes=[{}]", conditions.collect::<Vec<_>>().join("; "))?;
        }
        if let Some((from, to)) = scan.pushed.range {
            write!(out, ", time={from}..{to}")?;
        }
        match scan.fetch {
            Some(fetch) => write!(out, ", fetch={fetch}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "CaptureScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// The parts are as many as they should be.
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
        Ok(Arc::new(ScanExec { input, properties, ..self.as_ref().clone() }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), WAITING);
        let run = Run {
            scan: Arc::clone(&self.scan),
            opened: self.opened.clone(),
            schema: Arc::clone(&self.schema),
            partition,
            sender: stream.tx(),
            metrics: self.metrics.clone(),
            rows: BATCH_ROWS.min(context.session_config().batch_size().max(1)),
        };
        let parts = self.input.execute(partition, context)?;
        stream.spawn(async move {
            let parts: Vec<Part> = tasks::read(parts).await?;
            let run = tokio::task::spawn_blocking(move || parts.iter().try_for_each(|part| run.run(part)));
            run.await.map_err(|error| DataFusionError::External(error.into()))?
        });
        Ok(stream.build())
    }
}

/// One partition of a scan, on a thread of its own.
struct Run {
    scan: Arc<Scan>,
    opened: Option<(Opened, Arc<Compiled>)>,
    schema: SchemaRef,
    partition: usize,
    sender: Sender<Result<RecordBatch>>,
    metrics: ExecutionPlanMetricsSet,
    rows: usize,
}

impl Run {
    fn run(&self, part: &Part) -> Result<()> {
        if part.files.is_empty() {
            return Ok(());
        }
        let (opened, compiled, part) = match &self.opened {
            Some((opened, compiled)) => (opened.clone(), Arc::clone(compiled), part.clone()),
            None => self.open(part)?,
        };
        self.read(&opened, &compiled, &part)
    }

    /// Opens what the part reads, and numbers its files anew.
    fn open(&self, part: &Part) -> Result<(Opened, Arc<Compiled>, Part)> {
        let scan = &self.scan;
        let (mut spec, mut part) = (scan.spec.clone(), part.clone());
        if !scan.is_whole {
            let of = |(file, _): &(usize, Vec<usize>)| scan.spec.captures.get(*file).cloned();
            spec.captures = part.files.iter().filter_map(of).collect();
            (0..).zip(&mut part.files).for_each(|(number, (file, _))| *file = number);
        }
        let opened = captures::open(&spec.captures, None)?;
        let compiled = Compiled::new(&spec, &scan.pushed, &opened.source)?;
        Ok((opened, Arc::new(compiled), part))
    }

    fn read(&self, opened: &Opened, compiled: &Compiled, part: &Part) -> Result<()> {
        let source: &Source = &opened.source;
        let baseline = BaselineMetrics::new(&self.metrics, self.partition);
        let counter = |name| MetricBuilder::new(&self.metrics).counter(name, self.partition);
        let (read, rows_read, bytes) =
            (counter("blocks_read"), counter("rows_read"), counter("bytes_decompressed"));
        let blocks: BTreeSet<(usize, usize)> =
            part.files.iter().flat_map(|(file, blocks)| blocks.iter().map(|block| (*file, *block))).collect();
        let question = Question {
            range: self.scan.pushed.range(),
            among: Some(Arc::new(blocks)),
            strict: opened.strict,
            ..Question::new(source, compiled.matchers(source))
        };
        let Columns { columns, masks, places } = self.columns();
        let mut projection = parquet::projection(&columns);
        projection.recorded |= compiled.has_masks();
        let mut left = self.scan.fetch.unwrap_or(usize::MAX);
        if columns.is_empty() && masks.is_empty() && compiled.is_plain() {
            let stats = question.count().map_err(failed)?;
            let rows = usize::try_from(stats.matched).unwrap_or(usize::MAX).min(left);
            baseline.record_output(rows);
            read.add(stats.blocks_read as usize);
            rows_read.add(stats.rows_read as usize);
            bytes.add(stats.decompressed as usize);
            opened.missing.add(stats.gaps);
            return self.send(Building::rows(&self.schema, rows)?).map(|_| ());
        }
        let of_masks = vec![Vec::new(); masks.len()];
        let mut building = Building { batches: Batches::new(&columns), masks: of_masks, places, rows: 0 };
        let mut seen = 0;
        let mut sent = Ok(());
        let answer = question.batches(projection, &mut |batch| {
            let (file, host) = (batch.reference().file, batch.block().host());
            seen += 1;
            let before = batch.block().decompressed();
            let each = batch.each(&mut |event| {
                if left == 0 || sent.is_err() {
                    return;
                }
                let Some(mask) = compiled.scopes(file, host, event) else { return };
                left -= 1;
                let of_texts: Vec<u64> = compiled.masks(file, host, event).collect();
                for (column, text) in building.masks.iter_mut().zip(&masks) {
                    column.push(of_texts.get(*text).copied().unwrap_or_default());
                }
                sent = building.event(&pipeline::EventView { scopes: mask, ..*event });
                if sent.is_ok() && (building.rows >= self.rows || left == 0) {
                    baseline.record_output(building.rows);
                    sent = building.take(&self.schema).and_then(|batch| match self.send(batch)? {
                        true => Ok(()),
                        false => Err(stopped()),
                    });
                }
            });
            bytes.add(batch.block().decompressed().saturating_sub(before) as usize);
            each.map_err(|source| Error::Capture { file: batch.file().name.clone(), source })?;
            if left == 0 || sent.is_err() { Err(Error::Cancelled) } else { Ok(()) }
        });
        match answer {
            Ok(stats) => {
                read.add(stats.blocks_read as usize);
                rows_read.add(stats.rows_read as usize);
                bytes.add(stats.decompressed as usize);
                opened.missing.add(stats.gaps);
            }
            // Enough, or nobody waits.
            Err(Error::Cancelled) => read.add(seen),
            Err(error) => return Err(failed(error)),
        }
        match sent {
            Err(DataFusionError::Execution(what)) if what == STOPPED => return Ok(()),
            sent => sent?,
        }
        if building.rows > 0 {
            baseline.record_output(building.rows);
            self.send(building.take(&self.schema)?)?;
        }
        baseline.done();
        Ok(())
    }

    fn columns(&self) -> Columns {
        let table = parquet::arrow_schema();
        let names: Vec<&str> =
            table.fields().iter().map(|it| it.name().as_str()).filter(|it| *it != "seq").collect();
        let mut wanted = Columns::default();
        for at in &self.scan.projection {
            match names.get(*at).and_then(|name| table.index_of(name).ok()) {
                Some(column) => {
                    wanted.places.push(Place::Column(wanted.columns.len()));
                    wanted.columns.push(column);
                }
                None => {
                    wanted.places.push(Place::Mask(wanted.masks.len()));
                    wanted.masks.push(at - names.len());
                }
            }
        }
        wanted
    }

    /// Whether somebody still waits for rows.
    fn send(&self, batch: RecordBatch) -> Result<bool> {
        Ok(self.sender.blocking_send(Ok(batch)).is_ok())
    }
}

const STOPPED: &str = "nobody waits for more rows";

fn stopped() -> DataFusionError {
    DataFusionError::Execution(STOPPED.into())
}

/// What a projection reads.
#[derive(Default)]
struct Columns {
    /// Of the table of events.
    columns: Vec<usize>,
    /// Texts of `scopes()`.
    masks: Vec<usize>,
    /// In the order of the projection.
    places: Vec<Place>,
}

#[derive(Clone, Copy)]
enum Place {
    Column(usize),
    Mask(usize),
}

/// A batch, as it grows.
struct Building {
    batches: Batches,
    masks: Vec<Vec<u64>>,
    places: Vec<Place>,
    rows: usize,
}

impl Building {
    fn event(&mut self, event: &pipeline::EventView<'_>) -> Result<()> {
        self.rows += 1;
        self.batches.event(event).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn take(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = self.batches.take().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let masks = self.masks.iter_mut().map(std::mem::take);
        let masks: Vec<ArrayRef> =
            masks.map(|masks| Arc::new(UInt64Array::from(masks)) as ArrayRef).collect();
        let of = |place: &Place| match place {
            Place::Column(at) => columns.get(*at).map(Arc::clone),
            Place::Mask(at) => masks.get(*at).map(Arc::clone),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        let arrays = self.places.iter().filter_map(of).collect();
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
    }

    /// Rows without columns, of which only the number counts.
    fn rows(schema: &SchemaRef, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), Vec::new(), &options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_about_as_many_rows_and_no_block_twice() {
        let blocks: Vec<(usize, usize, u64)> =
            (0..100).map(|at| (at / 10, at % 10, if at < 50 { 1 } else { 100 })).collect();
        let parts = Part::cut(&blocks, 4);
        assert_eq!(parts.len(), 4);
        assert_eq!(parts.iter().map(Part::blocks).sum::<usize>(), 100);
        assert!(parts.iter().all(|part| part.blocks() >= 10), "{parts:?}");
        assert_eq!(Part::cut(&[], 4), [Part::default()]);
        assert_eq!(Part::cut(&blocks[..2], 8).len(), 2);
    }
}
