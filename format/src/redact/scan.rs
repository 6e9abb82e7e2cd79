//! What was written, read back and searched for what was taken out of it: whatever way it may have come there.

use std::collections::HashMap;
use std::io::{self, Read};

use events::{ArgKind, Raw};

use super::repeated::LONG;
use super::{Redactor, forms};
use crate::rewrite::{Change, Copied, Copier, Edit, Text};
use crate::schema::FIRST_FOREIGN_ID;
use crate::{Artifact, Capture, Content, Header, Options, Result, Statistics};

/// Bytes of a file that are searched at once, and how many of them are searched again with the next ones: a value of this
/// length at most is found wherever it stands.
pub(super) const CHUNK: usize = 1 << 20;
pub(super) const OVERLAP: usize = 16 << 10;

/// Looks at everything and changes nothing.
struct Search<'r> {
    redactor: &'r Redactor,
    /// Long values of the block, by where they lie: whether something is in one that should not be.
    known: HashMap<(usize, usize, bool), bool>,
}

impl Redactor {
    /// Searches all that reading a written capture gives, a block at a time. What is found is among the
    /// [`Redactor::leftovers`].
    pub fn search_capture(&self, capture: &Capture) -> Result<()> {
        Copier::new(Options::default())
            .survey(capture, &mut Search { redactor: self, known: HashMap::new() })?;
        self.search_header(capture.header());
        // The program's own events are no secret; those that only a file knows may be named after one.
        for event in capture.schema().events().filter(|event| event.id.0 >= FIRST_FOREIGN_ID) {
            let names = event.args.iter().flat_map(|arg| [arg.name, arg.ctype]).chain([event.name]);
            names.for_each(|name| self.search(|| "names of events".to_owned(), true, name.as_bytes()));
        }
        capture.blocks().iter().for_each(|block| self.search_statistics(&block.statistics));
        for loss in capture.losses() {
            self.search(|| "causes of losses".to_owned(), true, loss.cause.as_bytes());
        }
        Ok(())
    }

    /// What a header says of hosts, and how they were recorded. The command's first word is the program's name, which `comm` may
    /// well have been, and says nothing.
    fn search_header(&self, header: &Header) {
        for (number, host) in (0u16..).zip(header.hosts()) {
            let it = header.recording_of(number);
            let command = it.command_line.iter().skip(1);
            let of_host = [&host.hostname, &it.made_from];
            let texts = command.chain(&it.filters).chain(&it.policies).chain(of_host);
            texts.for_each(|text| self.search(|| "the header".to_owned(), true, text.as_bytes()));
        }
    }

    fn search_statistics(&self, statistics: &Statistics) {
        for texts in [&statistics.comms, &statistics.exes, &statistics.utses] {
            for text in texts.exact().unwrap_or_default() {
                self.search(|| "statistics of blocks".to_owned(), true, text);
            }
        }
    }

    /// Searches the bytes of a file as they stand.
    pub fn search_bytes(&self, mut file: impl Read) -> io::Result<()> {
        let mut window = Vec::new();
        loop {
            let kept = window.len().min(OVERLAP);
            window.drain(..window.len() - kept);
            if file.by_ref().take(CHUNK as u64).read_to_end(&mut window)? == 0 {
                return Ok(());
            }
            if self.removed.borrow().is_in(&forms::small(&window)) {
                self.leftover("the file's bytes".to_owned());
            }
        }
    }
}

impl Edit for Search<'_> {
    fn block(&mut self) {
        self.known.clear();
    }

    fn argument(&mut self, row: &Copied<'_>, position: usize, value: Raw<'_>) -> Change {
        let (Some(arg), Raw::Bytes(written)) = (row.event.args.get(position), value) else {
            return Change::Keep;
        };
        let is_text = matches!(arg.kind, ArgKind::Str | ArgKind::Text(_) | ArgKind::StrArray | ArgKind::Fd);
        let is_in = match written.len() < LONG {
            true => self.redactor.is_leftover(is_text, written),
            false => *self
                .known
                .entry((written.as_ptr() as usize, written.len(), is_text))
                .or_insert_with(|| self.redactor.is_leftover(is_text, written)),
        };
        if is_in {
            self.redactor.leftover(format!("{}.{}", row.event.name, arg.name));
        }
        Change::Keep
    }

    fn text(&mut self, what: Text, text: &[u8]) -> Option<Vec<u8>> {
        self.redactor.search(|| what.name().to_owned(), true, text);
        None
    }

    fn artifact(&mut self, artifact: Artifact) -> Option<Artifact> {
        let words = [&artifact.kind, &artifact.found, &artifact.left_out].map(String::as_bytes);
        for text in words.into_iter().chain([artifact.path.as_slice()]) {
            self.redactor.search(|| "artifacts".to_owned(), true, text);
        }
        Some(artifact)
    }

    fn content(&mut self, content: &Content) -> Result<()> {
        self.redactor.search_content(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::{Process, Recording, Side, Writer, current_schema};

    fn redactor(removed: &[&str]) -> Redactor {
        let mut redactor = Redactor::new(Vec::new(), b"0123456789abcdef");
        removed.iter().for_each(|value| redactor.removed.borrow_mut().add(value.as_bytes()));
        redactor.begin_checking();
        redactor
    }

    #[test]
    fn a_value_that_lies_across_chunks_is_found() {
        for at in [0, CHUNK - 3, 2 * CHUNK - OVERLAP, 3 * CHUNK - 1] {
            let mut bytes = vec![0; 4 * CHUNK];
            bytes[at..at + 7].copy_from_slice(b"Hunter2");
            let redactor = redactor(&["hunter2"]);
            redactor.search_bytes(bytes.as_slice()).unwrap();
            assert!(redactor.leftovers().contains_key("the file's bytes"), "{at}");
        }
        let redactor = redactor(&["hunter2"]);
        redactor.search_bytes(vec![b'h'; CHUNK + 1].as_slice()).unwrap();
        assert!(redactor.leftovers().is_empty());
    }

    #[test]
    fn header_and_records_are_read_back_and_searched() {
        let recording = Recording { filters: vec!["comm=secret-one".into()], ..Recording::default() };
        let header = Header { recording, schema: current_schema(), ..Header::default() };
        let mut writer = Writer::create(Vec::new(), &header).unwrap();
        let process =
            Process { comm: b"secret-two".to_vec(), argv: b"x\0secret-six\0".to_vec(), ..Process::default() };
        let cwd = Some(b"/home/secret-ten".as_slice().into());
        let process = Process { facts: Facts { cwd, ..Facts::default() }, ..process };
        writer.side(&Side::Processes(vec![process])).unwrap();
        let capture = Capture::from_bytes(writer.finish().unwrap().0).unwrap();
        let found = |removed: &str| {
            let redactor = redactor(&[removed]);
            redactor.search_capture(&capture).unwrap();
            redactor.leftovers().into_keys().collect::<Vec<_>>().join(", ")
        };
        assert_eq!(found("secret-one"), "the header");
        assert_eq!(found("secret-two"), Text::Comm.name());
        assert_eq!(found("secret-six"), Text::Argv.name());
        assert_eq!(found("secret-ten"), Text::Directory.name());
        assert_eq!(found("secret-nil"), "");
    }
}
