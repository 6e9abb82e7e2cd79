//! Tests of the parser and of the comparison, that need neither root nor strace.

use crate::compare::{Bounds, Comparison, Kind};
use crate::held::Held;
use crate::lines::{Outcome, calls};
use crate::shown::{Reader, Shown};

/// By name.
pub const CASES: &[(&str, fn())] = &[
    ("numbers_are_read_in_every_base", numbers_are_read_in_every_base),
    ("structures_nest", structures_nest),
    ("comments_are_passed_over", comments_are_passed_over),
    ("changes_and_sets_are_read", changes_and_sets_are_read),
    ("halves_of_a_call_are_put_together", halves_of_a_call_are_put_together),
    ("results_are_values_errors_or_unknown", results_are_values_errors_or_unknown),
    ("named_arguments_keep_their_names", named_arguments_keep_their_names),
    ("torn_lines_are_refused", torn_lines_are_refused),
    ("numbers_are_equal_in_the_width_that_is_shown", numbers_are_equal_in_the_width_that_is_shown),
    ("a_wrong_member_is_found", a_wrong_member_is_found),
    ("a_cut_value_is_equal_only_at_the_bound", a_cut_value_is_equal_only_at_the_bound),
    ("addresses_and_ports_are_compared_with_their_bytes", addresses_and_ports_are_compared_with_their_bytes),
    ("signals_are_sets", signals_are_sets),
    ("wait_statuses_are_numbers", wait_statuses_are_numbers),
];

fn read(text: &str) -> Shown {
    Reader::new(text).value().unwrap()
}

fn number(value: i128) -> Shown {
    Shown::Number(value)
}

fn numbers_are_read_in_every_base() {
    assert_eq!(read("-100"), number(-100));
    assert_eq!(read("0x80042"), number(0x80042));
    assert_eq!(read("0640"), number(0o640));
    assert_eq!(read("0"), number(0));
    assert_eq!(read("18446744073709551615"), number(u64::MAX.into()));
    assert_eq!(read("0x200|0600"), Shown::Or(vec![0x200, 0o600]));
    assert_eq!(read("00000000000000ff"), number(0xff));
}

fn structures_nest() {
    let shown = read(r#"{st_mode=0100644, f_fsid={val=[0x15, 0]}, name="\x61\x00", cut="\x62"..., NULL}"#);
    let text = |bytes: &[u8], is_cut| Shown::Text { bytes: bytes.to_vec(), is_cut };
    let Shown::Members(members) = shown else { panic!("{shown:?}") };
    assert_eq!(members[0], ("st_mode".to_owned(), number(0o100644)));
    assert_eq!(
        members[1].1,
        Shown::Members(vec![("val".to_owned(), Shown::List(vec![number(0x15), number(0)]))])
    );
    assert_eq!(members[2].1, text(b"a\0", false));
    assert_eq!(members[3].1, text(b"b", true));
    assert_eq!(members[4], (String::new(), Shown::Null));
}

fn comments_are_passed_over() {
    let shown = read("{tv_sec=1, tv_nsec=2} /* 1970-01-01T00:00:01 */");
    assert_eq!(
        shown,
        Shown::Members(vec![("tv_sec".to_owned(), number(1)), ("tv_nsec".to_owned(), number(2))])
    );
    assert_eq!(read("[3 /* three */, 4]"), Shown::List(vec![number(3), number(4)]));
}

fn changes_and_sets_are_read() {
    assert_eq!(
        read("[110 => 14]"),
        Shown::List(vec![Shown::Change(Box::new(number(110)), Box::new(number(14)))])
    );
    assert_eq!(read("[2 15]"), Shown::List(vec![number(2), number(15)]));
    assert_eq!(read("~[33]"), Shown::AllBut(vec![number(33)]));
    assert_eq!(read("[[VINTR]=0x3]"), Shown::List(vec![Shown::At("VINTR".to_owned(), Box::new(number(3)))]));
    assert_eq!(read("@\"\\x61\""), Shown::Text { bytes: b"\0a".to_vec(), is_cut: false });
    assert_eq!(read("htons(80)"), Shown::Made("htons".to_owned(), vec![number(80)]));
}

fn halves_of_a_call_are_put_together() {
    let log = "7  wait4(9,  <unfinished ...>\n9  exit(5) = ?\n7  <... wait4 resumed>[0], 0, NULL) = 9\n";
    let calls = calls(log).unwrap();
    assert_eq!((calls[0].name.as_str(), calls[0].result), ("exit", Outcome::Unknown));
    assert_eq!((calls[1].name.as_str(), calls[1].result, calls[1].tid), ("wait4", Outcome::Value(9), 7));
    let arguments: Vec<&Shown> = calls[1].arguments.iter().map(|(_, value)| value).collect();
    assert_eq!(arguments, [&number(9), &Shown::List(vec![number(0)]), &number(0), &Shown::Null]);
}

fn results_are_values_errors_or_unknown() {
    let log = "1 close(3) = -1 EBADF (Bad file descriptor)\n1 umask(022) = 027\n1 mmap(NULL) = 0x7f00\n\
               1 pause() = ? ERESTARTNOHAND (To be restarted if no handler)\n1 exit_group(0) = ?\n\
               1 poll([], 0, 0) = 1 ([{fd=3, revents=0x1}])\n1 statx(3, , 0) = 0\n";
    let calls = calls(log).unwrap();
    let results: Vec<Outcome> = calls.iter().map(|call| call.result).collect();
    let expected = [
        Outcome::Error(-9),
        Outcome::Value(0o27),
        Outcome::Value(0x7f00),
        Outcome::Error(-514),
        Outcome::Unknown,
        Outcome::Value(1),
        Outcome::Value(0),
    ];
    assert_eq!(results, expected);
    assert_eq!(calls[5].note.as_deref(), Some("[{fd=3, revents=0x1}]"));
    assert_eq!(calls[6].arguments[1].1, Shown::Nothing);
}

fn named_arguments_keep_their_names() {
    let calls = calls("1 clone(child_stack=NULL, flags=0x100000|17, parent_tid=[6]) = 6\n").unwrap();
    let names: Vec<&str> = calls[0].arguments.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["child_stack", "flags", "parent_tid"]);
    assert_eq!(calls[0].arguments[1].1, Shown::Or(vec![0x100000, 17]));
}

fn torn_lines_are_refused() {
    for line in
        ["1 close(3", "1 close(3) =", "1 close {3} = 0", "1 <... close resumed>) = 0", "1 f(\"\\q\") = 0"]
    {
        assert!(calls(line).is_err(), "{line}");
    }
}

fn findings(shown: &str, held: Held) -> Vec<Kind> {
    findings_at("place", shown, held)
}

fn findings_at(place: &str, shown: &str, held: Held) -> Vec<Kind> {
    let mut comparison = Comparison::new(Bounds { string: 8, buffer: 8 });
    comparison.value(place, &read(shown), &held);
    comparison.findings.into_iter().map(|finding| finding.what).collect()
}

fn numbers_are_equal_in_the_width_that_is_shown() {
    for (shown, held) in
        [("-1", -1), ("-1", u32::MAX.into()), ("18446744073709551615", -1), ("4294967295", -1)]
    {
        assert_eq!(findings(shown, Held::Number(held)), [], "{shown} {held}");
    }
    assert_eq!(findings("1", Held::Number(2)).len(), 1);
    assert_eq!(findings("0x100000001", Held::Number(1)).len(), 1);
    assert_eq!(findings("NULL", Held::Missing), []);
    assert_eq!(findings("0x7ffc", Held::Missing).len(), 1);
    assert_eq!(findings("0x7ffc", Held::List(vec![])), [Kind::AddressOnly]);
}

fn a_wrong_member_is_found() {
    let held = |nanoseconds| {
        let members = [("tv_sec", 1), ("tv_nsec", nanoseconds)];
        Held::Members(members.map(|(name, number)| (name.to_owned(), Held::Number(number))).to_vec())
    };
    assert_eq!(findings("{tv_sec=1, tv_nsec=2}", held(2)), []);
    assert_eq!(findings("[{tv_sec=1, tv_nsec=2}]", held(2)), []);
    assert_eq!(findings("{tv_sec=1, tv_nsec=2}", held(3)).len(), 1);
    assert_eq!(findings("{tv_sec=1, tv_min=2}", held(2)).len(), 1);
    assert_eq!(findings("[{tv_sec=1}, {tv_sec=1}]", Held::List(vec![held(2)])).len(), 1);
}

fn a_cut_value_is_equal_only_at_the_bound() {
    let shown = r#""\x61\x62\x63\x64\x65\x66\x67\x68\x69""#;
    assert_eq!(findings(shown, Held::Bytes(b"abcdefghi".to_vec())), []);
    assert_eq!(findings(shown, Held::Bytes(b"abcdefgh".to_vec())), []);
    assert_eq!(findings(shown, Held::Bytes(b"abcdef".to_vec())).len(), 1);
    assert_eq!(findings(shown, Held::Bytes(b"abcdefgx".to_vec())).len(), 1);
}

fn addresses_and_ports_are_compared_with_their_bytes() {
    assert_eq!(findings(r#""\x7f\x00\x00\x01""#, Held::Text("127.0.0.1".to_owned())), []);
    assert_eq!(findings(r#""\x7f\x00\x00\x01""#, Held::Text("127.0.0.2".to_owned())).len(), 1);
    assert_eq!(findings(r#""\x00\x50""#, Held::Number(80)), []);
    assert_eq!(findings(r#""\x00\x50""#, Held::Number(0x5000)).len(), 1);
}

fn signals_are_sets() {
    let set = |numbers: &[i128]| Held::List(numbers.iter().copied().map(Held::Number).collect());
    assert_eq!(findings_at("sa_mask", "[2 15]", set(&[15, 2])), []);
    assert_eq!(findings_at("sa_mask", "[2 15]", set(&[2])).len(), 1);
    let most: Vec<i128> = (1..=64).filter(|signal| *signal != 33).collect();
    assert_eq!(findings_at("sa_mask", "~[33]", set(&most)), []);
    assert_eq!(findings_at("sa_mask", "~[33]", set(&most[1..])).len(), 1);
    assert_eq!(findings_at("uid", "[3]", Held::Number(3)), []);
}

fn wait_statuses_are_numbers() {
    assert_eq!(findings("[{WIFEXITED(s) && WEXITSTATUS(s) == 7}]", Held::Number(0x700)), []);
    assert_eq!(findings("[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]", Held::Number(9)), []);
    assert_eq!(findings("[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]", Held::Number(10)).len(), 1);
}
