//! Every system call of the catalogue, made once each: in a child that ends there, with arguments that the kernel refuses
//! where it can.

use std::io;

use events::{Source, SyscallNumbers, catalogue};

use crate::acts::{check, name_self};

/// What the children call themselves.
pub const NAME: &str = "walker";

/// A child that has not ended after so long is killed.
const PATIENCE_MS: u32 = 3_000;

/// All arguments of a call: no descriptor, no address, no process, no flag and no command that there is.
const NONSENSE: u64 = u64::MAX;

/// Makes all of them.
pub fn make(_folder: &str) -> io::Result<()> {
    name_self(NAME)?;
    for event in catalogue::events() {
        let Source::Syscall(numbers) = event.source else { continue };
        for call in kinds(numbers) {
            in_a_child(|| call.make(event.name))?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Call {
    Native(u16),
    #[cfg(target_arch = "x86_64")]
    Compat(u16),
}

/// A call by its own number where there is one. By that of a 32-bit task where there is no other.
fn kinds(numbers: SyscallNumbers) -> impl Iterator<Item = Call> {
    #[cfg(target_arch = "x86_64")]
    let (native, compat) = (numbers.x86_64, numbers.i386.map(Call::Compat));
    #[cfg(not(target_arch = "x86_64"))]
    let (native, compat) = (numbers.aarch64, None);
    native.map(Call::Native).or(compat).into_iter()
}

impl Call {
    fn make(self, name: &str) {
        let arguments = match name {
            // With a flag that is none, these would make a queue.
            "msgget" => [0x7472_6163, 0, 0, 0, 0, 0],
            // With this mask of signals, they would wait for ever.
            "sigsuspend" | "pause" => [0; 6],
            "vfork" => return vfork(),
            // It wants the frame that a handler's return has: raised here, and the handler does it.
            "rt_sigreturn" => return raise(),
            _ => [NONSENSE; 6],
        };
        let [a, b, c, d, e, f] = arguments;
        match self {
            // SAFETY: in a child of one thread that ends after it; no address is one of its own.
            Call::Native(number) => drop(unsafe { libc::syscall(number.into(), a, b, c, d, e, f) }),
            #[cfg(target_arch = "x86_64")]
            Call::Compat(number) => {
                let _ = f;
                crate::compat::call(number.into(), [a, b, c, d, e].map(|word| word as u32));
            }
        }
    }
}

fn raise() {
    // SAFETY: its handler returns at once.
    unsafe { libc::raise(libc::SIGALRM) };
}

/// Without the library, whose stack both would use.
#[cfg(target_arch = "x86_64")]
fn vfork() {
    // SAFETY: the child does nothing but end, and touches neither the stack nor memory.
    unsafe {
        std::arch::asm!(
            "mov eax, 58",
            "syscall",
            "test eax, eax",
            "jnz 2f",
            "mov eax, 60",
            "xor edi, edi",
            "syscall",
            "2:",
            out("rax") _, out("rdi") _, out("rcx") _, out("r11") _,
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vfork() {}

/// Runs it in a child, whose end is awaited.
fn in_a_child(work: impl FnOnce()) -> io::Result<()> {
    // SAFETY: this program has one thread.
    let child = check(unsafe { libc::fork() }.into())? as i32;
    if child == 0 {
        prepare();
        work();
        // SAFETY: a plain number; whoever a fork made ends here as well.
        unsafe { libc::_exit(0) };
    }
    for _ in 0..PATIENCE_MS {
        // SAFETY: a child of our own; no status is asked for.
        match check(unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::WNOHANG) }.into())? {
            0 => std::thread::sleep(std::time::Duration::from_millis(1)),
            _ => return Ok(()),
        }
    }
    // SAFETY: a child of our own that has not been waited for.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    Ok(())
}

/// Nothing that the call does is to reach the terminal, and what waits is interrupted.
fn prepare() {
    extern "C" fn interrupt(_: libc::c_int) {}
    let soon = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 50_000 },
        it_value: libc::timeval { tv_sec: 0, tv_usec: 50_000 },
    };
    let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a handler that does nothing, and numbers that live as long as the calls.
    unsafe {
        libc::setsid();
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = interrupt as *const () as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        libc::setitimer(libc::ITIMER_REAL, &raw const soon, std::ptr::null_mut());
    }
}
