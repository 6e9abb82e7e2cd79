//! `tracer-fleet upload` into moto's S3: behind a door that counts requests, refuses for a while, and is killed at.
#![allow(clippy::print_stdout)] // a test that cannot run here says so
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;
#[path = "support/python.rs"]
mod python;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use process::Process;
use support::busy;

/// Moto's S3 in this process, behind a function that counts what was put and answers 500 for so many requests.
const SERVER: &str = "
import json, sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
app = DomainDispatcherApplication(create_backend_app)
puts, refuse, lock = {}, [int(sys.argv[1])], threading.Lock()
def door(environ, start):
    path, method = environ['PATH_INFO'], environ['REQUEST_METHOD']
    if path == '/_puts':
        start('200 OK', [('Content-Type', 'application/json')])
        return [json.dumps(puts).encode()]
    key, query = path.split('/')[-1], environ.get('QUERY_STRING', '')
    if key.endswith('.trz'):
        with lock:
            refused = refuse[0] > 0
            refuse[0] -= refused
        if refused:
            environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
            start('500 Internal Server Error', [('Content-Length', '0')])
            return [b'']
    def started(status, headers, *more):
        # Objects: put whole, or put together of pieces.
        is_object = (method == 'PUT' and 'uploadId' not in query) or (method == 'POST' and 'uploadId' in query)
        if key.endswith('.trz') and is_object and status.startswith('200'):
            with lock:
                puts[key] = puts.get(key, 0) + 1
        return start(status, headers, *more)
    return app(environ, started)
server = make_server('127.0.0.1', 0, door, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
";

const CLIENT: &str = "
import boto3, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='test', aws_secret_access_key='test')
if sys.argv[2] == 'make':
    s3.create_bucket(Bucket='captures')
else:
    for page in s3.get_paginator('list_objects_v2').paginate(Bucket='captures', Prefix='web/'):
        for it in page.get('Contents', []):
            s3.download_file('captures', it['Key'], sys.argv[2] + '/' + it['Key'].split('/')[-1])
            print(it['Key'])
";

fn server(refusals: u32) -> (Process, String) {
    let started = Command::new(python::python())
        .args(["-c", SERVER, &refusals.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python runs");
    let mut server = Process(started);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().expect("a pipe")).read_line(&mut line).expect("a port");
    let url = format!("http://127.0.0.1:{}", line.trim());
    client(&url, "make");
    (server, url)
}

fn client(url: &str, word: &str) -> Vec<String> {
    let output =
        Command::new(python::python()).args(["-c", CLIENT, url, word]).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// How often each object was put.
fn puts(url: &str) -> BTreeMap<String, u64> {
    let get = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1]).read().decode())";
    let output = Command::new(python::python()).args(["-c", get, &format!("{url}/_puts")]).output();
    serde_json::from_slice(&output.expect("python runs").stdout).expect("JSON")
}

fn upload(url: &str, folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer-fleet"));
    command.args(["upload", folder.to_str().expect("UTF-8"), "s3://captures/web"]).args(more);
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1");
    command.env("AWS_ALLOW_HTTP", "true").env("AWS_ENDPOINT_URL", url);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Captures, of which one takes several pieces of a multipart upload, and one is not finished.
fn captures(folder: &Path, count: u64) {
    for host in 0..count {
        busy(&format!("web{host}"), host, 2_000, 500, false).save(&folder.join(format!("s.{host:04}.trz")));
    }
    let bytes = std::fs::read(folder.join("s.0000.trz")).expect("a file");
    std::fs::write(folder.join("s.9999.trz"), &bytes[..bytes.len() - 40]).expect("a file");
}

fn same_bytes(url: &str, folder: &Path, count: u64) {
    let there = tempfile::tempdir().expect("a folder");
    let names = client(url, there.path().to_str().expect("UTF-8"));
    assert_eq!(names.len() as u64, count, "{names:?}");
    for name in names {
        let file = name.rsplit('/').next().expect("a name");
        let number = file.split('.').nth(1).expect("a number");
        assert!(name.starts_with("web/host=web") && name.contains("/date="), "{name}");
        let ours = std::fs::read(folder.join(format!("s.{number}.trz"))).expect("a file");
        assert!(ours == std::fs::read(there.path().join(file)).expect("a file"), "{name} has other bytes");
    }
}

fn has_what_it_takes() -> bool {
    python::has("moto.server") && python::has("boto3")
}

#[test]
fn killed_at_any_time_each_part_is_put_once() {
    if !has_what_it_takes() {
        return;
    }
    const PARTS: u64 = 40;
    let (_server, url) = server(0);
    let folder = tempfile::tempdir().expect("a folder");
    captures(folder.path(), PARTS);
    // By marks, which a part gets once the store has it: so it is killed as often on any machine.
    let marks = || std::fs::read_dir(folder.path().join("_uploaded")).map_or(0, |all| all.count() as u64);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut kills = 0;
    loop {
        let mut run = upload(&url, folder.path(), &["-q"]).stderr(Stdio::null()).spawn().expect("it starts");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // It gets further each time: what was acknowledged is not done again.
        let reached = marks() + 1 + random % 5;
        let status = loop {
            let status = run.try_wait().expect("a status");
            if status.is_some() || marks() >= reached {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        if let Some(status) = status {
            assert!(status.success());
            break;
        }
        std::thread::sleep(Duration::from_micros(random % 20_000));
        run.kill().expect("it is there");
        run.wait().expect("it ends");
        kills += 1;
    }
    assert!(kills > 2, "it was killed {kills} times only");
    // What was on its way when it was killed may be put once more, with the same bytes; what was acknowledged is not.
    let before = puts(&url);
    assert_eq!(before.len() as u64, PARTS);
    let twice: u64 = before.values().map(|count| count - 1).sum();
    assert!(twice <= kills, "{twice} puts too many of {kills} kills: {before:?}");
    same_bytes(&url, folder.path(), PARTS);
    let again = upload(&url, folder.path(), &[]).output().expect("it runs");
    assert!(again.status.success() && said(&again).contains("0 parts of 0 bytes"), "{}", said(&again));
    assert!(
        said(&again).contains("40 were there") && said(&again).contains("s.9999.recovered.trz"),
        "{}",
        said(&again)
    );
    assert_eq!(puts(&url), before, "nothing is put again");
}

#[test]
fn a_store_that_answers_500_for_a_while_gets_all_of_it_in_the_end_once() {
    if !has_what_it_takes() {
        return;
    }
    let (_server, url) = server(12);
    let folder = tempfile::tempdir().expect("a folder");
    captures(folder.path(), 6);
    // One that is put in pieces.
    let mut made = busy("web6", 6, 2_000, 500, false);
    let mut numbers = support::Numbers(7);
    made.contents = (0..3).map(|_| (0..3 << 20).map(|_| numbers.below(256) as u8).collect()).collect();
    made.save(&folder.path().join("s.0006.trz"));
    let large = std::fs::metadata(folder.path().join("s.0006.trz")).expect("a file").len();
    assert!(large > 8 << 20, "{large} bytes are one piece");
    let metrics = folder.path().join("upload.prom");
    let metrics_text = metrics.to_str().expect("UTF-8");
    let mut run = upload(
        &url,
        folder.path(),
        &["--follow", "--until-stdin-ends", "--every", "1", "--tries", "2", "--metrics", metrics_text],
    )
    .stdin(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("it starts");
    let began = Instant::now();
    while puts(&url).len() < 7 {
        assert!(began.elapsed() < Duration::from_secs(90), "{:?}", puts(&url));
        std::thread::sleep(Duration::from_millis(200));
    }
    // One that comes later is taken, the last one at the end.
    busy("web7", 7, 2_000, 500, false).save(&folder.path().join("s.0007.trz"));
    drop(run.stdin.take());
    let output = run.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("not uploaded: ") && said(&output).contains("500"), "{}", said(&output));
    let puts = puts(&url);
    assert!(puts.len() == 8 && puts.values().all(|count| *count == 1), "{puts:?}");
    same_bytes(&url, folder.path(), 8);
    let text = std::fs::read_to_string(&metrics).expect("metrics");
    for line in
        ["tracer_uploaded_parts_total 8", "tracer_upload_waiting_parts 0", "tracer_upload_abandoned_parts 1"]
    {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
}

/// As root, where `TRACER_BIN` names a `tracer` that records: a set goes to the store while it is recorded, by the program
/// that the recorder starts.
#[test]
fn a_recording_uploads_its_parts() {
    let Some(tracer) = std::env::var_os("TRACER_BIN") else {
        println!("skipped: TRACER_BIN names no tracer that can record here");
        return;
    };
    if !has_what_it_takes() {
        return;
    }
    let (_server, url) = server(3);
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_tracer-fleet")).parent().expect("its folder");
    let search = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(tracer);
    command.arg("record").arg("-o").arg(folder.path().join("s.trz"));
    command.args(["--rotate", "1s", "--duration", "6s", "--upload", "s3://captures/web"]).env("PATH", search);
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1");
    let output =
        command.env("AWS_ALLOW_HTTP", "true").env("AWS_ENDPOINT_URL", &url).output().expect("it runs");
    assert!(output.status.success() && !said(&output).contains("not all parts"), "{}", said(&output));
    let puts = puts(&url);
    assert!(puts.len() > 2 && puts.values().all(|count| *count == 1), "{puts:?}: {}", said(&output));
    let there = tempfile::tempdir().expect("a folder");
    for name in client(&url, there.path().to_str().expect("UTF-8")) {
        let file = name.rsplit('/').next().expect("a name");
        let number = file.split('.').nth(1).expect("a number");
        let ours = std::fs::read(folder.path().join(format!("s.{number}.trz"))).expect("a file");
        assert!(ours == std::fs::read(there.path().join(file)).expect("a file"), "{name} has other bytes");
    }
}

#[test]
fn what_cannot_be_uploaded_is_told_and_is_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    captures(folder.path(), 2);
    let nobody = "http://127.0.0.1:9";
    let failed = upload(nobody, folder.path(), &["--tries", "1"]).output().expect("it runs");
    assert_eq!(failed.status.code(), Some(2), "{}", said(&failed));
    assert!(
        said(&failed).contains("s.0000.trz") && said(&failed).contains("2 are left"),
        "{}",
        said(&failed)
    );
    let bad = Command::new(env!("CARGO_BIN_EXE_tracer-fleet"))
        .args(["upload", ".", "ftp://x"])
        .output()
        .expect("it runs");
    assert!(bad.status.code() == Some(2) && said(&bad).contains("s3://BUCKET/PREFIX"), "{}", said(&bad));
    // A folder is a store, too.
    let (there, all) = (tempfile::tempdir().expect("a folder"), folder.path());
    let url = format!("file://{}", there.path().display());
    let program = env!("CARGO_BIN_EXE_tracer-fleet");
    let done = Command::new(program).arg("upload").arg(all).arg(&url).output().expect("it runs");
    assert!(done.status.success() && said(&done).contains("2 parts of"), "{}", said(&done));
    let host = there.path().join("host=web1");
    assert_eq!(std::fs::read_dir(host).expect("a folder").count(), 1);
}
