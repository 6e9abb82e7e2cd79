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

impl Verdict {
    /// Whether the machine ended by a fault of the emulator's. While a tracepoint is attached the kernel lays a breakpoint
    /// over its own code and takes it away again; with several CPUs, QEMU may still run what it had translated of the
    /// breakpoint when the kernel knows of none any more.
    pub fn is_emulators_fault(&self) -> bool {
        self.exit.is_none() && self.console.contains("Oops: int3:")
    }
}

impl Machine {
    pub fn new(kernel: Kernel) -> Machine {
        Machine { kernel, append: kernel.append.to_owned(), cpus: 1, memory_mib: 512, limit_s: 300 }
    }

    /// Boots `initramfs`; what the payload left in /out is unpacked into `out`.
    pub fn run(&self, initramfs: &Path, out: &Path) -> Result<Verdict> {
        let image = self.kernel.image()?;
        let serial = tempfile::NamedTempFile::new()?;
        // A file, so that one can look at a machine that takes long.
        let console_path = self.kernel.folder()?.join("console");
        let console = fs::File::create(&console_path)
            .with_context(|| format!("cannot create {}", console_path.display()))?;
        let arch = self.kernel.arch;
        // TCG always: hosts that are themselves guests offer a KVM that cannot run stock kernels.
        Command::new("timeout")
            .arg(self.limit_s.to_string())
            .args(arch.emulator())
            .args(["-accel", "tcg", "-nodefaults", "-nographic", "-no-reboot"])
            .args(["-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()])
            .args(["-serial", "stdio"])
            .args(arch.sends_files().then_some("-serial"))
            .args(arch.sends_files().then(|| format!("file:{}", serial.path().display())))
            .arg("-kernel")
            .arg(&image)
            .arg("-initrd")
            .arg(initramfs)
            .args(["-append", &format!("console={} quiet panic=-1 {}", arch.console(), self.append)])
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .status()
            .context("cannot start QEMU: install qemu-system-x86 or qemu-system-arm")?;
        let console =
            fs::read(&console_path).with_context(|| format!("cannot read {}", console_path.display()))?;
        let console = String::from_utf8_lossy(&console).replace('\r', "");
        let exit = console.lines().find_map(|line| line.split_once("VM-EXIT ")?.1.trim().parse().ok());
        if exit.is_some() && arch.sends_files() {
            fs::create_dir_all(out)?;
            shell::run(Command::new("tar").arg("-C").arg(out).arg("-xf").arg(serial.path()))?;
        }
        Ok(Verdict { exit, console })
    }
}
