//! Marks and notes on events, kept in the case beside the captures (`CASE.toml`) and never in a capture.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use case::{Case, Head, Mark, Query};
use pipeline::RowRef;

use crate::answer::Anchor;
use crate::row::Row;

/// Reads the heads of the chains of the captures, in their order: it reads all of them, and takes its time.
pub type Heads = Arc<dyn Fn() -> Vec<Option<Head>> + Send + Sync>;

/// A case, and which of its captures are looked at.
#[derive(Clone, Default)]
pub struct Marks {
    case: Case,
    /// Where it is kept; `None`: nowhere.
    file: Option<PathBuf>,
    /// Names of captures by number of the file, without folders.
    captures: Vec<String>,
    heads: Option<Heads>,
    known: Arc<OnceLock<Vec<Option<Head>>>>,
    reading: Arc<OnceLock<()>>,
}

impl fmt::Debug for Marks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Marks").field("case", &self.case).field("file", &self.file).finish_non_exhaustive()
    }
}

impl Marks {
    /// Reads a case, or begins one. `captures`: names of the files without folders, in the order of the source.
    pub fn read(file: Option<PathBuf>, captures: Vec<String>, heads: Option<Heads>) -> Result<Marks, String> {
        let case = match &file {
            Some(file) => Case::load_or_new(file).map_err(|error| error.to_string())?,
            None => Case::default(),
        };
        Ok(Marks { case, file, captures, heads, ..Marks::default() })
    }

    /// Which of the files a capture of the case is.
    fn file_of(&self, capture: usize) -> Option<u32> {
        let known = self.case.captures.get(capture.checked_sub(1)?)?;
        let by_name = self.captures.iter().position(|name| *name == known.file)?;
        // The file of this name may be another one by now.
        let head = self.known.get().and_then(|heads| *heads.get(by_name)?);
        let is_other = head.is_some() && known.head.is_some() && head != known.head;
        if is_other { None } else { u32::try_from(by_name).ok() }
    }

    fn place(&self, mark: &Mark) -> Option<RowRef> {
        let file = self.file_of(mark.capture)?;
        Some(RowRef { file, block: mark.block, row: mark.row, derived: mark.derived })
    }

    fn at(&self, at: RowRef) -> Option<&Mark> {
        self.case.marks.iter().find(|mark| self.place(mark) == Some(at))
    }

    /// A mark for a row; what is known of it stays.
    fn of(&mut self, row: &Row) -> Mark {
        let at = row.anchor.at;
        if let Some(known) = self.at(at) {
            return known.clone();
        }
        let name = self.captures.get(at.file as usize).cloned().unwrap_or_default();
        let head = self.known.get().and_then(|heads| *heads.get(at.file as usize)?);
        let capture = self.case.capture(&name, head);
        Mark {
            key: None,
            capture,
            block: at.block,
            row: at.row,
            derived: at.derived,
            time: row.wall_ns,
            event: row.event.clone(),
            process: row.process.clone(),
            note: String::new(),
        }
    }

    fn keep(&mut self) -> Result<(), String> {
        let Some(file) = &self.file else {
            return Err("there is no place for a case: this is gone at the end".into());
        };
        self.case.save(file).map_err(|error| error.to_string())?;
        // What the captures are known by is read once there is something to say of them.
        if let Some(heads) = self.heads.clone()
            && self.reading.set(()).is_ok()
        {
            let known = Arc::clone(&self.known);
            let read = move || {
                let _ = known.set(heads());
            };
            // Without it captures are known by their names.
            let _: Option<JoinHandle<()>> =
                thread::Builder::new().name("tracer-heads".into()).spawn(read).ok();
        }
        Ok(())
    }

    /// Writes down by what heads the captures are known, where something was kept. Waits until they are read.
    pub fn finish(mut self) -> Result<(), String> {
        if self.reading.get().is_none() || self.file.is_none() {
            return Ok(());
        }
        let heads = match (self.known.get(), &self.heads) {
            (Some(known), _) => known.clone(),
            (None, Some(heads)) => heads(),
            (None, None) => return Ok(()),
        };
        for (name, head) in self.captures.iter().zip(heads) {
            if self.case.place(name, None).is_some() {
                self.case.capture(name, head);
            }
        }
        self.keep()
    }

    /// Marks an event with a letter; one that has this letter already loses it.
    pub fn set(&mut self, row: &Row, letter: char) -> Result<String, String> {
        // A note stays when another event takes its letter.
        self.case.marks.iter_mut().filter(|it| it.key == Some(letter)).for_each(|it| it.key = None);
        self.case.marks.retain(|it| it.key.is_some() || !it.note.is_empty());
        let mark = Mark { key: Some(letter), ..self.of(row) };
        self.case.mark(mark);
        self.keep()?;
        Ok(format!("marked: ' and {letter} come back here"))
    }

    /// Writes a note; an empty one takes it away.
    pub fn write(&mut self, row: &Row, note: &str) -> Result<String, String> {
        let mark = Mark { note: note.trim().to_owned(), ..self.of(row) };
        let said = if mark.note.is_empty() { "the note is gone" } else { "noted" };
        self.case.mark(mark);
        self.case.marks.retain(|it| it.key.is_some() || !it.note.is_empty());
        self.keep()?;
        Ok(said.into())
    }

    /// Keeps filters under a name.
    pub fn keep_query(&mut self, name: &str, filters: Vec<String>) -> Result<String, String> {
        self.case.keep_query(name, filters);
        self.keep()?;
        Ok(format!("kept as {}: Q lists it", scopes::spelled_out(name)))
    }

    pub fn queries(&self) -> &[Query] {
        &self.case.queries
    }

    pub fn note(&self, at: RowRef) -> Option<&str> {
        self.at(at).map(|it| it.note.as_str())
    }

    /// What stands before the row: its letter, or a sign that there is a note.
    pub fn sign(&self, at: RowRef) -> Option<char> {
        self.at(at).map(|it| it.key.unwrap_or('*'))
    }

    pub fn of_letter(&self, letter: char) -> Option<Anchor> {
        let mark = self.case.marks.iter().find(|it| it.key == Some(letter))?;
        Some(Anchor { at: self.place(mark)?, key: 0 })
    }

    /// All of them, as lines; those of captures that are not open lead nowhere.
    pub fn all(&self) -> Vec<(Option<Anchor>, String)> {
        let line = |it: &Mark| {
            let file = self.case.captures.get(it.capture.wrapping_sub(1)).map_or("", |it| it.file.as_str());
            let note = if it.note.is_empty() { String::new() } else { format!("{}  ", it.note) };
            let text = format!("{} {note}{} of {}  {file}", it.key.unwrap_or('*'), it.event, it.process);
            scopes::spelled_out(&text)
        };
        let anchor = |it: &Mark| self.place(it).map(|at| Anchor { at, key: 0 });
        self.case.marks.iter().map(|it| (anchor(it), line(it))).collect()
    }

    pub fn where_kept(&self) -> String {
        match &self.file {
            Some(file) => format!("kept in {}", scopes::spelled_out(&file.display().to_string())),
            None => "kept nowhere: they are gone at the end".into(),
        }
    }
}
