//! What people expect of any program: completion in their shell, manual pages, options from files and variables.

mod program;
#[path = "live/pty.rs"]
#[allow(dead_code)]
mod pty;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use program::{Folder, id_and_ls, printed, tracer};
use pty::Terminal;

const TRACER: &str = env!("CARGO_BIN_EXE_tracer");
const LONG: Duration = Duration::from_secs(30);

fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|it| it.status.success())
}

/// Whether a test that needs a program can run; says so where it cannot.
#[expect(clippy::print_stderr, reason = "who reads a test's output is told what did not run")]
fn is_there(program: &str) -> bool {
    let has = has(program);
    if !has {
        eprintln!("skipped: there is no {program} here");
    }
    has
}

/// The search path with the program's folder in front.
fn search_path() -> String {
    let folder = Path::new(TRACER).parent().unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}

/// Types a line in a shell on a terminal, and presses Tab until a text is shown.
fn completes(mut shell: Command, setup: &str, typed: &str, expected: &str) {
    shell.env("PATH", search_path()).env("TERM", "dumb").env("PS1", "$ ").env("HOME", "/nonexistent");
    let mut terminal = Terminal::start(shell, 200).unwrap();
    terminal.press(&format!("{setup}\necho rea''dy\n")).unwrap();
    terminal.wait_for("ready", LONG).unwrap();
    terminal.press(typed).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    terminal.press("\t").unwrap();
    terminal.wait_for(expected, LONG).unwrap();
    let _ = terminal.child.kill();
    let _ = terminal.child.wait();
}

#[test]
fn bash_completes_filters_on_a_terminal() {
    if !is_there("bash") {
        return;
    }
    let folder = Folder::new();
    let capture = folder.capture("c.trz", id_and_ls());
    let mut shell = Command::new("bash");
    shell.args(["--norc", "-i"]);
    let setup = "source <(tracer completions bash)";
    completes(shell, setup, "tracer replay -f 1:bina", "ry=");
    let mut shell = Command::new("bash");
    shell.args(["--norc", "-i"]);
    completes(
        shell,
        setup,
        &format!("tracer replay {capture} -f openat.pathname=/etc/l"),
        "/etc/ld.so.cache",
    );
}

#[test]
fn zsh_completes_filters_on_a_terminal() {
    if !is_there("zsh") {
        return;
    }
    let mut shell = Command::new("zsh");
    shell.args(["-f", "-i"]);
    let setup = "autoload -U compinit; compinit -u -D; source <(tracer completions zsh)";
    completes(shell, setup, "tracer replay -f 1:bina", "ry=");
}

#[test]
fn fish_completes_filters() {
    if !is_there("fish") {
        return;
    }
    let script = "source (tracer completions fish | psub); complete -C 'tracer replay -f 1:eve'";
    let output =
        Command::new("fish").args(["--no-config", "-c", script]).env("PATH", search_path()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(
        out.lines().any(|line| line.starts_with("1:event=")),
        "{out} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn values_of_the_capture_on_the_line_are_offered() {
    let folder = Folder::new();
    let capture = folder.capture("c.trz", id_and_ls());
    let offered = |filter: &str| {
        printed(&["__complete", "--index", "4", "--", "tracer", "replay", &capture, "-f", filter])
    };
    assert!(offered("9:comm=").contains("9:comm=ls\t3 events"), "{}", offered("9:comm="));
    assert!(offered("openat.pathname=/etc").contains("openat.pathname=/etc/ld.so.cache\t2 events"));
    assert!(offered("event=open").contains("event=openat\t2 events"));
}

#[test]
fn manual_pages_are_clean() {
    let folder = Folder::new();
    let pages = folder.path("man");
    printed(&["__man", pages.to_str().unwrap()]);
    let names: Vec<String> =
        std::fs::read_dir(&pages).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    for name in [
        "tracer.1",
        "tracer-watch.1",
        "tracer-replay.1",
        "tracer-filters.7",
        "tracer-format.5",
        "tracer-events.7",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    let again = folder.path("again");
    printed(&["__man", again.to_str().unwrap()]);
    for name in &names {
        assert_eq!(
            std::fs::read(pages.join(name)).unwrap(),
            std::fs::read(again.join(name)).unwrap(),
            "{name}"
        );
    }
    if !is_there("mandoc") {
        return;
    }
    for name in &names {
        let output = Command::new("mandoc").arg("-Tlint").arg(pages.join(name)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.is_empty(), "{said}");
    }
}

#[test]
fn no_table_is_wider_than_its_terminal_and_nothing_is_escaped_without_colours() {
    let folder = Folder::new();
    let capture = folder.capture("c.trz", id_and_ls());
    for line in [
        "replay CAPTURE --no-pager",
        "replay CAPTURE --no-pager --columns +exe,+ancestors",
        "top CAPTURE --by comm,event,binary,file,directory,errno",
        "tree CAPTURE --all",
        "ps CAPTURE",
        "lsof CAPTURE",
        "ss CAPTURE",
        "mounts CAPTURE",
        "containers CAPTURE",
        "diff-state CAPTURE",
        "conn CAPTURE",
        "file CAPTURE /*",
        "user CAPTURE 0",
        "story CAPTURE --of path=/*",
    ] {
        let words = line.split(' ').map(|word| if word == "CAPTURE" { capture.as_str() } else { word });
        let mut command = Command::new(TRACER);
        command.args(words).env("NO_COLOR", "1").env("TRACER_NO_CONFIG", "1");
        let (_, text) = Terminal::start(command, 60).unwrap().end(LONG).unwrap();
        assert!(!text.contains('\x1b'), "{line}: {text:?}");
        let wide = pty::lines(&text)
            .find(|line| line.trim_end().chars().count() > 60 && !line.starts_with("tracer: "));
        assert_eq!(wide, None, "{line}");
    }
}

#[test]
fn options_are_set_by_files_and_variables_and_shown_with_their_places() {
    let folder = Folder::new();
    let capture = folder.capture("c.trz", id_and_ls());
    let config = folder.path("tracer");
    std::fs::create_dir(&config).unwrap();
    let file = config.join("config.toml");
    std::fs::write(&file, "utc = true\n[replay]\ncolumns = \"comm,event\"\nlimit = 3\n").unwrap();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(TRACER);
        command.args(arguments).env("XDG_CONFIG_HOME", folder.path("")).envs(variables.iter().copied());
        let output = command.output().unwrap();
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (out, err) = run(&["replay", &capture], &[]);
    assert_eq!(
        (out.lines().next().map(str::trim_end), out.lines().count()),
        (Some("COMM             EVENT"), 4),
        "{err}"
    );
    let (out, _) = run(&["replay", &capture, "--limit", "1"], &[("TRACER_REPLAY_COLUMNS", "event")]);
    assert_eq!((out.lines().next().map(str::trim_end), out.lines().count()), (Some("EVENT"), 2));
    let (out, _) = run(&["replay", &capture], &[("TRACER_NO_CONFIG", "1")]);
    assert!(out.starts_with("TIME"));
    let (out, _) = run(&["config", "--show", "replay"], &[("TRACER_REPLAY_LIMIT", "7")]);
    assert!(out.contains(&format!("replay --columns comm,event  # {}", file.display())), "{out}");
    assert!(out.contains("replay --limit 7  # TRACER_REPLAY_LIMIT"), "{out}");
    std::fs::write(&file, "[replay]\ncolums = \"comm\"\n").unwrap();
    let (_, err) = run(&["replay", &capture], &[]);
    assert!(err.contains("did you mean \"columns\"") && err.contains("config.toml"), "{err}");
    let (_, err) = run(&["replay", &capture], &[("TRACER_NO_CONFIG", "1"), ("TRACER_REPLAY_LIMIT", "many")]);
    assert!(err.contains("TRACER_REPLAY_LIMIT"), "{err}");
    assert!(tracer(&["help", "replay"]).status.success());
}
