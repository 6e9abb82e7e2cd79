//! The whole without a terminal: keys in, screens out, over captures of which every row is known.

#[path = "../../../replay/tests/synthetic/mod.rs"]
mod synthetic;

mod screens;
mod sessions;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use events::{Context, Marks, Raw};
use format::Capture;
use jiff::tz::TimeZone;
use pipeline::Source;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use scopes::ScopeSet;
use synthetic::{Event, Made, process};
use views::{Column, Look};

use crate::engine::Engine;
use crate::key::Key;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::{Help, Marks as Kept, Setup, Times, screen};

/// A model and the threads that answer it.
struct Session {
    model: Model,
    engine: Engine,
    messages: Receiver<Message>,
    /// What went to the terminal.
    copied: Vec<String>,
    is_over: bool,
    _folder: tempfile::TempDir,
}

fn setup() -> Setup {
    Setup {
        title: "c.trz  hb".into(),
        files: vec!["c.trz".into()],
        filters: Vec::new(),
        range: None,
        columns: vec![Column::Time, Column::Comm, Column::Pid, Column::Ret, Column::Event, Column::Args],
        look: Look::default(),
        zone: TimeZone::UTC,
        times: Times::Utc,
        start_ns: synthetic::WALL as i64,
        extent: (synthetic::WALL as i64, synthetic::WALL as i64 + 1_000_000_000),
        lost: 0,
        warning: String::new(),
        is_ascii: false,
        is_coloured: false,
        has_mouse: false,
        is_following: false,
        marks: Kept::default(),
        check: Arc::new(ScopeSet::parse),
        moment: Arc::new(|text, (start, _)| {
            let seconds = text
                .strip_prefix('+')
                .and_then(|it| it.strip_suffix("ms"))
                .and_then(|it| it.parse::<i64>().ok());
            seconds.map(|ms| start + ms * 1_000_000).ok_or_else(|| format!("{text} is no time"))
        }),
    }
}

fn open(path: &Path) -> Source {
    Source::new(vec![("c.trz".into(), Capture::open(path).expect("a capture"))])
}

impl Session {
    fn new(made: Made, size: (u16, u16)) -> Session {
        Session::with(made, size, setup())
    }

    fn with(made: Made, size: (u16, u16), setup: Setup) -> Session {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.trz");
        made.save(&path);
        let (sender, messages) = channel();
        let help = Help {
            complete: Arc::new(|text| {
                let all = [("comm=bash", 3), ("comm=id", 2), ("comm=ls", 1)];
                let found = all.iter().filter(|(it, _)| it.starts_with(text));
                found.map(|(it, count)| ((*it).to_owned(), *count)).collect()
            }),
            save: Arc::new(|shown, path| Ok(format!("{path} {:?} {:?}", shown.filters, shown.range))),
            rules: Arc::new(|| {
                let mut readers = rules::Readers::default();
                rules::behaviours::add(&mut readers);
                Ok(readers.finish())
            }),
            reopen: Arc::new(|| Ok(None)),
        };
        let check = Arc::clone(&setup.check);
        let engine = Engine::start(open(&path), false, 2, check, help, sender).expect("threads");
        let mut model = Model::new(setup, size);
        let effects = model.begin();
        let mut session =
            Session { model, engine, messages, copied: Vec::new(), is_over: false, _folder: folder };
        session.perform(effects);
        session.settle();
        session
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Copy(text) => self.copied.push(text),
                Effect::Quit => self.is_over = true,
                effect => self.engine.perform(effect, &self.model),
            }
        }
    }

    /// Takes what comes until all that was asked for is there.
    fn settle(&mut self) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut quiet = 0;
        while quiet < 3 {
            assert!(Instant::now() < end, "it does not come to rest: {:?}", self.model.said);
            match self.messages.recv_timeout(Duration::from_millis(40)) {
                Ok(message) => {
                    quiet = 0;
                    let effects = self.model.update(message);
                    self.perform(effects);
                }
                Err(_) if self.model.is_at_rest() => quiet += 1,
                Err(_) => {}
            }
        }
    }

    fn key(&mut self, key: Key) {
        let effects = self.model.update(Message::Key(key));
        self.perform(effects);
        self.settle();
    }

    /// Types letters; `\n` is Enter, `\t` Tab, `\x1b` Esc, `\x08` Backspace.
    fn keys(&mut self, keys: &str) -> &mut Session {
        for c in keys.chars() {
            self.key(match c {
                '\n' => Key::Enter,
                '\t' => Key::Tab,
                '\x1b' => Key::Esc,
                '\x08' => Key::Backspace,
                c => Key::Char(c),
            });
        }
        self
    }

    fn terminal(&self) -> Terminal<TestBackend> {
        let (width, height) = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
        terminal.draw(|frame| screen::draw(&self.model, frame)).expect("it draws");
        terminal
    }

    /// The screen, without blanks at the ends of lines.
    fn screen(&self) -> String {
        let terminal = self.terminal();
        let buffer = terminal.backend().buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            for x in 0..buffer.area.width {
                line.push_str(buffer[(x, y)].symbol());
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn numbers(&self) -> Range<u64> {
        self.model.table.numbers.clone()
    }

    fn comm(&self) -> String {
        let row = self.model.table.row().expect("a row");
        row.cells[1].text.clone()
    }

    fn event(&self) -> String {
        let row = self.model.table.row().expect("a row");
        row.cells[4].text.clone()
    }
}

fn event<'a>(at: u64, name: &'a str, context: Context<'a>, args: &'a [(&'a str, Raw<'a>)]) -> Event<'a> {
    Event { at, name, context, ret: 0, scopes: 1, marks: Marks(0), args }
}

/// A shell that runs `id` and `ls` so many times: fork, exec, an open and an exit of each.
fn id_and_ls(times: u64) -> Made {
    let mut made = Made::new();
    made.rows_per_block = 64;
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    made.sides.push(synthetic::snapshot(&[process(1, 0, 0, "init", "/sbin/init"), shell]));
    for round in 0..times {
        for (number, comm, exe) in [(0, "id", "/usr/bin/id"), (1, "ls", "/usr/bin/ls")] {
            let at = (round * 2 + number + 1) * 1_000_000;
            let pid = 510 + (round * 2 + number) as u32;
            let child = process(pid, 500, 1000, comm, exe);
            made.push(&event(at, "sched_process_fork", shell, &[]));
            let exec = [("cmdpath", Raw::Bytes(exe.as_bytes())), ("pathname", Raw::Bytes(exe.as_bytes()))];
            made.push(&event(at + 10_000, "sched_process_exec", child, &exec));
            let open = [
                ("dirfd", Raw::Number(-100i64 as u64)),
                ("pathname", Raw::Bytes(b"/etc/ld.so.cache")),
                ("flags", Raw::Number(0x8_0000)),
                ("mode", Raw::Number(0)),
            ];
            made.push(&Event { ret: 3, ..event(at + 20_000, "openat", child, &open) });
            let exit = [("exit_code", Raw::Number(0)), ("process_group_exit", Raw::Number(1))];
            made.push(&event(at + 30_000, "sched_process_exit", child, &exit));
        }
    }
    made
}
