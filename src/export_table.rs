//! `tracer export --to parquet`: a table in one file, or a folder of tables a host and day. `--to arrow`: the same as a stream.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use format::SourceCapture;
use interchange::export::parquet::{Error, Partitions, Stream, Table};

use crate::output::{self, OutputFile};

/// Where tables go.
#[derive(Debug)]
pub enum Place {
    Stdout,
    File(PathBuf),
    /// Folders a host and day below this one.
    Folder(PathBuf),
}

impl Place {
    pub fn of(path: &Path) -> Place {
        let is_folder = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
        match path {
            path if path == Path::new(output::STDOUT) => Place::Stdout,
            path if is_folder => Place::Folder(path.to_owned()),
            path => Place::File(path.to_owned()),
        }
    }
}

/// What stands in each table's own metadata: the program, the version of the columns, and the captures that it was made from
/// with the heads of their chains, so that a row leads back to signed bytes.
pub fn facts(sources: &[SourceCapture], labels: &[(String, String)]) -> Vec<(String, String)> {
    let mut facts = vec![
        ("tracer.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("tracer.columns".to_owned(), "1".to_owned()),
    ];
    facts.extend(labels.iter().map(|(name, text)| (format!("tracer.label.{name}"), text.clone())));
    for (at, source) in sources.iter().enumerate() {
        let head = source.head.map_or_else(|| source.verdict.clone(), |head| hex(&head));
        let signed = source.signed_by.as_ref().map(|key| format!(" signed by {key}")).unwrap_or_default();
        facts.push((format!("tracer.source.{at}"), format!("{} head={head}{signed}", source.name)));
    }
    facts
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

type Out = BufWriter<OutputFile>;

fn closed(out: Out) -> Result<(), Error> {
    let file = out.into_inner().map_err(|error| external(error.into_error()))?;
    file.finish().map_err(external)
}

fn external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::from_external(error)
}

/// Writes rows that `ask` delivers.
pub fn write<T>(
    place: &Place,
    part: &str,
    force: bool,
    inputs: &[&Path],
    facts: Vec<(String, String)>,
    ask: impl FnOnce(&mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> Result<T>,
) -> Result<T> {
    match place {
        Place::Stdout => {
            let mut table = Table::new(BufWriter::new(output::stdout(inputs)?), &facts)?;
            let told = ask(&mut |rows| Ok(table.rows(rows)?))?;
            table.finish()?.flush()?;
            Ok(told)
        }
        Place::File(path) => {
            let out = BufWriter::with_capacity(1 << 18, output::create(path, force, inputs)?);
            let mut table = Table::new(out, &facts)?;
            let told = ask(&mut |rows| Ok(table.rows(rows)?))?;
            closed(table.finish()?).with_context(|| format!("writing {}", path.display()))?;
            Ok(told)
        }
        Place::Folder(root) => {
            let begin = |folder: &str, number: u32| {
                let folder = root.join(folder);
                fs::create_dir_all(&folder).map_err(external)?;
                let file = folder.join(format!("part-{part}{number}.parquet"));
                let out = output::create(&file, force, inputs).map_err(external)?;
                Ok(BufWriter::with_capacity(1 << 18, out))
            };
            let mut tables = Partitions::new(facts, begin, closed);
            let told = ask(&mut |rows| Ok(tables.rows(rows)?))?;
            tables.finish().with_context(|| format!("writing below {}", root.display()))?;
            Ok(told)
        }
    }
}

/// Writes rows that `ask` delivers as a stream of batches.
pub fn stream<T>(
    place: &Place,
    force: bool,
    inputs: &[&Path],
    facts: &[(String, String)],
    ask: impl FnOnce(&mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> Result<T>,
) -> Result<T> {
    match place {
        Place::Stdout => {
            let mut stream =
                Stream::new(BufWriter::new(output::stdout(inputs)?), facts).map_err(std::io::Error::from)?;
            let told = ask(&mut |rows| Ok(stream.rows(rows)?))?;
            stream.finish().map_err(std::io::Error::from)?.flush()?;
            Ok(told)
        }
        Place::File(path) => {
            let out = BufWriter::with_capacity(1 << 18, output::create(path, force, inputs)?);
            let mut stream = Stream::new(out, facts)?;
            let told = ask(&mut |rows| Ok(stream.rows(rows)?))?;
            closed(stream.finish()?).with_context(|| format!("writing {}", path.display()))?;
            Ok(told)
        }
        Place::Folder(_) => bail!("--to arrow writes one stream: give a file, or - for stdout"),
    }
}

/// Which captures a folder of tables already has. Each is a small file named by the head of the capture's chain, written when
/// all of its tables are in their places: a run that was killed before is repeated, and its tables, which have the same names,
/// take the places of those that were there.
#[derive(Debug)]
pub struct Done {
    folder: PathBuf,
    /// The filters that all of them were exported with, one a line.
    question: String,
}

impl Done {
    pub fn of(root: &Path, filters: &[String]) -> Done {
        let question = filters.iter().map(|filter| format!("{filter}\n")).collect();
        Done { folder: root.join("_tracer"), question }
    }

    /// Whether the capture with this head is there. It is an error where it was asked for with other filters.
    pub fn has(&self, head: &str) -> Result<bool> {
        let marker = self.folder.join(head);
        match fs::read_to_string(&marker) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("reading {}", marker.display())),
            Ok(question) if question == self.question => Ok(true),
            Ok(question) => bail!(
                "{} holds captures that were exported with {}; give other filters a folder of their own",
                self.folder.parent().unwrap_or(&self.folder).display(),
                match question.trim() {
                    "" => "no filters".to_owned(),
                    filters => format!("-f {}", filters.replace('\n', " -f ")),
                }
            ),
        }
    }

    pub fn add(&self, head: &str) -> Result<()> {
        let marker = self.folder.join(head);
        let write = || {
            fs::create_dir_all(&self.folder)?;
            let partial = self.folder.join(format!("{head}.{}.partial", std::process::id()));
            let mut file = File::create(&partial)?;
            file.write_all(self.question.as_bytes())?;
            file.sync_all()?;
            fs::rename(&partial, &marker)
        };
        write().with_context(|| format!("writing {}", marker.display()))
    }
}
