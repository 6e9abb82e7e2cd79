//! A scheduler and two executors, each a process: they give the rows that one process gives, and when one of them is killed,
//! the same rows or an error. With certificates they answer those alone who have one.

#![allow(clippy::print_stdout)] // a test that cannot run here says so

#[path = "support/process.rs"]
mod process;
mod support;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use interchange::catalog;
use interchange::catalog::folder::Stamp;
use process::Process;
use support::{RARE, busy};

/// Two ports that follow each other and are free.
fn ports() -> u16 {
    loop {
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

fn start(arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer-fleet"));
    let command = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("it starts"))
}

fn reach(port: u16) {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn executor(scheduler: &str, work: &Path) -> Process {
    executor_with(scheduler, work, &[])
}

fn executor_with(scheduler: &str, work: &Path, more: &[&str]) -> Process {
    let port = ports();
    let bind = format!("127.0.0.1:{port}");
    let work = work.join(port.to_string());
    std::fs::create_dir_all(&work).expect("a folder");
    let work = work.to_str().expect("UTF-8");
    let own = ["executor", "--scheduler", scheduler, "--bind", &bind, "--work", work];
    let executor = start(&[&own[..], &["--threads", "2", "--heartbeat", "1"], more].concat());
    reach(port);
    executor
}

fn ask(arguments: &[&str]) -> Output {
    let words = [&["sql", "-q", "-o", "csv"], arguments].concat();
    Command::new(env!("CARGO_BIN_EXE_tracer-fleet")).args(words).output().expect("it runs")
}

fn sorted(output: &Output) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_cluster_gives_the_rows_that_one_process_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let captures = folder.path().join("captures");
    std::fs::create_dir(&captures).expect("a folder");
    for host in 0..8u64 {
        let name = format!("web{host}");
        busy(&name, host, 8_000, 500, host == 5).save(&captures.join(format!("{name}.trz")));
    }
    let captures = captures.to_str().expect("UTF-8");
    let port = ports();
    let scheduler = format!("127.0.0.1:{port}");
    let _scheduler = start(&["scheduler", "--bind", &scheduler, "--executor-timeout", "8"]);
    reach(port);
    let _one = executor(&scheduler, folder.path());
    let two = executor(&scheduler, folder.path());
    for query in [
        "select count(*) from events".to_owned(),
        format!("select host, comm, exe, count(*) from events where comm = '{RARE}' group by host, comm, exe"),
        "select host, event, errno, count(*), sum(retval) from events group by host, event, errno".into(),
        "select time, host, event, args from events where uid = 33 and retval < 0".into(),
        "select count(*) from events where matched(scopes('9:comm=ls 3:uid=0'), 9)".into(),
        "select scopes('9:comm=ls 3:uid=0') as mask, count(*) from events group by 1".into(),
        "select a.host, count(*) from events a join events b on a.time = b.time and a.host_pid = b.host_pid where a.host < b.host group by a.host".into(),
        "select host, count(*) from processes group by host".into(),
        "select path, count(*) from files group by path".into(),
    ] {
        let ours = ask(&[captures, &query]);
        let theirs = ask(&["--cluster", &scheduler, captures, &query]);
        assert!(ours.status.success(), "{query}: {}", String::from_utf8_lossy(&ours.stderr));
        assert!(theirs.status.success(), "{query}: {}", String::from_utf8_lossy(&theirs.stderr));
        assert!(ours.stdout.len() > 10, "{query}");
        assert_eq!(sorted(&ours), sorted(&theirs), "{query}");
    }
    // A catalogue is asked by the scheduler: what it rules out need not even read.
    let cataloged = folder.path().join("cataloged");
    std::fs::create_dir(&cataloged).expect("a folder");
    for host in 0..8 {
        let name = format!("web{host}.trz");
        std::fs::copy(Path::new(captures).join(&name), cataloged.join(&name)).expect("a copy");
    }
    std::thread::sleep(Duration::from_millis(40));
    let mut rows = Vec::new();
    for host in 0..8 {
        let (name, path) = (format!("web{host}.trz"), cataloged.join(format!("web{host}.trz")));
        let stamp = Stamp::of(&std::fs::metadata(&path).expect("a file"));
        rows.push(catalog::Row::of(name, &stamp, format::Capture::open(&path).expect("a capture")));
        if host != 5 {
            let modified = std::fs::metadata(&path).expect("a file").modified().expect("a time");
            let mut bytes = std::fs::read(&path).expect("a file");
            bytes[16..].fill(0);
            std::fs::write(&path, bytes).expect("a file");
            let file = std::fs::File::options().write(true).open(&path).expect("a file");
            file.set_modified(modified).expect("a time");
        }
    }
    let written = catalog::write(Vec::new(), &rows).expect("a catalogue");
    std::fs::write(cataloged.join(catalog::FILE), written).expect("a file");
    let query = format!("select host, comm, count(*) from events where comm = '{RARE}' group by host, comm");
    let theirs = ask(&["--cluster", &scheduler, cataloged.to_str().expect("UTF-8"), &query]);
    assert!(theirs.status.success(), "{}", String::from_utf8_lossy(&theirs.stderr));
    assert_eq!(sorted(&theirs), sorted(&ask(&[captures, &query])));
    // Rules, too: three hosts in all, whose findings are those of one process.
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");
    let files = ["ptrace", "artifacts", "tree"].map(|name| format!("{fixtures}/{name}.trz"));
    let words: Vec<&str> = files.iter().map(String::as_str).collect();
    let scan = |more: &[&str]| {
        let words = [&["scan", "-q", "-o", "csv", "--fail-on", "informational"], more, &words].concat();
        Command::new(env!("CARGO_BIN_EXE_tracer-fleet")).args(words).output().expect("it runs")
    };
    let (ours, theirs) = (scan(&[]), scan(&["--cluster", &scheduler]));
    assert_eq!(ours.status.code(), Some(1), "{}", String::from_utf8_lossy(&ours.stderr));
    assert_eq!(theirs.status.code(), Some(1), "{}", String::from_utf8_lossy(&theirs.stderr));
    assert!(sorted(&ours).len() >= 2, "a header, and what ptrace shows");
    assert_eq!(sorted(&ours), sorted(&theirs));
    // Killed while it reads: what it had done is done by the other one, or the query fails.
    let query = "select host, comm, max(args), count(*) from events group by host, comm";
    let expected = sorted(&ask(&[captures, query]));
    let mut two = Some(two);
    for delay in [150, 600, 1500] {
        let killed = two.take().unwrap_or_else(|| executor(&scheduler, folder.path()));
        let words = ["sql", "-q", "-o", "csv", "--cluster", &scheduler, captures, query];
        let asked = Command::new(env!("CARGO_BIN_EXE_tracer-fleet"))
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(delay));
        drop(killed);
        let output = asked.wait_with_output().expect("it ends");
        if output.status.success() {
            assert_eq!(sorted(&output), expected, "after {delay} ms");
        } else {
            assert_eq!(output.status.code(), Some(2), "after {delay} ms");
            assert!(!output.stderr.is_empty(), "after {delay} ms nothing is said");
        }
    }
}

/// An authority, and a certificate of it for this host, as options; `None` without `openssl`.
fn certificates(folder: &Path, name: &str) -> Option<Vec<String>> {
    let path = |end: &str| folder.join(format!("{name}{end}")).display().to_string();
    let [ca, ca_key, own, own_key, request, names] =
        [".ca.pem", ".ca.key", ".pem", ".key", ".csr", ".ext"].map(path);
    std::fs::write(&names, "subjectAltName=IP:127.0.0.1\n").expect("a file");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(())
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
    openssl(
        &[&["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-out", &ca], &key[..], &[&ca_key]]
            .concat(),
    )?;
    openssl(&[&["req", "-subj", "/CN=part", "-out", &request], &key[..], &[&own_key]].concat())?;
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        &request,
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-CAcreateserial",
        "-extfile",
        &names,
        "-out",
        &own,
    ])?;
    Some(["--tls-ca", &ca, "--tls-cert", &own, "--tls-key", &own_key].map(str::to_owned).to_vec())
}

/// Whoever has no certificate of the cluster's authority gets no answer, and is given no work.
#[test]
fn a_cluster_with_certificates_answers_those_who_have_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(own) = certificates(folder.path(), "own") else { return println!("skipped: no openssl here") };
    let other = certificates(folder.path(), "other").expect("openssl is here");
    let (own, other): (Vec<&str>, Vec<&str>) =
        (own.iter().map(String::as_str).collect(), other.iter().map(String::as_str).collect());
    let capture = folder.path().join("web.trz");
    busy("web", 1, 8_000, 500, true).save(&capture);
    let capture = capture.to_str().expect("UTF-8");
    let port = ports();
    let scheduler = format!("127.0.0.1:{port}");
    let _scheduler = start(&[&["scheduler", "--bind", &scheduler], &own[..]].concat());
    reach(port);
    let _one = executor_with(&scheduler, folder.path(), &own);
    let _two = executor_with(&scheduler, folder.path(), &own);
    let query = "select comm, event, count(*) from events group by comm, event";
    let ask_with = |more: &[&str]| ask(&[&["--cluster", &scheduler, capture, query], more].concat());
    let (ours, theirs) = (ask(&[capture, query]), ask_with(&own));
    assert!(theirs.status.success(), "{}", String::from_utf8_lossy(&theirs.stderr));
    assert!(ours.stdout.len() > 100);
    assert_eq!(sorted(&ours), sorted(&theirs));
    for (who, more) in [("nobody's", &[][..]), ("another authority's", &other)] {
        let refused = ask_with(more);
        assert_eq!(refused.status.code(), Some(2), "{who}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{who}");
    }
}

/// What listens for all and has no certificates says so, and does not begin.
#[test]
fn an_open_cluster_has_to_be_asked_for() {
    for what in [["scheduler", "--bind", "0.0.0.0:0"], ["executor", "--bind", "0.0.0.0:0"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tracer-fleet")).args(what).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--tls-ca") && said.contains("--insecure-listen"), "{said}");
    }
}
