//! What a case says of a report.

use std::path::{Path, PathBuf};

use ::report::Note;
use anyhow::Result;
use case::{Case, Head};
use format::SourceCapture;

use super::Options;
use crate::cased;
use crate::stderr;

pub fn read(path: &Path) -> Result<(Case, PathBuf)> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok((cased::load(path)?, folder))
}

/// The settings of a case hold where the command line says nothing.
pub fn settle((case, folder): &(Case, PathBuf), options: &mut Options) -> Result<()> {
    let settings = &case.report;
    let title = [&settings.title, &case.title].into_iter().find(|title| !title.is_empty());
    if options.title.is_none() {
        options.title = title.cloned();
    }
    if let Some(name) = options.query.take() {
        let file = options.case.clone().unwrap_or_default();
        cased::add(case, &file, &name, &mut options.scopes)?;
    } else if options.scopes.is_empty() {
        options.scopes.filters.clone_from(&settings.filters);
    }
    if options.rules.rules.is_empty() {
        options.rules.rules = settings.rules.iter().map(|path| folder.join(path)).collect();
    }
    if options.story.is_empty() {
        options.story.clone_from(&settings.stories);
    }
    if options.range.from.is_none() && options.range.to.is_none() {
        options.range.from.clone_from(&settings.from);
        options.range.to.clone_from(&settings.to);
    }
    Ok(())
}

/// What a case says of these captures.
#[derive(Debug, Default)]
pub struct Cased {
    pub notes: Vec<Note>,
}

impl Cased {
    /// Marks of captures that are not asked have no event here; that a file is another one by now is said.
    pub fn of((case, _): (Case, PathBuf), captures: &[SourceCapture]) -> Cased {
        // By number of the case's capture: which of the files it is.
        let mut files: Vec<Option<u32>> = vec![None; case.captures.len()];
        for (file, capture) in (0u32..).zip(captures) {
            let head = capture.head.map(Head);
            match case.place(&capture.name, head.as_ref()) {
                Some(number) => {
                    if let Some(known) = files.get_mut(number - 1) {
                        *known = Some(file);
                    }
                }
                None if case.captures.iter().any(|known| known.file == capture.name) => {
                    stderr::warn(format_args!(
                        "{}: the case knows a file of this name with another head: its notes are of that one, and are told without \
                         their events",
                        capture.name
                    ));
                }
                None => {}
            }
        }
        let note = |mark: &case::Mark| Note {
            key: mark.key,
            place: files
                .get(mark.capture.wrapping_sub(1))
                .copied()
                .flatten()
                .map(|file| (file, mark.block, mark.row)),
            wall_ns: mark.time,
            event: mark.event.clone(),
            process: mark.process.clone(),
            text: mark.note.clone(),
        };
        Cased { notes: case.marks.iter().map(note).collect() }
    }
}
