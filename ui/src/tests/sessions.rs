//! What keys come to.

use proptest::prelude::*;

use super::*;

#[test]
fn a_filter_narrows_as_it_is_typed_and_esc_puts_back_what_was_there() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    assert_eq!(session.model.progress.found, 320);
    session.keys("/comm=ls");
    assert_eq!((session.model.progress.found, session.comm().as_str()), (120, "ls"));
    session.keys("\x1b");
    assert_eq!((session.model.progress.found, session.model.filters.line().as_str()), (320, ""));
    session.keys("/comm=id event=openat\n");
    assert_eq!(session.model.progress.found, 40);
    session.keys("\x08");
    assert_eq!(session.model.progress.found, 320);
}

#[test]
fn the_cursor_stays_on_its_event_and_comes_back_to_it() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    session.keys("jjj");
    assert_eq!((session.event().as_str(), session.comm().as_str()), ("sched_process_exit", "id"));
    let at = session.model.table.row().map(|row| row.anchor);
    session.keys("/comm=ls\n");
    assert_eq!(session.comm(), "ls");
    session.keys("\x08");
    assert_eq!(session.model.table.row().map(|row| row.anchor), at);
}

#[test]
fn values_are_included_and_excluded_from_the_cell_under_the_cursor() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    session.keys("jl+");
    assert_eq!((session.model.filters.line().as_str(), session.model.progress.found), ("comm=id", 120));
    session.keys("\x08-");
    assert_eq!((session.model.filters.line().as_str(), session.model.progress.found), ("comm!=id", 200));
    session.keys("\x08jlllll+");
    assert!(session.model.filters.line().starts_with("openat."), "{}", session.model.filters.line());
    assert_eq!(session.model.progress.found, 80);
}

#[test]
fn filters_are_toggled_and_counted_one_by_one() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    session.keys("/comm=ls event=openat\nF");
    let counts: Vec<u64> = session.model.counts.values().copied().collect();
    assert_eq!((counts, session.model.progress.found), (vec![120, 80], 40));
    session.keys(" ");
    assert_eq!((session.model.progress.found, session.model.filters.off()), (80, 1));
    session.keys("a");
    assert_eq!(session.model.progress.found, 40);
    session.keys("d");
    assert_eq!(session.model.filters.line(), "event=openat");
}

#[test]
fn scrolling_reaches_every_row_and_the_ends() {
    let mut session = Session::new(id_and_ls(1000), (80, 24));
    session.keys("G");
    assert_eq!(session.model.table.number(), 7_999);
    session.keys("g");
    assert_eq!(session.model.table.number(), 0);
    for page in 1..60 {
        session.key(Key::PageDown);
        assert_eq!(session.model.table.number(), page * 15, "{:?}", session.numbers());
    }
    session.keys(":50%\n");
    assert_eq!(session.model.table.number(), 4_000);
    session.keys(":#17\n");
    assert_eq!(session.model.table.number(), 16);
    session.keys(":+500ms\n");
    assert_eq!(session.model.table.number(), 499 * 4);
}

#[test]
fn a_range_leaves_what_lies_in_it() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    session.keys(":#9\n[:#16\n]");
    assert_eq!(session.model.progress.found, 8);
    session.keys("\\");
    assert_eq!(session.model.progress.found, 320);
}

#[test]
fn context_stands_beside_what_matches() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    session.keys("/comm=id event=openat\nc");
    let beside = session.model.table.rows.iter().filter(|row| row.is_context).count();
    assert!(beside > 60, "{beside}");
    session.keys("C");
    let rows = &session.model.table.rows;
    assert!(rows.iter().all(|row| row.cells[1].text == "id"), "only the same process is beside it");
    session.keys("cc");
    assert!(session.model.table.rows.iter().all(|row| !row.is_context));
}

#[test]
fn searches_find_lines_without_filtering() {
    let mut session = Session::new(id_and_ls(40), (80, 24));
    session.key(Key::Ctrl('f'));
    session.keys("usr/bin/ls\n");
    assert_eq!((session.comm().as_str(), session.model.progress.found), ("ls", 320));
    let first = session.model.table.number();
    session.keys("n");
    assert_eq!(session.model.table.number(), first + 8);
    session.keys("N");
    assert_eq!(session.model.table.number(), first);
}

#[test]
fn the_filter_is_completed_from_what_there_is() {
    let mut session = Session::new(id_and_ls(4), (80, 24));
    session.keys("/comm=\t");
    assert!(session.screen().contains("comm=bash"), "{}", session.screen());
    session.keys("\t\t\n");
    assert_eq!(session.model.filters.line(), "comm=id");
    session.keys("/\x1b/event=openat comm=l\t\n");
    assert_eq!(session.model.filters.line(), "comm=id event=openat comm=ls");
}

#[test]
fn pages_lead_to_events_and_processes() {
    let mut session = Session::new(id_and_ls(4), (80, 24));
    session.keys("jT");
    assert!(session.screen().contains("bash 500"), "{}", session.screen());
    session.keys("\n");
    assert!(session.model.filters.line().starts_with("pid=510@"), "{}", session.model.filters.line());
    assert_eq!(session.model.progress.found, 3);
    session.keys("t");
    assert!(session.screen().contains("init 1"), "{}", session.screen());
    session.keys("\x1be");
    assert!(session.screen().contains("scope 1: matched"), "{}", session.screen());
    session.keys("\x1b\x08vjjjjjj\n");
    assert!(session.screen().contains("openat"), "{}", session.screen());
    session.keys("\x1b\x1b@\n");
    assert!(session.screen().contains("processes at"), "{}", session.screen());
    session.keys("\x1b\x1bjS");
    assert!(session.screen().contains("What led to it"), "{}", session.screen());
    session.keys("\x1bD");
    assert!(session.screen().contains("Findings"), "{}", session.screen());
}

#[test]
fn what_is_shown_can_be_copied_and_written() {
    let mut session = Session::new(id_and_ls(4), (80, 24));
    session.keys("/comm=ls\ny\n");
    assert!(session.copied[0].contains("ls 511"), "{:?}", session.copied);
    session.keys("yG\n");
    assert_eq!(session.copied[1], "tracer replay c.trz -f comm=ls");
    session.keys("wx.trz\n");
    assert!(session.model.said.text.contains("x.trz [\"comm=ls\"] None"), "{:?}", session.model.said);
}

#[test]
fn marks_and_notes_are_kept_in_a_case_beside_the_captures() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("CASE.toml");
    let read = || Kept::read(Some(file.clone()), vec!["c.trz".into()], None).expect("marks");
    let mut session = Session::with(id_and_ls(4), (80, 24), Setup { marks: read(), ..setup() });
    assert!(!file.exists());
    session.keys("jmxjjbthis one\n");
    let mut again = Session::with(id_and_ls(4), (80, 24), Setup { marks: read(), ..setup() });
    again.keys("G'x");
    assert_eq!(again.model.table.number(), 1);
    again.keys("B");
    assert!(again.screen().contains("this one"), "{}", again.screen());
    again.keys("j\n");
    assert_eq!(again.model.table.number(), 3);
}

#[test]
fn queries_are_kept_in_the_case_and_asked_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("CASE.toml");
    let read = || Kept::read(Some(file.clone()), vec!["c.trz".into()], None).expect("marks");
    let mut session = Session::with(id_and_ls(4), (80, 24), Setup { marks: read(), ..setup() });
    session.keys(":query nothing\n");
    assert!(
        session.model.said.text.contains("no filter to keep") && !file.exists(),
        "{:?}",
        session.model.said
    );
    session.keys("/comm=ls event=openat\n:query what ls opened\n/comm=id\n:query\n");
    assert!(session.model.said.text.contains("a query has a name"), "{:?}", session.model.said);
    let mut again = Session::with(id_and_ls(4), (80, 24), Setup { marks: read(), ..setup() });
    again.keys("Q");
    assert!(again.screen().contains("what ls opened"), "{}", again.screen());
    again.keys("\n");
    assert_eq!((again.model.filters.line().as_str(), again.comm().as_str()), ("comm=ls event=openat", "ls"));
    again.keys("\x08");
    assert_eq!(again.model.filters.line(), "");
}

#[test]
fn q_leaves_and_the_parent_is_found() {
    let mut session = Session::new(id_and_ls(4), (80, 24));
    session.keys("ju");
    assert!(session.model.said.text.contains("parent 500 executed nothing"), "{:?}", session.model.said);
    session.keys("q");
    assert!(session.is_over);
}

#[test]
fn a_parent_that_the_filters_hide_is_shown_and_one_step_back_they_are_there_again() {
    let mut made = Made::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let child = process(510, 500, 1000, "id", "/usr/bin/id");
    let exec = [("pathname", Raw::Bytes(b"/usr/bin/bash"))];
    made.push(&event(1_000, "sched_process_exec", shell, &exec));
    made.push(&event(2_000, "openat", child, &[]));
    let mut session = Session::with(made, (80, 24), Setup { filters: vec!["comm=id".into()], ..setup() });
    session.keys("u");
    assert!(session.model.filters.line().starts_with("pid=500@"), "{}", session.model.filters.line());
    assert_eq!((session.event().as_str(), session.comm().as_str()), ("sched_process_exec", "bash"));
    session.keys("\x08");
    assert_eq!((session.model.filters.line().as_str(), session.comm().as_str()), ("comm=id", "id"));
}

/// Of several filters the one that is added or switched is asked, and the others are known.
#[test]
fn what_is_known_of_single_filters_is_not_asked_again() {
    let mut session = Session::new(id_and_ls(200), (80, 24));
    let asked = |session: &mut Session| {
        // What nobody waits for is asked, too.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let mut before = usize::MAX;
        loop {
            std::thread::sleep(std::time::Duration::from_millis(60));
            let now = session.engine.asked().len();
            assert!(std::time::Instant::now() < end);
            if now == before {
                break session.engine.asked();
            }
            before = now;
        }
    };
    let fresh = |line: &str| {
        let filters = line.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        Session::with(id_and_ls(200), (80, 24), Setup { filters, ..setup() }).model.progress.found
    };
    session.keys("/comm=ls pid>600 openat.retval>=0\n");
    let all = asked(&mut session);
    let mut count = all.len();
    for (keys, line) in [
        ("F ", "pid>600 openat.retval>=0"),
        (" ", "comm=ls pid>600 openat.retval>=0"),
        ("j ", "comm=ls openat.retval>=0"),
    ] {
        session.keys(keys);
        assert_eq!(session.model.filters.line(), line);
        assert_eq!(session.model.progress.found, fresh(line), "{line}");
        let now = asked(&mut session);
        assert_eq!(now.len(), count, "{line}: {:?}", &now[count..]);
    }
    session.keys("\x1b/ uid=1000\n");
    let line = session.model.filters.line();
    assert!(line.contains("uid=1000"), "{line}");
    assert_eq!(session.model.progress.found, fresh(&line));
    let now = asked(&mut session);
    count = now.len() - count;
    // Every prefix that means something was one question at most, and none of them was about the others.
    assert!(now[now.len() - count..].iter().all(|it| it.contains("Field(Uid)")), "{now:?}");
}

#[test]
fn events_around_matches_are_taken_from_the_blocks_beside() {
    let mut made = Made::new();
    made.rows_per_block = 4;
    let (bash, id) =
        (process(500, 1, 1000, "bash", "/usr/bin/bash"), process(510, 500, 1000, "id", "/usr/bin/id"));
    for at in 0..40u64 {
        let (name, who) = if at == 20 {
            ("ptrace", id)
        } else if at % 2 == 0 {
            ("getpid", id)
        } else {
            ("getuid", bash)
        };
        made.push(&event(1_000 * at, name, who, &[]));
    }
    let mut session =
        Session::with(made, (80, 40), Setup { filters: vec!["event=ptrace".into()], ..setup() });
    session.keys("c");
    let shown = |session: &Session| -> Vec<u64> {
        session
            .model
            .table
            .rows
            .iter()
            .map(|row| (row.wall_ns as u64 - synthetic::WALL) / 1_000 % 1_000)
            .collect()
    };
    let first = shown(&session);
    assert_eq!(first.len(), 7, "{first:?}");
    assert!(first.windows(2).all(|pair| pair[1] == pair[0] + 1), "{first:?}");
    session.keys("c");
    assert_eq!(shown(&session).len(), 21, "{:?}", shown(&session));
    session.keys("C");
    let own = shown(&session);
    assert!(own.len() >= 17 && own.windows(2).all(|pair| pair[1] == pair[0] + 2), "{own:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn rows_are_those_that_the_pipeline_gives(
        filters in prop::collection::vec(
            prop::sample::select(vec!["comm=ls", "comm!=ls", "event=openat", "2:comm=id", "openat.pathname=/etc/*", "pid>530"]),
            0..3,
        ),
        at in 0u64..300,
    ) {
        let texts: Vec<String> = filters.iter().map(|it| (*it).to_owned()).collect();
        let Ok(set) = ScopeSet::parse(&texts) else { return Ok(()) };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.trz");
        id_and_ls(40).save(&path);
        let source = open(&path);
        let asked = if set.is_empty() { replay::Asked::recorded(&source) } else { replay::Asked::given(set, &source).expect("a plan") };
        let mut expected = Vec::new();
        pipeline::Question::new(&source, asked.matchers(&source)).each(&mut |_, view| expected.push(view.at)).expect("an answer");
        let mut session = Session::with(id_and_ls(40), (80, 24), Setup { filters: texts, ..setup() });
        prop_assert_eq!(session.model.progress.found, expected.len() as u64);
        if !expected.is_empty() {
            let at = at % expected.len() as u64;
            session.keys("g");
            for _ in 0..at / 10 { session.key(Key::PageDown); }
            let from = session.numbers().start as usize;
            let rows: Vec<_> = session.model.table.rows.iter().map(|row| row.anchor.at).collect();
            prop_assert_eq!(&rows[..], &expected[from..from + rows.len()]);
        }
    }
}
