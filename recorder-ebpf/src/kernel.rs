//! The kernel's structures as typed pointers, from the table in `events::abi::layout`.
//!
//! `Task<true>` is a pointer that the verifier knows by its type: fields are loaded directly. `Task<false>` is a bare
//! address: fields are read by `bpf_probe_read_kernel`, which any address survives.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use events::abi::{
    files::{FMODE_CREATED_SHIFT, told},
    layout::{ABSENT, Layout},
    tables::CAST_MARK,
};

use crate::{emit::config, hash::GOLDEN_RATIO};

/// Filled and frozen by the recorder before the programs are loaded.
#[unsafe(no_mangle)]
static LAYOUT: Layout = Layout::UNRESOLVED;

/// A field's offset: volatile, or the compiler takes the zero that it sees.
macro_rules! offset {
    ($place:ident . $field:ident) => {
        // SAFETY: a static of this program.
        unsafe { core::ptr::read_volatile(&raw const LAYOUT.$place.$field) }
    };
}

/// Reads kernel memory at any address; zero when it cannot be read.
#[inline(always)]
pub fn probe<T: Copy>(address: *const u8) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes all of the value, zeroes where the address is bad; T is a number or an address.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address.cast());
        value.assume_init()
    }
}

/// Makes an address a pointer to the structure of this id of BTF, known to the verifier again: only where the kernel has
/// a function for it, which costs nothing.
#[inline(always)]
fn cast(address: *const u8, type_id: u32) -> *const u8 {
    // SAFETY: the recorder puts the number of `bpf_rdonly_cast` here, or the verifier sees that it is never called.
    unsafe {
        let cast: unsafe extern "C" fn(*const u8, u32) -> *const u8 = core::mem::transmute(CAST_MARK as usize);
        cast(address, type_id)
    }
}

/// Forgets what the verifier knows of a pointer, so that arithmetic on it is allowed and reads go by [`probe`].
#[inline(always)]
pub fn address_of(pointer: *const u8) -> *const u8 {
    let on_stack = pointer;
    probe((&raw const on_stack).cast())
}

#[inline(always)]
fn load<const TYPED: bool, T: Copy>(base: *const u8, offset: u32) -> T {
    if TYPED {
        // SAFETY: the verifier holds the offset against the type, and a fault reads as zero.
        unsafe { core::ptr::read_volatile(base.add(offset as usize).cast()) }
    } else if offset == ABSENT {
        // SAFETY: T is a number or an address.
        unsafe { MaybeUninit::zeroed().assume_init() }
    } else {
        probe(base.wrapping_add(offset as usize))
    }
}

macro_rules! accessor {
    (num $type:ident $place:ident $field:ident) => {
        #[inline(always)]
        pub fn $field(self) -> $type {
            load::<TYPED, $type>(self.0, offset!($place.$field))
        }
    };
    (low $type:ident $place:ident $field:ident) => {
        #[inline(always)]
        pub fn $field(self) -> $type {
            load::<TYPED, $type>(self.0, offset!($place.$field))
        }
    };
    (adr $type:ident $place:ident $field:ident) => {
        #[inline(always)]
        pub fn $field(self) -> *const $type {
            load::<TYPED, *const $type>(self.0, offset!($place.$field))
        }
    };
    (ptr $type:ident $place:ident $field:ident) => {
        #[inline(always)]
        pub fn $field(self) -> $type<TYPED> {
            $type(load::<TYPED, *const u8>(self.0, offset!($place.$field)))
        }
    };
    (at $type:ident $place:ident $field:ident) => {
        #[inline(always)]
        pub fn $field(self) -> *const u8 {
            let offset = offset!($place.$field);
            if !TYPED && offset == ABSENT { core::ptr::null() } else { self.0.wrapping_add(offset as usize) }
        }
    };
}

macro_rules! accessors {
    ($($type:ident $place:ident $layout:ident $of:literal {
        $($field:ident : $kind:ident $what:ident = [$($path:literal),+] $(or $optional:ident)? ;)*
    })*) => {
        $(
            #[doc = concat!("`struct ", $of, "`")]
            #[derive(Clone, Copy)]
            pub struct $type<const TYPED: bool>(pub *const u8);

            #[allow(dead_code)]
            impl<const TYPED: bool> $type<TYPED> {
                #[inline(always)]
                pub fn is_null(self) -> bool {
                    self.0.is_null()
                }

                /// The same, no longer known to the verifier.
                #[inline(always)]
                pub fn untyped(self) -> $type<false> {
                    $type(address_of(self.0))
                }

                $(accessor!($kind $what $place $field);)*
            }
        )*
    };
}

events::kernel_layout!(accessors);

impl<const TYPED: bool> File<TYPED> {
    /// Whether the open that made this `struct file` made the file as well (`FMODE_CREATED`): one of [`told`].
    #[inline(always)]
    pub fn created(self) -> u64 {
        (self.mode() >> FMODE_CREATED_SHIFT) as u64 & told::YES
    }
}

impl<const TYPED: bool> Task<TYPED> {
    /// The same task, by a pointer that the verifier does not trust: of each pointer that is loaded from one that it
    /// trusts it asks whether that is to be trusted too, by going through the names of all types of the kernel.
    #[inline(always)]
    pub fn untrusted(self) -> Task<TYPED> {
        if TYPED && config!(task_type) != 0 { Task(cast(self.0, config!(task_type))) } else { self }
    }

    /// Whether it is a 32-bit task, whose calls have numbers and arguments of their own.
    #[cfg(feature = "aarch64")]
    #[inline(always)]
    pub fn compat(self) -> bool {
        const TIF_32BIT: u64 = 1 << 22;
        offset!(task.thread_flags) != ABSENT && self.thread_flags() & TIF_32BIT != 0
    }

    /// Whether the call that it is in is a 32-bit one: by `thread_info.status`; none is where the kernel keeps no such.
    #[cfg(not(feature = "aarch64"))]
    #[inline(always)]
    pub fn compat(self) -> bool {
        const TS_COMPAT: u32 = 2;
        offset!(task.status) != ABSENT && self.status() & TS_COMPAT != 0
    }

    /// Whether a seccomp filter has just ended the call that the task is in: `SECCOMP_RET_TRAP` and `_KILL` put the
    /// registers back and force a SIGSYS, which is never blocked then and is still to be delivered at the call's exit.
    #[inline(always)]
    pub fn is_taken_back(self) -> bool {
        const SIGSYS: u64 = 1 << 30;
        if offset!(task.seccomp_mode) == ABSENT
            || offset!(task.pending) == ABSENT
            || offset!(task.blocked) == ABSENT
            || self.seccomp_mode() == 0
        {
            return false;
        }
        let pending: u64 = load::<TYPED, u64>(self.0, offset!(task.pending));
        let blocked: u64 = load::<TYPED, u64>(self.0, offset!(task.blocked));
        pending & !blocked & SIGSYS != 0
    }

    #[inline(always)]
    pub fn is_kernel_thread(self) -> bool {
        const PF_KTHREAD: u32 = 0x0020_0000;
        self.flags() & PF_KTHREAD != 0
    }

    /// Whether it works off an io_uring: a thread of the process that never was in user space.
    #[inline(always)]
    pub fn is_io_worker(self) -> bool {
        const PF_IO_WORKER: u32 = 0x10;
        self.flags() & PF_IO_WORKER != 0
    }

    /// The name, in two words.
    #[inline(always)]
    pub fn comm_words(self) -> [u64; 2] {
        let at = offset!(task.comm);
        [load::<TYPED, u64>(self.0, at), load::<TYPED, u64>(self.0, at + 8)]
    }
}

impl<const TYPED: bool> Cred<TYPED> {
    /// uid and gid in a word, euid and egid in another. Where reads are calls, by one of them.
    #[inline(always)]
    pub fn ids(self) -> [u64; 2] {
        let at = offset!(cred.uid);
        if !TYPED && offset!(cred.gid) == at + 4 && offset!(cred.euid) == at + 16 && offset!(cred.egid) == at + 20 {
            let [ids, _, effective]: [u64; 3] = probe(self.0.wrapping_add(at as usize));
            [ids, effective]
        } else {
            let pair = |low: u32, high: u32| low as u64 | (high as u64) << 32;
            [pair(self.uid(), self.gid()), pair(self.euid(), self.egid())]
        }
    }
}

impl<const TYPED: bool> UtsNs<TYPED> {
    /// A number that changes with the host's name, of which at most 64 bytes count.
    #[inline(always)]
    pub fn name_hash(self) -> u64 {
        if !TYPED {
            return host_name_hash(self.0 as u64);
        }
        let at = offset!(uts_ns.nodename);
        let mut hash = 0u64;
        for word in 0..8 {
            let name = load::<TYPED, u64>(self.0, at + word * 8);
            hash = (hash ^ name).wrapping_mul(GOLDEN_RATIO);
            if has_zero(name) {
                break;
            }
        }
        hash
    }
}

/// Whether a byte of it is zero: a name ends there, and what stands behind is nobody's.
#[inline(always)]
fn has_zero(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    word.wrapping_sub(ONES) & !word & (ONES << 7) != 0
}

/// The same by probing. A global function for its stack: nobody else has room for the name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn host_name_hash(uts_ns: u64) -> u64 {
    let words: [u64; 8] = probe((uts_ns as *const u8).wrapping_add(offset!(uts_ns.nodename) as usize));
    let mut hash = 0u64;
    for word in words {
        hash = (hash ^ word).wrapping_mul(GOLDEN_RATIO);
        if has_zero(word) {
            break;
        }
    }
    hash
}

impl FdTable<true> {
    /// The open file at a descriptor, where the kernel can cast: the verifier does not know the elements of a table by
    /// type, but those of the array within a `files_struct`, so one is laid where its first meets the element.
    #[inline(always)]
    pub fn file(self, fd: u32) -> File<true> {
        if fd >= self.max_fds() {
            return File(core::ptr::null());
        }
        let own = offset!(files.own);
        let address = self.fd().wrapping_add(fd as usize * 8).wrapping_sub(own as usize);
        File(load::<true, *const u8>(cast(address, config!(files_type)), own))
    }
}

impl FdTable<false> {
    #[inline(always)]
    pub fn file(self, fd: u32) -> File<false> {
        File(if fd >= self.max_fds() { core::ptr::null() } else { probe(self.fd().wrapping_add(fd as usize * 8)) })
    }
}

impl Pid<false> {
    /// Its number and namespace at a level, 0 being the host's. Null and 0 where it has no such level.
    #[inline(always)]
    pub fn at_level(self, level: u32) -> Upid<false> {
        const UPID_BYTES: usize = 16;
        Upid(self.numbers().wrapping_add(level as usize * UPID_BYTES))
    }
}

impl<const TYPED: bool> Dentry<TYPED> {
    /// Whether it is found by its name (not 0), its directory, and the hash of its name. Where reads are calls, by one of
    /// them if the kernel has the three side by side.
    #[inline(always)]
    pub fn identity(self) -> (u64, Dentry<TYPED>, u64) {
        let at = offset!(dentry.hashed);
        if !TYPED && offset!(dentry.parent) == at + 8 && offset!(dentry.name_hash) == at + 16 {
            let [hashed, parent, name_hash]: [u64; 3] = probe(self.0.wrapping_add(at as usize));
            // Its length follows the hash; verifiers before 6.2 do not let both be read at once from a typed pointer.
            (hashed, Dentry(parent as *const u8), name_hash & 0xffff_ffff)
        } else {
            (self.hashed(), self.parent(), self.name_hash() as u64)
        }
    }
}

impl Sock<false> {
    /// A number that changes with its addresses and ports.
    #[inline(always)]
    pub fn endpoints(self) -> u64 {
        let at = offset!(sock.addresses);
        let [addresses, ports]: [u64; 2] = if offset!(sock.ports) == at + 12 {
            probe(self.0.wrapping_add(at as usize))
        } else {
            [self.addresses(), (self.ports() as u64) << 32]
        };
        // The word of the ports begins with a hash of no account.
        addresses ^ (ports >> 32).wrapping_mul(GOLDEN_RATIO)
    }
}

impl UnixSock<false> {
    /// Whether the kernel has such sockets, and says where their addresses are.
    #[inline(always)]
    pub fn is_known() -> bool {
        offset!(unix_sock.addr) != ABSENT && offset!(unix_address.name) != ABSENT
    }
}

impl VfsMount<false> {
    /// The mount that it is part of.
    #[inline(always)]
    pub fn mount(self) -> Mount<false> {
        Mount(self.0.wrapping_sub(offset!(mount.mnt) as usize))
    }
}

impl SuperBlock<false> {
    /// The first of its mounts; null when it has none.
    #[inline(always)]
    pub fn first_mount(self) -> VfsMount<false> {
        let first: *const u8 = probe(self.mounts());
        if first.is_null() || first == self.mounts() {
            return VfsMount(core::ptr::null());
        }
        // A list of entries within the mounts, before 6.18; a pointer to the mount itself since.
        let in_list = offset!(mount.instance);
        let mount = if in_list == ABSENT { first } else { first.wrapping_sub(in_list as usize) };
        Mount(mount).vfsmount()
    }
}

impl Mount<false> {
    #[inline(always)]
    pub fn vfsmount(self) -> VfsMount<false> {
        VfsMount(self.mnt())
    }
}
