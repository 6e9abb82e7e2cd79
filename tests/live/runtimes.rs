//! What goes wrong with those who are asked for a container's name: they are gone, they hang, they answer too late.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::docker::{Container, IMAGE};
use crate::host::{TRACER, ensure, events, info, path, same, scratch};

pub const TESTS: &[Test] = &[
    ("a_runtime_that_is_gone_costs_a_name_and_nothing_else", gone),
    ("a_runtime_that_hangs_costs_a_name_and_nothing_else", hangs),
    ("a_container_that_ends_while_it_is_described_has_its_name", ends_meanwhile),
    ("containers_that_are_removed_while_they_are_described_are_recorded", removed),
];

const SOCKET: &str = "/var/run/docker.sock";

/// Records `docker COMMAND` where Docker's state cannot be read and another socket stands in the place of Docker's.
fn record(dir: &Path, socket: &Path, filters: &[&str], command: &[&str]) -> Result<PathBuf, Failed> {
    let (file, real) = (dir.join("c.trz"), dir.join("real.sock"));
    std::fs::File::create(&real)?;
    let script = "mount --bind \"$1\" \"$2\" && mount --bind \"$3\" \"$1\" && \
                  mount -t tmpfs none /var/lib/docker/containers && shift 3 && exec \"$@\"";
    let docker = format!("unix://{}", path(&real)?);
    let own = std::fs::canonicalize(SOCKET)?;
    let mut all = vec!["--mount", "sh", "-c", script, "sh", path(&own)?, path(&real)?, path(socket)?];
    all.extend([TRACER, "record", "-o", path(&file)?]);
    all.extend(filters);
    all.extend(["--", "docker", "-H", &docker]);
    all.extend(command);
    let output = Command::new("unshare").args(&all).output()?;
    ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(file)
}

fn rows_of(file: &Path, id: &str) -> Result<Vec<Value>, Failed> {
    same("complete", info(file)?["complete"].as_bool(), Some(true))?;
    let mine: Vec<Value> = events(file, &[])?.into_iter().filter(|row| row["containerId"] == id).collect();
    ensure(mine.len() > 50, || format!("only {} events of the container", mine.len()))?;
    Ok(mine)
}

fn by_id_only(socket: &Path, dir: &Path) -> Result<(), Failed> {
    let container = Container::create("nameless", &["/bin/busybox", "true"])?;
    let began = Instant::now();
    let file = record(dir, socket, &[], &["start", "--attach", &container.name])?;
    ensure(began.elapsed() < Duration::from_secs(90), || format!("it took {:?}", began.elapsed()))?;
    for row in rows_of(&file, &container.id)? {
        same("name", row["containerName"].as_str().unwrap_or_default(), "")?;
    }
    Ok(())
}

fn gone() -> Result<(), Failed> {
    let dir = scratch()?;
    let socket = dir.path().join("gone.sock");
    // The file stays when nobody listens any more.
    drop(UnixListener::bind(&socket)?);
    by_id_only(&socket, dir.path())
}

fn hangs() -> Result<(), Failed> {
    let dir = scratch()?;
    let socket = dir.path().join("hangs.sock");
    let _listener = UnixListener::bind(&socket)?;
    by_id_only(&socket, dir.path())
}

/// Docker's answers, each some time later.
fn slow(socket: &Path, by: Duration) -> Result<(), Failed> {
    let listener = UnixListener::bind(socket)?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || pass_on(client, by));
        }
    });
    Ok(())
}

/// One question and its answer, which ends with the connection.
fn pass_on(mut client: UnixStream, by: Duration) -> std::io::Result<()> {
    let mut question = vec![0; 4096];
    let length = client.read(&mut question)?;
    std::thread::sleep(by);
    let mut docker = UnixStream::connect(SOCKET)?;
    docker.write_all(&question[..length])?;
    let mut answer = Vec::new();
    docker.read_to_end(&mut answer)?;
    client.write_all(&answer)
}

fn ends_meanwhile() -> Result<(), Failed> {
    let dir = scratch()?;
    let socket = dir.path().join("slow.sock");
    slow(&socket, Duration::from_millis(300))?;
    let container = Container::create("short", &["/bin/busybox", "true"])?;
    let filter = format!("7:container={}", container.name);
    let file = record(dir.path(), &socket, &["-f", &filter], &["start", "--attach", &container.name])?;
    let mine = rows_of(&file, &container.id)?;
    for row in &mine {
        same("name", row["containerName"].as_str(), Some(container.name.as_str()))?;
        same("mask", row["matchedScopes"].as_u64(), Some(1 << 6))?;
    }
    let again = events(&file, &["-f", &filter])?;
    same("asked again", again.iter().filter(|row| row["matchedScopes"] == 1 << 6).count(), mine.len())
}

/// Removed as soon as they end: the runtime knows nothing of them any more when it answers.
fn removed() -> Result<(), Failed> {
    let dir = scratch()?;
    let socket = dir.path().join("slow.sock");
    slow(&socket, Duration::from_secs(1))?;
    crate::docker::image()?;
    let command = ["run", "--rm", "--network=none", IMAGE, "/bin/busybox", "true"];
    let file = record(dir.path(), &socket, &[], &command)?;
    let all = events(&file, &["-f", "comm=busybox", "-f", "event=sched_process_exec"])?;
    let id = all.iter().find_map(|row| row["containerId"].as_str().filter(|id| id.len() == 64));
    rows_of(&file, id.ok_or("no container was recorded")?).map(drop)
}
