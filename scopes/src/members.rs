//! The members that an argument's values can have, found by walking values of every shape: what is shown and what can be
//! asked for never disagree.

use std::collections::BTreeSet;

use events::dirents::{FIXED_BYTES, TAG};
use events::show::{self, Leaf, Parts, Shape};
use events::vectors::{MESSAGE_HEAD, MSGHDR_BYTES};
use events::{ArgKind, Event, Raw, StructKind};

/// Paths such as `sin_addr` and `it_value.tv_sec`; none for a value without members, `None` where only the event itself
/// says what they are.
pub(crate) fn of(event: &Event, position: usize) -> Option<BTreeSet<String>> {
    let mut members = Members::default();
    let mut walk = |bytes: &[u8], first: u64| {
        let value = |at: usize| if at == position { Raw::Bytes(bytes) } else { Raw::Number(first) };
        show::argument(event, position, &value, &mut members);
    };
    match event.args.get(position)?.kind {
        ArgKind::Any(_) | ArgKind::Tree => return None,
        ArgKind::Sockaddr(_) => addresses().for_each(|address| walk(&address, 0)),
        ArgKind::Struct(StructKind::SigInfo) => signal_infos().for_each(|bytes| walk(&bytes, 0)),
        // Its command, which is the call's first argument, says what it holds.
        ArgKind::Struct(StructKind::BpfAttr) | ArgKind::Sized(StructKind::BpfAttr, _) => {
            (0..64).for_each(|command| walk(&zeros(StructKind::BpfAttr), command));
        }
        ArgKind::Struct(kind)
        | ArgKind::Sized(kind, _)
        | ArgKind::Array(kind, _)
        | ArgKind::Indirect(kind, _) => walk(&zeros(kind), 0),
        ArgKind::Dirents(_) => walk(&[&[TAG][..], &[0; FIXED_BYTES]].concat(), 0),
        ArgKind::Iovec(_) => walk(&[&[1, 0, 0, 0][..], &[0; 16]].concat(), 0),
        ArgKind::Msghdr | ArgKind::Mmsghdr(_) => addresses().for_each(|address| walk(&message(&address), 0)),
        _ => {}
    }
    Some(members.found)
}

fn zeros(kind: StructKind) -> Vec<u8> {
    vec![0; kind.size().into()]
}

/// One of each family, and one that is too short for any.
fn addresses() -> impl Iterator<Item = Vec<u8>> {
    let short = vec![2, 0, 0];
    (0..64).map(|family| [&[family, 0][..], &[0; 126]].concat()).chain([short])
}

/// What a signal's information holds depends on its number and on its code.
fn signal_infos() -> impl Iterator<Item = Vec<u8>> {
    [(17, 1), (11, 1), (10, 0)].into_iter().map(|(signal, code)| {
        let mut bytes = zeros(StructKind::SigInfo);
        for (at, number) in [(0, signal), (8, code)] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = number;
            }
        }
        bytes
    })
}

/// A message to an address, of one vector.
fn message(address: &[u8]) -> Vec<u8> {
    let mut head = [0; MESSAGE_HEAD];
    // Lengths of the address and of the vectors.
    [head[0], head[2]] = [u8::try_from(address.len()).unwrap_or(0), 1];
    [&head[..], &[0; MSGHDR_BYTES], address, &[0; 16]].concat()
}

#[derive(Default)]
struct Members {
    /// Names on the way here.
    path: Vec<String>,
    /// Open values whose parts have names.
    level: usize,
    found: BTreeSet<String>,
}

impl Parts for Members {
    fn leaf(&mut self, _: Leaf<'_>) {}

    fn open(&mut self, shape: Shape) {
        if shape != Shape::List {
            self.level += 1;
        }
    }

    fn member(&mut self, name: &str) {
        self.path.truncate(self.level.saturating_sub(1));
        self.path.push(name.to_owned());
        self.found.insert(self.path.join("."));
    }

    fn close(&mut self, shape: Shape) {
        if shape != Shape::List {
            self.level = self.level.saturating_sub(1);
            self.path.truncate(self.level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::catalogue;

    fn members(event: &str, arg: &str) -> Option<BTreeSet<String>> {
        let event = catalogue::by_name(event).unwrap();
        of(event, event.arg(arg).unwrap().0)
    }

    #[test]
    fn members_of_every_shape_are_known() {
        let has = |event: &str, arg: &str, path: &str| members(event, arg).unwrap().contains(path);
        for path in ["sa_family", "sa_data", "sin_addr", "sin6_port", "sun_path", "nl_pid", "svm_cid"] {
            assert!(has("connect", "addr", path), "{path}");
        }
        assert!(has("timer_settime", "new_value", "it_value.tv_sec"));
        assert!(has("timer_settime", "new_value", "it_value"));
        assert!(has("rt_sigqueueinfo", "info", "si_status") && has("rt_sigqueueinfo", "info", "si_addr"));
        assert!(has("sendmsg", "msg", "msg_name.sin_port") && has("sendmsg", "msg", "msg_iov.iov_len"));
        assert!(has("getdents64", "dirp", "d_name") && has("getdents", "dirp", "d_type"));
        assert!(has("bpf", "attr", "map_type") && has("bpf", "attr", "prog_type"));
        assert!(has("poll", "fds", "events") && has("writev", "iov", "iov_len"));
        assert!(members("openat", "pathname").unwrap().is_empty());
        assert!(members("openat", "flags").unwrap().is_empty());
        assert!(members("ioctl", "arg").is_none());
    }
}
