//! Queries over a folder ask its catalogue: the rows are those of all captures, and few are opened.

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use format::{Capture, SigningKey};
use interchange::catalog::folder::{Contents, Stamp};
use interchange::catalog::{self, FILE, Row, SIGNATURE, signature};
use support::{RARE, busy};

/// The catalogue of a folder as `tracer catalog` makes it.
fn catalog(folder: &Path) {
    // No row is of a file that may still change within one tick of the file system's clock.
    std::thread::sleep(Duration::from_millis(40));
    let row = |path: &Path| {
        let name = path.strip_prefix(folder).expect("it is below").to_str().expect("UTF-8").to_owned();
        let stamp = Stamp::of(&fs::metadata(path).expect("a file"));
        match Capture::open(path) {
            Ok(capture) => Row::of(name, &stamp, capture),
            Err(_) => Row::unread(name, &stamp, "not read"),
        }
    };
    let mut rows: Vec<Row> =
        Contents::of(folder).expect("a folder").files.iter().map(|found| row(&found.path)).collect();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    fs::write(folder.join(FILE), catalog::write(Vec::new(), &rows).expect("a catalogue")).expect("a file");
}

fn folder(captures: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for host in 0..captures {
        let name = format!("web{host:03}");
        busy(&name, host, 200, 50, host == 17).save(&folder.path().join(format!("{name}.trz")));
    }
    folder
}

/// Options, and behind them the query.
fn sql(folder: &Path, more: &[&str]) -> Output {
    let (query, options) = more.split_last().expect("a query");
    let words =
        [&["sql", "-o", "csv", "--stats"], options, &[folder.to_str().expect("UTF-8"), query]].concat();
    Command::new(env!("CARGO_BIN_EXE_tracer-fleet")).args(words).output().expect("it runs")
}

fn sorted(output: &Output) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many captures scans opened.
fn opened(output: &Output) -> usize {
    let said = said(output);
    let before = said.split(" captures opened").next().expect("a sentence");
    let words: Vec<&str> = before.split_whitespace().collect();
    let [.., opened, "of", _] = words.as_slice() else { panic!("{said}") };
    opened.parse().unwrap_or_else(|_| panic!("{said}"))
}

fn same(folder: &Path, query: &str, more: &[&str]) -> Output {
    let with = sql(folder, &[more, &[query]].concat());
    let without = sql(folder, &["--no-catalog", query]);
    assert!(with.status.success() && without.status.success(), "{query}: {}", said(&with));
    assert_eq!(sorted(&with), sorted(&without), "{query}");
    with
}

fn rare() -> String {
    format!("select host, comm, event, count(*) from events where comm = '{RARE}' group by host, comm, event")
}

#[test]
fn queries_give_the_rows_of_all_captures_and_open_few() {
    let folder = folder(60);
    // What nobody may leave closed.
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    fs::copy(fixtures.join("format-v2.trz"), folder.path().join("old.trz")).expect("a copy");
    let bytes = fs::read(folder.path().join("web002.trz")).expect("a file");
    fs::write(folder.path().join("short.trz"), &bytes[..bytes.len() - 40]).expect("a file");
    catalog(folder.path());
    let queries = [
        "select count(*) from events where comm = 'nosuch'".to_owned(),
        format!("select count(*) from events where comm in ('{RARE}', 'nosuch') and uid = 1000"),
        format!("select * from events where comm like '{}%'", &RARE[..3]),
        "select event, count(*) from events where host = 'web012' group by event".into(),
        "select count(*), min(time) from events where host in ('web001', 'web059') and event = 'openat'".into(),
        "select count(*) from events where uid = 4711 or host_pid = 510".into(),
        "select comm, count(*) from events where pathname = '/tmp/a b' and host = 'web003' group by comm".into(),
        "select count(*) from events where time < '1990-01-01'".into(),
        "select count(*) from events where matched(scopes('9:comm=xmrig'), 9)".into(),
        "select scopes('9:comm=ls 9:follow') as m, count(*) from events where host = 'web004' group by 1".into(),
        "select count(*) from events a join events b on a.time = b.time where a.comm = 'xmrig' and b.host = 'web005'".into(),
        "select comm, count(*) from events group by comm".into(),
        "select host, count(*) from processes where host = 'web006' group by host".into(),
        rare(),
    ];
    for query in &queries {
        same(folder.path(), query, &[]);
    }
    for filters in [["-f", "comm=xmrig"], ["-f", "uid=root"], ["-f", "host=web007"]] {
        let query = "select host, count(*) from events group by host";
        let ask = |more: &[&str]| sql(folder.path(), &[more, &filters[..], &[query]].concat());
        let (with, without) = (ask(&[]), ask(&["--no-catalog"]));
        assert_eq!(with.status.code(), without.status.code(), "{filters:?}: {}", said(&with));
        assert_eq!(sorted(&with), sorted(&without), "{filters:?}");
    }
    // The one that has it, and the two that no catalogue rules out.
    assert_eq!(opened(&same(folder.path(), &rare(), &[])), 3);
    assert_eq!(opened(&same(folder.path(), "select 1 from events where comm = 'nosuch'", &[])), 2);
    assert_eq!(opened(&sql(folder.path(), &["--no-catalog", &rare()])), 62);
}

#[test]
fn what_is_ruled_out_is_not_opened_and_what_changed_is() {
    let folder = folder(40);
    catalog(folder.path());
    let before = sorted(&same(folder.path(), &rare(), &[]));
    // Captures that are none any more in all but beginning, size and time: who opens one fails.
    let spoilt = folder.path().join("web030.trz");
    let (bytes, modified) = (
        fs::read(&spoilt).expect("a file"),
        fs::metadata(&spoilt).expect("a file").modified().expect("a time"),
    );
    let mut broken = bytes.clone();
    broken[16..].fill(0);
    fs::write(&spoilt, &broken).expect("a file");
    File::options().write(true).open(&spoilt).expect("a file").set_modified(modified).expect("a time");
    assert_eq!(sorted(&sql(folder.path(), &[&rare()])), before);
    assert_eq!(sql(folder.path(), &["--no-catalog", &rare()]).status.code(), Some(2));
    fs::write(&spoilt, &bytes).expect("a file");
    // One that is another by now, one that is new, one that is gone.
    busy("web031", 1, 200, 50, true).save(&folder.path().join("web031.trz"));
    busy("web999", 2, 200, 50, true).save(&folder.path().join("new.trz"));
    fs::remove_file(folder.path().join("web017.trz")).expect("it is there");
    let now = same(folder.path(), &rare(), &[]);
    assert!(sorted(&now).len() == 3 && opened(&now) == 3, "{}", said(&now));
}

#[test]
fn a_capture_that_lost_its_end_since_is_told() {
    let folder = folder(20);
    catalog(folder.path());
    let path = folder.path().join("web017.trz");
    let modified = fs::metadata(&path).expect("a file").modified().expect("a time");
    let mut bytes = fs::read(&path).expect("a file");
    let end = bytes.len() - 60;
    bytes[end..].fill(0);
    fs::write(&path, bytes).expect("a file");
    File::options().write(true).open(&path).expect("a file").set_modified(modified).expect("a time");
    let told = sql(folder.path(), &[&rare()]);
    assert_eq!(told.status.code(), Some(2));
    assert!(said(&told).contains("web017.trz: the catalogue knows it as finished"), "{}", said(&told));
    let strict = sql(folder.path(), &["--strict", &rare()]);
    assert!(strict.status.code() == Some(2) && strict.stdout.is_empty(), "{}", said(&strict));
}

#[test]
fn a_damaged_catalogue_hides_nothing_and_a_key_asks_only_what_it_has_signed() {
    let folder = folder(30);
    catalog(folder.path());
    let file = folder.path().join(FILE);
    let bytes = fs::read(&file).expect("a catalogue");
    let expected = sorted(&same(folder.path(), &rare(), &[]));
    for damaged in [&b"PAR1 no catalogue PAR1"[..], &bytes[..bytes.len() / 2], b""] {
        fs::write(&file, damaged).expect("a file");
        let output = sql(folder.path(), &[&rare()]);
        assert_eq!(sorted(&output), expected);
        assert!(
            said(&output).contains("all captures are opened") && opened(&output) == 30,
            "{}",
            said(&output)
        );
    }
    for at in (0..bytes.len()).step_by(bytes.len() / 24) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x41;
        fs::write(&file, &broken).expect("a file");
        let output = sql(folder.path(), &["select count(*) from events where comm = 'nosuch'"]);
        assert!(
            output.status.success() && !said(&output).contains("panicked"),
            "byte {at}: {}",
            said(&output)
        );
    }
    fs::write(&file, &bytes).expect("a file");
    let (key, other) = (SigningKey::generate().expect("a key"), SigningKey::generate().expect("a key"));
    let ask = |key: &SigningKey| sql(folder.path(), &["--catalog-key", &key.public().to_string(), &rare()]);
    let unsigned = ask(&key);
    assert_eq!(sorted(&unsigned), expected);
    assert!(
        said(&unsigned).contains("nobody has signed it") && opened(&unsigned) == 30,
        "{}",
        said(&unsigned)
    );
    fs::write(folder.path().join(SIGNATURE), signature::sign(&key, &bytes)).expect("a file");
    let signed = ask(&key);
    assert_eq!((sorted(&signed), opened(&signed)), (expected.clone(), 1), "{}", said(&signed));
    let others = ask(&other);
    assert_eq!((sorted(&others), opened(&others)), (expected, 30), "{}", said(&others));
}
