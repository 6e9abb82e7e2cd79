//! How often a kprobe was hit and its program did not run, by the kernel's own count of it (6.7 and later): another kprobe
//! was at work on that CPU, or more calls of a function were under way than a kretprobe keeps. The count of a program
//! itself has none of these.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use aya::{
    Ebpf,
    programs::{links::LinkInfo, loaded_links},
};

/// The link of a program to its function, held to be asked. It attaches the program as long as it is held.
#[derive(Debug)]
struct Link {
    program: &'static str,
    fd: OwnedFd,
}

/// Links of kprobes.
#[derive(Debug, Default)]
pub struct Links(Vec<Link>);

impl Links {
    /// Those of these programs that the kernel has: before 5.15 kprobes have none.
    pub fn of(ebpf: &Ebpf, programs: impl Iterator<Item = &'static str>) -> Links {
        let id_of = |name| {
            let info = ebpf.program(name).and_then(|program| program.info().ok())?;
            Some((info.id(), name))
        };
        let programs: Vec<(u32, &'static str)> = programs.filter_map(id_of).collect();
        let of_ours = |link: LinkInfo| {
            let (_, program) = programs.iter().find(|(id, _)| *id == link.program_id())?;
            Some(Link { program, fd: open(link.id()).ok()? })
        };
        Links(loaded_links().filter_map(Result::ok).filter_map(of_ours).collect())
    }

    /// Hits of a program's kprobe that did not run it, since it was attached.
    pub fn missed(&self, program: &str) -> u64 {
        let links = self.0.iter().filter(|link| link.program == program);
        links.map(|link| info(&link.fd).map_or(0, |info| missed_of(&info))).sum()
    }
}

/// `struct bpf_link_info`, as far as what is told of a kprobe: the kernel fills what it knows of it.
type Info = [u64; 8];

/// `BPF_LINK_TYPE_PERF_EVENT`, and of its kinds `BPF_PERF_EVENT_KPROBE` and `_KRETPROBE`.
const PERF_EVENT: u32 = 7;
const KPROBES: [u32; 2] = [3, 4];

/// ```text
/// word 0: type u32, id u32    2: kind u32, 0          5: address
///      1: program u32, 0      3, 4: the function      6: missed
/// ```
fn missed_of(info: &Info) -> u64 {
    let [head, _, kind, _, _, _, missed, _] = *info;
    if head as u32 == PERF_EVENT && KPROBES.contains(&(kind as u32)) { missed } else { 0 }
}

/// A descriptor of the link with this id.
fn open(id: u32) -> io::Result<OwnedFd> {
    const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
    // id, next id, flags
    let attributes: [u32; 4] = [id, 0, 0, 0];
    // SAFETY: the call reads as many bytes as it is told of, and the array lives meanwhile.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_LINK_GET_FD_BY_ID,
            attributes.as_ptr(),
            size_of_val(&attributes) as libc::c_uint,
        )
    };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn info(link: &OwnedFd) -> io::Result<Info> {
    const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
    let mut info: Info = [0; 8];
    let length = size_of_val(&info) as u64;
    // descriptor u32, length u32, address u64
    let attributes: [u64; 2] =
        [u64::from(link.as_raw_fd().unsigned_abs()) | length << 32, info.as_mut_ptr() as u64];
    // SAFETY: the kernel reads the attributes, and writes at most as many bytes as they say to the array behind the
    // address; both live meanwhile. No name is asked for: its address is 0.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET_INFO_BY_FD,
            attributes.as_ptr(),
            size_of_val(&attributes) as libc::c_uint,
        )
    };
    if result == 0 { Ok(info) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_a_kprobe_is_its_count() {
        let told = |kind: u64, of: u64| [u64::from(PERF_EVENT) | 9 << 32, 5, kind, 0, 0, of, 77, 0];
        assert_eq!((missed_of(&told(3, 0)), missed_of(&told(4, 1))), (77, 77));
        // A uprobe has other members there; what is no perf event, too.
        assert_eq!(missed_of(&told(1, 0)), 0);
        assert_eq!(missed_of(&[2, 0, 3, 0, 0, 0, 77, 0]), 0);
    }

    #[test]
    fn a_link_that_there_is_not_is_not_opened() {
        assert!(open(u32::MAX).is_err());
    }
}
