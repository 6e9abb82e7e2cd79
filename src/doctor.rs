//! `tracer doctor`: whether this host can record, line by line, and what to do where it cannot.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use recorder::kernel::{Kernel, KernelOptions};
use serde_json::json;

use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// Where captures will be written: its disk is looked at
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a check
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

/// What was looked at, what was found, and what to do about it.
#[derive(Debug)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    remedy: &'static str,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, found: impl Into<String>, remedy: &'static str) -> Check {
        let remedy = if verdict == Verdict::Ok { "" } else { remedy };
        Check { name, verdict, found: found.into(), remedy }
    }
}

pub fn run(options: &Options) -> Result<Outcome> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let mut checks = vec![
        kernel(&read("/proc/sys/kernel/osrelease").unwrap_or_default(), std::env::consts::ARCH),
        btf(fs::metadata("/sys/kernel/btf/vmlinux").ok().map(|found| found.len())),
        tracefs(&read("/proc/self/mounts").unwrap_or_default()),
        lockdown(read("/sys/kernel/security/lockdown").as_deref()),
        capabilities(&read("/proc/self/status").unwrap_or_default()),
        cgroups(Path::new("/sys/fs/cgroup/cgroup.controllers").exists()),
        runtimes(|path| Path::new(path).exists()),
    ];
    checks.extend(programs(&checks, &read("/proc/meminfo").unwrap_or_default()));
    checks.push(disk(&options.folder));
    checks.push(time(|path| Path::new(path).exists()));
    let mut out = BufWriter::new(io::stdout().lock());
    for check in &checks {
        let Check { name, verdict, found, remedy } = check;
        match options.output {
            Format::Text => {
                writeln!(out, "{:<5} {name:<13} {}", verdict.name(), scopes::spelled_out(found))?;
                if !remedy.is_empty() {
                    writeln!(out, "{:19} {remedy}", "")?;
                }
            }
            Format::Json => {
                let remedy = if remedy.is_empty() { None } else { Some(remedy) };
                writeln!(
                    out,
                    "{}",
                    json!({"check": name, "verdict": verdict.name(), "found": found, "remedy": remedy})
                )?;
            }
        }
    }
    out.flush()?;
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Outcome::Found } else { Outcome::Done })
}

/// The first number of a release and the second: `6.18` of `6.18.5-arch1`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn kernel(release: &str, arch: &str) -> Check {
    let release = release.trim();
    let least = if arch == "aarch64" { (5, 18) } else { (5, 10) };
    let verdict = match version(release) {
        Some(version) if version >= least => Verdict::Ok,
        Some(_) => Verdict::Fail,
        None => Verdict::Warn,
    };
    let remedy = "recording needs Linux 5.10 on x86_64 and 5.18 on aarch64, or later";
    Check::new("kernel", verdict, format!("{release} on {arch}"), remedy)
}

fn btf(bytes: Option<u64>) -> Check {
    let remedy = "the kernel must be built with CONFIG_DEBUG_INFO_BTF: most distributions' are";
    match bytes {
        Some(bytes) => {
            Check::new("btf", Verdict::Ok, format!("/sys/kernel/btf/vmlinux, {} KiB", bytes >> 10), remedy)
        }
        None => Check::new("btf", Verdict::Fail, "no /sys/kernel/btf/vmlinux", remedy),
    }
}

fn tracefs(mounts: &str) -> Check {
    let mut mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (path, kind) = (words.nth(1)?, words.next()?);
        (kind == "tracefs").then_some(path)
    });
    match mounted.next_back() {
        Some(path) => Check::new("tracefs", Verdict::Ok, path, ""),
        None => Check::new(
            "tracefs",
            Verdict::Warn,
            "not mounted",
            "recording does without; other tracers want: mount -t tracefs tracefs /sys/kernel/tracing",
        ),
    }
}

/// `none [integrity] confidentiality`: the chosen one is in brackets.
fn lockdown(text: Option<&str>) -> Check {
    let chosen = text.and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0));
    match chosen {
        Some("confidentiality") => Check::new(
            "lockdown",
            Verdict::Fail,
            "confidentiality",
            "programs may not read the arguments of system calls; boot with lockdown=integrity or none",
        ),
        Some(mode) => Check::new("lockdown", Verdict::Ok, mode, ""),
        None => Check::new("lockdown", Verdict::Ok, "the kernel tells of none", ""),
    }
}

/// What recording needs, by number.
const CAPABILITIES: &[(u32, &str)] = &[(39, "CAP_BPF"), (38, "CAP_PERFMON"), (24, "CAP_SYS_RESOURCE")];
const CAP_SYS_ADMIN: u32 = 21;

fn capabilities(status: &str) -> Check {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(effective) = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()) else {
        return Check::new(
            "capabilities",
            Verdict::Warn,
            "cannot be read",
            "look at CapEff in /proc/self/status",
        );
    };
    let has = |number: u32| effective >> number & 1 == 1;
    let missing: Vec<_> =
        CAPABILITIES.iter().filter(|(number, _)| !has(*number)).map(|(_, name)| *name).collect();
    if missing.is_empty() || has(CAP_SYS_ADMIN) {
        return Check::new("capabilities", Verdict::Ok, "enough to load programs", "");
    }
    let remedy = "run it as root, or give it these: sudo tracer doctor says whether that is enough";
    Check::new("capabilities", Verdict::Fail, format!("missing {}", missing.join(", ")), remedy)
}

fn cgroups(is_unified: bool) -> Check {
    if is_unified {
        return Check::new("cgroups", Verdict::Ok, "version 2", "");
    }
    let remedy =
        "containers are told by cgroup ids of version 2; boot with systemd.unified_cgroup_hierarchy=1";
    Check::new("cgroups", Verdict::Warn, "version 1, or none", remedy)
}

const RUNTIMES: &[(&str, &str)] = &[
    ("docker", "/run/docker.sock"),
    ("containerd", "/run/containerd/containerd.sock"),
    ("cri-o", "/run/crio/crio.sock"),
    ("podman", "/run/podman/podman.sock"),
];

fn runtimes(exists: impl Fn(&str) -> bool) -> Check {
    let found: Vec<_> = RUNTIMES.iter().filter(|(_, path)| exists(path)).map(|(name, _)| *name).collect();
    let found = if found.is_empty() { "none runs here".to_owned() } else { found.join(", ") };
    Check::new("runtimes", Verdict::Ok, found, "")
}

/// Loads the programs, as recording does, and takes them away again: what they say of hooks and of memory.
fn programs(before: &[Check], meminfo: &str) -> Vec<Check> {
    if before.iter().any(|check| check.verdict == Verdict::Fail) {
        let remedy = "first what failed above";
        return vec![Check::new("hooks", Verdict::Warn, "not tried", remedy)];
    }
    let kernel = match Kernel::load(&KernelOptions::default()) {
        Ok(kernel) => kernel,
        Err(error) => {
            let remedy = "the message says what the kernel refused";
            return vec![Check::new("hooks", Verdict::Fail, error.to_string(), remedy)];
        }
    };
    let all = kernel.carriers().count();
    let stand_ins = kernel.carriers().filter(|(_, _, instead_of)| instead_of.is_some()).count();
    let (partly, lacking) = kernel.unavailable().iter().fold((0, 0), |(partly, lacking), it| {
        if it.in_part { (partly + 1, lacking) } else { (partly, lacking + 1) }
    });
    let verdict = if stand_ins + partly + lacking > 0 { Verdict::Warn } else { Verdict::Ok };
    let found = format!(
        "{all} events of hooks, {stand_ins} by stand-ins; {lacking} events missing, {partly} in part"
    );
    let remedy = "tracer events --available says which, and why; docs/stand-ins.md what stand-ins tell";
    let mut checks = vec![Check::new("hooks", verdict, found, remedy)];
    let memory = kernel.memory();
    checks.push(buffers(memory.cpus as u64, memory.buffer_bytes as u64, available(meminfo)));
    checks
}

/// Bytes that programs may still take.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn buffers(cpus: u64, each: u64, available: Option<u64>) -> Check {
    let all = cpus.saturating_mul(each);
    let of = available.map_or(String::new(), |available| format!(" of {} MiB available", available >> 20));
    let found = format!("{} MiB of buffers for {cpus} CPUs{of}", all >> 20);
    let verdict = match available {
        Some(available) if all > available / 2 => Verdict::Fail,
        Some(available) if all > available / 4 => Verdict::Warn,
        _ => Verdict::Ok,
    };
    Check::new("memory", verdict, found, "smaller buffers: record --buffer 4M; fewer spare ones: --cpus N")
}

fn disk(folder: &Path) -> Check {
    let remedy = "another folder, or record --rotate 100M --keep 10, which removes the oldest";
    match rustix::fs::statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let verdict = match free >> 20 {
                0..64 => Verdict::Fail,
                64..1024 => Verdict::Warn,
                _ => Verdict::Ok,
            };
            Check::new("disk", verdict, format!("{} MiB free in {}", free >> 20, folder.display()), remedy)
        }
        Err(error) => Check::new("disk", Verdict::Fail, format!("{}: {error}", folder.display()), remedy),
    }
}

/// Files that are there while something keeps the clock right.
const CLOCK_KEEPERS: &[(&str, &str)] = &[
    ("systemd-timesyncd", "/run/systemd/timesync/synchronized"),
    ("chronyd", "/run/chrony/chronyd.pid"),
    ("chronyd", "/run/chronyd.pid"),
    ("ntpd", "/run/ntpd.pid"),
];

fn time(exists: impl Fn(&str) -> bool) -> Check {
    match CLOCK_KEEPERS.iter().find(|(_, path)| exists(path)) {
        Some((name, _)) => Check::new("time", Verdict::Ok, format!("kept by {name}"), ""),
        None => Check::new(
            "time",
            Verdict::Warn,
            "nothing is known to keep the clock right",
            "captures of several hosts are ordered by their clocks: run chronyd or systemd-timesyncd",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_tells_what_is_wrong_and_what_to_do() {
        let verdict = |check: &Check| {
            assert_eq!(check.remedy.is_empty(), check.verdict == Verdict::Ok, "{check:?}");
            check.verdict.name()
        };
        assert_eq!(verdict(&kernel("6.18.5-arch1\n", "x86_64")), "ok");
        assert_eq!(verdict(&kernel("5.10.0", "x86_64")), "ok");
        assert_eq!(verdict(&kernel("5.10.0", "aarch64")), "fail");
        assert_eq!(verdict(&kernel("4.19.0-amd64", "x86_64")), "fail");
        assert_eq!(verdict(&kernel("", "x86_64")), "warn");
        assert_eq!((verdict(&btf(Some(1 << 22))), verdict(&btf(None))), ("ok", "fail"));
        assert_eq!(verdict(&tracefs("tracefs /sys/kernel/tracing tracefs rw 0 0\n")), "ok");
        assert_eq!(verdict(&tracefs("proc /proc proc rw 0 0\n")), "warn");
        assert_eq!(verdict(&lockdown(Some("[none] integrity confidentiality\n"))), "ok");
        assert_eq!(verdict(&lockdown(Some("none integrity [confidentiality]\n"))), "fail");
        assert_eq!(verdict(&lockdown(None)), "ok");
        assert_eq!(verdict(&capabilities("Name: tracer\nCapEff:\t000001ffffffffff\n")), "ok");
        let missing = capabilities("CapEff:\t0000004000000000\n");
        assert_eq!(
            (verdict(&missing), missing.found.as_str()),
            ("fail", "missing CAP_BPF, CAP_SYS_RESOURCE")
        );
        assert_eq!((verdict(&cgroups(true)), verdict(&cgroups(false))), ("ok", "warn"));
        assert_eq!(runtimes(|path| path.contains("crio")).found, "cri-o");
        let memory =
            |each| verdict(&buffers(4, each, available("MemTotal: 9 kB\nMemAvailable:  1048576 kB\n")));
        assert_eq!((memory(16 << 20), memory(100 << 20), memory(200 << 20)), ("ok", "warn", "fail"));
        assert_eq!((verdict(&time(|_| true)), verdict(&time(|_| false))), ("ok", "warn"));
    }
}
