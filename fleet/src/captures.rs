//! Which captures are asked: files, folders of them, and objects in a store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use datafusion::common::DataFusionError;
use format::{Capture, Identity, OpenOptions};
use interchange::catalog::folder::{Contents, Sorted};
use pipeline::Source;

use crate::events_table::Missing;
use crate::rule_files::RuleFile;
use crate::store;

/// Captures, open.
#[derive(Clone, Debug)]
pub struct Opened {
    pub source: Arc<Source>,
    /// A block that cannot be read ends the query; otherwise it is told at its end.
    pub strict: bool,
    pub missing: Missing,
    /// File of the identity, where an option names one.
    pub identity: Option<PathBuf>,
    /// Rules that are asked beside those of the program.
    pub rules: Arc<Vec<RuleFile>>,
}

/// Where the identity is that encrypted captures were encrypted to, unless an option says so.
pub const IDENTITY: &str = "TRACER_IDENTITY";

/// The captures that arguments name, each by an absolute path or a URL, so that other processes find them too.
pub fn named(given: &[String]) -> Result<Vec<String>> {
    let mut captures = Vec::new();
    for name in given {
        if store::is_url(name) {
            captures.extend(store::captures(name)?);
            continue;
        }
        let path = fs::canonicalize(name).with_context(|| name.clone())?;
        let paths = match path.is_dir() {
            true => Sorted::of(&path, Contents::of(&path)?.files, &|_| false)?.captures,
            false => vec![path],
        };
        for path in paths {
            match path.into_os_string().into_string() {
                Ok(path) => captures.push(path),
                Err(path) => bail!("{}: the path is no UTF-8, which queries are", path.display()),
            }
        }
    }
    if captures.is_empty() {
        bail!("there is no capture to ask");
    }
    Ok(captures)
}

/// Opens captures as one source. `identity`: the file of the option; else the environment says which.
pub fn open(captures: &[String], identity: Option<&Path>) -> Result<Opened, DataFusionError> {
    // Filters of a query may ask for behaviours.
    rules::behaviours::install();
    let opened = || -> Result<Source> {
        let mut options = OpenOptions::default();
        let of_environment = std::env::var_os(IDENTITY).map(PathBuf::from);
        if let Some(path) = identity.map(Path::to_owned).or(of_environment) {
            options.identity = Some(read_identity(&path)?);
        }
        let (objects, files): (Vec<_>, Vec<_>) = captures.iter().partition(|name| store::is_url(name));
        if objects.is_empty() {
            let files: Vec<(String, &Path)> =
                files.into_iter().map(|name| (name.clone(), Path::new(name))).collect();
            return Ok(replay::open::open(&files, &options)?);
        }
        // In the order in which they were named: a plan numbers them so.
        let open = |name: &String| {
            let capture = match store::is_url(name) {
                true => Capture::from_reader(store::reader(name)?, &options).with_context(|| name.clone()),
                false => Capture::open_with(Path::new(name), &options).with_context(|| name.clone()),
            };
            Ok((name.clone(), capture?))
        };
        Ok(Source::new(captures.iter().map(open).collect::<Result<_>>()?))
    };
    match opened() {
        Ok(source) => Ok(Opened {
            source: Arc::new(source),
            strict: true,
            missing: Missing::default(),
            identity: identity.map(Path::to_owned),
            rules: Arc::default(),
        }),
        Err(error) => Err(DataFusionError::External(error.into())),
    }
}

/// Reads an identity that nobody else can read.
fn read_identity(path: &Path) -> Result<Identity> {
    let name = || format!("identity {}", path.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(path).with_context(name)?;
        if found.is_file() && found.permissions().mode() & 0o077 != 0 {
            bail!("{}: others can read or write it: chmod 600 {}", name(), path.display());
        }
    }
    Identity::from_text(&fs::read_to_string(path).with_context(name)?).with_context(name)
}
