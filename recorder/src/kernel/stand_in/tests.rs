use super::{rules::AT_REMOVEDIR, *};

#[test]
fn every_rule_names_events_and_arguments_that_exist() {
    for rule in RULES {
        let event = catalogue::by_name(rule.event).unwrap_or_else(|| panic!("no event {}", rule.event));
        let call = catalogue::by_name(rule.call).unwrap_or_else(|| panic!("no call {}", rule.call));
        for (ours, theirs) in rule.args {
            assert!(event.arg(ours).is_some(), "{} has no argument {ours}", rule.event);
            // Not every call of a family has every argument (`mprotect` has no key).
            let is_known = *theirs == "=" || theirs.starts_with('#') || call.arg(parts(theirs).0).is_some();
            let is_of_family = matches!(*theirs, "pkey" | "dirfd" | "flags");
            assert!(is_known || is_of_family, "{} has no argument {theirs}", rule.call);
        }
    }
}

#[test]
fn a_relative_path_begins_at_its_directory() {
    for (directory, path, joined) in [
        ("/home/u", "a", "/home/u/a"),
        ("/home/u", "./a/../b", "/home/u/a/../b"),
        ("/home/u", "../../x", "/x"),
        ("/home/u", "../../../x", "/x"),
        ("/home/u", "..", "/home"),
        ("/", "a", "/a"),
        ("/", "..", "/"),
        ("/home", ".//a/", "/home/a/"),
    ] {
        let found = join(directory.as_bytes(), path.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), joined, "{directory} {path}");
    }
}

#[test]
fn a_rename_stands_in_with_both_paths_absolute() {
    let renameat = catalogue::by_name("renameat").expect("renameat is a call");
    let stand_ins = of_call(renameat, |_| true);
    let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
    let dirfd = [&7_u64.to_le_bytes()[..], b"/srv"].concat();
    let here = AT_FDCWD as i64 as u64;
    let args = [Raw::Number(here), Raw::Bytes(b"old"), Raw::Bytes(&dirfd), Raw::Bytes(b"new")];
    let absolute = stand_in.absolute(&args, b"/home/u");
    let mut own = [Raw::Missing; 3];
    stand_in.fill(&args, &absolute, 0, Marks(0), &mut own);
    let call = Raw::Bytes(b"renameat");
    assert_eq!(own, [Raw::Bytes(b"/home/u/old"), Raw::Bytes(b"/srv/new"), call]);
    // Where the directory is not known, the path stays as the call had it.
    let absolute = stand_in.absolute(&args, b"");
    stand_in.fill(&args, &absolute, 0, Marks(0), &mut own);
    assert_eq!(own, [Raw::Bytes(b"old"), Raw::Bytes(b"/srv/new"), call]);
}

#[test]
fn a_handler_that_was_set_is_read_from_its_structure() {
    let call = catalogue::by_name("rt_sigaction").expect("rt_sigaction is a call");
    let stand_ins = of_call(call, |_| true);
    let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
    let action: Vec<u8> = [1u64, 0x0400_0000, 0, 0x10].iter().flat_map(|word| word.to_le_bytes()).collect();
    let args = [Raw::Number(12), Raw::Bytes(&action), Raw::Missing, Raw::Number(8)];
    let mut own = [Raw::Missing; 11];
    stand_in.fill(&args, &[], 0, Marks(0), &mut own);
    let numbers = [12, 1, 0x0400_0000, 0x10, 1, 1].map(Raw::Number);
    assert_eq!(own[..6], numbers);
    assert_eq!(own[6..8], [Raw::Number(0), Raw::Missing]);
}

#[test]
fn memory_made_executable_is_alarming_by_what_was_asked() {
    let call = catalogue::by_name("mprotect").expect("mprotect is a call");
    let alert = |protection: u64, ret: i64| {
        let args = [Raw::Number(0x1000), Raw::Number(4096), Raw::Number(protection)];
        let all = of_call(call, |event| event == catalogue::memory::MEM_PROT_ALERT);
        let stand_in = all.iter().find(|stand_in| stand_in.applies(&args, ret))?;
        let mut own = [Raw::Missing; 9];
        stand_in.fill(&args, &[], ret, Marks(0), &mut own);
        Some((own[0], own[4]))
    };
    assert_eq!(alert(5, 0), Some((Raw::Number(2), Raw::Missing)));
    assert_eq!(alert(7, 0), Some((Raw::Number(3), Raw::Missing)));
    assert_eq!(alert(3, 0), None);
    assert_eq!(alert(5, -13), None);
}

#[test]
fn an_exec_that_failed_is_an_event_of_its_own() {
    let call = catalogue::by_name("execve").expect("execve is a call");
    let all = of_call(call, |event| event == catalogue::process::PROCESS_EXECUTE_FAILED);
    let [stand_in] = all.as_slice() else { panic!("{all:?}") };
    assert!(stand_in.applies(&[], -2) && !stand_in.applies(&[], 0));
    let mut own = [Raw::Missing; 5];
    let marks = stand_in.fill(&[Raw::Bytes(b"/no"), Raw::Missing, Raw::Missing], &[], -2, Marks(0), &mut own);
    assert_eq!((own[2], marks), (Raw::Bytes(b"/no"), Marks(0)));
}

#[test]
fn a_hook_is_reached_by_calls_that_fail_after_it() {
    let told = |call: &str, args: &[Raw<'_>], ret: i64| -> bool {
        let call = catalogue::by_name(call).expect("a call");
        of_call(call, |_| true).iter().any(|stand_in| stand_in.applies(args, ret))
    };
    for (call, after, before) in [
        ("connect", &[0, -115, -111, -110, -101, -13, -11, -4][..], &[-9, -14, -22, -88][..]),
        ("bind", &[0, -98, -99, -13], &[-9, -14, -88]),
        ("accept4", &[7, -11, -22], &[-9, -88]),
        ("setsockopt", &[0, -92, -22], &[-9, -88]),
        ("mount", &[0, -1, -19, -16, -22], &[-14, -2, -20]),
        ("umount2", &[0, -16], &[-1, -22, -2]),
        ("prctl", &[0, -22, -14, -1], &[]),
        ("bpf", &[0, -2, -22], &[-14, -1, -7]),
        ("listen", &[0, -98, -95], &[-9, -88]),
    ] {
        assert!(after.iter().all(|ret| told(call, &[], *ret)), "{call} {after:?}");
        assert!(before.iter().all(|ret| !told(call, &[], *ret)), "{call} {before:?}");
    }
    // The kernel has other hooks for directories and for regular files.
    let unlinkat = |flags| told("unlinkat", &[Raw::Missing, Raw::Missing, Raw::Number(flags)], 0);
    assert!(unlinkat(0) && !unlinkat(AT_REMOVEDIR));
    let mknod = |mode| told("mknod", &[Raw::Missing, Raw::Number(mode)], 0);
    assert!(mknod(0o010_644) && mknod(0o020_600) && !mknod(0o644) && !mknod(0o100_644));
}

#[test]
fn a_connect_stands_in_for_its_hook() {
    let connect = catalogue::by_name("connect").expect("connect is a call");
    let stand_ins = of_call(connect, |_| true);
    let [stand_in] = stand_ins.as_slice() else { panic!("{stand_ins:?}") };
    assert_eq!(stand_in.event.name, "security_socket_connect");
    assert_eq!(stand_in.args, [From::Arg(0), From::Arg(1), From::Name("connect")]);
    assert!(of_call(connect, |_| false).is_empty());
}
