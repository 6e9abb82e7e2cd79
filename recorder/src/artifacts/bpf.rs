//! The instructions of loaded bpf programs, as the kernel runs them: what the verifier made of what was loaded.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use format::artifact::reasons;

/// `BPF_OBJ_GET_INFO_BY_FD`.
const INFO_BY_FD: libc::c_int = 15;
const NAME_BYTES: usize = 16;

/// The beginning of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_length: u32,
    xlated_length: u32,
    jited: u64,
    xlated: u64,
    load_time: u64,
    uid: u32,
    map_count: u32,
    maps: u64,
    name: [u8; NAME_BYTES],
}

/// The part of `union bpf_attr` that asks for it.
#[repr(C)]
struct Attributes {
    fd: u32,
    length: u32,
    info: u64,
}

/// A loaded program.
pub(super) struct Program {
    fd: OwnedFd,
    info: Info,
}

impl Program {
    /// The program that a process has a descriptor of.
    pub fn of(pid: u32, fd: i32) -> Result<Program, &'static str> {
        // SAFETY: numbers alone are given.
        let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).ok_or(reasons::GONE)?;
        // SAFETY: as above.
        let found = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) };
        let fd = owned(found).ok_or(reasons::GONE)?;
        let mut info = Info::default();
        // Of what is no program, the kernel says something else, or nothing.
        ask(&fd, &mut info).map_err(|_| reasons::UNREADABLE)?;
        Ok(Program { fd, info })
    }

    /// Its name, as other programs that list bpf programs have it.
    pub fn name(&self) -> Vec<u8> {
        let name = self.info.name.split(|byte| *byte == 0).next().unwrap_or_default();
        [format!("bpf:{}:", self.info.id).as_bytes(), name].concat()
    }

    pub fn size(&self) -> u64 {
        self.info.xlated_length.into()
    }

    /// Its instructions, each of eight bytes; at most so many bytes. Empty where the kernel shows them to nobody.
    pub fn instructions(&self, bound: u64) -> Result<Vec<u8>, &'static str> {
        let length = self.size().min(bound);
        let mut bytes = vec![0u8; usize::try_from(length).map_err(|_| reasons::UNREADABLE)?];
        let mut info =
            Info { xlated_length: length as u32, xlated: bytes.as_mut_ptr() as u64, ..Info::default() };
        ask(&self.fd, &mut info).map_err(|_| reasons::UNREADABLE)?;
        match info.xlated_length {
            0 => Err(reasons::UNREADABLE),
            _ => Ok(bytes),
        }
    }
}

fn owned(fd: libc::c_long) -> Option<OwnedFd> {
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just given it to us, and nobody else knows of it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ask(fd: &OwnedFd, info: &mut Info) -> io::Result<()> {
    let attributes = Attributes {
        fd: fd.as_raw_fd() as u32,
        length: size_of::<Info>() as u32,
        info: std::ptr::from_mut(info) as u64,
    };
    let length = size_of::<Attributes>();
    // SAFETY: the attributes and what they point to live until the call is over; the kernel writes no more than the lengths
    // say that stand there.
    let result = unsafe { libc::syscall(libc::SYS_bpf, INFO_BY_FD, &raw const attributes, length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
