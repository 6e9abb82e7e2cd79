//! Which captures of a folder a question opens: those that the folder's catalogue does not rule out, and those that it does
//! not know as they are.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Result;
use interchange::catalog::{self, Catalog, FILE, Row};
use pipeline::{Outline, outline};
use scopes::Plan;

use crate::filters::FilterOptions;
use crate::folder::{self, Found};
use crate::moment::Extent;
use crate::stderr;

/// What a question asks, as far as statistics can rule captures out.
#[derive(Debug)]
pub struct Asking {
    /// `None`: everything, or what statistics say nothing of.
    plan: Option<Plan>,
}

/// The captures of a folder, or of several.
#[derive(Debug, Default)]
pub struct Captures {
    /// To be opened.
    pub opened: Vec<PathBuf>,
    pub outlined: Vec<Outlined>,
}

/// A capture that a catalogue knows as it is.
#[derive(Debug)]
pub struct Outlined {
    pub path: PathBuf,
    pub outline: Outline,
    /// See [`Row::alike`].
    alike: String,
}

impl Asking {
    /// What these filters ask. Those that name users or peers, or events that only captures know, are not asked of catalogues.
    pub fn of(filters: &FilterOptions) -> Asking {
        if filters.is_empty() {
            return Asking { plan: None };
        }
        // What is wrong with them is told when they are read for the captures.
        let set = filters.scopes_and_policies().ok().map(|(set, _)| set);
        let set = set.filter(|set| !set.names_users() && !set.names_peers());
        let plan = set.map(|set| Plan::compile(&set)).filter(outline::can_tell);
        Asking { plan }
    }
}

impl Captures {
    /// Looks into a folder, and into the catalogues that are in it.
    pub fn read(&mut self, folder: &Path) -> Result<()> {
        let contents = folder::contents(folder)?;
        let mut known = HashMap::new();
        for of in &contents.cataloged {
            match catalog::read(&of.join(FILE), false) {
                Ok(catalog) => known.extend(rows(of, catalog)),
                Err(error) => {
                    let file = of.join(FILE);
                    stderr::warn(format_args!("{}: {error}; all captures are opened", file.display()));
                }
            }
        }
        let mut outlined = HashMap::new();
        for found in &contents.files {
            let Some((row, outline)) =
                known.remove(&found.path).filter(|(row, _)| row.is_of(&found.metadata))
            else {
                continue;
            };
            outlined.insert(found.path.clone(), (row, outline));
        }
        let is_known = |found: &Found| outlined.contains_key(&found.path);
        for path in folder::captures_among(folder, contents.files, &is_known)? {
            match outlined.remove(&path) {
                Some((row, Some(outline))) => {
                    self.outlined.push(Outlined { path, outline, alike: row.alike });
                }
                _ => self.opened.push(path),
            }
        }
        Ok(())
    }

    /// The extent of all rows, where all captures are known.
    pub fn extent(&self) -> Option<Extent> {
        if !self.opened.is_empty() {
            return None;
        }
        let start_ns = self.outlined.iter().map(|it| it.outline.wall_ns.0).min()?;
        let end_ns = self.outlined.iter().map(|it| it.outline.wall_ns.1).max()?;
        Some(Extent { start_ns, end_ns })
    }

    /// Opens what may hold something that is asked for; of captures that were recorded alike at least one, which says what
    /// there is to know of them all. Gives what is opened, in order of name, and what is not.
    pub fn choose(self, asking: &Asking, range: Option<&Range<i64>>) -> (Vec<PathBuf>, Vec<Outline>) {
        let may_match = |outline: &Outline| {
            range.is_none_or(|range| outline.may_be_in(range))
                && asking.plan.as_ref().is_none_or(|plan| outline.may_match(plan))
        };
        let (mut opened, mut unopened) = (self.opened, Vec::new());
        let mut alike = BTreeSet::new();
        let (chosen, others): (Vec<Outlined>, Vec<Outlined>) =
            self.outlined.into_iter().partition(|it| may_match(&it.outline));
        for it in chosen {
            alike.insert(it.alike);
            opened.push(it.path);
        }
        for it in others {
            if alike.insert(it.alike) {
                opened.push(it.path);
            } else {
                unopened.push(it.outline);
            }
        }
        opened.sort();
        (opened, unopened)
    }
}

/// What a catalogue knows, by where the files are.
fn rows(folder: &Path, mut catalog: Catalog) -> Vec<(PathBuf, (Row, Option<Outline>))> {
    let rows = std::mem::take(&mut catalog.rows);
    let known = rows.into_iter().filter_map(|mut row| {
        let path = folder.join(&row.path);
        // A row is of what lies below its catalogue, and of nothing else.
        let is_below =
            Path::new(&row.path).components().all(|it| matches!(it, std::path::Component::Normal(_)));
        let outline = catalog.outline(&row, path.display().to_string());
        row.statistics = None;
        is_below.then_some((path, (row, outline)))
    });
    known.collect()
}
