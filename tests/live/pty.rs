//! Programs on a terminal of their own, which the test reads and types on.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// A program, and what its terminal shows.
pub struct Terminal {
    pub child: Child,
    keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts a program on a terminal of so many columns; stderr is the terminal, too.
    pub fn start(mut command: Command, columns: u16) -> Result<Terminal, Failed> {
        let (mut master, mut slave) = (-1, -1);
        let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: both numbers live here, and the kernel writes two descriptors into them.
        let opened = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                std::ptr::null(),
                &raw const size,
            )
        };
        if opened != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: nobody else has them.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave.try_clone()?);
        // SAFETY: two system calls, which may be made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        // SAFETY: the descriptor is open.
        unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        let child = command.spawn()?;
        drop((command, slave));
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone()?;
        let shown: Arc<Mutex<Vec<u8>>> = Arc::default();
        let to = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            // Reading fails when the last program has left the terminal.
            while let Ok(read) = screen.read(&mut buffer) {
                if read == 0 {
                    return;
                }
                to.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Ok(Terminal { child, keyboard, shown, reader })
    }

    pub fn press(&mut self, keys: &str) -> Result<(), Failed> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// All that was shown so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until a text is shown.
    pub fn wait_for(&self, text: &str, longest: Duration) -> Result<(), Failed> {
        let until = Instant::now() + longest;
        while !self.text().contains(text) {
            if Instant::now() > until {
                return Err(format!("{text:?} is not shown: {}", self.text()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits for the program's end, which must come soon; its exit code.
    pub fn end(mut self, longest: Duration) -> Result<(Option<i32>, String), Failed> {
        let until = Instant::now() + longest;
        loop {
            if let Some(status) = self.child.try_wait()? {
                // What was shown last may still be on its way; others may hold the terminal open.
                let until = Instant::now() + Duration::from_secs(2);
                while !self.reader.is_finished() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return Ok((status.code(), self.text()));
            }
            if Instant::now() > until {
                let _ = self.child.kill();
                return Err(format!("it did not end: {}", self.text()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What was shown, line by line: a line that is written anew is several.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\r', '\n']).filter(|line| !line.is_empty())
}

pub fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())
}
