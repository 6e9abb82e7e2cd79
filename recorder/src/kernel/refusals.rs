//! What would make a recording wrong rather than impossible: refused before anything is loaded, with what to do instead.

use std::{fs, path::Path};

use super::Error;

/// Inodes of the namespaces that a machine starts with, from the kernel's `include/linux/proc_ns.h`.
const FIRST_PID_NAMESPACE: u32 = 0xefff_fffc;
const FIRST_TIME_NAMESPACE: u32 = 0xefff_fffa;

/// Machines whose registers the programs know.
const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// From this release on programs of aarch64 may exchange a word of memory, by which they publish records in order.
const FIRST_OF_AARCH64: (u32, u32) = (5, 18);

pub fn refuse() -> Result<(), Error> {
    architecture(std::env::consts::ARCH)?;
    if std::env::consts::ARCH == "aarch64" {
        release(rustix::system::uname().release().to_str().unwrap_or_default())?;
    }
    namespaces(Path::new("/proc/self/ns"))?;
    lockdown(Path::new("/sys/kernel/security/lockdown"))
}

fn architecture(found: &'static str) -> Result<(), Error> {
    if ARCHITECTURES.contains(&found) { Ok(()) } else { Err(Error::Architecture { found }) }
}

fn release(of_kernel: &str) -> Result<(), Error> {
    let mut numbers = of_kernel.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
    // What says no numbers is tried: the verifier refuses what it does not know.
    let is_old = major.zip(minor).is_some_and(|found| found < FIRST_OF_AARCH64);
    if is_old { Err(Error::OldOfAarch64 { release: of_kernel.to_owned() }) } else { Ok(()) }
}

/// The kernel records ids and times as the host has them. Read beside those of a namespace, they would be other
/// processes' and other times; the recorder itself would be recorded, and a stranger left out in its stead.
fn namespaces(folder: &Path) -> Result<(), Error> {
    let is_own = |name: &str, first: u32| {
        let link = fs::read_link(folder.join(name)).ok();
        link.as_deref().and_then(Path::to_str).and_then(inode).is_some_and(|found| found != first)
    };
    if is_own("pid", FIRST_PID_NAMESPACE) {
        return Err(Error::PidNamespace);
    }
    if is_own("time", FIRST_TIME_NAMESPACE) { Err(Error::TimeNamespace) } else { Ok(()) }
}

/// The number in a link such as `pid:[4026531836]`.
fn inode(link: &str) -> Option<u32> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

fn lockdown(path: &Path) -> Result<(), Error> {
    let mode = fs::read_to_string(path).unwrap_or_default();
    if mode.contains("[confidentiality]") { Err(Error::Lockdown) } else { Ok(()) }
}

/// Whether the verifier's words are those that a kernel in lockdown has: it takes the helper away that reads its memory.
/// The file that tells of lockdown is not everywhere to be read.
pub fn is_by_lockdown(log: &str) -> bool {
    let refusal = ["unknown func bpf_probe_read", "cannot use helper bpf_probe_read"];
    log.lines().rev().take(30).any(|line| refusal.iter().any(|words| line.contains(words)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_architectures_whose_registers_are_known_are_recorded() {
        assert!(architecture("x86_64").is_ok() && architecture("aarch64").is_ok());
        let said = architecture("riscv64").unwrap_err().to_string();
        assert!(said.contains("aarch64") && said.contains("x86_64") && said.contains("riscv64"), "{said}");
    }

    #[test]
    fn kernels_of_aarch64_that_publish_nothing_in_order_are_refused() {
        for taken in ["5.18.0", "6.1.0-50-cloud-arm64", "10.0", "strange"] {
            assert!(release(taken).is_ok(), "{taken}");
        }
        let said = release("5.10.0-32-arm64").unwrap_err().to_string();
        assert!(said.contains("5.10.0-32-arm64") && said.contains("5.18"), "{said}");
    }

    #[test]
    fn a_kernel_without_the_helper_that_reads_its_memory_is_locked_down() {
        for said in [
            "unknown func bpf_probe_read_kernel#113",
            "program of this type cannot use helper bpf_probe_read_kernel#113",
        ] {
            assert!(is_by_lockdown(&format!(
                "12: (85) call bpf_probe_read_kernel#113\n{said}\nprocessed 12 insns\n"
            )));
        }
        assert!(!is_by_lockdown("12: (85) call bpf_probe_read_kernel#113\nR1 invalid mem access 'scalar'\n"));
    }

    #[test]
    fn a_namespace_of_ones_own_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let said = |pid: u32, time: u32| {
            for (name, number) in [("pid", pid), ("time", time)] {
                let _ = fs::remove_file(folder.path().join(name));
                symlink(format!("{name}:[{number}]"), folder.path().join(name)).unwrap();
            }
            namespaces(folder.path()).map_err(|error| error.to_string())
        };
        assert_eq!(said(FIRST_PID_NAMESPACE, FIRST_TIME_NAMESPACE), Ok(()));
        assert!(said(4_026_532_299, FIRST_TIME_NAMESPACE).unwrap_err().contains("hostPID"));
        assert!(said(FIRST_PID_NAMESPACE, 4_026_532_300).unwrap_err().contains("time namespace"));
        // Kernels before 5.6 have no time namespaces.
        fs::remove_file(folder.path().join("time")).unwrap();
        assert!(namespaces(folder.path()).is_ok());
    }
}
