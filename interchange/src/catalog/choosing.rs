//! Which captures of folders a question opens: those that their catalogues do not rule out, and those that these do not know
//! as they are.
//!
//! The answer is the one that all captures give. What it is made of beside rows that match is asked for as well: sentences about
//! how captures were recorded (one of those that were recorded alike is opened), and names of users (one of those of a boot that
//! have the same users is opened, where a boot has several).
//!
//! There may be very many captures: of each little is kept, and statistics are judged as they are read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use format::{Capture, OpenOptions, PublicKey};
use pipeline::Outline;
use pipeline::outline::Conditions;

use super::folder::{Contents, Found, Sorted};
use super::row::FINISHED;
use super::{Catalog, Columns, Error, FILE, Row};

/// What an answer is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MadeOf {
    /// Events that match, as they were recorded, and nothing beside them.
    Events,
    /// Rows that match, with names of users, and what there is to know of how captures were recorded.
    Rows,
    /// All that was recorded between two boots of a host, where something of it matches: trees of processes, states.
    Boots,
}

/// Captures, in the order in which they were named.
#[derive(Debug, Default)]
pub struct Captures {
    all: Vec<Known>,
    catalogs: Vec<Cataloged>,
    texts: Texts,
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
    alike: Arc<str>,
    /// See [`Row::users`].
    users: Arc<str>,
}

/// A catalogue, and which capture each of its rows is of.
#[derive(Debug)]
struct Cataloged {
    catalog: Catalog,
    /// Where it is.
    folder: PathBuf,
    captures: Vec<Option<u32>>,
}

/// What is the same of many captures, kept once.
#[derive(Debug, Default)]
struct Texts {
    texts: HashSet<Arc<str>>,
    /// By the objects of JSON that they are of.
    objects: HashMap<String, Arc<[(String, String)]>>,
}

/// What is opened, in order, and what is not.
#[derive(Debug, Default)]
pub struct Chosen {
    pub opened: Vec<PathBuf>,
    pub unopened: Vec<Outline>,
}

/// What came of judging a capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Judged {
    /// Nothing is known of it.
    Unknown,
    MayMatch,
    Not,
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
        let open = |of: &Path| Catalog::open(&of.join(FILE), key);
        let known = self.known(&contents, &open, tell);
        // Who signed it knew of captures that somebody has taken away since.
        if key.is_some() && !known.gone.is_empty() {
            let (count, first) = (known.gone.len(), known.gone.iter().min());
            let first = first.map(|path| path.display().to_string()).unwrap_or_default();
            tell(Told::Distrusted(format!("{count} captures of the catalogue are gone, such as {first}")));
        }
        let is_known = |found: &Found| known.of.contains_key(&found.path);
        let sorted = Sorted::of(folder, contents.files, &is_known)?;
        if let Some(text) = sorted.passed_over(folder) {
            tell(Told::PassedOver(text));
        }
        self.take(sorted.captures, known);
        Ok(())
    }

    /// Takes captures that somebody else has listed, such as the objects below a path of a store. `open` opens the catalogue of a
    /// place that has one.
    pub fn add_listed(
        &mut self,
        contents: Contents,
        open: &dyn Fn(&Path) -> Result<Catalog, Error>,
        tell: &mut dyn FnMut(Told),
    ) {
        let known = self.known(&contents, open, tell);
        self.take(contents.files.into_iter().map(|found| found.path).collect(), known);
    }

    /// What the catalogues among files say of the others.
    fn known(
        &mut self,
        contents: &Contents,
        open: &dyn Fn(&Path) -> Result<Catalog, Error>,
        tell: &mut dyn FnMut(Told),
    ) -> Of {
        let files: HashMap<&Path, &Found> =
            contents.files.iter().map(|found| (found.path.as_path(), found)).collect();
        let mut known = Of::default();
        for of in &contents.cataloged {
            let mut read = || -> Result<(), Error> {
                let catalog = open(of)?;
                let number = self.catalogs.len();
                let (mut there, mut gone) = (Vec::new(), Vec::new());
                for (at, row) in (0u32..).zip(catalog.rows(Columns::Known)) {
                    let row = row?;
                    let Some(path) = path_of(of, &row) else { continue };
                    match files.get(path.as_path()) {
                        Some(found) if row.is_of(&found.stamp) => {
                            let outlined = self.texts.outlined(&path, row);
                            there.push((path, (number, at, outlined)));
                        }
                        Some(_) => {}
                        None => gone.push(path),
                    }
                }
                known.of.extend(there);
                known.gone.extend(gone);
                let captures = vec![None; catalog.len()];
                self.catalogs.push(Cataloged { catalog, folder: of.clone(), captures });
                Ok(())
            };
            if let Err(error) = read() {
                let file = of.join(FILE);
                tell(Told::Distrusted(format!("{}: {error}; all captures are opened", file.display())));
            }
        }
        known
    }

    fn take(&mut self, captures: Vec<PathBuf>, mut known: Of) {
        for path in captures {
            let outlined = known.of.remove(&path).and_then(|(catalog, at, outlined)| {
                let capture = u32::try_from(self.all.len()).ok()?;
                let rows = &mut self.catalogs.get_mut(catalog)?.captures;
                let outlined = outlined?;
                *rows.get_mut(usize::try_from(at).ok()?)? = Some(capture);
                Some(outlined)
            });
            self.all.push(Known { path, outlined });
        }
    }

    /// Folders whose catalogues are asked.
    pub fn cataloged(&self) -> impl Iterator<Item = &Path> {
        self.catalogs.iter().map(|it| it.folder.as_path())
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

    /// What is opened before anything is asked: what no catalogue knows.
    pub fn unknown(&self) -> Chosen {
        let mut chosen = Chosen::default();
        for known in &self.all {
            match &known.outlined {
                Some(it) => chosen.unopened.push(it.outline.clone()),
                None => chosen.opened.push(known.path.clone()),
            }
        }
        chosen
    }

    /// Wall clock of the first and the last of all rows, where all captures are known.
    pub fn extent(&self) -> Option<(i64, i64)> {
        if self.all.iter().any(|it| it.outlined.is_none()) {
            return None;
        }
        let from = self.outlined().map(|it| it.outline.wall_ns.0).min()?;
        Some((from, self.outlined().map(|it| it.outline.wall_ns.1).max()?))
    }

    /// Judges each capture by what its catalogue says. A catalogue that does not read to its end says nothing of the rest.
    fn judge(&self, conditions: &Conditions, tell: &mut dyn FnMut(Told)) -> Vec<Judged> {
        let by_range = |it: &Known| match &it.outlined {
            None => Judged::Unknown,
            Some(it) if conditions.may_be_in_range(&it.outline) => Judged::MayMatch,
            Some(_) => Judged::Not,
        };
        let mut judged: Vec<Judged> = self.all.iter().map(by_range).collect();
        if !conditions.ask_statistics() {
            return judged;
        }
        for Cataloged { catalog, folder, captures } in &self.catalogs {
            let mut rows = catalog.rows(Columns::Statistics);
            let mut failed = None;
            for capture in captures {
                // Rows are read in their order, also those of captures that are gone.
                let row = match rows.next() {
                    Some(Ok(row)) => Some(row),
                    Some(Err(error)) => {
                        failed = Some(error);
                        None
                    }
                    None => None,
                };
                let Some(at) = capture.and_then(|at| usize::try_from(at).ok()) else { continue };
                let (Some(known), Some(judged)) = (self.all.get(at), judged.get_mut(at)) else { continue };
                let Some(it) = known.outlined.as_ref().filter(|_| *judged == Judged::MayMatch) else {
                    continue;
                };
                *judged = match row.and_then(|row| catalog.statistics(&row)) {
                    None => Judged::Unknown,
                    Some(statistics) if conditions.may_match(&it.outline, &statistics) => Judged::MayMatch,
                    Some(_) => Judged::Not,
                };
            }
            if let Some(error) = failed {
                let file = folder.join(FILE);
                let text = format!("{}: {error}; what it says nothing of is opened", file.display());
                tell(Told::Distrusted(text));
            }
        }
        judged
    }

    /// Which are opened for what may match. `boots_of`: which boots a capture is of that no catalogue knows, if it opens.
    pub fn choose(
        &self,
        conditions: &Conditions,
        made_of: MadeOf,
        boots_of: &dyn Fn(&Path) -> Option<Vec<String>>,
        tell: &mut dyn FnMut(Told),
    ) -> Chosen {
        let judged = self.judge(conditions, tell);
        let mut is_opened: Vec<bool> = judged.iter().map(|it| *it != Judged::Not).collect();
        if made_of != MadeOf::Events {
            self.open_beside(&judged, &mut is_opened, made_of, boots_of);
        }
        let mut chosen = Chosen::default();
        for (known, is_opened) in self.all.iter().zip(is_opened) {
            match &known.outlined {
                Some(it) if !is_opened => chosen.unopened.push(it.outline.clone()),
                _ => chosen.opened.push(known.path.clone()),
            }
        }
        chosen
    }

    /// Opens what an answer needs beside what matches.
    fn open_beside(
        &self,
        judged: &[Judged],
        is_opened: &mut [bool],
        made_of: MadeOf,
        boots_of: &dyn Fn(&Path) -> Option<Vec<String>>,
    ) {
        let told = |known: &'_ Known, judged: &Judged| known.outlined.is_some() && *judged != Judged::Unknown;
        // Of captures that no catalogue knows. `None`: of some it is not known of which boots they are.
        let others = self.all.iter().zip(judged).filter(|(it, judged)| !told(it, judged));
        let others: Option<Vec<Vec<String>>> = others.map(|(it, _)| boots_of(&it.path)).collect();
        let others = others.map(|boots| boots.into_iter().flatten().collect::<BTreeSet<_>>());
        let is_of_others = |boot: &str| others.as_ref().is_none_or(|boots| boots.contains(boot));
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        let mut all_users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((known, judged), is_opened) in self.all.iter().zip(judged).zip(&*is_opened) {
            let Some(it) = known.outlined.as_ref().filter(|_| told(known, judged)) else { continue };
            let boot = &*it.outline.boot_id;
            all_users.entry(boot).or_default().insert(&it.users);
            if *is_opened || is_of_others(boot) {
                asked.insert(boot);
            }
        }
        // One whose users are all there are of its boot names them by itself.
        let names_alone =
            |boot: &str| !is_of_others(boot) && all_users.get(boot).is_none_or(|users| users.len() < 2);
        let is_asked = |it: &Outlined| asked.contains(&*it.outline.boot_id);
        let mut alike: BTreeSet<&str> = BTreeSet::new();
        let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((known, judged), is_opened) in self.all.iter().zip(judged).zip(&mut *is_opened) {
            let Some(it) = known.outlined.as_ref().filter(|_| told(known, judged)) else { continue };
            *is_opened |= made_of == MadeOf::Boots && is_asked(it);
            if *is_opened {
                alike.insert(&it.alike);
            }
            // The first of a boot that has these users names them, before others do.
            let boot = &*it.outline.boot_id;
            if is_asked(it) && !names_alone(boot) && users.entry(boot).or_default().insert(&it.users) {
                *is_opened = true;
                alike.insert(&it.alike);
            }
        }
        for ((known, judged), is_opened) in self.all.iter().zip(judged).zip(is_opened) {
            if let Some(it) = known.outlined.as_ref().filter(|_| told(known, judged)) {
                *is_opened |= alike.insert(&it.alike);
            }
        }
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
pub fn boots_of(path: &Path, options: &OpenOptions) -> Option<Vec<String>> {
    let capture = Capture::open_with(path, options).ok()?;
    Some(capture.header().hosts().map(|host| host.boot_id.clone()).collect())
}

/// What catalogues know of files: of each file the catalogue and the row, and what that says.
#[derive(Default)]
struct Of {
    of: HashMap<PathBuf, (usize, u32, Option<Outlined>)>,
    /// Files of rows that are not there.
    gone: Vec<PathBuf>,
}

impl Texts {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// The texts of an object of JSON by their names.
    fn object(&mut self, object: &str) -> Arc<[(String, String)]> {
        if let Some(known) = self.objects.get(object) {
            return Arc::clone(known);
        }
        let texts: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(object).unwrap_or_default();
        let text = |(name, text): (String, serde_json::Value)| Some((name, text.as_str()?.to_owned()));
        let texts: Arc<[(String, String)]> = texts.into_iter().filter_map(text).collect();
        self.objects.insert(object.to_owned(), Arc::clone(&texts));
        texts
    }

    /// What is known of a file without opening it; `None` where it is to be opened.
    fn outlined(&mut self, path: &Path, row: Row) -> Option<Outlined> {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        if row.state != FINISHED || row.events <= 0 {
            return None;
        }
        let outline = Outline {
            name: path.display().to_string().into(),
            host: self.text(&row.host),
            boot_id: self.text(&row.boot_id),
            start_ns: row.recording_start_ns as u64,
            host_mnt_ns: row.host_mnt_ns.and_then(|number| u32::try_from(number).ok()),
            has_containers: row.has_containers,
            wall_ns: (row.start_ns?, row.end_ns?),
            first_ns: row.first_ns as u64,
            rows: number(row.events),
            lost: number(row.lost),
            part: u32::try_from(row.part).unwrap_or_default(),
            ending: row.ending(),
            removed: self.object(&row.removed),
            labels: self.object(&row.labels),
            blocks: number(row.blocks),
        };
        Some(Outlined { outline, alike: self.text(&row.alike), users: self.text(&row.users) })
    }
}

/// The file that a row of a catalogue in this folder is of: one that lies below it.
fn path_of(folder: &Path, row: &Row) -> Option<PathBuf> {
    let is_below = Path::new(&row.path).components().all(|it| matches!(it, Component::Normal(_)));
    is_below.then(|| folder.join(&row.path))
}
