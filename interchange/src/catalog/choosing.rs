//! Which captures of folders a question opens: those that their catalogues do not rule out, and those that these do not know
//! as they are.
//!
//! The answer is the one that all captures give. What it is made of beside rows that match is asked for as well: sentences about
//! how captures were recorded (one of those that were recorded alike is opened), and names of users (one of those of a boot that
//! have the same users is opened, where a boot has several).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use format::{Capture, OpenOptions, PublicKey};
use pipeline::Outline;

use super::folder::{Contents, Found, Sorted};
use super::{Catalog, Error, FILE, Row, read};

/// What an answer is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MadeOf {
    /// Rows that match.
    Rows,
    /// All that was recorded between two boots of a host, where something of it matches: trees of processes, states.
    Boots,
}

/// Captures, in the order in which they were named.
#[derive(Debug, Default)]
pub struct Captures {
    all: Vec<Known>,
}

/// A capture, and what a catalogue knows of it as it is.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    outlined: Option<Outlined>,
}

#[derive(Debug)]
struct Outlined {
    outline: Outline,
    /// See [`Row::alike`].
    alike: String,
    /// See [`Row::users`].
    users: String,
}

/// What is opened, in order, and what is not.
#[derive(Debug, Default)]
pub struct Chosen {
    pub opened: Vec<PathBuf>,
    pub unopened: Vec<Outline>,
}

impl Captures {
    /// One that is opened, whatever is asked.
    pub fn add(&mut self, path: PathBuf) {
        self.all.push(Known { path, outlined: None });
    }

    /// Looks into a folder, and into the catalogues that are in it; with a key, into those alone that it has signed. `tell` is
    /// told what was passed over.
    pub fn add_folder(
        &mut self,
        folder: &Path,
        key: Option<&PublicKey>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), Error> {
        let contents = Contents::of(folder)?;
        let mut known = HashMap::new();
        for of in &contents.cataloged {
            let file = of.join(FILE);
            match read(&file, false, key) {
                Ok(catalog) => known.extend(rows(of, catalog)),
                Err(error) => {
                    tell(Told::Distrusted(format!("{}: {error}; all captures are opened", file.display())));
                }
            }
        }
        let mut outlined = HashMap::new();
        for found in &contents.files {
            if let Some((row, outline)) =
                known.remove(&found.path).filter(|(row, _)| row.is_of(&found.metadata))
            {
                outlined.insert(found.path.clone(), (row, outline));
            }
        }
        // Who signed it knew of captures that somebody has taken away since.
        if let (Some(gone), true) = (known.keys().filter(|path| !path.exists()).min(), key.is_some()) {
            let count = known.keys().filter(|path| !path.exists()).count();
            let text = format!("{count} captures of the catalogue are gone, such as {}", gone.display());
            tell(Told::Distrusted(text));
        }
        let is_known = |found: &Found| outlined.contains_key(&found.path);
        let sorted = Sorted::of(folder, contents.files, &is_known)?;
        if let Some(text) = sorted.passed_over(folder) {
            tell(Told::PassedOver(text));
        }
        for path in sorted.captures {
            let outlined = outlined.remove(&path).and_then(|(row, outline)| {
                Some(Outlined { outline: outline?, alike: row.alike, users: row.users })
            });
            self.all.push(Known { path, outlined });
        }
        Ok(())
    }

    /// Whether catalogues know any of them.
    pub fn are_known(&self) -> bool {
        self.outlined().next().is_some()
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.all.iter().map(|it| it.path.as_path())
    }

    fn outlined(&self) -> impl Iterator<Item = &Outlined> {
        self.all.iter().filter_map(|it| it.outlined.as_ref())
    }

    /// Wall clock of the first and the last of all rows, where all captures are known.
    pub fn extent(&self) -> Option<(i64, i64)> {
        if self.all.iter().any(|it| it.outlined.is_none()) {
            return None;
        }
        let from = self.outlined().map(|it| it.outline.wall_ns.0).min()?;
        Some((from, self.outlined().map(|it| it.outline.wall_ns.1).max()?))
    }

    /// Which are opened for what may match. `options`: how captures are opened that no catalogue knows, to see which boots
    /// they are of.
    pub fn choose(
        &self,
        may_match: &dyn Fn(&Outline) -> bool,
        made_of: MadeOf,
        options: &OpenOptions,
    ) -> Chosen {
        let mut is_opened: Vec<bool> =
            self.all.iter().map(|it| it.outlined.as_ref().is_none_or(|it| may_match(&it.outline))).collect();
        // Of captures that no catalogue knows. `None`: of some it is not known of which boots they are.
        let others = self.all.iter().filter(|it| it.outlined.is_none());
        let others: Option<Vec<Vec<String>>> = others.map(|it| boots_of(&it.path, options)).collect();
        let others = others.map(|boots| boots.into_iter().flatten().collect::<BTreeSet<_>>());
        let is_of_others = |boot: &str| others.as_ref().is_none_or(|boots| boots.contains(boot));
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        let mut all_users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (known, is_opened) in self.all.iter().zip(&is_opened) {
            let Some(it) = &known.outlined else { continue };
            let boot = it.outline.boot_id.as_str();
            all_users.entry(boot).or_default().insert(&it.users);
            if *is_opened || is_of_others(boot) {
                asked.insert(boot);
            }
        }
        // One whose users are all there are of its boot names them by itself.
        let names_alone =
            |boot: &str| !is_of_others(boot) && all_users.get(boot).is_none_or(|users| users.len() < 2);
        let is_asked = |it: &Outlined| asked.contains(it.outline.boot_id.as_str());
        let mut alike: BTreeSet<&str> = BTreeSet::new();
        let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (known, is_opened) in self.all.iter().zip(&mut is_opened) {
            let Some(it) = &known.outlined else { continue };
            *is_opened |= made_of == MadeOf::Boots && is_asked(it);
            if *is_opened {
                alike.insert(&it.alike);
            }
            // The first of a boot that has these users names them, before others do.
            let boot = it.outline.boot_id.as_str();
            if is_asked(it) && !names_alone(boot) && users.entry(boot).or_default().insert(&it.users) {
                *is_opened = true;
                alike.insert(&it.alike);
            }
        }
        let mut chosen = Chosen::default();
        for (known, is_opened) in self.all.iter().zip(is_opened) {
            match &known.outlined {
                Some(it) if !is_opened && !alike.insert(&it.alike) => {
                    chosen.unopened.push(it.outline.clone())
                }
                _ => chosen.opened.push(known.path.clone()),
            }
        }
        chosen
    }
}

/// What is said of a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// Files that are no captures.
    PassedOver(String),
    /// A catalogue that is not asked, or misses something.
    Distrusted(String),
}

/// The boots that a capture is of, by its header.
fn boots_of(path: &Path, options: &OpenOptions) -> Option<Vec<String>> {
    let capture = Capture::open_with(path, options).ok()?;
    Some(capture.header().hosts().map(|host| host.boot_id.clone()).collect())
}

/// What a catalogue knows, by where the files are.
fn rows(folder: &Path, mut catalog: Catalog) -> Vec<(PathBuf, (Row, Option<Outline>))> {
    let rows = std::mem::take(&mut catalog.rows);
    let known = rows.into_iter().filter_map(|mut row| {
        let path = folder.join(&row.path);
        // A row is of what lies below its catalogue, and of nothing else.
        let is_below = Path::new(&row.path).components().all(|it| matches!(it, Component::Normal(_)));
        let outline = catalog.outline(&row, path.display().to_string());
        row.statistics = None;
        is_below.then_some((path, (row, outline)))
    });
    known.collect()
}
