//! How long keys wait for the screen, and answers for their first rows: written into the file that `TRACER_TRACE_UI` names.

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use crate::message::Message;
use crate::model::Model;

/// Remembers when things came until they are drawn.
#[derive(Debug)]
pub struct Latency {
    file: Option<File>,
    start: Instant,
    key: Option<Instant>,
    /// The question that is asked, when it was put, and whether any of its rows was drawn.
    asked: (u64, Instant, bool),
    counted: u64,
}

impl Latency {
    pub fn of_environment() -> Latency {
        // Nobody is told of a file that cannot be written: there is a screen in the way.
        let path = std::env::var_os("TRACER_TRACE_UI");
        // For a test of what a panic leaves behind.
        assert!(path.as_ref().is_none_or(|path| path != "panic"), "TRACER_TRACE_UI asks for a panic");
        let file = path.and_then(|path| File::create(path).ok());
        let start = Instant::now();
        Latency { file, start, key: None, asked: (0, start, false), counted: 0 }
    }

    pub fn came(&mut self, message: &Message) {
        if self.file.is_some() && matches!(message, Message::Key(_)) && self.key.is_none() {
            self.key = Some(Instant::now());
        }
    }

    pub fn drawn(&mut self, model: &Model) {
        if self.file.is_none() {
            return;
        }
        if let Some(came) = self.key.take() {
            self.write("echo", came);
        }
        if self.asked.0 != model.version {
            self.asked = (model.version, Instant::now(), false);
        }
        let (version, put, is_shown) = self.asked;
        let is_first = version == 1;
        let put = if is_first { self.start } else { put };
        if !is_shown && model.table.version == version && !model.table.rows.is_empty() {
            self.asked.2 = true;
            self.write("rows", put);
        }
        if model.progress.version == version && model.progress.is_final && self.counted != version {
            self.write("count", put);
            self.counted = version;
        }
    }

    fn write(&mut self, what: &str, since: Instant) {
        let us = since.elapsed().as_micros();
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{what} {us}");
        }
    }
}
