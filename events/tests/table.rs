//! The catalogue holds what it promises, and agrees with the kernel's numbers and with what Tracee's users know.

use std::collections::HashSet;

use events::capture::{self, op};
use events::catalogue::{self, Arch};
use events::dirents::Layout;
use events::variants::VARIANTS;
use events::{ArgKind, Event, Len, Marks, Set, Source, capture::Capture};

/// Lines of a reference list: fields between tabs.
fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

#[test]
fn ids_and_names_are_unique_and_found_again() {
    let mut names = HashSet::new();
    for event in catalogue::events() {
        assert!(names.insert(event.name), "{} is declared twice", event.name);
        assert!(std::ptr::eq(catalogue::by_id(event.id).expect("found by id"), event));
        assert!(std::ptr::eq(catalogue::by_name(event.name).expect("found by name"), event));
        let arguments: HashSet<_> = event.args.iter().map(|arg| arg.name).collect();
        assert_eq!(arguments.len(), event.args.len(), "{} has an argument twice", event.name);
    }
    assert_eq!(names.len(), catalogue::COUNT);
    assert!(catalogue::by_name("opena").is_none());
    assert!(catalogue::by_name("").is_none());
    assert!(catalogue::by_id(events::EventId(u16::MAX)).is_none());
}

#[test]
fn ids_tell_system_calls_from_other_events() {
    for event in catalogue::events() {
        match event.source {
            Source::Syscall(numbers) => {
                assert!(event.sets.has(Set::Syscalls), "{}", event.name);
                assert!(event.args.len() <= capture::ARGUMENTS, "{}", event.name);
                match numbers.x86_64 {
                    Some(number) => assert_eq!(event.id.0, number, "{}", event.name),
                    None => assert!((600..1000).contains(&event.id.0), "{}", event.name),
                }
                let only_32_bit = numbers.x86_64.is_none() && numbers.aarch64.is_none();
                assert_eq!(event.sets.has(Set::Bit32Unique), only_32_bit, "{}", event.name);
            }
            _ => {
                assert!(event.id.0 >= 1000, "{}", event.name);
                // Calls that the catalogue does not know are calls all the same.
                assert_eq!(event.sets.has(Set::Syscalls), event.name == "unknown_syscall", "{}", event.name);
            }
        }
    }
}

#[test]
fn every_number_of_the_kernel_is_a_call_here() {
    // Where the kernel's header and Tracee disagree about a name, Tracee's stands here.
    let ours = |name: &'static str| match name {
        "_sysctl" => "sysctl",
        "afs_syscall" => "afs",
        name => name,
    };
    let mut seen = 0;
    for line in lines(include_str!("reference/x86_64.tsv")) {
        let [number, name] = line[..] else { panic!("{line:?}") };
        let event = catalogue::syscall(Arch::X86_64, number.parse().expect("a number")).expect(name);
        assert_eq!(event.name, ours(name));
        seen += 1;
    }
    let here =
        catalogue::events().filter(|event| matches!(event.source, Source::Syscall(n) if n.x86_64.is_some()));
    assert_eq!(here.count(), seen, "a call that the kernel does not have");
    for line in lines(include_str!("reference/aarch64.tsv")) {
        let [number, name] = line[..] else { panic!("{line:?}") };
        let event = catalogue::syscall(Arch::Aarch64, number.parse().expect("a number")).expect(name);
        assert_eq!(event.name, ours(name));
    }
    for line in lines(include_str!("reference/i386.tsv")) {
        let [number, name] = line[..] else { panic!("{line:?}") };
        catalogue::syscall(Arch::I386, number.parse().expect("a number")).expect(name);
    }
    assert!(catalogue::syscall(Arch::X86_64, u32::MAX).is_none());
}

#[test]
fn calls_of_32_bit_tasks_are_those_that_take_their_structures() {
    let named = |number| catalogue::syscall(Arch::I386, number).map(|event| event.name);
    for (number, name) in [
        (5, "open"),
        (24, "getuid16"),
        (199, "getuid"),
        (82, "old_select"),
        (142, "select"),
        (90, "old_mmap"),
        (192, "mmap2"),
        (187, "sendfile32"),
        (239, "sendfile"),
        (240, "futex_time32"),
        (422, "futex"),
        (265, "clock_gettime32"),
        (403, "clock_gettime"),
        (76, "old_getrlimit"),
        (191, "getrlimit"),
        (300, "newfstatat"),
        (140, "llseek"),
    ] {
        assert_eq!(named(number), Some(name));
    }
}

#[test]
fn events_have_the_arguments_and_sets_that_traces_users_know() {
    // Told apart on purpose: the lists hold for these.
    let ours = ["sched_process_exec", "sched_process_exit"];
    for line in lines(include_str!("reference/tracee.tsv")) {
        let [name, arguments, sets] = line[..] else { panic!("{line:?}") };
        let event = catalogue::by_name(name).unwrap_or_else(|| panic!("{name} is not here"));
        let known: Vec<&str> = arguments.split(',').filter(|name| !name.is_empty()).collect();
        let here: Vec<&str> = event.args.iter().map(|arg| arg.name).collect();
        if !ours.contains(&name) {
            // Arguments that the list leaves out come after those that it has.
            assert_eq!(here.get(..known.len()), Some(&known[..]), "{name}");
        }
        for set in sets.split(',').filter(|set| !set.is_empty()) {
            assert!(event.sets.has(Set::by_name(set).expect(set)), "{name} is not in {set}");
        }
    }
    let exec = catalogue::by_name("sched_process_exec").expect("exec");
    let names: Vec<&str> = exec.listed_args().iter().map(|arg| arg.name).collect();
    assert_eq!(
        names.join(" "),
        "cmdpath pathname dev inode ctime inode_mode argv interp stdin_type stdin_path invoked_from_kernel prev_comm env \
         sha256 upper_layer memfd"
    );
}

#[test]
fn what_happens_in_system_calls_names_them() {
    for event in catalogue::events() {
        let is_inside = matches!(event.source, Source::Hook { .. } | Source::Exit { .. });
        assert!(!is_inside || event.caller().is_some(), "{}", event.name);
        assert!(event.listed_args().iter().all(|arg| arg.kind != ArgKind::Str || arg.name != Event::CALLER));
    }
}

#[test]
fn what_events_speak_of_exists() {
    for event in catalogue::events() {
        let others: &[&str] = match event.source {
            Source::Hook { stand_in, .. } => stand_in,
            Source::Exit { of } => of,
            Source::Derived { from } => from,
            _ => &[],
        };
        for name in others {
            let other = catalogue::by_name(name).unwrap_or_else(|| panic!("{}: no event {name}", event.name));
            assert!(event.is_derived() || other.is_syscall(), "{} stands in for {}", name, event.name);
        }
    }
}

#[test]
fn whoever_gives_entries_of_directories_has_a_layout_for_them() {
    let has_entries = |event: &&Event| event.args.iter().any(|arg| matches!(arg.kind, ArgKind::Dirents(_)));
    let having: Vec<&str> = catalogue::events().filter(has_entries).map(|event| event.name).collect();
    assert_eq!(having, ["getdents", "getdents64"]);
    for (event, is_compat) in having.iter().flat_map(|event| [(event, false), (event, true)]) {
        assert!(Layout::of(event, is_compat).is_some(), "{event}");
    }
}

#[test]
fn lengths_stand_in_arguments_that_can_hold_them() {
    for event in catalogue::events() {
        for arg in event.args {
            let length = match arg.kind {
                ArgKind::Bytes(length)
                | ArgKind::Text(length)
                | ArgKind::StrList(length)
                | ArgKind::Dirents(length)
                | ArgKind::Sockaddr(length)
                | ArgKind::Sized(_, length)
                | ArgKind::Array(_, length)
                | ArgKind::Indirect(_, length)
                | ArgKind::Bits(length)
                | ArgKind::Iovec(length)
                | ArgKind::Mmsghdr(length) => length,
                ArgKind::Any(selector) => Len::Arg(selector),
                _ => continue,
            };
            let at = |position: u8| {
                event.args.get(usize::from(position)).unwrap_or_else(|| panic!("{} {}", event.name, arg.name))
            };
            match length {
                Len::Arg(position)
                | Len::ArgPlus8(position)
                | Len::ReturnWithin(position)
                | Len::BitsOf(position)
                | Len::PagesOf(position) => {
                    assert!(at(position).kind.is_number(), "{} {}", event.name, arg.name);
                    assert_ne!(at(position).name, arg.name, "{}", event.name);
                }
                Len::PointedBy(position) => {
                    assert!(matches!(at(position).kind, ArgKind::Struct(_)), "{} {}", event.name, arg.name);
                }
                Len::Probe => assert!(!event.is_syscall(), "{} {}", event.name, arg.name),
                _ => {}
            }
            if event.is_syscall() {
                let capture = Capture::of(arg);
                assert_ne!(capture.op, op::NUMBER, "{} {} is not captured", event.name, arg.name);
                assert!(capture.size > 0, "{} {}", event.name, arg.name);
            }
        }
    }
}

#[test]
fn variants_belong_to_arguments_that_have_them() {
    let mut keys = HashSet::new();
    for variant in VARIANTS {
        let event = catalogue::by_id(variant.event).expect("an event");
        let arg = event.args.get(usize::from(variant.position)).expect("an argument");
        assert!(matches!(arg.kind, ArgKind::Any(_)), "{} {}", event.name, arg.name);
        assert!(
            keys.insert((variant.event, variant.position, variant.value)),
            "{} {} {:#x} twice",
            event.name,
            arg.name,
            variant.value
        );
        assert!(!matches!(variant.capture().op, op::NUMBER | op::ANY | op::MSGHDR | op::IOVEC));
    }
}

#[test]
fn captures_fit_what_the_kernel_programs_read() {
    let capture = |event: &str, arg: &str| {
        Capture::of(catalogue::by_name(event).expect("an event").arg(arg).expect("an argument").1)
    };
    let path = capture("openat", "pathname");
    assert_eq!((path.op, path.max), (op::STRING, 0));
    let address = capture("accept", "addr");
    assert_eq!(
        (address.op, address.dir, address.len_from, address.len_arg, address.max),
        (op::BYTES, 0x81, 2, 2, 128)
    );
    let polled = capture("poll", "fds");
    assert_eq!(
        (polled.op, polled.len_from, polled.len_arg, polled.size, polled.max),
        (op::BYTES, 1, 1, 8, 512)
    );
    let read = capture("read", "buf");
    assert_eq!(
        (read.op, read.dir & 0x7f, read.len_from, read.len_arg, read.size, read.max),
        (op::BYTES, 1, 3, 2, 1, 0)
    );
    let times = capture("utimensat", "times");
    assert_eq!((times.op, times.len_from, times.size, times.max), (op::BYTES, 0, 32, 512));
    let left = capture("nanosleep", "rem");
    assert_eq!((left.op, left.dir, left.size), (op::BYTES, 2, 16));
}

#[test]
fn registers_are_narrowed_to_their_kind() {
    use events::Raw;
    assert_eq!(ArgKind::I32.read_register(0xffff_ff9c), Raw::Number(-100i64 as u64));
    assert_eq!(ArgKind::U32.read_register(0xdead_0000_0001), Raw::Number(1));
    assert_eq!(ArgKind::U16.read_register(0x1_01ff), Raw::Number(0x1ff));
    assert_eq!(ArgKind::Pointer.read_register(u64::MAX), Raw::Number(u64::MAX));
    assert_eq!(ArgKind::Absent.read_register(7), Raw::Missing);
    assert_eq!(ArgKind::Str.read_register(7), Raw::Missing);
    let flags = catalogue::by_name("openat").and_then(|event| event.arg("dirfd")).expect("dirfd").1;
    assert_eq!(flags.parse("AT_FDCWD"), Some(-100i64 as u64));
    assert_eq!(flags.parse("4294967196"), Some(-100i64 as u64));
}

#[test]
fn kernel_programs_set_the_bits_that_marks_have() {
    use events::abi::bits;
    for (kernel, ours) in [
        (bits::FAULT, Marks::FAULT),
        (bits::TRUNCATED, Marks::TRUNCATED),
        (bits::STAND_IN, Marks::STAND_IN),
        (bits::AT_ENTRY, Marks::AT_ENTRY),
        (bits::COMPAT, Marks::COMPAT),
        (bits::NO_CONTEXT, Marks::NO_CONTEXT),
        (bits::BLOCKED, Marks::BLOCKED),
        (bits::OVERLAP, Marks::OVERLAP),
        (bits::CHANGED, Marks::CHANGED),
        (bits::UNCOMPARED, Marks::UNCOMPARED),
        (bits::REMEMBERED, Marks::REMEMBERED),
        (bits::PARTIAL, Marks::PARTIAL),
        (bits::FAULT | 1 << (bits::LOST_ARG_SHIFT + 3), Marks(0).lost_arg(3).0),
        (bits::TRUNCATED | 1 << (bits::CUT_ARG_SHIFT + 3), Marks(0).cut_arg(3).0),
    ] {
        assert_eq!(kernel, ours);
    }
}
