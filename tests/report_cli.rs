//! `tracer report`: what a page says, that nothing of a capture acts in it, and that its filter counts as `replay --count` does.

#[path = "report/markup.rs"]
mod markup;
mod program;
#[path = "report/script.rs"]
mod script;

use events::{Marks, Raw};
use markup::Markup;
use program::{Folder, event, printed, said, synthetic, tracer};
use synthetic::{Event, Made, process};

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{202e}gnp\u{1b}[31m\n\"'&";

/// A descriptor as files store it.
fn fd(number: i32, stands_for: &str) -> Vec<u8> {
    [&i64::from(number).to_le_bytes()[..], stands_for.as_bytes()].concat()
}

/// A shell and what it starts, one of which has names that a browser or a terminal would obey.
fn capture() -> Made {
    let mut made = Made::new();
    made.rows_per_block = 64;
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let init = process(1, 0, 0, "init", "/sbin/init");
    made.sides.push(synthetic::snapshot(&[init, shell]));
    let users = [(0, "root"), (1000, "alice")];
    let user = |(uid, name): (u32, &str)| format::User { host: 0, uid, name: name.into() };
    made.sides.push(format::Side::Users(users.map(user).to_vec()));
    let path = format!("/tmp/{HOSTILE}");
    let mut at = 0;
    for (pid, comm, exe, uid) in [
        (510, "id", "/usr/bin/id", 1000),
        (511, "ls", "/usr/bin/ls", 0),
        (512, "</script><img>", path.as_str(), 1000),
        (513, "averylongname15", "/opt/x", 1000),
    ] {
        let child = process(pid, 500, uid, comm, exe);
        at += 1_000_000;
        let start = synthetic::BOOT + u64::from(pid) * 1_000_000;
        let args = [("child_pid", Raw::Number(pid.into())), ("start_time", Raw::Number(start))];
        made.push(&event(at, "sched_process_fork", shell, &args));
        let argv = format!("{comm}\0-l\0{HOSTILE}\0");
        let exec = [("pathname", Raw::Bytes(exe.as_bytes())), ("argv", Raw::Bytes(argv.as_bytes()))];
        made.push(&event(at + 10_000, "sched_process_exec", child, &exec));
        for number in 0..20u64 {
            at += 1000;
            let name = match number % 4 {
                0 => "/etc/ld.so.cache".to_owned(),
                1 => path.clone(),
                2 => format!("/tmp/a b, c\\{number}"),
                _ => format!("relative/{number}"),
            };
            let open = [
                ("dirfd", Raw::Number(-100i64 as u64)),
                ("pathname", Raw::Bytes(name.as_bytes())),
                ("flags", Raw::Number([0, 0o101, 0o2][number as usize % 3])),
                ("mode", Raw::Number(0o644)),
            ];
            let ret = [3, -2, -13][number as usize % 3];
            let marks = Marks(if number == 7 { Marks::LATE } else { 0 });
            made.push(&Event { ret, marks, ..event(at + 20_000, "openat", child, &open) });
            let file = fd(number as i32 % 5, &name);
            let write = [("fd", Raw::Bytes(&file[..])), ("count", Raw::Number(number * 100))];
            made.push(&Event { ret: number as i64 * 100, ..event(at + 20_100, "write", child, &write) });
            made.push(&Event {
                ret: 0,
                ..event(at + 20_200, "close", child, &[("fd", Raw::Bytes(&file[..]))])
            });
        }
        let exit = [("exit_code", Raw::Number(0)), ("process_group_exit", Raw::Number(1))];
        made.push(&event(at + 30_000, "sched_process_exit", child, &exit));
    }
    made
}

fn page(folder: &Folder, name: &str, more: &[&str]) -> String {
    let file = folder.capture("c.trz", capture());
    let page = program::text(&folder.path(name));
    printed(&[&["report", &file, "--utc", "-o", &page, "--force"], more].concat());
    std::fs::read_to_string(page).expect("a page")
}

#[test]
fn the_same_capture_gives_the_same_bytes_whatever_the_threads_and_the_file() {
    let folder = Folder::new();
    let first = page(&folder, "a.html", &[]);
    assert_eq!(first, page(&folder, "b.html", &["--threads", "1"]));
    assert_eq!(first, page(&folder, "c.html", &["--threads", "3"]));
}

#[test]
fn sections_stand_in_their_order_and_say_what_the_other_commands_say() {
    let folder = Folder::new();
    let page = page(&folder, "a.html", &["--story", "path=/etc/ld.so.cache"]);
    let markup = Markup::read(&page);
    let sections: Vec<&str> = markup.ids("section");
    assert_eq!(
        sections,
        ["capture", "findings", "timeline", "processes", "files", "top", "stories", "events", "notes"]
    );
    let text = markup.text();
    for said in [
        "Events asked",
        "252",
        "Recorded by",
        "tracer 0.1.0",
        "whole, not signed",
        "Time zone",
        "UTC",
        "openat",
        "ENOENT",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains("Executed from unusual places") && text.contains("Written"), "{text}");
    // Written files with their bytes, also those with odd names.
    assert!(text.contains("/tmp/\\</script>") || text.contains("/tmp/</script><img src=x"), "{text}");
}

#[test]
fn nothing_of_a_capture_becomes_markup_or_script() {
    let folder = Folder::new();
    let case = folder.path("CASE.toml");
    let head = "version = 1\n[[capture]]\nfile = \"c.trz\"\n[[mark]]\nkey = \"a\"\ncapture = 1\nblock = 0\nrow = 2\ntime = 0\n";
    let hostile = HOSTILE
        .escape_default()
        .to_string()
        .replace("\\u{202e}", "\\u202e")
        .replace("\\u{1b}", "\\u001b")
        .replace("\\'", "'");
    let text = format!(
        "{head}event = \"openat\"\nprocess = \"{hostile}\"\nnote = \"{hostile}\"\n[report]\ntitle = \"{hostile}\"\n"
    );
    std::fs::write(&case, text).expect("a case");
    let page = page(&folder, "a.html", &["--story", "path=/tmp/*", "--case", &program::text(&case)]);
    let markup = Markup::read(&page);
    markup.assert_inert();
    // The note leads to its event.
    assert!(page.contains("data-row=\"2\""), "{page}");
    assert_eq!(markup.policy_hashes(), markup.own_hashes());
    for (name, bytes) in markup.parts() {
        let is_texts = name == "texts" || name == "meta";
        let odd = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\n' | 1 | 2) || *byte == 0x7f;
        assert!(!is_texts || !bytes.iter().any(odd), "{name} has control characters");
        assert!(
            !is_texts || !String::from_utf8_lossy(&bytes).contains('\u{202e}'),
            "{name} has a bidi control"
        );
    }
    let texts = markup.parts().into_iter().find(|(name, _)| name == "texts").expect("texts").1;
    let texts = String::from_utf8(texts).expect("UTF-8");
    assert!(
        texts.contains("/tmp/</script><img src=x onerror=alert(1)>\\xe2\\x80\\xaegnp\\x1b[31m\\x0a"),
        "{texts}"
    );
}

/// A packet that asks for an address, from its IP header on.
fn question(name: &[u8]) -> Vec<u8> {
    let dns = [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], name, &[0, 1, 0, 1]].concat();
    let udp = [&[0x9c, 0x40, 0, 53][..], &(dns.len() as u16 + 8).to_be_bytes(), &[0, 0], &dns].concat();
    let length = (udp.len() as u16 + 20).to_be_bytes();
    [&[0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 2, 3, 8, 8, 8, 8][..], &udp].concat()
}

#[test]
fn names_that_the_pages_processes_asked_for_stand_in_it_though_its_filters_name_no_messages() {
    let folder = Folder::new();
    let mut made = Made::new();
    let curl = process(510, 1, 1000, "curl", "/usr/bin/curl");
    let wget = process(511, 1, 1000, "wget", "/usr/bin/wget");
    made.sides.push(synthetic::snapshot(&[curl, wget]));
    for (at, process, name) in [(10, curl, b"\x07example\x03org\0"), (20, wget, b"\x05other\x05local\0")] {
        let packet = question(name);
        let args = [("data", Raw::Bytes(&packet)), ("length", Raw::Number(packet.len() as u64))];
        made.push(&event(at, "net_packet", process, &[&args[..], &[("direction", Raw::Number(1))]].concat()));
        made.push(&event(at + 1, "close", process, &[("fd", Raw::Number(3))]));
    }
    let file = folder.capture("c.trz", made);
    let path = program::text(&folder.path("a.html"));
    let has = |filters: &[&str]| {
        let filters: Vec<&str> = filters.iter().flat_map(|filter| ["-f", filter]).collect();
        printed(&[&["report", &file, "-o", &path, "--force"], filters.as_slice()].concat());
        let page = std::fs::read_to_string(&path).expect("a page");
        let text = Markup::read(&page).text();
        let (_, text) = text.split_once("Names that were asked for").unwrap_or_default();
        (text.contains("example.org"), text.contains("other.local"))
    };
    assert_eq!(has(&[]), (true, true));
    assert_eq!(has(&["comm=curl"]), (true, false));
    assert_eq!(
        has(&["comm=curl", "2:comm=wget", "2:event=close"]),
        (true, false),
        "scope 2 says what it wants"
    );
    assert_eq!(has(&["2:event=net_packet_dns_request", "2:comm=wget"]), (false, true));
    assert_eq!(has(&["comm=curl", "2:event=net_packet_dns_request"]), (true, true));
    assert_eq!(has(&["event=close"]), (false, false));
}

#[test]
fn a_case_of_another_file_is_not_taken_for_one_of_this() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", capture());
    let (case, page) = (program::text(&folder.path("CASE.toml")), program::text(&folder.path("a.html")));
    let head = "0".repeat(64);
    let text = format!(
        "version = 1\n[[capture]]\nfile = \"c.trz\"\nhead = \"{head}\"\n[[mark]]\ncapture = 1\nblock = 0\nrow = 2\ntime = 0\n\
         event = \"openat\"\nnote = \"of that one\"\n[report]\ntitle = \"A title\"\nfilters = [\"comm=ls\"]\n"
    );
    std::fs::write(&case, &text).expect("a case");
    let told = said(&["report", &file, "-o", &page, "--case", &case]);
    assert!(told.contains("with another head"), "{told}");
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("of that one") && !page.contains("data-row=\"2\""), "{page}");
    // Its settings hold all the same.
    assert!(page.contains("<title>A title</title>") && page.contains("<code>comm=ls</code>"), "{page}");
}

/// A browser, where there is one, runs the page under its own policy.
#[test]
fn a_browser_draws_the_page_and_makes_nothing_of_its_names() {
    let Some(chromium) = script::browser() else { return };
    let folder = Folder::new();
    let file = folder.capture("c.trz", capture());
    let path = program::text(&folder.path("a.html"));
    printed(&["report", &file, "-o", &path]);
    let output = std::process::Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", program::text(&folder.path("browser"))))
        .arg(format!("file://{path}#f=openat.pathname=/tmp/*"))
        .output()
        .expect("it runs");
    let drawn = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = printed(&["replay", &file, "--count", "-f", "openat.pathname=/tmp/*"]);
    let matched = format!("data-matched=\"{}\"", count.trim());
    let begin: String = drawn.chars().take(300).collect();
    assert!(drawn.contains(&matched) && drawn.contains("data-whole="), "{begin}");
    assert!(!drawn.contains("<img"), "a name became an element");
    assert!(drawn.contains("aria-rowindex=\"2\""), "no row is drawn: {begin}");
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", capture());
    let path = program::text(&folder.path("a.html"));
    let said = said(&["report", &file, "-o", &path, "--limit", "100"]);
    assert!(said.contains("152 events behind the first 100 are not in the page"), "{said}");
    let page = std::fs::read_to_string(&path).expect("a page");
    assert!(Markup::read(&page).text().contains("100, the first ones"), "{page}");
    let again = tracer(&["report", &file, "-o", &path]);
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && error.contains("--force"), "{error}");
    let many = program::said(&["report", &file, "-o", "-", "--limit", "99000000"]);
    assert!(many.contains("narrow it with -f"), "{many}");
}

/// Filters that the page answers.
const FILTERS: &[&str] = &[
    "comm=ls",
    "comm!=ls",
    "comm=id,ls",
    "comm=*long*",
    "comm=averylongname15andmore",
    "comm=*/script><img>",
    "event=openat",
    "event=open*,close",
    "event!=close",
    "e=write",
    "pid=511",
    "pid>511",
    "pid>=511 pid!=513",
    "pid=510 pid>512",
    "tid=512",
    "ppid=500",
    "ppid=1",
    "uid=0",
    "uid=alice",
    "uid!=root",
    "binary=/usr/bin/*",
    "binary!=/usr/bin/ls",
    "binary=/tmp/*onerror*\\x1b*",
    "host=hb",
    "host!=hb",
    "container",
    "!container",
    "openat.retval<0",
    "openat.retval=EACCES",
    "openat.retval=EACCES,3 event=openat,close",
    "write.retval>=1000 write.retval<1500",
    "openat.pathname=/etc/*",
    "openat.args.pathname!=/etc/*",
    "\"openat.pathname=/tmp/a b\\, c\\\\2\"",
    "\"openat.pathname=*\\x1b*\"",
    "openat.flags=O_RDONLY",
    "openat.flags=O_CREAT|O_WRONLY",
    "openat.flags=*O_CREAT*",
    "openat.dirfd=-100",
    "write.fd=3",
    "write.fd=/etc/ld.so.cache",
    "write.fd=/tmp/*",
    "write.count>500",
    "9:comm=ls 9:event=openat 3:uid>=1000 3:event=close",
    "comm=ls event=openat openat.retval<0",
    "comm=nobody",
];

/// Filters that it does not, or that are wrong.
const WRONG: &[(&str, &str)] = &[
    ("tree=500", "tracer replay --count"),
    ("set=fs", "tracer replay --count"),
    ("late", "tracer replay --count"),
    ("com=ls", "unknown filter key"),
    ("comm=", "without a value"),
    ("comm==ls", "is no operator"),
    ("openat.mode=0o644", "of which the page has names"),
    ("openat.pathname=*", "filters nothing"),
    ("65:comm=ls", "1 to 64"),
    ("comm<3", "takes = and !="),
    ("openat.nothing=1", "no argument nothing"),
    ("\"comm=a", "double quote"),
    ("uid=mallory", "no recorded host"),
    ("sched_process_exec.argv=ls", "tracer replay --count"),
];

#[test]
fn the_filter_of_the_page_counts_as_replay_does() {
    let folder = Folder::new();
    let file = folder.capture("c.trz", capture());
    let path = program::text(&folder.path("a.html"));
    printed(&["report", &file, "-o", &path]);
    let asked: Vec<&str> = FILTERS.iter().copied().chain(WRONG.iter().map(|(filter, _)| *filter)).collect();
    let Some(answers) = script::judged(&std::fs::read_to_string(&path).expect("a page"), &asked) else {
        return;
    };
    for (filter, answer) in FILTERS.iter().zip(&answers) {
        let words = script::words(filter);
        let mut arguments = vec!["replay", &file, "--count"];
        words.iter().for_each(|word| arguments.extend(["-f", word]));
        assert_eq!(printed(&arguments).trim(), answer, "{filter}");
    }
    for ((filter, said), answer) in WRONG.iter().zip(&answers[FILTERS.len()..]) {
        assert!(answer.contains(said), "{filter}: {answer}");
    }
}
