//! What is asked of captures, as words that another process can ask too: which files, by which scopes, and what of a query's
//! conditions was turned into scopes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use events::{Event, Source as From, catalogue};
use format::Recording;
use pipeline::{EventView, Matcher, Source};
use scopes::set::Scope;
use scopes::{Diagnostic, Plan, ScopeSet, Vocabulary};
use serde::{Deserialize, Serialize};

use crate::words;

/// Rows of the table, and what is known of the query.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Spec {
    /// Paths and URLs of captures.
    pub captures: Vec<String>,
    /// The values of `-f`: the table has what matches these. Without any, all that was recorded.
    pub filters: Vec<String>,
    /// Texts that `scopes()` is called with: each is a column of masks.
    pub scopes: Vec<String>,
}

/// Conditions of a query that scopes answer: all of these must hold.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Pushed {
    pub conditions: Vec<Condition>,
    /// Wall clock, ns since the epoch, without its end.
    pub range: Option<(i64, i64)>,
}

/// One of these must hold.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Condition {
    /// Each a scope: filters without its number, which are ANDed.
    pub scopes: Vec<Vec<String>>,
    /// The query does not look again.
    pub is_exact: bool,
}

impl Pushed {
    pub fn range(&self) -> Option<Range<i64>> {
        self.range.map(|(from, to)| from..to)
    }
}

/// Plans for the hosts of each file, and how their masks are read.
#[derive(Debug)]
pub struct Compiled {
    plans: Vec<Judge>,
    /// By file and host: which of the plans.
    of: Vec<Vec<usize>>,
    /// By condition, for which blocks may have rows of it; and that of the table itself.
    pub pruning: Vec<Plan>,
}

/// The one plan that a host's rows are asked by: scopes of the table, of the query's conditions and of its `scopes()`, each
/// under a number of its own.
#[derive(Debug)]
pub struct Judge {
    plan: Plan,
    base: Base,
    /// Bits of each condition.
    conditions: Vec<u64>,
    /// Of each text of `scopes()`: number there, and here.
    texts: Vec<Vec<(u8, u8)>>,
    /// Some scope asks for what is derived.
    derives: bool,
}

/// Which rows the table has.
#[derive(Debug)]
enum Base {
    /// Those that the user's scopes match.
    Given(Vec<(u8, u8)>),
    /// All that were recorded, with the masks that they have in the file, if it has any.
    Recorded { has_masks: bool },
}

/// What is wrong with filters, as a query's error.
pub fn refused(found: &[Diagnostic]) -> DataFusionError {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    DataFusionError::Plan(lines.join("\n"))
}

/// Checks filters against the catalogue and what the captures declare beside it.
pub fn checked(filters: &[String], declared: &[&'static Event]) -> Result<ScopeSet, Vec<Diagnostic>> {
    let vocabulary = Vocabulary { declared, lists: None };
    ScopeSet::with_vocabulary::<_, &str, &str>(filters, &[], vocabulary)
}

/// Events that captures declare, each once.
pub fn declared(source: &Source) -> Vec<&'static Event> {
    let mut declared: Vec<&'static Event> = Vec::new();
    let mut schemas: Vec<*const format::Schema> = Vec::new();
    for schema in source.files().iter().map(|file| file.capture.schema()) {
        if schemas.contains(&Arc::as_ptr(schema)) {
            continue;
        }
        schemas.push(Arc::as_ptr(schema));
        for event in schema.events() {
            if !declared.iter().any(|known| known.id == event.id) {
                declared.push(event);
            }
        }
    }
    declared
}

/// Whether scopes want something that is derived from what was recorded.
fn derives(plan: &Plan) -> bool {
    let is_derived = |event: &&Event| matches!(event.source, From::Derived { .. });
    catalogue::events().filter(is_derived).any(|event| plan.event_mask(event.id) != 0)
}

/// Whether rows of a table with these filters may be derived ones: then conditions of a query are not asked of what is recorded.
pub fn wants_derived(given: &ScopeSet) -> bool {
    derives(&Plan::compile(given))
}

/// All that is asked, checked.
#[derive(Debug)]
pub struct Sets {
    /// Of the table; `None`: all that was recorded.
    pub given: Option<ScopeSet>,
    pub texts: Vec<ScopeSet>,
    pub conditions: Vec<ScopeSet>,
}

impl Sets {
    pub fn of(spec: &Spec, pushed: &Pushed, declared: &[&'static Event]) -> Result<Sets, Vec<Diagnostic>> {
        let given = if spec.filters.is_empty() { None } else { Some(checked(&spec.filters, declared)?) };
        let texts = spec.scopes.iter().map(|text| checked(&words::split(text), declared));
        let conditions = pushed.conditions.iter().map(|condition| condition.set(declared));
        Ok(Sets {
            given,
            texts: texts.collect::<Result<_, _>>()?,
            conditions: conditions.collect::<Result<_, _>>()?,
        })
    }

    pub fn all(&self) -> impl Iterator<Item = &ScopeSet> {
        self.given.iter().chain(&self.texts).chain(&self.conditions)
    }
}

fn recordings(file: &pipeline::File) -> impl Iterator<Item = &Recording> {
    let header = file.capture.header();
    std::iter::once(&header.recording).chain(&header.more_recordings)
}

impl Compiled {
    pub fn new(spec: &Spec, pushed: &Pushed, source: &Source) -> Result<Compiled, DataFusionError> {
        let declared = declared(source);
        let check = |filters: &[String]| checked(filters, &declared).map_err(|found| refused(&found));
        let Sets { given, texts, conditions } =
            Sets::of(spec, pushed, &declared).map_err(|found| refused(&found))?;
        let mut compiled = Compiled { plans: Vec::new(), of: Vec::new(), pruning: Vec::new() };
        let resolve = |mut set: ScopeSet| -> Result<Plan, DataFusionError> {
            replay::asked::resolve(&mut set, source).map_err(|found| refused(&found))?;
            Ok(Plan::compile(&set))
        };
        for set in given.iter().chain(&conditions) {
            compiled.pruning.push(resolve(set.clone())?);
        }
        let mut known: HashMap<bool, usize> = HashMap::new();
        for file in source.files() {
            let mut hosts = Vec::new();
            for recording in recordings(file) {
                let key = has_masks(recording);
                let at = match known.get(&key) {
                    Some(at) => *at,
                    None => {
                        let mut all = check(&[])?;
                        let base = Base::of(given.as_ref(), key, &mut all)?;
                        let texts = texts.iter().map(|text| append(&mut all, text));
                        let texts = texts.collect::<Result<Vec<_>, _>>()?;
                        let bits = conditions.iter().map(|set| Ok(bits(&append(&mut all, set)?)));
                        let bits = bits.collect::<Result<Vec<u64>, DataFusionError>>()?;
                        // Where nothing narrows what was recorded, all of it is looked at.
                        if given.is_none() && bits.is_empty() {
                            append(&mut all, &everything()?)?;
                        }
                        let plan = resolve(all)?;
                        let derives = derives(&plan);
                        compiled.plans.push(Judge { plan, base, conditions: bits, texts, derives });
                        compiled.plans.len() - 1
                    }
                };
                known.insert(key, at);
                hosts.push(at);
            }
            compiled.of.push(hosts);
        }
        Ok(compiled)
    }

    fn judge(&self, file: usize, host: u16) -> Option<&Judge> {
        let hosts = self.of.get(file)?;
        self.plans.get(*hosts.get(usize::from(host)).or(hosts.first())?)
    }

    /// By file of the source.
    pub fn matchers(&self, source: &Source) -> Vec<Matcher<'_>> {
        let of = |(number, file): (usize, &pipeline::File)| {
            let matcher = |host: u16, recording: &Recording| {
                let matcher = Matcher::new(&self.judge(number, host)?.plan);
                Some(if recording.is_made_from_log() { matcher.without_derived() } else { matcher })
            };
            let mut hosts = (0u16..).zip(recordings(file)).filter_map(|(at, it)| matcher(at, it));
            let first = hosts.next()?;
            Some(first.with_others(hosts.collect()))
        };
        source.files().iter().enumerate().filter_map(of).collect()
    }

    /// The scopes of the table that a row is in; `None` where the table does not have it, or the query does not ask for it.
    pub fn scopes(&self, file: usize, host: u16, event: &EventView<'_>) -> Option<u64> {
        let judge = self.judge(file, host)?;
        if !judge.conditions.iter().all(|bits| event.scopes & bits != 0) {
            return None;
        }
        match &judge.base {
            Base::Given(numbers) => {
                let mask = renumbered(event.scopes, numbers);
                (mask != 0).then_some(mask)
            }
            // What scopes() or a condition derives is no row.
            Base::Recorded { .. } if event.at.derived != 0 => None,
            Base::Recorded { has_masks } => Some(if *has_masks { event.recorded } else { 1 }),
        }
    }

    /// The masks of each text of `scopes()`.
    pub fn masks(&self, file: usize, host: u16, event: &EventView<'_>) -> impl Iterator<Item = u64> {
        let texts = self.judge(file, host).map(|judge| judge.texts.as_slice()).unwrap_or_default();
        let scopes = event.scopes;
        texts.iter().map(move |numbers| renumbered(scopes, numbers))
    }

    /// Whether masks of the files are read.
    pub fn has_masks(&self) -> bool {
        self.plans.iter().any(|it| matches!(it.base, Base::Recorded { has_masks: true }))
    }

    /// Whether all rows that match are rows of the answer, so that they need not be looked at to be counted.
    pub fn is_plain(&self) -> bool {
        self.plans.iter().all(|it| {
            it.texts.is_empty()
                && match &it.base {
                    Base::Given(_) => it.conditions.is_empty(),
                    Base::Recorded { .. } => it.conditions.len() <= 1 && !it.derives,
                }
        })
    }
}

impl Condition {
    /// Its scopes, numbered as they come.
    fn set(&self, declared: &[&'static Event]) -> Result<ScopeSet, Vec<Diagnostic>> {
        let numbered = (1..).zip(&self.scopes);
        let filters: Vec<String> = numbered
            .flat_map(|(number, filters): (u32, _)| {
                filters.iter().map(move |filter| format!("{number}:{filter}"))
            })
            .collect();
        checked(&filters, declared)
    }

    /// Whether it can be asked.
    pub fn is_answerable(&self, declared: &[&'static Event]) -> bool {
        self.scopes.len() <= MOST_ALTERNATIVES && self.set(declared).is_ok()
    }
}

/// Scopes that a condition may take of the 64 that there are.
const MOST_ALTERNATIVES: usize = 8;

/// Whether the rows of a recording have masks of its own scopes.
fn has_masks(recording: &Recording) -> bool {
    !recording.filters.is_empty() || !recording.policies.is_empty() || recording.is_made_from_log()
}

impl Base {
    fn of(given: Option<&ScopeSet>, has_masks: bool, all: &mut ScopeSet) -> Result<Base, DataFusionError> {
        match given {
            Some(given) => Ok(Base::Given(append(all, given)?)),
            None => Ok(Base::Recorded { has_masks }),
        }
    }
}

/// One scope that every recorded event is in.
fn everything() -> Result<ScopeSet, DataFusionError> {
    let mut set = ScopeSet::default();
    let scope = Scope { number: 1, name: None, filters: Vec::new() };
    set.add_scope(&scope).ok_or_else(too_many)?;
    Ok(set)
}

/// Adds scopes under free numbers; returns each one's number there and here.
fn append(all: &mut ScopeSet, set: &ScopeSet) -> Result<Vec<(u8, u8)>, DataFusionError> {
    set.scopes().map(|scope| Ok((scope.number, all.add_scope(scope).ok_or_else(too_many)?))).collect()
}

fn too_many() -> DataFusionError {
    DataFusionError::Plan(
        "a query can ask 64 scopes: those of -f, of scopes() and of its conditions together".into(),
    )
}

fn bits(numbers: &[(u8, u8)]) -> u64 {
    numbers.iter().fold(0, |bits, (_, here)| bits | 1 << (here - 1))
}

fn renumbered(scopes: u64, numbers: &[(u8, u8)]) -> u64 {
    numbers.iter().fold(0, |mask, (there, here)| mask | (scopes >> (here - 1) & 1) << (there - 1))
}
