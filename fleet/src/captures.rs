//! Which captures are asked: files, folders of them, and objects in a store; and which of them a question opens.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use datafusion::common::DataFusionError;
use format::{Capture, Completeness, Identity, OpenOptions, PublicKey};
use interchange::catalog::folder::{Contents, Found, Stamp};
use interchange::catalog::{self, Captures, Catalog, Chosen, FILE, MadeOf, Told};
use pipeline::outline::Conditions;
use pipeline::{Outline, Source};
use serde::{Deserialize, Serialize};

use crate::events_table::Missing;
use crate::rule_files::RuleFile;
use crate::sql::say;
use crate::store;

/// Captures, open.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Paths and URLs of the files of the source.
    pub names: Arc<Vec<String>>,
    pub source: Arc<Source>,
    pub how: How,
}

/// How captures are read.
#[derive(Clone, Debug)]
pub struct How {
    /// A block that cannot be read ends the query; otherwise it is told at its end.
    pub strict: bool,
    pub missing: Missing,
    /// File of the identity, where an option names one.
    pub identity: Option<PathBuf>,
    /// Rules that are asked beside those of the program.
    pub rules: Arc<Vec<RuleFile>>,
}

impl Default for How {
    /// Where nobody would hear of what is missing.
    fn default() -> How {
        How { strict: true, missing: Missing::default(), identity: None, rules: Arc::default() }
    }
}

/// Where the identity is that encrypted captures were encrypted to, unless an option says so.
pub const IDENTITY: &str = "TRACER_IDENTITY";

/// Which catalogues are asked, in words that another process understands.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Catalogs {
    /// Folders, and paths in stores, that have one.
    pub folders: Vec<String>,
    /// Only those that this key has signed.
    pub key: Option<String>,
}

/// Whether catalogues are asked.
#[derive(Clone, Debug)]
pub enum Ask {
    Nobody,
    Anyone,
    SignedBy(PublicKey),
}

impl Ask {
    pub fn key(&self) -> Option<&PublicKey> {
        match self {
            Ask::SignedBy(key) => Some(key),
            _ => None,
        }
    }
}

/// The captures that arguments name, each by an absolute path or a URL, so that other processes find them too; with what
/// catalogues know of them.
pub fn named(given: &[String], ask: &Ask) -> Result<Captures> {
    let mut captures = Captures::default();
    for name in given {
        if store::is_url(name) {
            let mut contents = store::contents(name)?;
            contents.cataloged.retain(|_| !matches!(ask, Ask::Nobody));
            captures.add_listed(contents, &|of| open_catalog(of, ask.key()), &mut tell);
            continue;
        }
        let path = fs::canonicalize(name).with_context(|| name.clone())?;
        if !path.is_dir() {
            captures.add(path);
        } else if matches!(ask, Ask::Nobody) {
            let sorted = catalog::folder::Sorted::of(&path, Contents::of(&path)?.files, &|_| false)?;
            sorted.captures.into_iter().for_each(|path| captures.add(path));
        } else {
            captures.add_folder(&path, ask.key(), &mut tell)?;
        }
    }
    if let Some(path) = captures.paths().find(|path| path.to_str().is_none()) {
        bail!("{}: the path is no UTF-8, which queries are", path.display());
    }
    if captures.paths().next().is_none() {
        bail!("there is no capture to ask");
    }
    Ok(captures)
}

fn tell(told: Told) {
    if let Told::Distrusted(text) = told {
        say(&format!("warning: {text}"));
    }
}

fn open_catalog(folder: &Path, key: Option<&PublicKey>) -> Result<Catalog, catalog::Error> {
    match folder.to_str().filter(|name| store::is_url(name)) {
        Some(url) => store::catalog(url, key),
        None => Catalog::open(&folder.join(FILE), key),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The captures that queries are asked of. Those that a catalogue knows are opened where something in them may match.
#[derive(Clone, Debug)]
pub struct Asked(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    names: Arc<Vec<String>>,
    catalogs: Catalogs,
    known: Captures,
    how: How,
    /// What no catalogue knows, beside which all others are.
    unknown: Opened,
    all: OnceLock<Opened>,
}

impl Asked {
    /// Opens those that no catalogue knows.
    pub fn new(known: Captures, key: Option<&PublicKey>, how: How) -> Result<Asked, DataFusionError> {
        let names = Arc::new(known.paths().map(text).collect::<Vec<_>>());
        let folders = known.cataloged().map(text).collect();
        let catalogs = Catalogs { folders, key: key.map(ToString::to_string) };
        let Chosen { opened, unopened } = known.unknown();
        let names_of = if unopened.is_empty() { Arc::clone(&names) } else { names_of(&opened) };
        let unknown = open(names_of, unopened, &how)?;
        let all = OnceLock::new();
        if unknown.names.len() == names.len() {
            let _ = all.set(unknown.clone());
        }
        Ok(Asked(Arc::new(Inner { names, catalogs, known, how, unknown, all })))
    }

    /// The same, of captures that another process has named.
    pub fn listed(names: &[String], catalogs: &Catalogs, how: How) -> Result<Asked, DataFusionError> {
        let external = |error: anyhow::Error| DataFusionError::External(error.into());
        let key = catalogs.key.as_deref().map(PublicKey::from_text).transpose();
        let key = key.map_err(|error| external(error.into()))?;
        let mut stamps = std::collections::HashMap::new();
        for folder in catalogs.folders.iter().filter(|folder| store::is_url(folder)) {
            let contents = store::contents(folder).map_err(external)?;
            stamps.extend(contents.files.into_iter().map(|found| (found.path, found.stamp)));
        }
        let found = |name: &String| {
            let path = PathBuf::from(name);
            let stamp = match stamps.get(&path) {
                Some(stamp) => stamp.clone(),
                None => fs::metadata(&path).map(|file| Stamp::of(&file)).unwrap_or_default(),
            };
            Found { path, stamp }
        };
        let contents = match catalogs.folders.is_empty() {
            true => Contents {
                files: names
                    .iter()
                    .map(|name| Found { path: name.into(), stamp: Stamp::default() })
                    .collect(),
                cataloged: Vec::new(),
            },
            false => Contents {
                files: names.iter().map(found).collect(),
                cataloged: catalogs.folders.iter().map(PathBuf::from).collect(),
            },
        };
        let mut known = Captures::default();
        known.add_listed(contents, &|of| open_catalog(of, key.as_ref()), &mut tell);
        Asked::new(known, key.as_ref(), how)
    }

    /// Paths and URLs of all captures.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    pub fn catalogs(&self) -> &Catalogs {
        &self.0.catalogs
    }

    pub fn how(&self) -> &How {
        &self.0.how
    }

    /// Those that are opened whatever is asked.
    pub fn unknown(&self) -> &Opened {
        &self.0.unknown
    }

    /// All of them.
    pub fn all(&self) -> Result<&Opened, DataFusionError> {
        if let Some(all) = self.0.all.get() {
            return Ok(all);
        }
        let all = open(Arc::clone(&self.0.names), Vec::new(), &self.0.how)?;
        self.as_the_catalogue_says(&all)?;
        Ok(self.0.all.get_or_init(|| all))
    }

    /// Those in which something may match.
    pub fn matching(&self, conditions: &Conditions) -> Result<Opened, DataFusionError> {
        if let Some(all) = self.0.all.get() {
            return Ok(all.clone());
        }
        if conditions.ask_everything() {
            return Ok(self.all()?.clone());
        }
        let chosen = self.0.known.choose(conditions, MadeOf::Events, &|_| None, &mut tell);
        let names = names_of(&chosen.opened);
        if *names == *self.0.unknown.names {
            return Ok(self.0.unknown.clone());
        }
        let opened = open(names, chosen.unopened, &self.0.how)?;
        self.as_the_catalogue_says(&opened)?;
        Ok(opened)
    }

    /// A catalogue knows captures that were finished, and read to their ends. One that has lost something since is told, or ends
    /// the query.
    fn as_the_catalogue_says(&self, opened: &Opened) -> Result<(), DataFusionError> {
        let known = &self.0.unknown.names;
        for (name, file) in opened.names.iter().zip(opened.source.files()) {
            let what = match file.capture.completeness() {
                Completeness::Finished => continue,
                Completeness::Salvaged { what, .. } => what.to_string(),
                Completeness::Growing => "it is being written".to_owned(),
            };
            if known.contains(name) {
                continue;
            }
            let text = format!("{name}: the catalogue knows it as finished, and it is not: {what}");
            if self.0.how.strict {
                return Err(DataFusionError::Execution(text));
            }
            self.0.how.missing.say(text);
        }
        Ok(())
    }
}

fn names_of(paths: &[PathBuf]) -> Arc<Vec<String>> {
    Arc::new(paths.iter().map(|path| text(path)).collect())
}

/// Opens captures as one source, beside those that are not opened.
pub fn open(names: Arc<Vec<String>>, unopened: Vec<Outline>, how: &How) -> Result<Opened, DataFusionError> {
    // Filters of a query may ask for behaviours.
    rules::behaviours::install();
    let opened = || -> Result<Source> {
        let mut options = OpenOptions::default();
        let of_environment = std::env::var_os(IDENTITY).map(PathBuf::from);
        if let Some(path) = how.identity.clone().or(of_environment) {
            options.identity = Some(read_identity(&path)?);
        }
        if !names.iter().any(|name| store::is_url(name)) {
            let files: Vec<(String, &Path)> =
                names.iter().map(|name| (name.clone(), Path::new(name))).collect();
            return Ok(replay::open::open_beside(&files, unopened, &options)?);
        }
        // In the order in which they were named: a plan numbers them so.
        let open = |name: &String| {
            let capture = match store::is_url(name) {
                true => Capture::from_reader(store::reader(name)?, &options).with_context(|| name.clone()),
                false => Capture::open_with(Path::new(name), &options).with_context(|| name.clone()),
            };
            Ok((name.clone(), capture?))
        };
        Ok(Source::beside(names.iter().map(open).collect::<Result<_>>()?, unopened))
    };
    match opened() {
        Ok(source) => Ok(Opened { source: Arc::new(source), names: Arc::clone(&names), how: how.clone() }),
        Err(error) => Err(DataFusionError::External(error.into())),
    }
}

fn read_identity(path: &Path) -> Result<Identity> {
    let name = || format!("identity {}", path.display());
    Identity::from_text(&read_secret(path).with_context(name)?).with_context(name)
}

/// Reads a secret that nobody else can read.
pub fn read_secret(path: &Path) -> Result<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(path)?;
        if found.is_file() && found.permissions().mode() & 0o077 != 0 {
            bail!("others can read or write it: chmod 600 {}", path.display());
        }
    }
    Ok(fs::read_to_string(path)?)
}
