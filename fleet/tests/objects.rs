//! Captures in an object store: moto's server stands in for S3.
#![allow(clippy::print_stdout)] // a test that cannot run here says so

#[path = "support/process.rs"]
mod process;
#[path = "support/python.rs"]
mod python;
mod support;

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use process::Process;
use support::{RARE, busy};

fn server(port: u16) -> Process {
    let started = Command::new(python::python())
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("python runs");
    let server = Process(started);
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "the server does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    server
}

/// `tracer-fleet` with the keys of the server.
fn fleet(port: u16, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer-fleet"))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
        .output()
        .expect("it runs")
}

const PUT: &str = "
import boto3, os, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='test', aws_secret_access_key='test')
try: s3.create_bucket(Bucket='captures')
except s3.exceptions.ClientError: pass
for name in os.listdir(sys.argv[2]):
    s3.upload_file(os.path.join(sys.argv[2], name), 'captures', 'web/2026/' + name)
s3.put_object(Bucket='captures', Key='web/README', Body=b'none')
";

#[test]
fn captures_are_read_from_a_store_by_ranges() {
    if !python::has("moto.server") || !python::has("boto3") {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let _server = server(free);
    let folder = tempfile::tempdir().expect("a folder");
    for host in 0..6u64 {
        let name = format!("web{host}");
        busy(&name, host, 20_000, 2_000, host == 4).save(&folder.path().join(format!("{name}.trz")));
    }
    let put = Command::new(python::python())
        .args(["-c", PUT, &format!("http://127.0.0.1:{free}"), folder.path().to_str().expect("UTF-8")])
        .status()
        .expect("python runs");
    assert!(put.success());
    let local = folder.path().to_str().expect("UTF-8");
    for query in [
        format!(
            "select host, comm, count(*), max(args) from events where comm = '{RARE}' group by host, comm"
        ),
        "select host, event, count(*) from events group by host, event order by host, event".into(),
        "select count(*) from processes".into(),
    ] {
        let [ours, theirs] =
            [local, "s3://captures/web"].map(|files| fleet(free, &["sql", files, &query, "-o", "csv"]));
        let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            ours.status.success() && theirs.status.success(),
            "{}",
            String::from_utf8_lossy(&theirs.stderr)
        );
        assert_eq!(text(&ours), text(&theirs), "{query}");
        assert!(text(&ours).lines().count() >= 2, "{query}");
    }
    // A catalogue of the path: the same rows, of the one object that has them.
    let query = format!("select host, count(*) from events where comm = '{RARE}' group by host");
    let ask = |more: &[&str]| {
        fleet(free, &[&["sql", "s3://captures/web", &query, "-o", "csv", "--stats"], more].concat())
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let before = ask(&[]);
    assert!(text(&before.stderr).contains("6 of 6 captures opened"), "{}", text(&before.stderr));
    for (read, kept) in [(6, 0), (0, 6)] {
        let made = fleet(free, &["catalog", "s3://captures/web"]);
        let said = text(&made.stderr);
        assert!(made.status.success(), "{said}");
        assert!(
            said.contains(&format!("6 captures of 120000 events: {read} read, {kept} as they were, 0 gone")),
            "{said}"
        );
    }
    for (more, opened) in [(&[][..], 1), (&["--no-catalog"], 6)] {
        let after = ask(more);
        assert_eq!(after.stdout, before.stdout);
        assert!(
            text(&after.stderr).contains(&format!("{opened} of 6 captures opened")),
            "{}",
            text(&after.stderr)
        );
    }
    // An object that is another by now is opened.
    busy("web4", 9, 20_000, 2_000, false).save(&folder.path().join("web4.trz"));
    busy("web9", 9, 20_000, 2_000, true).save(&folder.path().join("web1.trz"));
    let put = Command::new(python::python())
        .args(["-c", PUT, &format!("http://127.0.0.1:{free}"), folder.path().to_str().expect("UTF-8")])
        .status();
    assert!(put.expect("python runs").success());
    let changed = ask(&[]);
    assert_eq!(text(&changed.stdout), "host,count(*)\nweb9,1\n", "{}", text(&changed.stderr));
    assert_eq!(changed.stdout, ask(&["--no-catalog"]).stdout);
    let one =
        fleet(free, &["sql", "s3://captures/web/2026/web4.trz", "select count(*) from events", "-o", "csv"]);
    assert_eq!(String::from_utf8_lossy(&one.stdout), "count(*)\n20000\n");
    let missing = fleet(free, &["sql", "s3://captures/none.trz", "select 1 from events"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("s3://captures/none.trz"), "{missing:?}");
}
