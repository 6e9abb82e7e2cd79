//! One run of a test machine, from power-on to its verdict.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::{shell, vm_kernel::Kernel};

/// How a machine is run.
pub struct Machine {
    pub kernel: Kernel,
    /// The kernel's command line, beside the console's.
    pub append: String,
    pub cpus: u32,
    pub memory_mib: u32,
    pub limit_s: u32,
}

/// What a run said.
pub struct Verdict {
    /// The payload's exit code; none when the machine panicked, hung or ran out of time.
    pub exit: Option<i32>,
    /// All that it printed.
    pub console: String,
}

impl Machine {
    pub fn new(kernel: Kernel) -> Machine {
        Machine { kernel, append: kernel.append.to_owned(), cpus: 1, memory_mib: 512, limit_s: 300 }
    }

    /// Boots `initramfs`; what the payload left in /out is unpacked into `out`.
    pub fn run(&self, initramfs: &Path, out: &Path) -> Result<Verdict> {
        let image = self.kernel.image()?;
        let serial = tempfile::NamedTempFile::new()?;
        // TCG always: hosts that are themselves guests offer a KVM that cannot run stock kernels.
        // Without cx16: QEMU 7.2 emulates cmpxchg16b wrongly often enough to crash every third boot.
        let output = Command::new("timeout")
            .arg(self.limit_s.to_string())
            .args([
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-cpu",
                "max,-cx16",
                "-nodefaults",
                "-nographic",
                "-no-reboot",
            ])
            .args(["-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()])
            .args(["-serial", "stdio", "-serial", &format!("file:{}", serial.path().display())])
            .arg("-kernel")
            .arg(&image)
            .arg("-initrd")
            .arg(initramfs)
            .args(["-append", &format!("console=ttyS0 quiet panic=-1 {}", self.append)])
            .stdin(Stdio::null())
            .output()
            .context("cannot start QEMU: install qemu-system-x86")?;
        let console = String::from_utf8_lossy(&output.stdout).replace('\r', "")
            + &String::from_utf8_lossy(&output.stderr);
        let exit = console.lines().find_map(|line| line.split_once("VM-EXIT ")?.1.trim().parse().ok());
        if exit.is_some() {
            fs::create_dir_all(out)?;
            shell::run(Command::new("tar").arg("-C").arg(out).arg("-xf").arg(serial.path()))?;
        }
        Ok(Verdict { exit, console })
    }
}
