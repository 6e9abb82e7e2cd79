//! `tracer watch`: what happens is shown while it happens, with nothing of the watcher's own in it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, tracer_ok};
use crate::pty::{Terminal, lines, piped};
use crate::workload::{Loop, name_of, own_program};

pub const TESTS: &[Test] = &[
    ("watching_shows_an_event_within_a_second", first_event),
    ("watching_ends_when_its_reader_has_seen_enough", head),
    ("what_is_watched_and_what_is_recorded_meanwhile_are_the_same_set", same_set),
    ("replay_of_what_was_watched_prints_the_same_bytes", same_bytes),
    ("the_watcher_its_terminal_and_its_reader_are_left_out", left_out),
    ("without_filters_little_is_shown_and_it_is_said_what", quiet),
    ("a_flood_does_not_make_a_terminal_fall_behind", flood),
    ("nothing_is_wider_than_the_terminal_and_nothing_is_escaped_without_colours", narrow_and_plain),
    ("watching_until_something_ends_with_it_and_says_whether_it_came", until),
    ("a_key_keeps_the_last_stretch", key),
    ("it_is_said_which_filters_the_kernel_judges", explained),
    ("what_goes_on_is_counted_live_and_shown_anew", top_live),
    ("the_screen_shows_what_goes_on_and_leaves_nothing", screen_live),
];

/// Loading the kernel side takes seconds on a busy host.
const LOADING: Duration = Duration::from_secs(60);
const WATCHING: &str = "watching";

/// A watcher whose outputs are read here.
pub struct Watcher {
    pub child: Child,
    said: BufReader<ChildStderr>,
}

impl Watcher {
    /// Returns once it is attached.
    pub fn start(options: &[&str]) -> Result<Watcher, Failed> {
        let mut command = Command::new(TRACER);
        let mut child = piped(command.arg("watch").args(options)).spawn()?;
        let mut said = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        while !line.contains(WATCHING) {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(format!("{options:?}: it ended before it watched: {}", child.wait()?).into());
            }
        }
        Ok(Watcher { child, said })
    }

    pub fn stop(&self) -> Result<(), Failed> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Its exit code, what it printed and what it said.
    pub fn end(mut self) -> Result<(Option<i32>, String, String), Failed> {
        let (mut out, mut said) = (String::new(), String::new());
        let mut stdout = self.child.stdout.take().ok_or("no stdout")?;
        let reader = std::thread::spawn(move || {
            let _ = stdout.read_to_string(&mut out);
            out
        });
        self.said.read_to_string(&mut said)?;
        let code = self.child.wait()?.code();
        Ok((code, reader.join().map_err(|_| "the reader ended early")?, said))
    }
}

fn first_event() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = own_program(dir.path(), "true")?;
    let filter = format!("comm={}", name_of(&program));
    let mut watcher = Watcher::start(&["-f", &filter, "-o", "json"])?;
    let mut out = BufReader::new(watcher.child.stdout.take().ok_or("no stdout")?);
    for _ in 0..3 {
        let began = Instant::now();
        Command::new(&program).status()?;
        let mut line = String::new();
        out.read_line(&mut line)?;
        let took = began.elapsed();
        ensure(took < Duration::from_secs(1), || format!("an event took {took:?}: {line}"))?;
        // The rest of its events.
        while !line.contains("sched_process_exit") {
            line.clear();
            out.read_line(&mut line)?;
        }
    }
    watcher.stop()?;
    same("exit code", watcher.child.wait()?.code(), Some(0))
}

fn head() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = own_program(dir.path(), "true")?;
    let script = format!("{TRACER} watch -f comm={} | head -1", name_of(&program));
    let mut command = Command::new("sh");
    let mut shell = piped(command.args(["-c", &script])).spawn()?;
    let mut said = BufReader::new(shell.stderr.take().ok_or("no stderr")?);
    let mut line = String::new();
    while !line.contains(WATCHING) {
        line.clear();
        ensure(said.read_line(&mut line)? > 0, || "it ended before it watched".to_owned())?;
    }
    // The first line is the header's: whoever takes it is gone before anything happens.
    let until = Instant::now() + Duration::from_secs(1);
    while shell.try_wait()?.is_none() {
        ensure(Instant::now() < until, || "it goes on without a reader".to_owned())?;
        std::thread::sleep(Duration::from_millis(10));
    }
    // With the first event.
    let script = format!("{TRACER} watch -o json -f comm={} | head -1", name_of(&program));
    let mut command = Command::new("sh");
    let mut shell = piped(command.args(["-c", &script])).spawn()?;
    let mut said = BufReader::new(shell.stderr.take().ok_or("no stderr")?);
    line.clear();
    while !line.contains(WATCHING) {
        line.clear();
        ensure(said.read_line(&mut line)? > 0, || "it ended before it watched".to_owned())?;
    }
    let began = Instant::now();
    Command::new(&program).status()?;
    while shell.try_wait()?.is_none() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = began.elapsed();
    ensure(took < Duration::from_secs(1), || format!("it took {took:?} to end"))?;
    let mut rest = String::new();
    said.read_to_string(&mut rest)?;
    ensure(!rest.contains("pipe") && !rest.contains("error"), || rest.clone())
}

/// Lines of JSON, in an order of their own: rows of one time may come in any.
pub fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn same_set() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("f.trz");
    let work = Loop::start(dir.path(), "ls", "/", "0.02")?;
    let filters =
        [format!("comm={}", work.name), format!("2:tree={}", work.pid()), "2:event=execve,openat".to_owned()];
    let mut options = vec!["-o", "json", "-w", path(&file)?];
    filters.iter().for_each(|filter| options.extend(["-f", filter]));
    let watcher = Watcher::start(&options)?;
    std::thread::sleep(Duration::from_secs(5));
    watcher.stop()?;
    let (code, out, said) = watcher.end()?;
    same(&format!("exit code: {said}"), code, Some(0))?;
    let mut arguments = vec!["replay", path(&file)?, "-o", "json"];
    filters.iter().for_each(|filter| arguments.extend(["-f", filter]));
    let replayed = tracer_ok(&arguments)?;
    ensure(out.lines().count() > 1000, || format!("{} lines: {said}", out.lines().count()))?;
    ensure(sorted(&out) == sorted(&replayed), || {
        let (live, after) = (sorted(&out), sorted(&replayed));
        let only = |a: &[&str], b: &[&str]| {
            a.iter().find(|line| b.binary_search(line).is_err()).map(|it| (*it).to_owned())
        };
        format!(
            "{} live, {} replayed: {:?} {:?}",
            live.len(),
            after.len(),
            only(&live, &after),
            only(&after, &live)
        )
    })?;
    // All of it is there, not only what was shown.
    ensure(count(&file, &["-f", "comm!=nobody"])? > out.lines().count() as u64, || {
        "only what matched was recorded".to_owned()
    })?;
    tracer_ok(&["verify", path(&file)?]).map(|_| ())
}

fn same_bytes() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("f.trz");
    let program = own_program(dir.path(), "true")?;
    let filter = format!("comm={}", name_of(&program));
    let looks: &[&[&str]] = &[
        &["-o", "table"],
        &["--columns", "time,comm,event,args", "--utc"],
        &["--template", "{time} {comm} {event}"],
        &["--fields", "comm,event,ret"],
        &["-o", "table-verbose"],
    ];
    for look in looks {
        let mut options = vec!["-w", path(&file)?, "--force", "-f", &filter];
        options.extend(*look);
        let watcher = Watcher::start(&options)?;
        for _ in 0..5 {
            Command::new(&program).status()?;
        }
        std::thread::sleep(Duration::from_millis(700));
        watcher.stop()?;
        let (_, out, said) = watcher.end()?;
        let mut arguments = vec!["replay", path(&file)?, "-f", &filter];
        arguments.extend(*look);
        let replayed = tracer_ok(&arguments)?;
        ensure(out.lines().count() > 30, || format!("{look:?}: {out} {said}"))?;
        same(&format!("{look:?}"), out, replayed)?;
    }
    Ok(())
}

/// Who did something, by the JSON lines of a watcher.
fn names(out: &str) -> Result<Vec<(String, u64)>, Failed> {
    let name = |line: &str| -> Result<(String, u64), Failed> {
        let row: Value = serde_json::from_str(line)?;
        Ok((
            row["processName"].as_str().unwrap_or_default().to_owned(),
            row["hostProcessId"].as_u64().unwrap_or(0),
        ))
    };
    out.lines().map(name).collect()
}

fn left_out() -> Result<(), Failed> {
    let dir = scratch()?;
    let reader = own_program(dir.path(), "cat")?;
    let name = name_of(&reader);
    for (option, writes) in [("--quiet", false), ("--all", false), ("--quiet", true)] {
        let out = dir.path().join("out");
        let file = dir.path().join("f.trz");
        let write = if writes { format!("--force -w {}", path(&file)?) } else { String::new() };
        // Others of its name may be at work on the host: it is known by its pid.
        let pid = dir.path().join("pid");
        let script = format!(
            "sh -c 'echo $$ >{}; exec {TRACER} watch -o json -f event=read,write,writev {option} {write} --for 3s' | {} >{}",
            path(&pid)?,
            path(&reader)?,
            path(&out)?
        );
        ensure(Command::new("sh").args(["-c", &script]).status()?.success(), || script.clone())?;
        let seen = names(&std::fs::read_to_string(&out)?)?;
        ensure(!seen.is_empty(), || format!("{script}: nothing happened"))?;
        let has = |name: &str| seen.iter().any(|(known, _)| known == name);
        same(&format!("{script}: the reader is seen"), has(&name), option == "--all")?;
        let own: u64 = std::fs::read_to_string(&pid)?.trim().parse()?;
        ensure(!seen.iter().any(|(_, pid)| *pid == own), || format!("{script}: itself is seen"))?;
        if writes {
            ensure(count(&file, &["-f", &format!("comm={name}")])? > 0, || {
                "the capture lacks the reader".to_owned()
            })?;
        }
    }
    // On a terminal, whoever holds its other end is left out: here the test itself.
    let mut command = Command::new(TRACER);
    command.args(["watch", "-f", "event=read,write", "--for", "3s", "--columns", "time,comm,pid,event"]);
    let own = std::process::id().to_string();
    let (_, text) = Terminal::start(command, 100)?.end(LOADING)?;
    let is_own = |line: &str| line.split_whitespace().nth(2) == Some(own.as_str());
    ensure(!lines(&text).any(is_own), || format!("the terminal is seen: {text}"))
}

fn quiet() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = Loop::start(dir.path(), "cat", "/etc/hostname", "0.1")?;
    let watcher = Watcher::start(&["-o", "json", "--for", "4s"])?;
    // Written in place of a file of the system's: a folder that no test shares.
    let own = Path::new("/etc/tracer-test-of-watch");
    std::thread::sleep(Duration::from_millis(200));
    let missing = dir.path().join("missing");
    // By another: what reads the watcher's pipe is left out.
    let own = path(own)?;
    let script = format!("echo x >{own}; rm {own}; {}; exec 3<>/dev/tcp/127.0.0.1/1", path(&missing)?);
    let _ = piped(Command::new("bash").args(["-c", &script])).output()?;
    let (code, out, _) = watcher.end()?;
    same("exit code", code, Some(0))?;
    let rows: Vec<Value> = out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let has = |event: &str, text: &str| {
        rows.iter().any(|row| row["eventName"] == event && row["args"].to_string().contains(text))
    };
    for (event, text) in [
        ("sched_process_exec", work.name.as_str()),
        ("security_file_open", "tracer-test-of-watch"),
        ("security_inode_unlink", "tracer-test-of-watch"),
        ("security_socket_connect", "127.0.0.1"),
    ] {
        ensure(has(event, text), || format!("{event} of {text} is not shown"))?;
    }
    ensure(has("execve", path(&missing)?), || "the failed exec is not shown".to_owned())?;
    ensure(!rows.iter().any(|row| row["eventName"] == "openat" || row["eventName"] == "read"), || {
        "it is not quiet".to_owned()
    })?;
    let mut command = Command::new(TRACER);
    let output = piped(command.args(["watch", "--for", "1s"])).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(said.contains("showing programs that start or fail to"), || said.clone())
}

fn flood() -> Result<(), Failed> {
    let mut command = Command::new(TRACER);
    command.args(["watch", "-f", "event=openat", "--rate", "50"]);
    let mut terminal = Terminal::start(command, 80)?;
    terminal.wait_for(WATCHING, LOADING)?;
    let flood = std::env::current_exe()?;
    let mut child = Command::new(flood)
        .args([crate::losses::RUN, "opens", "5"])
        .stdout(std::process::Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(4500));
    let text = terminal.text();
    child.wait()?;
    ensure(text.contains(" openat by "), || format!("no sums: {text}"))?;
    let sums = |text: &str| -> Vec<u64> {
        let of =
            |line: &str| line.strip_prefix("... ")?.split_once(" openat by")?.0.replace(',', "").parse().ok();
        lines(text).filter_map(of).collect()
    };
    let largest = sums(&text).into_iter().max().unwrap_or(0);
    // The last seconds of the flood are told soon after it, and nothing of it comes later.
    std::thread::sleep(Duration::from_millis(2500));
    let told: u64 = sums(&terminal.text()).iter().sum();
    std::thread::sleep(Duration::from_secs(1));
    let later: u64 = sums(&terminal.text()).iter().sum();
    terminal.press("q")?;
    let (code, text) = terminal.end(LOADING)?;
    same("exit code", code, Some(0))?;
    println!("largest sum of a second: {largest}; {told} opens told in all");
    ensure(largest > 20_000, || format!("a flood of {largest} a second is none: {text}"))?;
    ensure(later - told < largest / 10, || format!("the terminal fell behind: {told} and then {later}"))?;
    let rows = lines(&text).filter(|line| line.contains("openat") && !line.starts_with("...")).count();
    ensure(rows < 50 * 15, || format!("{rows} rows"))
}

fn narrow_and_plain() -> Result<(), Failed> {
    for columns in [40, 80] {
        let mut command = Command::new(TRACER);
        command.args(["watch", "-f", "event=execve,openat", "--for", "3s"]).env("NO_COLOR", "1");
        let terminal = Terminal::start(command, columns)?;
        terminal.wait_for(WATCHING, LOADING)?;
        Command::new("ls").arg("/usr/share/doc").stdout(std::process::Stdio::null()).status()?;
        let (_, text) = terminal.end(LOADING)?;
        ensure(!text.contains('\x1b'), || format!("{text:?}"))?;
        let rows = text.split_once(WATCHING).and_then(|(_, rest)| rest.split_once('\n')).ok_or("no rows")?.1;
        // The last line is a note on stderr.
        let wide = lines(rows)
            .find(|line| line.trim_end().chars().count() > columns.into() && !line.starts_with("tracer: "));
        // Its event stands beyond the end of a line that is as short as this; its name does not, in rows as in sums.
        ensure(wide.is_none() && rows.contains(" ls "), || format!("{columns}: {wide:?} {rows:?}"))?;
    }
    Ok(())
}

fn until() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = own_program(dir.path(), "true")?;
    let filter = format!("comm={}", name_of(&program));
    // It is looked for even where it is not shown.
    let watcher = Watcher::start(&["-f", "event=execve", "--until", &filter, "--for", "60s"])?;
    let began = Instant::now();
    Command::new(&program).status()?;
    let (code, ..) = watcher.end()?;
    same("exit code of what came", code, Some(0))?;
    ensure(began.elapsed() < Duration::from_secs(5), || format!("it went on for {:?}", began.elapsed()))?;
    let watcher = Watcher::start(&["-f", "event=execve", "--until", "comm=nobody-is-so", "--for", "1s"])?;
    let (code, ..) = watcher.end()?;
    same("exit code of what did not come", code, Some(1))
}

fn key() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("f.trz");
    let work = Loop::start(dir.path(), "ls", "/", "0.1")?;
    let filter = format!("comm={}", work.name);
    let mut command = Command::new(TRACER);
    command.args(["watch", "-f", &filter, "-w", path(&file)?, "--flight", "3s", "--after", "1s"]);
    let mut terminal = Terminal::start(command, 80)?;
    terminal.wait_for("w keeps the last 3.0 s", LOADING)?;
    std::thread::sleep(Duration::from_secs(5));
    terminal.press("w")?;
    let (code, text) = terminal.end(Duration::from_secs(20))?;
    same(&format!("exit code: {text}"), code, Some(0))?;
    ensure(count(&file, &["-f", &filter])? > 20, || "the capture lacks the loop".to_owned())?;
    let held = info(&file)?;
    let (start, end) = (held["start_ns"].as_u64().unwrap_or(0), held["end_ns"].as_u64().unwrap_or(0));
    let seconds = (end - start) as f64 / 1e9;
    ensure((2.5..7.0).contains(&seconds), || format!("{seconds} s"))
}

fn explained() -> Result<(), Failed> {
    let mut command = Command::new(TRACER);
    let options =
        ["watch", "--explain", "--for", "1s", "-f", "uid>=4000000", "-f", "openat.pathname=/nowhere/*"];
    let output = piped(command.args(options)).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(said.contains("uid>=4000000"), || said.clone())?;
    let place = |filter: &str| said.lines().find(|line| line.contains(filter)).unwrap_or_default().to_owned();
    ensure(place("uid>=").ends_with("in the kernel"), || said.clone())?;
    ensure(place("openat.pathname").contains("here: arguments"), || said.clone())
}

/// What is counted live is what a capture of it says.
fn top_live() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let filter = format!("comm={}", work.name);
    let out = tracer_ok(&[
        "top",
        "--live",
        "--for",
        "3s",
        "-f",
        &filter,
        "--by",
        "comm,event",
        "--limit",
        "1000",
        "-o",
        "json",
    ])?;
    let rows: Vec<Value> = out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let sum = |by: &str| -> u64 {
        rows.iter().filter(|row| row["by"] == by).filter_map(|row| row["events"].as_u64()).sum()
    };
    ensure(sum("comm") > 100 && sum("comm") == sum("event"), || out.clone())?;
    let mut command = Command::new(TRACER);
    command.args(["top", "--live", "--for", "3s", "-f", &filter]).env("NO_COLOR", "1");
    let (code, text) = Terminal::start(command, 60)?.end(LOADING)?;
    same("exit code", code, Some(0))?;
    ensure(text.contains(&work.name) && !text.contains('\x1b'), || text.clone())?;
    ensure(text.matches("COMM").count() >= 2, || format!("it is not written anew: {text}"))
}

fn screen_live() -> Result<(), Failed> {
    let (dir, places) = (scratch()?, scratch()?);
    let work = Loop::start(dir.path(), "ls", "/", "0.1")?;
    let mut command = Command::new(TRACER);
    command
        .args(["ui", "--live", "--utc", "-f", &format!("comm={}", work.name)])
        .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("NO_COLOR", "1")])
        .env("TMPDIR", places.path());
    let mut terminal = Terminal::start(command, 120)?;
    terminal.wait_for("openat", LOADING)?;
    let before = terminal.text().len();
    std::thread::sleep(Duration::from_secs(2));
    let is_drawn = terminal.text().len() > before;
    ensure(is_drawn, || "nothing new is drawn while it goes on".to_owned())?;
    // A filter that is typed is answered from what is recorded so far.
    terminal.press("/ event=sched_process_exec\r")?;
    terminal.wait_for("sched_process_exec", LOADING)?;
    terminal.press("q")?;
    let (code, text) = terminal.end(LOADING)?;
    same("exit code", code, Some(0))?;
    ensure(text.contains("\x1b[?1049l"), || format!("the screen is not given back: {text}"))?;
    same("what is left", std::fs::read_dir(places.path())?.count(), 0)
}
