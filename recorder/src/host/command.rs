//! The command that a recording is about: `tracer record -- COMMAND...`.
//!
//! It runs with the credentials, the terminal and the environment of the recorder, so it is root's when the recorder is
//! (`sudo tracer record -- sudo -u me COMMAND` runs it as somebody else, and records that step too).

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{self, ExitStatus},
    thread,
};

use crossbeam_channel::Receiver;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::host::privileges::{self, Part};

/// A started command.
#[derive(Debug)]
pub struct Command {
    pid: u32,
    /// Names this process even when its pid has been given to another one.
    handle: Option<OwnedFd>,
    ended: Receiver<io::Result<ExitStatus>>,
    outcome: Option<Outcome>,
}

/// How a command ended, as a shell says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its exit code; 128 and the signal's number when one killed it.
    pub code: u8,
}

impl Command {
    /// Starts the command; `arguments` begin with the program. What it writes to standard output goes to standard error
    /// when the capture has the former.
    pub fn start(arguments: &[OsString], stdout_is_taken: bool) -> io::Result<Command> {
        let (program, rest) = arguments
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command is given"))?;
        let mut command = process::Command::new(program);
        if stdout_is_taken {
            #[allow(
                clippy::disallowed_methods,
                reason = "the descriptor is passed on, and nothing is said through it"
            )]
            command.stdout(io::stderr());
        }
        let mut child = command.args(rest).spawn()?;
        let pid = child.id();
        let handle = Pid::from_child(&child);
        let handle = pidfd_open(handle, PidfdFlags::empty()).ok();
        let (tell, ended) = crossbeam_channel::bounded(1);
        thread::Builder::new().name("tracer-command".into()).spawn(move || {
            // It only waits; what it cannot give up it does not use.
            let _ = privileges::confine(Part::Other);
            let _ = tell.send(child.wait());
        })?;
        Ok(Command { pid, handle, ended, outcome: None })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, once it has.
    pub fn outcome(&mut self) -> Option<Outcome> {
        if self.outcome.is_none() {
            self.outcome = self.ended.try_recv().ok().map(outcome_of);
        }
        self.outcome
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Outcome {
        match self.outcome {
            Some(outcome) => outcome,
            None => {
                let outcome = self.ended.recv().map_or(Outcome { code: 2 }, outcome_of);
                self.outcome = Some(outcome);
                outcome
            }
        }
    }

    /// Asks it to end. One that is gone already is not an error.
    pub fn terminate(&self) {
        if let Some(handle) = &self.handle {
            let _ = pidfd_send_signal(handle, Signal::TERM);
        }
    }
}

fn outcome_of(status: io::Result<ExitStatus>) -> Outcome {
    let Ok(status) = status else { return Outcome { code: 2 } };
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Outcome { code: code.and_then(|code| u8::try_from(code).ok()).unwrap_or(2) }
}

/// The exit code of a command that could not be started, as shells have it: 127 when there is no such program, else 126.
pub fn start_failure_code(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> u8 {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Command::start(&arguments, false).unwrap().wait().code
    }

    #[test]
    fn exit_codes_pass_and_signals_become_128_and_more() {
        assert_eq!(run(&["true"]), 0);
        assert_eq!(run(&["sh", "-c", "exit 7"]), 7);
        assert_eq!(run(&["sh", "-c", "kill -9 $$"]), 137);
    }

    #[test]
    fn a_command_can_be_asked_to_end() {
        let mut command = Command::start(&["sleep".into(), "60".into()], false).unwrap();
        assert_eq!(command.outcome(), None);
        command.terminate();
        assert_eq!(command.wait().code, 143);
        assert_eq!(command.outcome(), Some(Outcome { code: 143 }));
        command.terminate();
    }

    #[test]
    fn a_command_that_is_not_there_says_so_as_a_shell_does() {
        let error = Command::start(&["/no/such/program".into()], false).unwrap_err();
        assert_eq!(start_failure_code(&error), 127);
        assert_eq!(start_failure_code(&Command::start(&["/etc/passwd".into()], false).unwrap_err()), 126);
        assert!(Command::start(&[], false).is_err());
    }
}
