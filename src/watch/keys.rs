//! Keys that are read while something is shown, without waiting for the end of a line.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Keep what the flight recorder holds.
    Keep,
    End,
}

/// A terminal that gives keys as they are pressed, and does not show them. Dropped, it is as it was.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
}

impl Keys {
    /// `None` where standard input is no terminal, or another program's at the moment.
    pub fn start() -> Option<Keys> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || tcgetpgrp(&stdin).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &modes).ok()?;
        Some(Keys { before })
    }

    /// What was pressed, if anything was that means something.
    pub fn pressed(&mut self) -> Option<Key> {
        let stdin = io::stdin();
        let mut ends = [PollFd::new(&stdin, PollFlags::IN)];
        poll(&mut ends, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).ok()?;
        if !ends.iter().any(|end| end.revents().contains(PollFlags::IN)) {
            return None;
        }
        let mut bytes = [0; 16];
        let read = rustix::io::read(&stdin, &mut bytes).ok()?;
        bytes.get(..read)?.iter().rev().find_map(|byte| match byte {
            b'w' => Some(Key::Keep),
            b'q' => Some(Key::End),
            _ => None,
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
