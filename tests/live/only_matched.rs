//! `--only-matched` against the broad capture of the same run, event by event: what the kernel drops, nobody asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, ensure, events, events_where, info, path, record, scratch, tracer_ok};
use crate::masks::MIXED;

pub const TESTS: &[Test] = &[
    ("only_matched_keeps_what_the_broad_capture_matches_by_comm", by_comm),
    ("only_matched_keeps_what_the_broad_capture_matches_by_binary", by_binary),
    ("only_matched_keeps_what_the_broad_capture_matches_by_ids", by_ids),
    ("only_matched_keeps_what_the_broad_capture_matches_by_user", by_user),
    ("only_matched_keeps_what_the_broad_capture_matches_by_namespace_and_container", by_namespace),
    ("only_matched_keeps_what_the_broad_capture_matches_by_ancestors", by_ancestors),
    ("only_matched_keeps_what_the_broad_capture_matches_by_event", by_event),
    ("only_matched_keeps_what_the_broad_capture_matches_by_file", by_file),
    ("only_matched_keeps_what_the_broad_capture_matches_by_peer", by_peer),
    ("only_matched_keeps_what_the_broad_capture_matches_in_sixty_four_scopes", in_sixty_four_scopes),
    ("only_matched_follows_a_process_that_was_there_before", of_a_process_that_was_there),
    ("what_only_matched_drops_is_counted_as_left_out", left_out),
];

/// Runs the mixed workload within narrow recordings, one inside the other, all of them within a broad one; then holds
/// each to the broad one. `$PARENT` stands for the pid of a narrow recorder; that of the last is the workload's parent.
fn check(filter_sets: &[&[&str]]) -> Result<(), Failed> {
    check_beside("", filter_sets).map(drop)
}

/// The same, with more work. Returns the rows of each.
fn check_beside(work: &str, filter_sets: &[&[&str]]) -> Result<Vec<Vec<String>>, Failed> {
    let dir = scratch()?;
    let told = dir.path().join("pids");
    let mut script = format!("echo $$ > {}; {work} {MIXED}", path(&told)?);
    let mut rows = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for (number, filters) in filter_sets.iter().enumerate().rev() {
        let file = dir.path().join(format!("{number}.trz"));
        let inner = dir.path().join(format!("{number}.sh"));
        std::fs::write(&inner, &script)?;
        // The shell becomes the recorder, whose pid is known to it so.
        let mut line = format!("exec {TRACER} record --only-matched -o {}", path(&file)?);
        for filter in *filters {
            line.push_str(&format!(" -f '{}'", filter.replace("$PARENT", "'$$'")));
        }
        script = format!("{line} -- sh {}", path(&inner)?);
        files.insert(0, file);
    }
    let broad = record(dir.path(), &[], &["sh", "-c", &script])?;
    let shell = std::fs::read_to_string(told)?;
    let run = descendants(&broad, shell.trim())?;
    ensure(run.len() > 8, || format!("the workload had only {} processes", run.len()))?;
    for (file, filters) in files.iter().zip(filter_sets) {
        // The narrow one's own filters say what stood for the placeholder.
        let recorded = recorded_filters(file)?;
        let asked: Vec<&str> = recorded.iter().flat_map(|filter| ["-f", filter.as_str()]).collect();
        let narrow = within(file, &[], &run, |_| true)?;
        let expected = within(&broad, &asked, &run, |_| true)?;
        same_rows(&narrow, &expected)
            .map_err(|error| format!("{filters:?}: {}", error.message().unwrap_or("?")))?;
        rows.push(expected);
    }
    Ok(rows)
}

fn recorded_filters(file: &Path) -> Result<Vec<String>, Failed> {
    let info = info(file)?;
    let filters = info["filters"].as_array().cloned().unwrap_or_default();
    Ok(filters.iter().filter_map(|filter| filter.as_str().map(str::to_owned)).collect())
}

/// The pids of a process and all that came of it.
fn descendants(broad: &Path, pid: &str) -> Result<BTreeSet<u64>, Failed> {
    let root: u64 = pid.parse()?;
    let forks = events(broad, &["-f", "event=sched_process_fork", "-f", &format!("tree={pid}")])?;
    let children = forks.iter().filter_map(|row| {
        row["args"].as_array()?.iter().find(|arg| arg["name"] == "child_pid")?["value"].as_u64()
    });
    Ok(children.chain([root]).collect())
}

/// What tells one event of these processes from all others, without its time: two recorders read it some nanoseconds
/// apart. An exec's own rename is left out: whether its context has the old executable or the new one depends on when
/// the context was last read. Of a container's beginning the id is compared: its time is when each recorder saw it.
fn within(
    file: &Path,
    asked: &[&str],
    run: &BTreeSet<u64>,
    is_shown: impl Fn(&Value) -> bool,
) -> Result<Vec<String>, Failed> {
    let is_in_run = |row: &Value| row["hostProcessId"].as_u64().is_some_and(|pid| run.contains(&pid));
    // The rest of the host's rows are many, and nothing to remember.
    let keep = |row: &Value| is_in_run(row) && row["eventName"] != "task_rename" && is_shown(row);
    let told = |row: &Value| {
        let args = if row["eventName"] == "container_create" { &row["args"][1] } else { &row["args"] };
        format!("{} {} {} {args}", row["hostThreadId"], row["eventName"], row["returnValue"])
    };
    Ok(events_where(file, asked, keep)?.iter().map(told).collect())
}

/// The same rows, whatever their order.
fn same_rows(narrow: &[String], broad: &[String]) -> Result<(), Failed> {
    ensure(!broad.is_empty(), || "nothing of the workload matches: the comparison says nothing".to_owned())?;
    let mut left: BTreeMap<&str, i64> = BTreeMap::new();
    for row in broad {
        *left.entry(row).or_default() += 1;
    }
    for row in narrow {
        *left.entry(row).or_default() -= 1;
    }
    let missing: Vec<_> = left.iter().filter(|(_, n)| **n > 0).take(5).collect();
    ensure(missing.is_empty(), || {
        format!(
            "{} of {} are missing, such as {missing:#?}",
            broad.len() - narrow.len().min(broad.len()),
            broad.len()
        )
    })?;
    let surplus: Vec<_> = left.iter().filter(|(_, n)| **n < 0).take(5).collect();
    ensure(surplus.is_empty(), || format!("kept, but not matched in the broad capture: {surplus:#?}"))
}

fn by_file() -> Result<(), Failed> {
    check(&[
        &["file=/etc/ld.so.cache"],
        &["file=/etc/*", "file!=/etc/ld.so.cache"],
        &["file!=/etc/*", "openat.retval>=0"],
        &["write.file=/*", "2:peer!=127.0.0.1", "2:event=close"],
    ])
}

/// Connections that are made, refused and only written to, and unix sockets with somebody behind them and nobody.
fn by_peer() -> Result<(), Failed> {
    let dir = scratch()?;
    let sockets = path(dir.path())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    let local = UnixDatagram::bind(dir.path().join("heard"))?;
    // Bound, so that nobody else has its number, and not listening.
    let refused = TcpListener::bind("127.0.0.2:0")?;
    let (port, datagrams_port, refused_port) =
        (listener.local_addr()?.port(), datagrams.local_addr()?.port(), refused.local_addr()?.port());
    drop(refused);
    let work = format!(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; echo hello >&3'; \
         bash -c 'exec 3<>/dev/tcp/127.0.0.2/{refused_port}' 2> /dev/null; \
         bash -c 'echo x > /dev/udp/127.0.0.1/{datagrams_port}'; \
         logger --socket {sockets}/heard x; logger --socket {sockets}/nobody x 2> /dev/null;"
    );
    let heard = format!("file={sockets}/heard");
    let nobody = format!("file={sockets}/nobody");
    let rows = check_beside(
        &work,
        &[
            &[&format!("peer=127.0.0.1:{port}")],
            &["peer=127.0.0.0/8", &format!("peer!=127.0.0.1:{port}"), "peer!=127.0.0.1/32"],
            &[&format!("peer=:{datagrams_port}"), "2:peer=10.99.0.0/16"],
            &[&heard],
            &[&nobody],
        ],
    )?;
    drop(local);
    let has = |of: usize, what: &str| {
        let rows = rows.get(of).map(Vec::as_slice).unwrap_or_default();
        ensure(rows.iter().any(|row| row.contains(what)), || format!("{what:?} is not among {rows:#?}"))
    };
    for (of, what) in [
        (0, "\"connect\" 0 "),
        (0, "\"security_socket_connect\" 0 "),
        (0, "\"write\" 6 "),
        (1, "\"connect\" -111 "),
        (2, "\"connect\" 0 "),
        (2, "\"write\" 2 "),
        (3, "\"connect\" 0 "),
        (4, "\"connect\" -2 "),
    ] {
        has(of, what)?;
    }
    let others = rows.iter().enumerate().filter(|(of, _)| *of != 0);
    let is_of_first =
        |row: &String| row.contains(&format!(":{port}\"")) || row.contains(&format!(":{port} "));
    let strays: Vec<_> = others.flat_map(|(_, rows)| rows).filter(|row| is_of_first(row)).collect();
    ensure(strays.is_empty(), || format!("of another peer: {strays:#?}"))
}

fn by_comm() -> Result<(), Failed> {
    check(&[&["comm=ls"], &["comm=l*,i*"], &["comm!=sh"], &["comm=ls,id", "comm!=id"]])
}

fn by_binary() -> Result<(), Failed> {
    check(&[
        &["binary=/usr/bin/ls"],
        &["binary!=/usr/bin/ls"],
        &["binary=/usr/bin/*", "binary!=/usr/bin/id"],
        &["binary=host:/usr/bin/id"],
    ])
}

fn by_ids() -> Result<(), Failed> {
    check(&[
        &["pid>$PARENT", "comm=ls"],
        &["tid!=$PARENT", "comm=id"],
        &["pid=new", "comm=cat"],
        &["ppid=$PARENT"],
    ])
}

fn by_user() -> Result<(), Failed> {
    check(&[&["uid=65534"], &["uid>0", "uid<70000"], &["uid<=0", "comm=id,cat"]])
}

fn by_namespace() -> Result<(), Failed> {
    let namespace = |name: &str| -> Result<String, Failed> {
        let link = std::fs::read_link(format!("/proc/self/ns/{name}"))?.display().to_string();
        Ok(link.chars().filter(char::is_ascii_digit).collect())
    };
    let (mnt, pid) = (format!("mntns!={}", namespace("mnt")?), format!("pidns!={}", namespace("pid")?));
    let uts = format!("uts={}", rustix::system::uname().nodename().to_string_lossy());
    check(&[
        &[&mnt],
        &[&pid],
        &[&uts, "comm=ls"],
        &["!container", "comm=cat"],
        &["nsPid<10", "comm=ls,sh,id"],
    ])
}

fn by_ancestors() -> Result<(), Failed> {
    check(&[
        &["tree=$PARENT", "comm=ls"],
        &["tree!=1", "tree=$PARENT"],
        &["comm=setpriv", "follow"],
        &["comm=sh", "follow", "tree=$PARENT"],
    ])
}

fn by_event() -> Result<(), Failed> {
    check(&[
        &["event=openat,security_file_open", "uid=65534"],
        &["1:event=openat", "1:openat.retval<0", "2:comm=ls", "3:event=anti_debugging", "3:comm=id"],
        &["set=proc", "comm=sh"],
        &["event=execve,sched_process_exec", "comm=ls"],
        &["event=commit_creds,switch_task_ns,setresuid", "comm=setpriv,unshare"],
    ])
}

fn in_sixty_four_scopes() -> Result<(), Failed> {
    let shapes = [
        "comm=ls",
        "uid=65534",
        "binary=/usr/bin/id",
        "comm=c*",
        "ppid=$PARENT",
        "pid!=$PARENT",
        "uid!=0",
        "event=openat",
        "comm!=sh",
        "container",
        "mntns=1",
        "pidns!=4026531836",
        "tid=1",
        "nsPid=1",
    ];
    let mut filters: Vec<String> = Vec::new();
    for scope in 1..=64_usize {
        filters.push(format!("{scope}:{}", shapes[scope % shapes.len()]));
        filters.push(format!("{scope}:event={}", ["openat", "read,close", "execve", "mmap"][scope % 4]));
        if scope % 5 == 0 {
            filters.push(format!("{scope}:follow"));
        }
    }
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    check(&[&filters])
}

/// The process waits while the recorder starts, and then does something under another name.
fn of_a_process_that_was_there() -> Result<(), Failed> {
    let dir = scratch()?;
    let at = path(dir.path())?;
    let script = format!(
        "mkfifo {at}/go {at}/done
         sh -c 'read x < {at}/go; exec sh {at}/then.sh' & P=$!
         echo 'exec > {at}/done; cat /etc/passwd /missing; (ls /; id -u); exec tail -n 1 /etc/passwd' > {at}/then.sh
         cd {at}
         {TRACER} record --only-matched -o pid.trz -f pid=$P -- \
           {TRACER} record --only-matched -o tree.trz -f tree=$P -- sh -c 'echo > {at}/go; cat {at}/done > /dev/null'
         echo $P > {at}/pid; wait"
    );
    let broad = record(dir.path(), &[], &["sh", "-c", &script])?;
    let pid = std::fs::read_to_string(dir.path().join("pid"))?;
    let run = descendants(&broad, pid.trim())?;
    for (name, key) in [("pid.trz", "pid"), ("tree.trz", "tree")] {
        // Before it waited nothing was narrow yet, and its last words may be after the recorders' end.
        let is_shown = |row: &Value| {
            row["processName"].as_str().is_some_and(|name| {
                ["cat", "ls", "id"].contains(&name)
                    || (key == "pid" && name == "tail" && row["eventName"] == "read")
            })
        };
        let narrow = within(&dir.path().join(name), &[], &run, is_shown)?;
        let expected = within(&broad, &["-f", &format!("{key}={}", pid.trim())], &run, is_shown)?;
        same_rows(&narrow, &expected)?;
    }
    Ok(())
}

fn left_out() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let file = path(&file)?;
    let loop_of_calls = "dd if=/dev/zero of=/dev/null bs=1 count=100000 status=none";
    let output = crate::host::tracer(&[
        "record",
        "--only-matched",
        "-f",
        "comm=nobody",
        "-o",
        file,
        "--",
        "sh",
        "-c",
        loop_of_calls,
    ])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = said.split(", ").find_map(|part| part.trim().strip_suffix(" left out"));
    let count: u64 = count.unwrap_or_default().replace(',', "").parse().map_err(|_| said.clone())?;
    ensure(count >= 200_000, || format!("dd alone makes 200,000 calls, only {count} were left out"))?;
    let shown = tracer_ok(&["info", file])?;
    ensure(shown.contains("only what matched was recorded"), || shown)
}
