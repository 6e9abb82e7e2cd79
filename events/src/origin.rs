//! Whose word a value is: the caller's, who may have changed it by the time that it is read, or the kernel's.

use crate::{ArgKind, Dir, Event, Len, Source, StructKind};

/// Who answers for what an argument says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The caller gave it, or it lies in memory that the caller can write: read at the exit of the call, when another
    /// thread, or the call itself, may have put something else there. `openat.pathname` of an open that waited is what
    /// stands in the buffer after the wait.
    Caller,
    /// What a descriptor stands for is the kernel's word at the exit of the call; its number is the caller's.
    Descriptor,
    /// The kernel's own: `security_file_open.pathname` is the file that was opened.
    Kernel,
}

impl Origin {
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Caller => "caller",
            Origin::Descriptor => "descriptor",
            Origin::Kernel => "kernel",
        }
    }
}

/// Arguments of the kernel's own events that are read from the task's memory all the same.
const FROM_THE_TASK: &[(&str, &[&str])] = &[
    ("security_file_open", &["syscall_pathname"]),
    ("security_bprm_check", &["argv", "envp"]),
    ("sched_process_exec", &["argv", "env"]),
    ("set_fs_pwd", &["unresolved_path"]),
    ("magic_write", &["bytes"]),
    ("security_sb_mount", &["dev_name", "type"]),
    ("security_inode_symlink", &["target"]),
];

impl Event {
    /// Whose word the argument at a position is. Of a stand-in ([`crate::Marks::STAND_IN`]) what the call gave is the
    /// caller's.
    pub fn origin(&self, position: usize) -> Origin {
        let Some(arg) = self.args.get(position) else { return Origin::Kernel };
        let is_by_caller = match self.source {
            Source::Syscall(_) | Source::Exit { .. } => true,
            _ => FROM_THE_TASK.iter().any(|(event, args)| *event == self.name && args.contains(&arg.name)),
        };
        match arg.kind {
            // A number that the call gives back is in no memory of the caller's.
            ArgKind::Bool if arg.dir == Dir::Out => Origin::Kernel,
            ArgKind::Fd if is_by_caller => Origin::Descriptor,
            _ if is_by_caller => Origin::Caller,
            _ => Origin::Kernel,
        }
    }

    /// Whether what the argument points to is the caller's alone: no kernel writes there, so that what is another at the
    /// exit of the call than at its entry was changed by somebody else. `poll`'s list of descriptors is not.
    pub fn is_callers_alone(&self, position: usize) -> bool {
        use StructKind::{
            FileHandle, Id, LandlockRuleset, MountAttr, OpenHow, Rlimit, Rlimit64, Sembuf, SigAction, SigSet,
            SockFprog, U16, XattrArgs,
        };
        let Some(arg) = self.args.get(position).filter(|arg| arg.dir == Dir::In) else { return false };
        let is_filled_otherwise = self.name == "process_vm_readv" && arg.name == "local_iov";
        let is_alone = match arg.kind {
            ArgKind::Str | ArgKind::StrArray | ArgKind::Iovec(_) | ArgKind::Msghdr | ArgKind::Mmsghdr(_) => {
                true
            }
            ArgKind::Bytes(length) | ArgKind::Text(length) | ArgKind::Sockaddr(length) => {
                !matches!(length, Len::Return | Len::ReturnPlus8 | Len::PointedBy(_) | Len::Probe)
            }
            ArgKind::Struct(of) | ArgKind::Array(of, _) | ArgKind::Sized(of, _) => matches!(
                of,
                FileHandle
                    | Id
                    | LandlockRuleset
                    | MountAttr
                    | OpenHow
                    | Rlimit
                    | Rlimit64
                    | Sembuf
                    | SigAction
                    | SigSet
                    | SockFprog
                    | U16
                    | XattrArgs
            ),
            _ => false,
        };
        self.is_syscall() && is_alone && !is_filled_otherwise
    }

    /// Whether the kernel writes what the argument points to, so that the call itself may have written over others.
    pub fn is_filled(&self, position: usize) -> bool {
        self.is_syscall() && self.args.get(position).is_some_and(|arg| arg.dir != Dir::In)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn what_a_hook_says_is_the_kernels_and_what_a_call_says_the_callers() {
        let origin = |event: &str, argument: &str| {
            let event = catalogue::by_name(event)?;
            event.arg(argument).map(|(position, _)| event.origin(position))
        };
        assert_eq!(origin("openat", "pathname"), Some(Origin::Caller));
        assert_eq!(origin("read", "fd"), Some(Origin::Descriptor));
        assert_eq!(origin("openat", "created"), Some(Origin::Kernel));
        assert_eq!(origin("security_file_open", "pathname"), Some(Origin::Kernel));
        assert_eq!(origin("security_file_open", "syscall_pathname"), Some(Origin::Caller));
    }

    #[test]
    fn what_a_kernel_changes_in_place_is_not_the_callers_alone() {
        let is_alone = |event: &str, argument: &str| {
            let event = catalogue::by_name(event)?;
            event.arg(argument).map(|(position, _)| event.is_callers_alone(position))
        };
        for (event, argument) in [
            ("openat", "pathname"),
            ("connect", "addr"),
            ("openat2", "how"),
            ("sendmsg", "msg"),
            ("write", "buf"),
        ] {
            assert_eq!(is_alone(event, argument), Some(true), "{event}.{argument}");
        }
        for (event, argument) in [
            ("poll", "fds"),
            ("select", "readfds"),
            ("read", "buf"),
            ("accept", "addr"),
            ("process_vm_readv", "local_iov"),
            ("ioctl", "arg"),
            ("openat", "flags"),
        ] {
            assert_eq!(is_alone(event, argument), Some(false), "{event}.{argument}");
        }
    }

    #[test]
    fn what_is_read_from_the_task_exists() {
        for (event, arguments) in FROM_THE_TASK {
            let event = catalogue::by_name(event).expect(event);
            for argument in *arguments {
                assert!(event.arg(argument).is_some(), "{} has no {argument}", event.name);
            }
        }
    }
}
