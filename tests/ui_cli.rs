//! `tracer ui` on a terminal: taken, drawn on, and given back as it was.

mod program;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use format::Capture;
use program::synthetic::{Made, process};
use program::{Folder, event, id_and_ls, tracer};

/// A program on a terminal of its own.
struct Session {
    child: Child,
    terminal: File,
    slave: OwnedFd,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Session {
        let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let (mut master, mut slave) = (0, 0);
        let null = std::ptr::null_mut();
        // SAFETY: both numbers are valid for writes, and the size lives as long as the call.
        let done = unsafe { libc::openpty(&mut master, &mut slave, null, null.cast(), &size) };
        assert_eq!(done, 0, "no terminal: {}", std::io::Error::last_os_error());
        // SAFETY: the call above made them, and nobody else has them.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let stdio = || Stdio::from(slave.try_clone().expect("the terminal once more"));
        let child = Command::new(env!("CARGO_BIN_EXE_tracer"))
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env_remove("LC_ALL")
            .envs(environment.iter().copied())
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .expect("tracer runs");
        let terminal = File::from(master);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, into) = (terminal.try_clone().expect("the terminal once more"), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                into.lock().expect("nobody panics with it").extend_from_slice(&buffer[..count]);
            }
        });
        Session { child, terminal, slave, seen }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("nobody panics with it")).into_owned()
    }

    fn wait_for(&self, what: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.seen().contains(what) {
            assert!(Instant::now() < end, "{what:?} does not come: {:?}", self.seen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn key(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("it listens");
    }

    /// Whether lines are read whole and letters come back, as shells have it.
    fn is_cooked(&self) -> bool {
        // SAFETY: a termios of zeros is one, and the call fills it.
        let mut termios: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, and the structure lives as long as the call.
        assert_eq!(unsafe { libc::tcgetattr(self.slave.as_raw_fd(), &mut termios) }, 0);
        termios.c_lflag & (libc::ICANON | libc::ECHO) == libc::ICANON | libc::ECHO
    }

    /// Waits for the end; returns the exit code.
    fn end(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                std::thread::sleep(Duration::from_millis(100));
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end: {:?}", self.seen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

#[test]
fn a_terminal_is_given_back_as_it_was() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", id_and_ls());
    let mut session = Session::start(&["ui", &file, "--utc"], &[]);
    session.wait_for("openat");
    assert!(session.seen().contains(ENTER) && !session.is_cooked());
    session.key("q");
    assert_eq!(session.end(), Some(0));
    assert!(session.seen().contains(LEAVE) && session.seen().contains("\x1b[?25h"), "{:?}", session.seen());
    assert!(session.is_cooked());
    let folder_has = std::fs::read_dir(folder.path("")).expect("a folder").count();
    assert_eq!(folder_has, 1, "something was written beside the capture");
}

/// What is written while the screen is up is on it soon, and never a part of a block.
#[test]
fn a_capture_that_grows_is_followed_block_by_block() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.rows_per_block = 4;
    for (at, pid) in [510, 510, 510, 510, 511, 511, 511, 511].into_iter().enumerate() {
        let who = process(pid, 500, 1000, "id", "/usr/bin/id");
        made.push(&event(at as u64 * 1000, "getpid", who, &[]));
    }
    let bytes = made.bytes();
    let capture = Capture::from_bytes(bytes.clone()).expect("a capture");
    let first = capture.blocks()[0].clone();
    let end = (first.offset + first.bytes) as usize;
    let path = folder.path("growing.trz");
    std::fs::write(&path, &bytes[..end]).expect("a folder");
    let mut session = Session::start(&["ui", path.to_str().expect("UTF-8"), "--follow", "--utc"], &[]);
    session.wait_for("510");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(&bytes[end..end + 40]).expect("it grows");
    std::thread::sleep(Duration::from_millis(700));
    assert!(
        !session.seen().contains("511") && session.child.try_wait().expect("a child").is_none(),
        "{}",
        session.seen()
    );
    file.write_all(&bytes[end + 40..]).expect("it grows");
    session.wait_for("511");
    session.key("q");
    assert_eq!(session.end(), Some(0));
    assert!(session.is_cooked());
}

#[test]
fn a_signal_and_a_panic_leave_it_as_well() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", id_and_ls());
    let mut session = Session::start(&["ui", &file], &[]);
    session.wait_for("openat");
    // SAFETY: the child was not waited for, so the number is its own.
    unsafe { libc::kill(session.child.id() as i32, libc::SIGTERM) };
    assert_eq!(session.end(), Some(0));
    assert!(session.seen().contains(LEAVE) && session.is_cooked());
    let mut session = Session::start(&["ui", &file], &[("TRACER_TRACE_UI", "panic")]);
    assert_eq!(session.end(), Some(101));
    let seen = session.seen();
    assert!(session.is_cooked(), "{seen:?}");
    let (before, behind) = seen.rsplit_once(LEAVE).expect("it left the screen");
    assert!(
        before.contains(ENTER) && (behind.contains("panicked") || before.contains("panicked")),
        "{seen:?}"
    );
}

#[test]
fn without_colours_the_screen_has_none() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", id_and_ls());
    let mut session = Session::start(&["ui", &file], &[("NO_COLOR", "1")]);
    session.wait_for("openat");
    session.key("/comm=ls\r");
    session.wait_for("comm=ls");
    session.key("q");
    session.end();
    let seen = session.seen();
    let colours = seen.split("\x1b[").filter_map(|rest| rest.split_once('m')).map(|(codes, _)| codes);
    let has_colour = |codes: &str| {
        codes
            .split(';')
            .any(|code| code.parse::<u32>().is_ok_and(|it| matches!(it, 30..=38 | 40..=48 | 90..=107)))
    };
    let coloured: Vec<&str> = colours.filter(|codes| codes.len() < 16 && has_colour(codes)).collect();
    assert!(coloured.is_empty(), "{coloured:?}");
}

#[test]
fn what_is_no_terminal_is_told_what_prints_the_same() {
    let folder = Folder::new();
    let file = folder.capture("c d.trz", id_and_ls());
    let output = tracer(&["ui", &file, "-f", "comm=ls"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("tracer replay '") && said.contains("c d.trz' -f comm=ls"), "{said}");
}
