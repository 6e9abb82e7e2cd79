//! What is on the screen, at both sizes, and what never is.

use ratatui::style::Color;

use super::*;

#[test]
fn the_table_at_80_by_24() {
    let session = Session::new(id_and_ls(40), (80, 24));
    insta::assert_snapshot!(session.screen());
}

#[test]
fn everything_at_once_at_120_by_40() {
    let mut session = Session::new(id_and_ls(40), (120, 40));
    session.keys("/comm=ls\n");
    insta::assert_snapshot!(session.screen());
}

#[test]
fn in_ascii_there_is_nothing_else() {
    let session = Session::with(id_and_ls(40), (80, 24), Setup { is_ascii: true, ..setup() });
    let screen = session.screen();
    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn a_wrong_filter_has_a_caret_and_leaves_what_was_valid_last() {
    let mut session = Session::new(id_and_ls(4), (80, 24));
    session.keys("/comm=ls xomm=x");
    let screen = session.screen();
    assert!(screen.contains("Filter! comm=ls xomm=x") && screen.contains("unknown filter key"), "{screen}");
    assert!(screen.contains("openat") && !screen.contains(" id "), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn pages_help_filters_and_detail() {
    let mut session = Session::new(id_and_ls(4), (80, 24));
    session.keys("?");
    insta::assert_snapshot!("help", session.screen());
    session.keys("\x1b/comm=ls\nF");
    insta::assert_snapshot!("filters", session.screen());
    session.keys("\x1bjj\n");
    insta::assert_snapshot!("detail", session.screen());
}

#[test]
fn a_smaller_terminal_is_told_the_size() {
    let mut session = Session::new(id_and_ls(1), (79, 23));
    assert!(session.screen().starts_with("80x24 is needed, this is 79x23"));
    session.model.update(Message::Resize(300, 80));
    assert!(session.screen().contains("Filter: none"));
}

#[test]
fn without_colours_there_are_none() {
    let coloured = |is_coloured: bool| {
        let session = Session::with(id_and_ls(4), (120, 40), Setup { is_coloured, ..setup() });
        let terminal = session.terminal();
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert!(coloured(true) > 0);
    assert_eq!(coloured(false), 0);
}

#[test]
fn nothing_of_a_hostile_capture_reaches_the_terminal_raw() {
    let long = vec![b'a'; 4096];
    let names: [&[u8]; 6] = [
        b"\x1b[2J\x1b]0;owned\x07",
        "\u{202e}gnp.exe".as_bytes(),
        b"\xff\xfe\x9b31m",
        b"a\nb\rc\td",
        b"x\x00y",
        &long,
    ];
    for size in [(80, 24), (120, 40)] {
        let mut session = Session::new(hostile(&names), size);
        for keys in [
            "",
            "\n",
            "\x1bj",
            "\n",
            "\x1b+",
            "F",
            "\x1b\x08T",
            "\x1bt",
            "\x1bv\n",
            "\x1b\x1by",
            "\x1b",
            "mxB",
            "\x1b",
        ] {
            session.keys(keys);
            let screen = session.screen();
            let raw = screen.chars().find(|c| *c != '\n' && !scopes::is_printable(*c));
            assert_eq!(raw, None, "after {keys:?}: {screen:?}");
        }
    }
}

fn hostile(names: &[&[u8]]) -> Made {
    let mut made = Made::new();
    for (at, name) in (0u64..).zip(names) {
        let mut context = process(600 + at as u32, 1, 0, "x", "/x");
        context.comm = name.get(..15).unwrap_or(name);
        context.exe = name;
        let open = [("pathname", Raw::Bytes(name))];
        made.push(&event(at * 1_000, "openat", context, &open));
    }
    made
}
