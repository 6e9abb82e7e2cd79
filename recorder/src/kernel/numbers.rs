//! Which call of the catalogue a number is, as this machine's kernel counts them.

use events::{
    Event, SyscallNumbers,
    abi::{Slot, multiplexed, x32},
    catalogue,
    catalogue::Arch,
};

/// Of the machine's own calls.
pub const NATIVE: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

/// Whether calls of 32-bit tasks are told: the numbers of those of ARM are in no table here.
pub const HAS_COMPAT: bool = matches!(NATIVE, Arch::X86_64);

/// Of a call, its number here.
pub fn native(numbers: SyscallNumbers) -> Option<u16> {
    match NATIVE {
        Arch::Aarch64 => numbers.aarch64,
        _ => numbers.x86_64,
    }
}

/// Of a call, its number for 32-bit tasks, where their calls are told.
pub fn compat(numbers: SyscallNumbers) -> Option<u16> {
    numbers.i386.filter(|_| HAS_COMPAT)
}

/// Of a call that 32-bit tasks make through another one alone: the number that stands for it, and that of the other one.
pub fn through_others(name: &str) -> Option<(u16, u16)> {
    let mut own = multiplexed::OWN.into_iter().filter(|_| HAS_COMPAT);
    own.find(|(own, ..)| *own == name).map(|(_, number, through)| (number, through))
}

/// The call that a task means by a number; `None` where the catalogue has none.
///
/// x32's numbers are the native ones with a bit more, but for some that are its own.
pub fn call(number: i32, is_compat: bool) -> Option<&'static Event> {
    if is_compat && NATIVE == Arch::Aarch64 {
        return None;
    }
    if is_compat {
        return catalogue::syscall(Arch::I386, u32::try_from(number).ok()?);
    }
    let has_x32 = NATIVE == Arch::X86_64 && number & x32::BIT != 0;
    let number = u32::try_from(if has_x32 { number & !x32::BIT } else { number }).ok()?;
    let own = x32::native(number).filter(|_| has_x32).map(u32::from);
    catalogue::syscall(NATIVE, own.unwrap_or(number))
}

/// The call of a slot that is none of a hook.
pub fn of_slot(slot: usize) -> Option<&'static Event> {
    if slot >= Slot::HOOK_BASE {
        return None;
    }
    let (number, is_compat) = (u16::try_from(slot % Slot::COMPAT_BASE).ok()?, slot >= Slot::COMPAT_BASE);
    let mut own = multiplexed::OWN.into_iter().filter(|_| is_compat && HAS_COMPAT);
    match own.find(|(_, own, _)| *own == number) {
        Some((name, ..)) => catalogue::by_name(name),
        None => call(number.into(), is_compat),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn numbers_of_each_abi_are_the_calls_that_they_mean() {
        let named = |number, is_compat| call(number, is_compat).map(|event| event.name);
        assert_eq!(named(257, false), Some("openat"));
        assert_eq!(named(295, true), Some("openat"));
        assert_eq!(named(x32::BIT | 257, false), Some("openat"));
        // The kernel's syscall_64.tbl, the lines of x32.
        for (number, name) in [
            (512, "rt_sigaction"),
            (513, "rt_sigreturn"),
            (517, "recvfrom"),
            (520, "execve"),
            (521, "ptrace"),
            (529, "waitid"),
            (533, "move_pages"),
            (534, "preadv"),
            (540, "process_vm_writev"),
            (541, "setsockopt"),
            (543, "io_setup"),
            (545, "execveat"),
            (547, "pwritev2"),
        ] {
            assert_eq!(named(x32::BIT | number, false), Some(name));
            assert_eq!(named(number, false), None, "{number}");
        }
        for number in [-1, 511, 600, 1000, x32::BIT | 548, i32::MAX, i32::MIN] {
            assert_eq!(named(number, false), None, "{number}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_through_others_have_the_slot_of_what_they_mean() {
        let named = |number, selector| {
            let slot = multiplexed::meant(number, selector)?.slot;
            of_slot(slot.into()).map(|event| event.name)
        };
        for (number, selector, name) in [
            (multiplexed::SOCKETCALL, 3, Some("connect")),
            (multiplexed::SOCKETCALL, 5, Some("accept")),
            (multiplexed::SOCKETCALL, 9, Some("sendto")),
            (multiplexed::SOCKETCALL, 20, Some("sendmmsg")),
            (multiplexed::SOCKETCALL, 0, None),
            (multiplexed::SOCKETCALL, 21, None),
            (multiplexed::SOCKETCALL, u32::MAX, None),
            (multiplexed::IPC, 1, Some("semop")),
            (multiplexed::IPC, 12, Some("msgrcv")),
            (multiplexed::IPC, 1 << 16 | 12, Some("msgrcv")),
            (multiplexed::IPC, 24, Some("shmctl")),
            (multiplexed::IPC, 5, None),
            (multiplexed::IPC, 0, None),
            (multiplexed::IPC, 31, None),
            (multiplexed::OLD_SELECT, 77, Some("select")),
            (multiplexed::OLD_MMAP, 0, Some("mmap")),
            // No other call is made through another one.
            (3, 3, None),
        ] {
            assert_eq!(named(number, selector), name, "{number} {selector}");
        }
        // The numbers that stand for some of them are no calls.
        for (_, own, _) in multiplexed::OWN {
            assert!(call(own.into(), true).is_none());
        }
    }
}
