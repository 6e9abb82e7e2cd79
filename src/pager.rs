//! A pager between a terminal and an answer, as git has it: `TRACER_PAGER`, else `PAGER`, else `less`, which ends by itself
//! when the answer fits the screen.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A pager that runs. Dropped: the user leaves it before the program ends.
#[derive(Debug)]
pub struct Pager {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Pager {
    /// Starts one; `None` where standard output is no terminal, none is wanted, or there is none.
    pub fn start() -> Option<Pager> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let command = chosen(|name| env::var(name).ok())?;
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&command).stdin(Stdio::piped());
        // F: ends when all fits; R: colours; X: what was shown stays.
        if env::var_os("LESS").is_none() {
            shell.env("LESS", "FRX");
        }
        let mut child = shell.spawn().ok()?;
        let stdin = child.stdin.take();
        Some(Pager { child, stdin })
    }
}

/// The command of the pager; an empty one and `cat` are none.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let command = variable("TRACER_PAGER").or_else(|| variable("PAGER")).unwrap_or_else(|| "less".to_owned());
    let command = command.trim();
    if command.is_empty() || command == "cat" { None } else { Some(command.to_owned()) }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdin.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_s_own_variable_comes_first_and_cat_is_no_pager() {
        let chosen = |own: Option<&str>, pager: Option<&str>| {
            super::chosen(|name| if name == "PAGER" { pager } else { own }.map(str::to_owned))
        };
        assert_eq!(chosen(None, None).as_deref(), Some("less"));
        assert_eq!(chosen(Some("more -s"), Some("most")).as_deref(), Some("more -s"));
        assert_eq!(chosen(None, Some("most")).as_deref(), Some("most"));
        assert_eq!((chosen(Some(""), Some("most")), chosen(None, Some("cat"))), (None, None));
    }
}
