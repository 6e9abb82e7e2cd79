//! What holds for every capture and every filter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::memory;
use crate::program::{Folder, printed, printed_from, started, text, tracer};
use crate::questions;
use crate::random::Random;
use crate::rows::{
    assert_part, assert_same, scopes, timestamp, without, without_boot_times, without_containers,
};
use crate::views;
use crate::world::{self, Shape};

/// Captures, and what is asked of them.
pub struct Case {
    folder: Folder,
    shape: Shape,
    /// A capture of each host.
    files: Vec<String>,
    /// A scope that the program takes.
    pub filters: Vec<String>,
    /// Another one.
    others: Vec<String>,
    /// What the files answer to the filters.
    pub rows: String,
}

type Law = fn(&Case, &mut Random);

pub const LAWS: &[(&str, Law)] = &[
    ("threads", threads),
    ("count, explain and limit", count),
    ("order of files", order),
    ("scopes", two_scopes),
    ("diff", diff),
    ("a stretch of time", stretch),
    ("cut", cut),
    ("parts", parts),
    ("merge", merge),
    ("a torn file", torn),
    ("a damaged file", damaged),
    ("redact", redact),
    ("import", import),
    ("encryption", encryption),
    ("pipes", pipes),
    ("as it comes", as_it_comes),
    ("a growing file", growing),
    ("recorded scopes", recorded),
    ("export", views::export),
    ("top", views::top),
    ("tree", views::tree),
    ("scan", views::scan),
    ("memory", bounded),
    ("memory of tools", tools_bounded),
];

pub fn with<'a>(arguments: &[&'a str], filters: &'a [String]) -> Vec<&'a str> {
    arguments.iter().copied().chain(filters.iter().flat_map(|filter| ["-f", filter.as_str()])).collect()
}

pub fn ask(files: &[&str], filters: &[String], more: &[&str]) -> String {
    let files = [&["replay", "-q", "-o", "json"][..], files, more].concat();
    printed(&with(&files, filters))
}

impl Case {
    pub fn new(seed: u64) -> Case {
        let mut random = Random::new(seed);
        let folder = Folder::new();
        let shape = Shape {
            hosts: 1 + random.below(3),
            rows: 20 + random.below(500),
            steps: random.one_in(4),
            is_unordered: random.one_in(5),
        };
        let mut files: Vec<String> = Vec::new();
        if random.one_in(6) {
            let name =
                *random.of(&["tree.trz", "ls.trz", "scopes.trz", "ptrace.trz", "threads.trz", "id-ls.trz"]);
            files.push(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
        } else {
            for (number, made) in world::world(&mut random, shape).into_iter().enumerate() {
                files.push(folder.capture(&format!("host{number}.trz"), made));
            }
        }
        let mut scope = || {
            loop {
                let filters = questions::scope(&mut random);
                // What can match nothing, or asks for what no file says, is refused: that is not tested here.
                if tracer(&with(&["replay", "-q", "--count", &files[0]], &filters)).status.success() {
                    return filters;
                }
            }
        };
        let (filters, others) = (scope(), scope());
        let mut case = Case { folder, shape, files, filters, others, rows: String::new() };
        case.rows = ask(&case.files(), &case.filters, &[]);
        case
    }

    pub fn files(&self) -> Vec<&str> {
        self.files.iter().map(String::as_str).collect()
    }

    pub fn path(&self, name: &str) -> String {
        text(&self.folder.path(name))
    }

    /// The first host's file; those of a fixture are the same.
    fn one(&self) -> &str {
        &self.files[0]
    }

    /// Every file that is written verifies.
    fn verify(&self, file: &str) {
        assert!(printed(&["verify", file]).contains(": good"), "{file}");
    }

    pub fn told(&self) -> String {
        format!("{:?}, {:?}", self.filters, self.shape)
    }

    /// What was read as it came. Rows that came late, and much later than others, are out of order; of lineage and streams the
    /// same is known then only where rows are in order.
    fn assert_arrived(&self, rows: &str, expected: &str, how: &str) {
        let what = format!("{how}, {}", self.told());
        if !self.shape.is_unordered {
            assert_same(rows, expected, &what);
        } else if self.is_of_rows() {
            let sorted = |rows: &str| {
                let mut lines: Vec<String> = rows.lines().map(|line| format!("{line}\n")).collect();
                lines.sort_unstable();
                lines.concat()
            };
            assert_same(&sorted(rows), &sorted(expected), &what);
        }
    }

    /// The answer depends on nothing but the row itself.
    fn is_of_rows(&self) -> bool {
        let is_lineage = |filter: &String| filter.starts_with("tree") || filter == "follow";
        !self.filters.iter().any(|filter| is_lineage(filter) || asks_streams(filter))
    }
}

fn threads(case: &Case, random: &mut Random) {
    for threads in ["1", "2", *random.of(&["3", "5", "8"])] {
        let rows = ask(&case.files(), &case.filters, &["--threads", threads]);
        assert_same(&rows, &case.rows, &format!("{threads} threads, {}", case.told()));
    }
}

fn count(case: &Case, random: &mut Random) {
    let lines = case.rows.lines().count();
    let counted = ask(&case.files(), &case.filters, &["--count"]);
    assert_eq!(counted.trim(), lines.to_string(), "--count, {}", case.told());
    let explained = printed(&with(&[&["explain"][..], &case.files()].concat(), &case.filters));
    let matches =
        explained.split("matches ").nth(1).and_then(|rest| rest.split(' ').next()).expect(&explained);
    let expected = if lines == 0 { "none".to_owned() } else { lines.to_string() };
    assert_eq!(matches, expected, "explain, {}\n{explained}", case.told());
    let limit = random.below(lines as u64 + 2);
    let first: String = case.rows.split_inclusive('\n').take(limit as usize).collect();
    let limited = ask(&case.files(), &case.filters, &["--limit", &limit.to_string()]);
    assert_same(&limited, &first, &format!("--limit {limit}, {}", case.told()));
}

fn order(case: &Case, _: &mut Random) {
    let mut files = case.files();
    files.reverse();
    assert_same(&ask(&files, &case.filters, &[]), &case.rows, &format!("reversed, {}", case.told()));
}

/// Rows of two scopes in one question are those of either.
fn two_scopes(case: &Case, _: &mut Random) {
    let numbered = |number: u8, filters: &[String]| -> Vec<String> {
        filters.iter().map(|filter| format!("{number}:{filter}")).collect()
    };
    let both = [numbered(3, &case.filters), numbered(64, &case.others)].concat();
    let rows = ask(&case.files(), &both, &[]);
    let of = |bit: u32| -> String {
        rows.split_inclusive('\n').filter(|line| scopes(line) & (1 << (bit - 1)) != 0).collect()
    };
    let masks = &["matchedScopes", "scopes"];
    let others = ask(&case.files(), &case.others, &[]);
    for (number, expected) in [(3, &case.rows), (64, &others)] {
        let what = format!("scope {number} of {both:?}, {:?}", case.shape);
        assert_same(&without(&of(number), masks), &without(expected, masks), &what);
    }
    assert!(rows.lines().all(|line| scopes(line) & ((1 << 2) | (1 << 63)) != 0), "{both:?}");
}

fn diff(case: &Case, _: &mut Random) {
    let side =
        |filters: &[String]| -> String { filters.iter().map(|filter| format!("-f '{filter}' ")).collect() };
    let (before, after) = (side(&case.filters), side(&case.others));
    let sides = ["--before", before.as_str(), "--after", after.as_str(), "--count"];
    let output = tracer(&[&["diff"][..], &case.files(), &sides].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u64> =
        said.split(['+', '-', '=', ' ', '\n']).filter_map(|word| word.parse().ok()).collect();
    let [.., gained, lost, same] = numbers[..] else {
        panic!("{said}{}", String::from_utf8_lossy(&output.stderr))
    };
    let others = ask(&case.files(), &case.others, &["--count"]);
    assert_eq!(
        (same + lost, same + gained),
        (case.rows.lines().count() as u64, others.trim().parse().expect("a number")),
        "{said} {} {}",
        case.told(),
        after
    );
}

/// Two times between those of rows, as `--from` and `--to` take them.
fn times(case: &Case, random: &mut Random) -> [u64; 2] {
    let all: Vec<u64> = ask(&[case.one()], &["pid>=0".into()], &[]).lines().map(timestamp).collect();
    let mut pick =
        || all.get(random.below(all.len() as u64) as usize).map_or(0, |time| time + random.below(2));
    let (one, other) = (pick(), pick());
    [one.min(other), one.max(other)]
}

/// Whether a filter may choose messages that are read from streams.
fn asks_streams(filter: &String) -> bool {
    filter.contains("net_") || filter.starts_with("set=") || filter == "event=*"
}

/// Compares rows of a cut, or of a file that ends early, with those of the whole but for messages of streams: one that has no
/// packet of its own in the cut, or has one that is another's as well, may be missing or be there once more, and one that the
/// end cut off is told at another time.
fn assert_cut(rows: &str, expected: &str, what: &str) {
    let without_streams = |rows: &str| -> String {
        let is_message = |line: &&str| {
            line.contains("\"eventName\":\"net_packet_dns")
                || line.contains("\"eventName\":\"net_packet_http")
        };
        rows.split_inclusive('\n').filter(|line| !is_message(line)).collect()
    };
    assert_same(&without_streams(rows), &without_streams(expected), what);
}

fn stretch(case: &Case, random: &mut Random) {
    let [from, to] = times(case, random);
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let range = ["--from", from_text.as_str(), "--to", to_text.as_str()];
    let within = |rows: &str| -> String {
        rows.split_inclusive('\n').filter(|line| (from..to).contains(&timestamp(line))).collect()
    };
    let expected = within(&case.rows);
    assert_same(
        &ask(&case.files(), &case.filters, &range),
        &expected,
        &format!("{range:?}, {}", case.told()),
    );
    let counted = ask(&case.files(), &case.filters, &[&range[..], &["--count"]].concat());
    assert_eq!(counted.trim(), expected.lines().count().to_string(), "{range:?} --count, {}", case.told());
    let part = case.path("stretch.trz");
    printed(&[&["cut", case.one(), "-o", &part][..], &range].concat());
    case.verify(&part);
    // What came before is there, unseen: for the state of processes, and of the streams that were under way.
    let expected = within(&ask(&[case.one()], &case.filters, &[]));
    assert_cut(&ask(&[&part], &case.filters, &[]), &expected, &format!("cut {range:?}, {}", case.told()));
    let both = case.path("stretch-filtered.trz");
    printed(&with(&[&["cut", case.one(), "-o", &both][..], &range].concat(), &case.filters));
    case.verify(&both);
    assert_cut(
        &ask(&[&both], &case.filters, &[]),
        &expected,
        &format!("cut {range:?} with the filters, {}", case.told()),
    );
}

/// What a filter cuts out is what it finds, and so is what a narrower one finds.
fn cut(case: &Case, random: &mut Random) {
    let out = case.path("cut.trz");
    let level = random.of(&["fast", "default"]);
    printed(&with(&["cut", case.one(), "-o", &out, "--compression", level], &case.filters));
    case.verify(&out);
    let expected = ask(&[case.one()], &case.filters, &[]);
    assert_cut(&ask(&[&out], &case.filters, &[]), &expected, &format!("cut, {}", case.told()));
    let again = case.path("again.trz");
    printed(&with(&["cut", &out, "-o", &again], &case.filters));
    assert_cut(&ask(&[&again], &case.filters, &[]), &expected, &format!("cut twice, {}", case.told()));
    let narrower = [&case.filters[..], &[format!("uid{}500", random.of(&["=", "!=", ">="]))]].concat();
    if !case.filters.iter().any(|filter| filter.starts_with("follow") || filter.starts_with("uid"))
        && tracer(&with(&["replay", "-q", "--count", case.one()], &narrower)).status.success()
    {
        let expected = ask(&[case.one()], &narrower, &[]);
        assert_cut(
            &ask(&[&out], &narrower, &[]),
            &expected,
            &format!("cut, then {narrower:?}, {:?}", case.shape),
        );
    }
}

/// A capture in parts of time answers as the whole does.
fn parts(case: &Case, random: &mut Random) {
    let [first, second] = times(case, random).map(|time| time.to_string());
    let paths = [0, 1, 2].map(|number| case.path(&format!("part{number}.trz")));
    let ranges: [&[&str]; 3] =
        [&["--to", &first], &["--from", &first, "--to", &second], &["--from", &second]];
    for (path, range) in paths.iter().zip(ranges) {
        printed(&[&["cut", case.one(), "-o", path], range].concat());
    }
    let expected = ask(&[case.one()], &case.filters, &[]);
    let mut files: Vec<&str> = paths.iter().map(String::as_str).collect();
    for how in ["in order", "reversed"] {
        assert_cut(
            &ask(&files, &case.filters, &[]),
            &expected,
            &format!("parts cut at {first} and {second} {how}, {}", case.told()),
        );
        files.reverse();
    }
}

fn merge(case: &Case, _: &mut Random) {
    if case.files.len() < 2 {
        return;
    }
    let out = case.path("merged.trz");
    printed(&[&["merge"][..], &case.files(), &["-o", &out]].concat());
    case.verify(&out);
    let rows = ask(&[&out], &case.filters, &[]);
    assert_same(
        &without_boot_times(&rows),
        &without_boot_times(&case.rows),
        &format!("merge, {}", case.told()),
    );
    // What is merged can be cut and asked as the files can.
    let cut = case.path("merged-cut.trz");
    printed(&with(&["cut", &out, "-o", &cut], &case.filters));
    assert_cut(&ask(&[&cut], &case.filters, &[]), &rows, &format!("merge, then cut, {}", case.told()));
}

/// A file that ends anywhere, asked as it is and recovered.
fn torn(case: &Case, random: &mut Random) {
    let bytes = fs::read(case.one()).expect("a capture");
    let end = random.below(bytes.len() as u64) as usize;
    let (torn, clean) = (case.path("torn.trz"), case.path("clean.trz"));
    fs::write(&torn, &bytes[..end]).expect("a folder");
    let output = tracer(&with(&["replay", "-q", "-o", "json", &torn], &case.filters));
    let expected = ask(&[case.one()], &case.filters, &[]);
    let what = format!("cut off at byte {end} of {}, {}", bytes.len(), case.told());
    let Ok(rows) = String::from_utf8(output.stdout) else { panic!("{what}: no UTF-8") };
    let is_whole_blocks = !case.shape.is_unordered && case.is_of_rows();
    match output.status.code() {
        Some(0) if is_whole_blocks => {
            assert!(expected.starts_with(&rows), "{what}: no beginning of the answer")
        }
        Some(0) if case.is_of_rows() => assert_part(&rows, &expected, &what),
        Some(0) => {}
        // Without its header it is no capture.
        code => assert!(code == Some(2) && rows.is_empty(), "{what}: {code:?}\n{rows}"),
    }
    let recovered = tracer(&["recover", &torn, "-o", &clean]);
    assert_eq!(recovered.status.code(), output.status.code(), "{what}: recover");
    if recovered.status.success() {
        case.verify(&clean);
        assert_cut(&ask(&[&clean], &case.filters, &[]), &rows, &format!("{what}, recovered"));
    }
}

/// A byte that was changed: it is found, and all else is answered.
fn damaged(case: &Case, random: &mut Random) {
    let mut bytes = fs::read(case.one()).expect("a capture");
    let at = random.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << random.below(8);
    let (damaged, clean) = (case.path("damaged.trz"), case.path("mended.trz"));
    fs::write(&damaged, &bytes).expect("a folder");
    let what = format!("byte {at} of {} changed, {}", bytes.len(), case.told());
    assert!(!tracer(&["verify", &damaged]).status.success(), "{what}: verify");
    let output = tracer(&with(&["replay", "-q", "-o", "json", &damaged], &case.filters));
    assert!(matches!(output.status.code(), Some(0 | 2)), "{what}: {:?}", output.status);
    let rows = String::from_utf8(output.stdout).expect("rows are UTF-8");
    let expected = ask(&[case.one()], &case.filters, &[]);
    // Where the table of cgroups is damaged, nobody knows of containers any more.
    if case.is_of_rows() && !case.filters.iter().any(|filter| filter.contains("container")) {
        assert_part(&without_containers(&rows), &without_containers(&expected), &what);
    }
    if tracer(&["recover", &damaged, "-o", &clean]).status.success() {
        case.verify(&clean);
        assert_cut(&ask(&[&clean], &case.filters, &[]), &rows, &format!("{what}, recovered"));
    }
}

/// What is not redacted stays, row for row; equal values stay equal; what is, is nowhere.
fn redact(case: &Case, random: &mut Random) {
    let (out, all) = (case.path("redacted.trz"), ["event=*".to_owned()]);
    let rule = *random.of(&["paths", "argv", "addresses", "comm", "data", "hosts", "users", "containers"]);
    let how = *random.of(&["--hash", "--drop"]);
    printed(&["redact", case.one(), "-o", &out, how, rule, "--allow-unused", "--allow-leftovers"]);
    case.verify(&out);
    // Packets are dropped where addresses, data or hosts are, and what is derived from them goes with them; behaviours are
    // derived from names.
    let facts = |file: &str| -> String {
        let facts = |line: &str| {
            let row: Value = serde_json::from_str(line).expect("a row is JSON");
            let name = row["eventName"].as_str().expect("an event").to_owned();
            let fact = |member: &str| row[member].to_string();
            let facts = ["timestamp", "processId", "threadId", "userId", "returnValue", "cgroupId"].map(fact);
            let is_derived = events::catalogue::by_name(&name).is_some_and(events::Event::is_derived);
            (!is_derived).then(|| format!("{name} {}\n", facts.join(" ")))
        };
        ask(&[file], &all, &[]).lines().filter_map(facts).collect()
    };
    assert_same(&facts(&out), &facts(case.one()), &format!("redact {how} {rule}, {:?}", case.shape));
    let bytes = fs::read(&out).expect("a capture");
    let words: &[&str] = match rule {
        "paths" => &["/etc/passwd", "notes.txt", "libc.so"],
        "argv" => &["--token=hunter2"],
        "addresses" => &["10.1.2.3"],
        "comm" => &["\"cc1\"", "\"python3\""],
        "data" => &["password=hunter2"],
        "users" => &["alice"],
        "containers" => &["pinger"],
        _ => &["db.internal", "web0"],
    };
    let rows = ask(&[&out], &all, &[]);
    for word in words {
        let is_there = rows.contains(word) || bytes.windows(word.len()).any(|part| part == word.as_bytes());
        // A host's name may be that of another; a path or a user's name stands in arguments that no rule is about.
        let may_stay = rule == "users" || (case.one().contains("fixtures") && rule != "comm");
        assert!(!is_there || may_stay, "redact {how} {rule}: {word} is still there, {:?}", case.shape);
    }
    // Equal names have equal hashes: each name is asked for by its hash.
    if how == "--hash" && rule == "comm" {
        let names = |file: &str| -> Vec<String> {
            let name = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["processName"].clone();
            ask(&[file], &["pid>=0".into()], &[]).lines().map(|line| name(line).to_string()).collect()
        };
        let (before, after) = (names(case.one()), names(&out));
        for (one, hash) in before.iter().zip(&after) {
            let count = |names: &[String], name: &String| names.iter().filter(|other| *other == name).count();
            assert_eq!(count(&before, one), count(&after, hash), "{one} became {hash}, {:?}", case.shape);
        }
    }
}

/// A log of JSON lines comes back as the same lines, and answers the same.
fn import(case: &Case, _: &mut Random) {
    let (log, out) = (case.path("log.json"), case.path("imported.trz"));
    let all = ["event=*".to_owned()];
    let rows = ask(&[case.one()], &all, &[]);
    fs::write(&log, &rows).expect("a folder");
    let imported = tracer(&["import", &log, "-o", &out]);
    if rows.is_empty() {
        return assert_eq!(imported.status.code(), Some(2), "an empty log");
    }
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    case.verify(&out);
    assert_same(&ask(&[&out], &all, &[]), &rows, &format!("import, {:?}", case.shape));
    // A log says nothing of processes that were there before, of users' names, and of what only the capture knows.
    let is_said = |filter: &String| {
        !["tree", "follow", "uid", "binary", "container", "write.fd", "!", "cut", "write.buf"]
            .iter()
            .any(|start| filter.starts_with(start))
    };
    // A scope without events has no derived ones; a log does not tell which are.
    let is_of_events = case.filters.iter().any(|filter| filter.starts_with("event="));
    if is_of_events && case.filters.iter().all(is_said) {
        let expected = ask(&[case.one()], &case.filters, &[]);
        assert_same(&ask(&[&out], &case.filters, &[]), &expected, &format!("import, {}", case.told()));
    }
}

/// What is encrypted answers the same, whole and torn.
fn encryption(case: &Case, random: &mut Random) {
    const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let identity = case.path("identity");
    fs::write(&identity, IDENTITY).expect("a folder");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).expect("an own file");
    let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    let (out, torn) = (case.path("encrypted.trz"), case.path("encrypted-torn.trz"));
    printed(&["cut", case.one(), "-o", &out, "--encrypt-to", recipient]);
    let expected = ask(&[case.one()], &case.filters, &[]);
    assert_same(
        &ask(&[&out], &case.filters, &["--identity", &identity]),
        &expected,
        &format!("encrypted, {}", case.told()),
    );
    assert!(printed(&["verify", "--identity", &identity, &out]).contains(": good"));
    let bytes = fs::read(&out).expect("a capture");
    let end = random.below(bytes.len() as u64) as usize;
    fs::write(&torn, &bytes[..end]).expect("a folder");
    let output =
        tracer(&with(&["replay", "-q", "-o", "json", "--identity", &identity, &torn], &case.filters));
    if case.is_of_rows() && output.status.success() {
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_part(&rows, &expected, &format!("encrypted and cut off at {end}, {}", case.told()));
    }
}

/// A capture that goes through a pipe is the same one.
fn pipes(case: &Case, _: &mut Random) {
    let file = case.path("by-name.trz");
    printed(&with(&["cut", case.one(), "-o", &file], &case.filters));
    let output = tracer(&with(&["cut", case.one(), "-o", "-"], &case.filters));
    assert!(
        output.status.success() && output.stdout == fs::read(&file).expect("a capture"),
        "{}",
        case.told()
    );
}

/// A capture that is read as it comes answers as its file does; so does what other tools make of it.
fn as_it_comes(case: &Case, random: &mut Random) {
    let expected = ask(&[case.one()], &case.filters, &[]);
    let threads = random.of(&["1", "2", "5"]);
    let stdin = || fs::File::open(case.one()).expect("a capture");
    let arguments = ["replay", "-q", "-o", "json", "-", "--threads", threads];
    let rows = printed_from(stdin(), &with(&arguments, &case.filters));
    case.assert_arrived(&rows, &expected, "standard input");
    let count = printed_from(stdin(), &with(&["replay", "-q", "--count", "-"], &case.filters));
    if !case.shape.is_unordered || case.is_of_rows() {
        assert_eq!(count.trim(), expected.lines().count().to_string(), "--count -, {}", case.told());
    }
    let out = case.path("from-stdin.trz");
    printed_from(stdin(), &with(&["cut", "-", "-o", &out], &case.filters));
    assert_cut(&ask(&[&out], &case.filters, &[]), &expected, &format!("cut -, {}", case.told()));
}

/// A file that grows while it is asked answers as the whole one does.
fn growing(case: &Case, random: &mut Random) {
    let bytes = fs::read(case.one()).expect("a capture");
    let path = case.path("growing.trz");
    let mut file = fs::File::create(&path).expect("a folder");
    let expected = ask(&[case.one()], &case.filters, &[]);
    let arguments = with(&["replay", "-q", "-o", "json", "--follow", &path], &case.filters);
    let child = started(&arguments);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((1 + random.below(bytes.len() as u64) as usize).min(rest.len()));
        std::io::Write::write_all(&mut file, piece).expect("a file");
        rest = behind;
        std::thread::sleep(std::time::Duration::from_millis(random.below(20)));
    }
    let output = child.wait_with_output().expect("an answer");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "--follow, {}: {told}", case.told());
    case.assert_arrived(&String::from_utf8_lossy(&output.stdout), &expected, "--follow");
}

/// What was recorded with filters is asked with these when nobody gives others, also when it was cut or recovered.
fn recorded(case: &Case, random: &mut Random) {
    let (out, part, clean) =
        (case.path("asked.trz"), case.path("asked-part.trz"), case.path("asked-clean.trz"));
    let Some(made) = crate::recorded::with_masks(Path::new(case.one()), &case.filters) else { return };
    fs::write(&out, made).expect("a folder");
    let expected = ask(&[case.one()], &case.filters, &[]);
    let what = format!("recorded with {}", case.told());
    assert_same(&ask(&[&out], &[], &[]), &expected, &what);
    printed(&["recover", &out, "-o", &clean]);
    assert_same(&ask(&[&clean], &[], &[]), &expected, &format!("{what}, recovered"));
    let [from, _] = times(case, random);
    printed(&["cut", &out, "-o", &part, "--from", &from.to_string()]);
    let later: String = expected.split_inclusive('\n').filter(|line| timestamp(line) >= from).collect();
    if case.is_of_rows() {
        assert_same(&ask(&[&part], &[], &[]), &later, &format!("{what}, cut from {from}"));
    }
}

/// One answer takes no more memory than is written down, and a large share of it is for blocks that are larger than these.
fn bounded(case: &Case, _: &mut Random) {
    const BYTES: u64 = 160 << 20;
    let arguments = [&["replay", "-q", "-o", "json", "--threads", "2"][..], &case.files()].concat();
    let output = memory::within(BYTES, &with(&arguments, &case.filters));
    assert!(output.status.success(), "{}: {}", case.told(), String::from_utf8_lossy(&output.stderr));
    assert_same(&String::from_utf8_lossy(&output.stdout), &case.rows, &case.told());
}

/// Nor does making captures of captures; what they write is about as large as what they read.
fn tools_bounded(case: &Case, _: &mut Random) {
    const BYTES: u64 = 200 << 20;
    let out = case.path("bounded.trz");
    let one = case.one();
    for arguments in [
        vec!["cut", one, "--compression", "fast"],
        vec!["recover", one],
        vec!["redact", one, "--hash", "comm", "--allow-unused", "--allow-leftovers"],
    ] {
        let arguments = [&arguments[..], &["-o", &out, "--force"]].concat();
        let output = memory::within(BYTES, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}, {}: {said}", case.told());
        let (read, written) = [one, &out].map(|file| fs::metadata(file).expect("a file").len()).into();
        assert!(written <= read * 2 + 8192, "{arguments:?}: {read} bytes became {written}");
    }
}
