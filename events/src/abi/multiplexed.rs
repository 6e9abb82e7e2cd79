//! Calls that 32-bit tasks make through another one, which says by a number what is meant, or has its arguments in a list
//! in memory: `socketcall(SYS_CONNECT, [3, address, 16])` is `connect(3, address, 16)`.
//!
//! They are recorded as what they mean. Where that has a number of its own for 32-bit tasks as well, it has that number's
//! slot; the few others have slots from [`FIRST_OWN`] on. What means nothing, and what has an unreadable list, stays the
//! call that it is.
//!
//! ```text
//!              by           selector           arguments
//! connect      socketcall   argument 0: 3      words 0, 1, 2 of the list in argument 1
//! semop        ipc          argument 0: 1      arguments 1, 4, 2
//! select       old_select   none               words 0 to 4 of the list in argument 0
//! ```

use super::Slot;
use crate::catalogue::{Arch, number};

/// What a call through another one means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Meant {
    /// The slot of the call that is meant; 0 where nothing is.
    pub slot: u16,
    /// The argument that is the address of a list, plus 1; 0 is none.
    pub list: u8,
    /// Words of that list, of four bytes each.
    pub words: u8,
    /// The argument that is the address of the result, plus 1; 0 where the call returns it.
    pub result: u8,
    /// The argument of the call that is meant that is a command, plus 1; 0 is none. Such commands say by [`IPC_64`] that
    /// structures are those that the call itself has.
    pub command: u8,
    /// Where each argument is: [`source`].
    pub sources: [u8; 6],
    /// Two more that are read where a position is only known to be below eight.
    spare: [u8; 4],
}

const _: () = assert!(core::mem::size_of::<Meant>() == 16);

/// Values of [`Meant::sources`].
pub mod source {
    /// There is no such argument: zero.
    pub const NONE: u8 = 0;
    /// The first argument of the call as it was made.
    pub const ARGUMENT: u8 = 1;
    /// The first word of the list.
    pub const LIST: u8 = 8;
}

/// In a command: structures are of the newer form. Without it they are of one that no library uses any more, and are not
/// followed.
pub const IPC_64: u64 = 0x100;

/// Entries of [`TABLE`]; a power of two.
pub const COUNT: usize = 64;
/// Selectors are below this; a power of two.
const SELECTORS: u32 = 32;
/// Bits of `ipc`'s selector that are one; above them is a version.
const IPC_CALL: u32 = 0xffff;

/// 32-bit numbers from here on are of no call: their slots are those of what has none. Tasks that give such a number make
/// a call that no kernel has.
pub const FIRST_OWN: u16 = 480;

/// Calls that are made through another one alone: the number that stands for each, and that of the other one, which says
/// how structures lie.
pub const OWN: [(&str, u16, u16); 4] = [
    ("accept", FIRST_OWN, SOCKETCALL),
    ("semop", FIRST_OWN + 1, IPC),
    // By its own number its time has 64 bits.
    ("semtimedop", FIRST_OWN + 2, IPC),
    ("mmap", FIRST_OWN + 3, OLD_MMAP),
];

pub const SOCKETCALL: u16 = known("socketcall");
pub const IPC: u16 = known("ipc");
pub const OLD_SELECT: u16 = known("old_select");
pub const OLD_MMAP: u16 = known("old_mmap");

/// The calls through which others are made.
pub const ALL: [u16; 4] = [SOCKETCALL, IPC, OLD_SELECT, OLD_MMAP];

const fn known(name: &str) -> u16 {
    match number(Arch::I386, name) {
        Some(number) => number,
        None => panic!("32-bit tasks have no such call"),
    }
}

/// The entry of [`TABLE`] that says what a call by this number and first argument means, if it can mean anything.
#[inline(always)]
pub const fn index(number: u16, selector: u32) -> Option<usize> {
    match number {
        OLD_SELECT => Some(AT_SELECT),
        OLD_MMAP => Some(AT_MMAP),
        SOCKETCALL if selector != 0 && selector < SELECTORS => Some(selector as usize),
        IPC => {
            let call = selector & IPC_CALL;
            if call == MSGRCV && selector == MSGRCV {
                Some(AT_OLD_MSGRCV)
            } else if call != 0 && call < SELECTORS - 2 {
                Some((SELECTORS + call) as usize)
            } else {
                None
            }
        }
        _ => None,
    }
}

// No selector is 0.
const AT_SELECT: usize = 0;
const AT_MMAP: usize = SELECTORS as usize;
const MSGRCV: u32 = 12;
/// Version 0 of it has the address and the type in a list of their own.
const AT_OLD_MSGRCV: usize = COUNT - 1;

const NOTHING: Meant =
    Meant { slot: 0, list: 0, words: 0, result: 0, command: 0, spare: [0; 4], sources: [0; 6] };

const fn slot(name: &str) -> u16 {
    let mut i = 0;
    while i < OWN.len() {
        if is_same(OWN[i].0, name) {
            return Slot::COMPAT_BASE as u16 + OWN[i].1;
        }
        i += 1;
    }
    Slot::COMPAT_BASE as u16 + known(name)
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut i = 0;
    while i < one.len() {
        if one[i] != other[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A call whose arguments are the first words of the list in argument `list`.
const fn listed(name: &str, list: u8, words: u8) -> Meant {
    let mut sources = [source::NONE; 6];
    let mut i = 0;
    while i < words as usize {
        sources[i] = source::LIST + i as u8;
        i += 1;
    }
    Meant { slot: slot(name), list: list + 1, words, sources, ..NOTHING }
}

/// Argument of the call as it was made.
const fn a(position: u8) -> u8 {
    source::ARGUMENT + position
}

/// Word of a list.
const fn w(word: u8) -> u8 {
    source::LIST + word
}

const fn through_ipc(name: &str, arguments: &[u8]) -> Meant {
    let mut sources = [source::NONE; 6];
    let mut i = 0;
    while i < arguments.len() {
        sources[i] = arguments[i];
        i += 1;
    }
    Meant { slot: slot(name), sources, ..NOTHING }
}

/// What there is, by [`index`].
pub static TABLE: [Meant; COUNT] = {
    let mut table = [NOTHING; COUNT];
    table[AT_SELECT] = listed("select", 0, 5);
    table[AT_MMAP] = listed("mmap", 0, 6);
    // SYS_SOCKET and so on: call and number of arguments, from 1 on.
    let sockets: [(&str, u8); 20] = [
        ("socket", 3),
        ("bind", 3),
        ("connect", 3),
        ("listen", 2),
        ("accept", 3),
        ("getsockname", 3),
        ("getpeername", 3),
        ("socketpair", 4),
        // `send` and `recv` are these two without an address.
        ("sendto", 4),
        ("recvfrom", 4),
        ("sendto", 6),
        ("recvfrom", 6),
        ("shutdown", 2),
        ("setsockopt", 5),
        ("getsockopt", 5),
        ("sendmsg", 3),
        ("recvmsg", 3),
        ("accept4", 4),
        ("recvmmsg_time32", 5),
        ("sendmmsg", 4),
    ];
    let mut i = 0;
    while i < sockets.len() {
        table[i + 1] = listed(sockets[i].0, 1, sockets[i].1);
        i += 1;
    }
    // ipc(call, first, second, third, ptr, fifth)
    let at = SELECTORS as usize;
    table[at + 1] = through_ipc("semop", &[a(1), a(4), a(2)]);
    table[at + 2] = through_ipc("semget", &[a(1), a(2), a(3)]);
    table[at + 3] =
        Meant { list: 5, words: 1, command: 3, ..through_ipc("semctl", &[a(1), a(2), a(3), w(0)]) };
    table[at + 4] = through_ipc("semtimedop", &[a(1), a(4), a(2), a(5)]);
    table[at + 11] = through_ipc("msgsnd", &[a(1), a(4), a(2), a(3)]);
    table[at + MSGRCV as usize] = through_ipc("msgrcv", &[a(1), a(4), a(2), a(5), a(3)]);
    table[AT_OLD_MSGRCV] =
        Meant { list: 5, words: 2, ..through_ipc("msgrcv", &[a(1), w(0), a(2), w(1), a(3)]) };
    table[at + 13] = through_ipc("msgget", &[a(1), a(2)]);
    table[at + 14] = Meant { command: 2, ..through_ipc("msgctl", &[a(1), a(2), a(4)]) };
    table[at + 21] = Meant { result: 4, ..through_ipc("shmat", &[a(1), a(4), a(2)]) };
    table[at + 22] = through_ipc("shmdt", &[a(4)]);
    table[at + 23] = through_ipc("shmget", &[a(1), a(2), a(3)]);
    table[at + 24] = Meant { command: 2, ..through_ipc("shmctl", &[a(1), a(2), a(4)]) };
    table
};

/// What a call by this number and first argument means; `None` where it means nothing.
pub fn meant(number: u16, selector: u32) -> Option<&'static Meant> {
    TABLE.get(index(number, selector)?).filter(|meant| meant.slot != 0)
}
