//! Files of rules that nobody would write: mutations of such that somebody did. None of them may end the program, or take
//! long.
//!
//!     cargo test --test hostile
//!     TRACER_SECONDS=300 TRACER_RULES=sigma:falco cargo test --test hostile     with files of folders
//!
//! What is read is in the file `hostile-rules` of the folder for tests before it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rules::Readers;
use rules::scan::answerable;

/// Inputs that are tried when nothing is said.
const INPUTS: u64 = 400;
/// So long may one take, not optimised, on a machine that others use.
const LONGEST: Duration = Duration::from_secs(20);
/// Longer files make few inputs of much the same.
const LARGEST: usize = 24 << 10;

const SEEDS: &[(&str, &str)] = &[
    ("a.yml", include_str!("../behaviours/processes.yaml")),
    ("a.yml", include_str!("../behaviours/sequences.yaml")),
    (
        "a.yml",
        "title: A\nid: a\nlogsource: {product: linux, service: auditd}\ndetection:\n  s:\n    - {type: SYSCALL, key|startswith: k}\n    \
         - {a0|re: '^[0-9]+$', exe|contains|all: [a, '*b?']}\n  f: ['x', 'y*']\n  condition: (1 of s* or all of them) and not f\n",
    ),
    (
        "a.yml",
        "title: C\nid: c\ncorrelation: {type: value_count, rules: [a], group-by: [exe], timespan: 5m, condition: {gte: 3, field: a0}}\n",
    ),
    (
        "a.yml",
        "- list: l\n  items: [a, (b), '\"c d\"']\n- macro: m\n  condition: (proc.name in (l) and fd.name glob \"/etc/*\")\n- rule: r\n  desc: d\n  \
         condition: evt.type in (open, execve) and m and not proc.aname[2] startswith x and basename(proc.exepath) pmatch (/a, /b)\n  \
         output: \"%proc.name %evt.arg.flags\"\n  priority: NOTICE\n  exceptions: [{name: e, fields: [proc.name, fd.name], comps: [=, in], values: [[a, [b, c]]]}]\n",
    ),
    (
        "a.yml",
        "type: detector\nid: d\nproduced_event: {name: d, version: 1.0.0}\nrequirements: {events: [{name: sched_process_exec, data_filters: [pathname=*/nc]}]}\n\
         conditions: ['getEventData(\"argv\").exists(a, a == \"-e\") && workload.process.uid >= 1000 || basename(getEventData(\"pathname\")).matches(\"^n[ck]$\")']\n\
         output: {fields: [{name: x, expression: 'split(getEventData(\"pathname\"), \"/\").map(p, upper(p)).join(\"-\")'}]}\n",
    ),
    (
        "a.eql",
        "sequence by host.id, process.entity_id with maxspan=5m [process where event.action == \"exec\" and process.args_count * 2 - 1 > 3 \
         and descendant of [process where process.name like~ (\"a*\", \"b?\") and not child of [process where user.id == 0]]] as event0 \
         ![file where file.path : \"/etc/*\"] [network where cidrmatch(destination.ip, \"10.0.0.0/8\") and \
         concat(process.name, \"x\") == event0.process.name] by ?user.id with runs=3 until [process where event.type == \"end\"]",
    ),
    (
        "a.toml",
        "[metadata]\nmaturity = \"production\"\n[rule]\nname = \"K\"\nrule_id = \"k\"\nseverity = \"low\"\ntype = \"threshold\"\nquery = '''\n\
         event.category:process and process.name:(a or b* or \"c d\") and not user.id:0 and process.args_count >= 3\n'''\n[rule.threshold]\n\
         field = [\"process.executable\"]\nvalue = 3\n[[rule.threat]]\n[[rule.threat.technique]]\nid = \"T1059\"\n",
    ),
    (
        "a.rules",
        "-D\n-b 8192\n-w /etc/passwd -p wa -k identity\n-a always,exit -F arch=b64 -S open,openat -F exit=-EACCES -F auid>=1000 -F a1&0x40 -k a\n\
         -a never,exit -F dir=/var/log\n",
    ),
];

/// Words that mean something in some language.
const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "*",
    "?",
    "|",
    "!",
    "-",
    "+",
    "%",
    "/",
    ":",
    ",",
    "..",
    "\n",
    "\n  ",
    "\t",
    "#",
    "&",
    "~",
    "not ",
    " and ",
    " or ",
    " in ",
    " of ",
    "all of them",
    "1 of s*",
    "descendant of [",
    "sequence by ",
    "with runs=",
    "as event0",
    "by ",
    "null",
    "true",
    "0x",
    "-1",
    "18446744073709551616",
    "1e400",
    "1.0",
    "contains",
    "|all",
    "|re: ",
    "|cidr: ",
    "|base64offset",
    "|expand",
    "\u{0}",
    "\u{feff}",
    "\u{1f600}",
    "\u{e4}",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "---\n",
    "\"\"\"",
    "'''",
    "getEventData(",
    ".exists(a, a",
    ".map(",
    "%proc.name",
    "evt.type",
    "val(",
    "tolower(",
    "-F ",
    "-S ",
    "-a always,exit ",
    "a{1000}{1000}",
    "(?i)",
    "(a+)+$",
    "[[",
    "]]",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// A place between characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn stretch(&mut self, text: &str) -> std::ops::Range<usize> {
        let from = self.place(text);
        let mut to = (from + 1 + self.below(24)).min(text.len());
        while !text.is_char_boundary(to) {
            to += 1;
        }
        from..to
    }
}

/// Another text, made of one and of what stands in the others.
fn mutated(random: &mut Random, text: &str, others: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for _ in 0..1 + random.below(6) {
        let at = random.place(&text);
        match random.below(8) {
            0 => text.replace_range(random.stretch(&text), ""),
            1 => {
                let copied = text[random.stretch(&text)].to_owned();
                text.insert_str(at, &copied);
            }
            2 => {
                let copied = text[random.stretch(&text)].to_owned();
                let times = 1 << random.below(12);
                text.insert_str(at, &copied.repeat(times).chars().take(16 << 10).collect::<String>());
            }
            3 => {
                let word = WORDS[random.below(WORDS.len())];
                let times = 1 << random.below(13).saturating_sub(2);
                text.insert_str(at, &word.repeat(times));
            }
            4 => {
                let (_, other) = &others[random.below(others.len())];
                let copied = other[random.stretch(other)].to_owned();
                text.insert_str(at, &copied);
            }
            5 => {
                let range = random.stretch(&text);
                text.replace_range(range, WORDS[random.below(WORDS.len())]);
            }
            6 => text.truncate(at),
            _ => {
                let c = char::from_u32(random.below(0x250) as u32).unwrap_or('x');
                text.insert(at, c);
            }
        }
    }
    text
}

/// Files of rules of the folders that the variable names.
fn given() -> Vec<(String, String)> {
    let folders = std::env::var("TRACER_RULES").unwrap_or_default();
    let mut waiting: Vec<PathBuf> =
        folders.split(':').filter(|it| !it.is_empty()).map(PathBuf::from).collect();
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting
                .extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let kind = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if ["yml", "yaml", "toml", "eql", "rules"].contains(&kind)
            && let Ok(text) = fs::read_to_string(&path)
            && !text.is_empty()
            && text.len() <= LARGEST
        {
            files.push((format!("a.{kind}"), text));
        }
    }
    files.sort();
    files
}

/// A rule of audit's records, which are those that the text makes where it is a list of auditctl.
const ABOUT_AUDIT: &str = "
title: Path
logsource: {product: linux, service: auditd}
detection:
  s: {type: PATH, name|startswith: /etc/}
  condition: s
";

/// A thousand lines, each second one a `never`, with sets of calls that overlap.
#[test]
fn lists_of_auditctl_are_read_in_time() {
    let calls: Vec<&str> =
        events::catalogue::events().filter(|event| event.is_syscall()).map(|event| event.name).collect();
    let mut lines = String::new();
    for number in 0..1024 {
        let call = |at: usize| calls[at % calls.len()];
        let action = ["always", "never"][number % 2];
        let (one, other) = (call(number), call(number * 7 + number / calls.len()));
        lines += &format!("-a {action},exit -F arch=b64 -S {one} -S {other} -F uid={number} -k k{number}\n");
    }
    let start = Instant::now();
    let mut readers = Readers::default().with_audit_rules(&[("a.rules".to_owned(), lines)]);
    readers.add("audit.yml", ABOUT_AUDIT, true);
    let corpus = readers.finish();
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics.first());
    answerable(&corpus.rules);
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
}

#[test]
#[allow(clippy::print_stdout)]
fn no_text_ends_the_program_or_takes_long() {
    let of_environment = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let ends = of_environment("TRACER_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut seeds: Vec<(String, String)> =
        SEEDS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let given = given();
    // Those of the program stay among many.
    for _ in 0..given.len() / 64 {
        seeds.extend(SEEDS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    }
    seeds.extend(given);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-rules");
    let mut random = Random(of_environment("TRACER_SEED").unwrap_or(4711) | 1);
    let mut tried = 0;
    while ends.map_or(tried < INPUTS, |ends| Instant::now() < ends) {
        tried += 1;
        let (name, text) = &seeds[random.below(seeds.len())];
        let text = mutated(&mut random, text, &seeds);
        fs::write(&kept, format!("{name}\n{text}")).expect("a folder for tests");
        let start = Instant::now();
        let mut readers = Readers::default();
        if random.below(4) == 0 {
            readers = readers.with_audit_rules(&[("a.rules".to_owned(), text.clone())]);
            readers.add("audit.yml", ABOUT_AUDIT, true);
        }
        readers.add(name, &text, true);
        let corpus = readers.finish();
        let told: usize = corpus.diagnostics.iter().map(|it| it.to_string().len()).sum();
        let unanswerable = answerable(&corpus.rules);
        assert!(unanswerable.len() <= corpus.rules.len());
        assert!(
            start.elapsed() < LONGEST,
            "{name} took {:?} for {} bytes: {}",
            start.elapsed(),
            text.len(),
            kept.display()
        );
        // What is said of a file is bounded by what stands in it.
        assert!(told < 4 << 20, "{told} bytes are said of {}", kept.display());
    }
    println!("{tried} inputs of {} seeds", seeds.len());
}
