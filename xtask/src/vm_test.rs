//! The kernel matrix: the live tests' own program, run as the payload of a machine with each kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    shell,
    vm_arch::Arch,
    vm_boot::Machine,
    vm_image::Image,
    vm_kernel::{self, Kernel},
};

#[derive(Args)]
pub struct Options {
    /// Only these kernels (5.10, 6.1, 6.12, 6.18, 7.3; on aarch64 6.1 and 6.12); all when none is named
    #[arg(long)]
    kernel: Vec<String>,
    /// The machines' architecture
    #[arg(long, value_enum, default_value = "x86_64")]
    arch: Arch,
    /// Print every console, not only those of failures
    #[arg(long)]
    show: bool,
    /// Use this program, with the libraries that it is linked to, rather than build one that needs none
    #[arg(long, value_name = "FILE")]
    tracer: Option<PathBuf>,
    /// Run this script in the machines instead of the tests
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Look at every event of a hook too, by each kind of program: takes minutes, so raise --limit
    #[arg(long)]
    hooks: bool,
    /// What happens to hosts, too: CPUs that go and come back, sleep, and --strict: takes minutes, so raise --limit
    #[arg(long)]
    edges: bool,
    /// Only the stress of preemption
    #[arg(long)]
    stress: bool,
    /// Only what several drains write, on machines of eight CPUs
    #[arg(long, conflicts_with = "script")]
    many_cpus: bool,
    /// CPUs of the machines
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Seconds that a machine may take
    #[arg(long, default_value_t = 600)]
    limit: u32,
}

/// Programs that the script and the live tests need.
const PROGRAMS: &[&str] = &["sh", "ls", "id", "cat", "true", "sleep", "dd"];

/// Records and replays, and judges what came out.
const SCRIPT: &str = include_str!("vm_test.sh");

/// The same of hooks: by each kind of program that the kernel takes.
const HOOKS_SCRIPT: &str = include_str!("vm_hooks.sh");

/// What several drains write while eight CPUs are busy.
const CPUS_SCRIPT: &str = include_str!("vm_cpus.sh");

/// What happens to a host meanwhile: CPUs go and come, it sleeps.
const EDGES_SCRIPT: &str = include_str!("vm_edges.sh");

/// Programs that meet on a CPU, and what is recorded afterwards.
const STRESS_SCRIPT: &str = include_str!("vm_stress.sh");

/// Builds a program that a script runs.
fn built(arch: Arch, source: &str, work: &Path) -> Result<PathBuf> {
    let out = work.join(source).with_extension("");
    arch.program(&shell::root().join("xtask/src").join(source), &out)?;
    Ok(out)
}

/// The program without its debug information: a machine's memory is small.
fn stripped(program: &Path, work: &Path) -> Result<PathBuf> {
    let out = work.join("tracer");
    shell::run(Command::new("objcopy").arg("--strip-debug").args([program, &out]))
        .with_context(|| format!("cannot strip {}: is binutils installed?", program.display()))?;
    Ok(out)
}

/// One start of a kernel: by itself with all tests, then with full preemption and the stress alone.
struct Boot {
    kernel: Kernel,
    name: String,
    append: String,
}

impl Boot {
    fn all_of(kernel: Kernel, options: &Options) -> Vec<Boot> {
        let only = if options.stress { "only=stress" } else { "" };
        let by_itself =
            Boot { kernel, name: kernel.version.to_owned(), append: format!("{} {only}", kernel.append) };
        let mut boots = vec![by_itself];
        if kernel.preempts_fully && options.script.is_none() && !options.many_cpus {
            boots.push(Boot {
                kernel,
                name: format!("{} preempt=full", kernel.version),
                append: format!("{} preempt=full only=stress", kernel.append),
            });
        }
        boots
    }
}

pub fn run(options: &Options) -> Result<()> {
    let kernels = if options.kernel.is_empty() {
        vm_kernel::of(options.arch)
    } else {
        let by_version = |version: &String| vm_kernel::by_version(options.arch, version);
        options.kernel.iter().map(by_version).collect::<Result<Vec<_>>>()?
    };
    let mut image = Image::new(options.arch)?;
    let work = tempfile::tempdir()?;
    match &options.tracer {
        Some(path) => image.linked(&stripped(path, work.path())?, "usr/sbin/tracer")?,
        None => image.copy(&options.arch.tracer()?, "usr/sbin/tracer")?,
    }
    for program in PROGRAMS {
        image.program(program)?;
    }
    let script = match &options.script {
        Some(path) => fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        None if options.many_cpus => CPUS_SCRIPT.as_bytes().to_vec(),
        None => SCRIPT.as_bytes().to_vec(),
    };
    image.file("payload/run", &script, 0o755)?;
    image.file("payload/stress", STRESS_SCRIPT.as_bytes(), 0o755)?;
    if options.edges {
        image.file("payload/edges", EDGES_SCRIPT.as_bytes(), 0o755)?;
    }
    image.copy(&built(options.arch, "vm_stress.rs", work.path())?, "usr/bin/stress")?;
    if options.hooks {
        image.file("payload/hooks", HOOKS_SCRIPT.as_bytes(), 0o755)?;
        image.copy(&built(options.arch, "vm_deeds.rs", work.path())?, "usr/bin/deeds")?;
    }
    let initramfs = work.path().join("initrd.gz");
    image.pack(&initramfs)?;

    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for kernel in kernels {
        if kernel.may_be_gone
            && let Err(error) = kernel.image()
        {
            println!("{}: skipped: its package cannot be had any more ({error:#})", kernel.version);
            skipped += 1;
            continue;
        }
        for boot in Boot::all_of(kernel, options) {
            let out = work.path().join(kernel.version);
            let begun = Instant::now();
            let machine = Machine {
                limit_s: options.limit,
                cpus: if options.many_cpus { 8 } else { options.cpus },
                append: boot.append,
                ..Machine::new(boot.kernel)
            };
            let mut verdict = machine.run(&initramfs, &out)?;
            if verdict.is_emulators_fault() {
                println!("{}: QEMU ran code of the kernel that had been replaced: booted again", boot.name);
                verdict = machine.run(&initramfs, &out)?;
            }
            let good = verdict.exit == Some(0);
            let said = verdict
                .exit
                .map_or_else(|| "no verdict (panic, hang or time limit)".to_owned(), |n| format!("exit {n}"));
            let seconds = begun.elapsed().as_secs();
            println!("{}: {} after {seconds} s", boot.name, if good { "passed" } else { &said });
            if good {
                passed += 1
            } else {
                failed += 1
            }
            if options.show || !good {
                println!("{}", verdict.console);
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        bail!("{failed} kernel(s) failed");
    }
    Ok(())
}
