//! The table `events`: a row an event, with the columns of `tracer export --to parquet`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use interchange::export::parquet;
use pipeline::outline::{self, Conditions};
use pipeline::{Gap, Question, Source};

use crate::arguments::Known;
use crate::captures::{Asked, Catalogs, Opened};
use crate::pushdown::{self, Translated};
use crate::question::{self, Compiled, Pushed, Sets, Spec};
use crate::scan::{Part, Scan};
use crate::scopes_function;
use crate::tasks;

/// What is missing from an answer, told when it is complete. Scans of one query share it.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    gaps: Arc<Mutex<Vec<Gap>>>,
    /// Of whole captures, in words.
    said: Arc<Mutex<Vec<String>>>,
}

impl Missing {
    pub fn add(&self, gaps: Vec<Gap>) {
        let mut known = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        for gap in gaps {
            if !known.contains(&gap) {
                known.push(gap);
            }
        }
    }

    pub fn say(&self, text: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.contains(&text) {
            said.push(text);
        }
    }

    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Clone, Debug)]
pub struct EventsTable {
    pub spec: Spec,
    asked: Asked,
    /// The events that filters may name: those of the captures that no catalogue knows, or of all.
    known: Known,
    /// Rows may be derived ones.
    has_derived: bool,
    schema: SchemaRef,
}

/// Columns of the table, of which the last are masks of `scopes()`. Numbers of rows are those of a written table, and a scan has
/// no such order: there is no `seq`.
pub fn schema(scopes: &[String]) -> SchemaRef {
    let columns = parquet::arrow_schema();
    let columns = columns.fields().iter().filter(|field| field.name() != "seq").cloned();
    let mask =
        |text: &String| Arc::new(Field::new(scopes_function::column_of(text), DataType::UInt64, false));
    Arc::new(Schema::new(columns.chain(scopes.iter().map(mask)).collect::<Vec<_>>()))
}

impl EventsTable {
    pub fn new(spec: Spec, asked: Asked) -> Result<EventsTable> {
        let schema = schema(&spec.scopes);
        // What is known without them may not be all that captures declare.
        let mut known = Known::of(&asked.unknown().source);
        if Sets::of(&spec, &Pushed::default(), known.declared()).is_err() {
            known = Known::of(&asked.all()?.source);
        }
        let sets = Sets::of(&spec, &Pushed::default(), known.declared());
        let sets = sets.map_err(|found| question::refused(&found))?;
        let has_derived = sets.given.as_ref().is_some_and(question::wants_derived);
        Ok(EventsTable { spec, asked, known, has_derived, schema })
    }

    pub fn catalogs(&self) -> &Catalogs {
        self.asked.catalogs()
    }

    /// The same table with columns of masks for these texts.
    pub fn with_scopes(&self, texts: &[String]) -> Result<EventsTable> {
        let spec = Spec { scopes: texts.to_vec(), ..self.spec.clone() };
        EventsTable::new(spec, self.asked.clone())
    }

    /// The captures that a scan reads.
    fn matching(&self, pushed: &Pushed) -> Result<Opened> {
        let sets = Sets::of(&self.spec, pushed, self.known.declared());
        let sets = sets.map_err(|found| question::refused(&found))?;
        // What goes from capture to capture is asked of all.
        if !sets.all().all(outline::can_tell_of) {
            return Ok(self.asked.all()?.clone());
        }
        let mut conditions = Conditions::within(pushed.range());
        for set in sets.given.into_iter().chain(sets.conditions) {
            conditions.any_of([Some(set)]);
        }
        self.asked.matching(&conditions)
    }

    fn pushed(&self, filters: &[Expr]) -> Pushed {
        let mut pushed = Pushed::default();
        if self.has_derived {
            return pushed;
        }
        let mut parts = Vec::new();
        for filter in filters {
            match pushdown::translate(filter, &self.known) {
                Some(Translated::Exact(condition)) => pushed.conditions.push(condition),
                Some(Translated::Range(from, to)) => {
                    let (before, behind) = pushed.range.unwrap_or((i64::MIN, i64::MAX));
                    pushed.range = Some((before.max(from), behind.min(to)));
                }
                Some(Translated::Part) => parts.push(filter),
                None => {}
            }
        }
        // What the query looks at again anyway may be left out where there are many.
        pushed.conditions.extend(pushdown::together(&parts, &self.known).into_iter().take(MOST_CONDITIONS));
        pushed
    }
}

/// Conditions that are asked as scopes, of those that need not be.
const MOST_CONDITIONS: usize = 4;

#[async_trait]
impl TableProvider for EventsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let of = |filter: &&Expr| match pushdown::translate(filter, &self.known) {
            _ if self.has_derived => TableProviderFilterPushDown::Unsupported,
            Some(Translated::Exact(_)) => TableProviderFilterPushDown::Exact,
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(of).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let projection: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let pushed = self.pushed(filters);
        let opened = self.matching(&pushed)?;
        let source = &opened.source;
        let spec = Spec { captures: opened.names.to_vec(), ..self.spec.clone() };
        let compiled = Arc::new(Compiled::new(&spec, &pushed, source)?);
        let chosen = chosen(source, &compiled, &pushed);
        let question = Question::new(source, compiled.matchers(source));
        // State goes from block to block, so one scan goes through all of them.
        let parts = if question.has_state() || limit.is_some_and(|limit| limit <= FEW_ROWS) {
            1
        } else {
            state.config().target_partitions()
        };
        let of_opened: usize = source.files().iter().map(|file| file.capture.block_count()).sum();
        let of_others = source.unopened().iter().map(|it| usize::try_from(it.blocks).unwrap_or(usize::MAX));
        let total_blocks = of_others.fold(of_opened, usize::saturating_add);
        let input = tasks::source(&Part::cut(&chosen, parts))?;
        let scan = Scan {
            spec,
            pushed,
            is_whole: question.has_state(),
            projection,
            fetch: limit,
            total_captures: self.asked.names().len(),
            total_blocks,
            chosen_blocks: chosen.len(),
        };
        Ok(Arc::new(scan.exec(&self.schema, input, Some((opened, compiled)))?))
    }
}

/// A limit that one scan reaches at once.
const FEW_ROWS: usize = 10_000;

/// The blocks that statistics do not rule out for any of the conditions, with how many rows they have. By file and block.
fn chosen(source: &Source, compiled: &Compiled, pushed: &Pushed) -> Vec<(usize, usize, u64)> {
    let blocks_of = |plan: &scopes::Plan| {
        let matchers = source.files().iter().map(|file| pipeline::Matcher::of_capture(plan, &file.capture));
        let question = Question { range: pushed.range(), ..Question::new(source, matchers.collect()) };
        question.chosen_blocks()
    };
    let mut plans = compiled.pruning.iter();
    let first = match plans.next() {
        Some(plan) => blocks_of(plan),
        None => Question { range: pushed.range(), ..Question::new(source, compiled.matchers(source)) }
            .chosen_blocks(),
    };
    let mut chosen: Vec<(usize, usize, u64)> = first.iter().map(|it| (it.file, it.block, it.rows)).collect();
    for plan in plans {
        let also: BTreeSet<(usize, usize)> = blocks_of(plan).iter().map(|it| (it.file, it.block)).collect();
        chosen.retain(|(file, block, _)| also.contains(&(*file, *block)));
    }
    chosen.sort_unstable();
    chosen
}

/// An error of the pipeline, as one of the query.
pub fn failed(error: pipeline::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
