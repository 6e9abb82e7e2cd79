//! Programs that run beside a recording, under names that nobody else on the host uses.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::Failed;

use crate::host::path;

/// A shell that runs a program again and again until it is dropped.
pub struct Loop {
    shell: Child,
    /// The program's name, as `comm` has it.
    pub name: String,
}

impl Loop {
    /// `pause` is what `sleep` takes; an empty one does not pause.
    pub fn start(dir: &Path, program: &str, arguments: &str, pause: &str) -> Result<Loop, Failed> {
        let copy = own_program(dir, program)?;
        let pause = if pause.is_empty() { String::new() } else { format!("sleep {pause};") };
        let script = format!("while true; do {} {arguments} > /dev/null; {pause} done", path(&copy)?);
        let shell = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).spawn()?;
        Ok(Loop { shell, name: name_of(&copy) })
    }

    /// Of the shell, whose children the programs are.
    pub fn pid(&self) -> u32 {
        self.shell.id()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A copy of a program under a name of its own.
pub fn own_program(dir: &Path, program: &str) -> Result<PathBuf, Failed> {
    // Recordings of other tests see it as well.
    static PROGRAMS: AtomicU32 = AtomicU32::new(0);
    let number = PROGRAMS.fetch_add(1, Ordering::Relaxed);
    let copy = dir.join(format!("{program}{}x{number}", std::process::id()));
    std::fs::copy(Path::new("/bin").join(program), &copy)?;
    Ok(copy)
}

/// What `comm` says of a program: 15 bytes at most.
pub fn name_of(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.chars().take(15).collect()
}
