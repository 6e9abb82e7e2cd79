//! Remakes the captures that the tests replay: real recordings of small programs, made in a fresh machine so that
//! nothing of the maker's host is in them.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{shell, vm_arch::Arch, vm_boot::Machine, vm_image::Image, vm_kernel};

#[derive(Args)]
pub struct Options {
    /// Kernel to record on
    #[arg(long, default_value = "6.18")]
    kernel: String,
    /// Only these
    names: Vec<String>,
}

/// One fixture: what is recorded, and why it is there.
struct Fixture {
    name: &'static str,
    shows: &'static str,
    /// Options of `tracer record`.
    options: &'static [&'static str],
    /// Run by `sh -c`.
    command: &'static str,
}

const FIXTURES: &[Fixture] = &[
    Fixture { name: "ls", shows: "`ls /`: one short program", options: &[], command: "ls /" },
    Fixture {
        name: "id-ls",
        shows: "`id` and `ls` in one shell, for scopes that name both",
        options: &[],
        command: "id; ls /",
    },
    Fixture {
        name: "tree",
        shows: "a tree of processes: three levels of shells, a background child that outlives its parent",
        options: &[],
        command: "sh -c 'sh -c \"id -u; true\"; (sleep 0.2; true) & true'; sleep 0.5",
    },
    Fixture {
        name: "denied",
        shows: "openat failures of another uid (EACCES and ENOENT)",
        options: &[],
        command: "umask 077; echo secret > /tmp/secret; setpriv --reuid 1000 --regid 1000 --clear-groups \
                  cat /tmp/secret /tmp/missing; rm /tmp/secret",
    },
    Fixture {
        name: "ptrace",
        shows: "strace tracing its child (ptrace with PTRACE_TRACEME and PTRACE_SEIZE)",
        options: &[],
        command: "strace -o /tmp/log id -u; rm /tmp/log",
    },
    Fixture {
        name: "threads",
        shows: "a program of several threads (xz with four workers)",
        options: &[],
        command: "head -c 300000 /dev/zero > /tmp/z; xz -T4 --block-size=65536 -k -f /tmp/z; rm /tmp/z /tmp/z.xz",
    },
    Fixture {
        name: "scopes",
        shows: "recorded with filters, so that its events carry more than one scope",
        options: &[
            "-f",
            "3:event=sched_process_exit",
            "-f",
            "3:comm=id",
            "-f",
            "9:event=sched_process_exit",
            "-f",
            "5:event=openat",
            "-f",
            "5:openat.retval<0",
        ],
        command: "id; ls /missing; true",
    },
];

/// Programs that the commands above need.
const PROGRAMS: &[&str] =
    &["sh", "ls", "id", "cat", "true", "sleep", "rm", "head", "setpriv", "strace", "xz"];

const LIMIT_BYTES: u64 = 200 * 1024;

pub fn run(options: &Options) -> Result<()> {
    let wanted: Vec<&Fixture> = FIXTURES
        .iter()
        .filter(|fixture| options.names.is_empty() || options.names.iter().any(|name| name == fixture.name))
        .collect();
    if wanted.is_empty() {
        let known: Vec<_> = FIXTURES.iter().map(|fixture| fixture.name).collect();
        bail!("no such fixture; known are {}", known.join(", "));
    }
    let mut image = Image::new(Arch::X86_64)?;
    image.copy(&Arch::X86_64.tracer()?, "usr/sbin/tracer")?;
    for program in PROGRAMS {
        image.program(program)?;
    }
    let mut script = String::new();
    for fixture in &wanted {
        // The commands themselves may fail (that is what some are for): only the capture's absence counts.
        writeln!(
            script,
            "echo '== {}'; {}",
            fixture.name,
            command_line(fixture, &format!("/out/{}.trz", fixture.name))
        )?;
        writeln!(script, "test -s /out/{}.trz || exit 1", fixture.name)?;
    }
    image.file("payload/run", script.as_bytes(), 0o755)?;
    let work = tempfile::tempdir()?;
    let initramfs = work.path().join("initrd.gz");
    image.pack(&initramfs)?;
    let out = work.path().join("out");
    let verdict =
        Machine::new(vm_kernel::by_version(Arch::X86_64, &options.kernel)?).run(&initramfs, &out)?;
    if verdict.exit != Some(0) {
        bail!("the machine did not record them all; its console:\n{}", verdict.console);
    }
    let dir = shell::root().join("fixtures");
    fs::create_dir_all(&dir)?;
    for fixture in &wanted {
        let file = format!("{}.trz", fixture.name);
        let size = fs::metadata(out.join(&file)).with_context(|| format!("no {file} came out"))?.len();
        if size > LIMIT_BYTES {
            bail!("{file} has {size} bytes: over the {LIMIT_BYTES} that a fixture may have");
        }
        fs::copy(out.join(&file), dir.join(&file))?;
        println!("{file}: {size} bytes");
    }
    fs::write(dir.join("README.md"), readme())?;
    Ok(())
}

fn command_line(fixture: &Fixture, file: &str) -> String {
    let mut line = format!("tracer record -o {file}");
    for option in fixture.options {
        let plain = option.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:=_,.".contains(&byte));
        let _ = if plain { write!(line, " {option}") } else { write!(line, " '{option}'") };
    }
    let _ = write!(line, " -- sh -c '{}'", fixture.command.replace('\'', "'\\''"));
    line
}

/// The captures that are not made again.
const OF_VERSIONS: &str = "\
## format-v1.trz, format-v2.trz, format-v3.trz, format-v4.trz

One of each version of the format, which every later one must read (docs/format.md): made by a test, never again.

## format-v3-getdents64.trz

`getdents64` as the last program kept it that left it as the kernel laid it out: cut from `ls.trz`, and never made again.
";

fn readme() -> String {
    let mut text = String::from(
        "# Fixtures\n\n\
         Real captures, each made by `tracer record` in a fresh virtual machine (Debian's 6.18 kernel, BusyBox, and the\n\
         programs named in the commands). `cargo xtask fixtures` remakes them all, `cargo xtask fixtures NAME` one; the\n\
         snapshots in `tests/` then want a look (`cargo insta review`), since times and ids are new.\n\n",
    );
    for fixture in FIXTURES {
        let _ = write!(
            text,
            "## {name}.trz\n\n{shows}.\n\n    {line}\n\n",
            name = fixture.name,
            shows = fixture.shows,
            line = command_line(fixture, &format!("{}.trz", fixture.name))
        );
    }
    text.push_str(OF_VERSIONS);
    text
}
