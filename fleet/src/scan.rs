//! Reading captures for a query: which blocks, which columns, and in how many parts at a time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;
use interchange::export::parquet::{self, Batches};
use pipeline::{Error, Question, Source};
use serde::{Deserialize, Serialize};

use crate::captures::{self, How, Opened};
use crate::events_table::failed;
use crate::question::{Compiled, Pushed, Spec};
use crate::task_exec::{Out, Reads, TaskExec};

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
    /// All captures that were named, also those that a catalogue rules out.
    pub total_captures: usize,
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
    /// `table`: the columns of the table; `input`: the parts, as [`crate::tasks::source`] makes them; `opened`: the captures, where this
    /// process has them open.
    pub fn exec(
        self,
        table: &SchemaRef,
        input: Arc<dyn ExecutionPlan>,
        opened: Option<(Opened, Arc<Compiled>)>,
    ) -> Result<ScanExec> {
        let schema: SchemaRef = Arc::new(table.project(&self.projection)?);
        Ok(TaskExec::new(Arc::new(self), schema, input, opened))
    }
}

/// The scan as part of a query's plan.
pub type ScanExec = TaskExec<Scan>;

impl Reads for Scan {
    type Task = Part;
    type Known = (Opened, Arc<Compiled>);
    const NAME: &'static str = "CaptureScan";

    fn describe(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "captures={} of {}, blocks={} of {}, columns={}",
            self.spec.captures.len(),
            self.total_captures,
            self.chosen_blocks,
            self.total_blocks,
            self.projection.len()
        )?;
        if !self.pushed.conditions.is_empty() {
            let conditions = self.pushed.conditions.iter().map(|condition| {
                let scopes: Vec<String> = condition.scopes.iter().map(|scope| scope.join(" ")).collect();
                scopes.join(" | ")
            });
            write!(out, ", scopes=[{}]", conditions.collect::<Vec<_>>().join("; "))?;
        }
        if let Some((from, to)) = self.pushed.range {
            write!(out, ", time={from}..{to}")?;
        }
        match self.fetch {
            Some(fetch) => write!(out, ", fetch={fetch}"),
            None => Ok(()),
        }
    }

    fn read(&self, part: Part, known: Option<&(Opened, Arc<Compiled>)>, out: &Out) -> Result<()> {
        if part.files.is_empty() {
            return Ok(());
        }
        let run = Run { scan: self, out };
        match known {
            Some((opened, compiled)) => run.read(opened, compiled, &part),
            None => {
                let (opened, compiled, part) = run.open(&part)?;
                run.read(&opened, &compiled, &part)
            }
        }
    }
}

/// A part of a scan.
struct Run<'a> {
    scan: &'a Scan,
    out: &'a Out,
}

impl Run<'_> {
    /// Opens what the part reads, and numbers its files anew.
    fn open(&self, part: &Part) -> Result<(Opened, Compiled, Part)> {
        let scan = self.scan;
        let (mut spec, mut part) = (scan.spec.clone(), part.clone());
        if !scan.is_whole {
            let of = |(file, _): &(usize, Vec<usize>)| scan.spec.captures.get(*file).cloned();
            spec.captures = part.files.iter().filter_map(of).collect();
            (0..).zip(&mut part.files).for_each(|(number, (file, _))| *file = number);
        }
        let opened = captures::open(Arc::new(spec.captures.clone()), Vec::new(), &How::default())?;
        let compiled = Compiled::new(&spec, &scan.pushed, &opened.source)?;
        Ok((opened, compiled, part))
    }

    fn read(&self, opened: &Opened, compiled: &Compiled, part: &Part) -> Result<()> {
        let source: &Source = &opened.source;
        let (read, rows_read, bytes) = (
            self.out.counter("blocks_read"),
            self.out.counter("rows_read"),
            self.out.counter("bytes_decompressed"),
        );
        let blocks: BTreeSet<(usize, usize)> =
            part.files.iter().flat_map(|(file, blocks)| blocks.iter().map(|block| (*file, *block))).collect();
        let question = Question {
            range: self.scan.pushed.range(),
            among: Some(Arc::new(blocks)),
            strict: opened.how.strict,
            ..Question::new(source, compiled.matchers(source))
        };
        let Columns { columns, masks, places } = self.columns();
        let mut projection = parquet::projection(&columns);
        projection.recorded |= compiled.has_masks();
        let mut left = self.scan.fetch.unwrap_or(usize::MAX);
        if columns.is_empty() && masks.is_empty() && compiled.is_plain() {
            let stats = question.count().map_err(failed)?;
            let rows = usize::try_from(stats.matched).unwrap_or(usize::MAX).min(left);
            read.add(stats.blocks_read as usize);
            rows_read.add(stats.rows_read as usize);
            bytes.add(stats.decompressed as usize);
            opened.how.missing.add(stats.gaps);
            self.out.send(Building::rows(&self.out.schema, rows)?);
            return Ok(());
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
                if sent.is_ok() && (building.rows >= self.out.rows || left == 0) {
                    let batch = building.take(&self.out.schema);
                    sent = batch.and_then(|batch| if self.out.send(batch) { Ok(()) } else { Err(stopped()) });
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
                opened.how.missing.add(stats.gaps);
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
            self.out.send(building.take(&self.out.schema)?);
        }
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
