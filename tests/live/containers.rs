//! Real containers: their names, ids and ages as filters, from their very first events on.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::docker::{Container, IMAGE};
use crate::host::{TRACER, count, ensure, events, info, path, record, same, scratch, tracer_ok};

pub const TESTS: &[Test] = &[
    ("a_container_that_starts_while_recording_is_matched_by_what_is_known_of_it", by_state_on_disk),
    ("a_container_whose_name_only_docker_s_socket_tells_is_matched_from_its_first_event", by_socket),
    ("only_matched_keeps_a_container_s_events_from_the_first_to_the_last", only_matched),
    ("how_a_container_was_made_is_known_as_docker_has_it", settings),
    ("a_container_older_than_the_recording_is_known_and_not_new", older),
];

const TRUE: &[&str] = &["/bin/busybox", "sh", "-c", "/bin/busybox true"];

/// Privileged, mounts and added capabilities, as `docker inspect` says them.
fn settings() -> Result<(), Failed> {
    let dir = scratch()?;
    for (name, options) in [
        ("plain", &["-v", "/etc:/host-etc:ro", "-v", "/tmp:/t", "--cap-add", "net_admin"][..]),
        ("privileged", &["--privileged"]),
    ] {
        let container = Container::create_with(name, options, TRUE)?;
        let Container { id, name } = &container;
        // Where Docker itself has not all capabilities, a privileged one is made and does not start: it is known all the same.
        let file = record(dir.path(), &[], &["sh", "-c", "docker start --attach \"$0\"; true", name])?;
        let capture = format::Capture::open(&file)?;
        let mut found = capture.cgroups().iter().filter_map(|cgroup| cgroup.container.as_ref());
        let settings = found.rfind(|it| it.id == *id).ok_or("no such container")?.settings.clone();
        let inspected: Value = serde_json::from_str(&crate::docker::docker(&["inspect", id])?)?;
        let inspected = &inspected[0];
        same("privileged", settings.privileged, inspected["HostConfig"]["Privileged"].as_bool())?;
        let mut mounts: Vec<_> = settings.mounts.ok_or("no mounts")?;
        mounts.sort_by(|a, b| a.destination.cmp(&b.destination));
        let told: Vec<_> =
            mounts.iter().map(|it| (it.source.as_str(), it.destination.as_str(), it.is_writable)).collect();
        let listed = inspected["Mounts"].as_array().into_iter().flatten();
        let text = |it: &'_ Value| it.as_str().unwrap_or_default().to_owned();
        let mut listed: Vec<_> = listed
            .map(|it| (text(&it["Source"]), text(&it["Destination"]), it["RW"].as_bool().unwrap_or_default()))
            .collect();
        listed.sort_by(|a, b| a.1.cmp(&b.1));
        let listed: Vec<_> = listed.iter().map(|it| (it.0.as_str(), it.1.as_str(), it.2)).collect();
        same("mounts", told, listed)?;
        let expected: &[&str] = if name.contains("plain") { &["CAP_NET_ADMIN"] } else { &[] };
        same(
            "capabilities",
            settings.added_capabilities.unwrap_or_default().as_slice(),
            &expected.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

fn bit(scope: u32) -> u64 {
    1 << (scope - 1)
}

fn mask(row: &Value) -> u64 {
    row["matchedScopes"].as_u64().unwrap_or_default()
}

fn options(filters: &[String]) -> Vec<&str> {
    filters.iter().flat_map(|filter| ["-f", filter]).collect()
}

fn by_state_on_disk() -> Result<(), Failed> {
    starts("disk", |options, command| {
        let mut all = vec!["record", "--force"];
        all.extend(options);
        all.push("--");
        all.extend(command);
        tracer_ok(&all).map(drop)
    })
}

/// The recorder sees an empty folder in place of Docker's state, so the socket is all there is.
fn by_socket() -> Result<(), Failed> {
    starts("socket", |options, command| {
        let hide = "mount -t tmpfs none /var/lib/docker/containers && exec \"$@\"";
        let mut all = vec!["--mount", "sh", "-c", hide, "sh", TRACER, "record", "--force"];
        all.extend(options);
        all.push("--");
        all.extend(command);
        let output = std::process::Command::new("unshare").args(&all).output()?;
        ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())
    })
}

fn starts(name: &str, run: impl Fn(&[&str], &[&str]) -> Result<(), Failed>) -> Result<(), Failed> {
    let container = Container::create(name, TRUE)?;
    let Container { id, name } = &container;
    let filters = [
        format!("7:container={name}"),
        "8:container=new".to_owned(),
        "9:container=started".to_owned(),
        "10:container".to_owned(),
        "11:!container".to_owned(),
        format!("12:container={}", &id[..12]),
        format!("13:container!={id}"),
        format!("14:container!={name}"),
        format!("15:sched_process_exec.context.containerImage={IMAGE}"),
        format!("16:sched_process_exit.context.containerName={name}"),
        "17:sched_process_exec.context.podName=none".to_owned(),
        format!("18:container={name}"),
        "18:follow".to_owned(),
    ];
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut with_filters = vec!["-o", path(&file)?];
    with_filters.extend(options(&filters));
    run(&with_filters, &["docker", "start", "--attach", name])?;

    let recorded = events(&file, &[])?;
    let again = events(&file, &options(&filters))?;
    same("events", again.len(), recorded.len())?;
    let differing = recorded.iter().zip(&again).find(|(a, b)| a != b);
    ensure(differing.is_none(), || format!("replay says otherwise: {differing:#?}"))?;

    let mine: Vec<&Value> = recorded.iter().filter(|row| row["containerId"] == id.as_str()).collect();
    ensure(mine.len() > 100, || format!("only {} events", mine.len()))?;
    let always = [7, 8, 10, 12, 18].map(bit).iter().sum::<u64>();
    let never = [11, 13, 14, 17].map(bit).iter().sum::<u64>();
    for row in &mine {
        ensure(mask(row) & (always | never) == always, || format!("mask {:x} of {row:#}", mask(row)))?;
        same("name", row["containerName"].as_str(), Some(name.as_str()))?;
        same("image", row["containerImage"].as_str(), Some(IMAGE))?;
    }
    let first = mine[0]["processName"].as_str();
    ensure(first != Some("busybox"), || format!("the runtime's init is missing: {:#}", mine[0]))?;
    // Started begins with the entry point's exec and does not end.
    let started: Vec<bool> = mine.iter().map(|row| mask(row) & bit(9) != 0).collect();
    ensure(started.is_sorted() && !started[0] && started[started.len() - 1], || format!("{started:?}"))?;
    let entry = mine.iter().find(|row| mask(row) & bit(9) != 0).map(|row| row["processName"].as_str());
    same("the entry point", entry, Some(Some("busybox")))?;

    for (scope, event, expected) in [(15, "sched_process_exec", true), (16, "sched_process_exit", true)] {
        let of_event = mine.iter().filter(|row| row["eventName"] == event);
        ensure(of_event.clone().count() > 0, || format!("no {event}"))?;
        ensure(of_event.clone().all(|row| (mask(row) & bit(scope) != 0) == expected), || event.to_owned())?;
    }
    let elsewhere = recorded.iter().filter(|row| row["containerId"] == "");
    let outside = [11, 13, 14].map(bit).iter().sum::<u64>();
    let inside = [7, 8, 9, 10, 12, 15, 16, 17].map(bit).iter().sum::<u64>();
    let wrong = elsewhere.into_iter().find(|row| mask(row) & (outside | inside) != outside);
    ensure(wrong.is_none(), || format!("on the host: {wrong:#?}"))
}

/// How many events of which kind which program has.
fn kinds(rows: &[Value]) -> BTreeMap<(String, String), usize> {
    let mut kinds = BTreeMap::new();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    // Whether an exec's own rename has the program's old or new path depends on when it was last read.
    for row in rows.iter().filter(|row| row["eventName"] != "task_rename") {
        *kinds.entry((text(row, "processName"), text(row, "eventName"))).or_default() += 1;
    }
    kinds
}

fn only_matched() -> Result<(), Failed> {
    let container = Container::create("narrow", TRUE)?;
    let by_name = format!("container={}", container.name);
    let (broad_dir, narrow_dir) = (scratch()?, scratch()?);
    let narrow = narrow_dir.path().join("n.trz");
    // Both recorders see the same run: the narrow one runs inside the broad one.
    let command = [
        TRACER,
        "record",
        "--only-matched",
        "-o",
        path(&narrow)?,
        "-f",
        &by_name,
        "--",
        "docker",
        "start",
        "--attach",
        &container.name,
    ];
    let broad = record(broad_dir.path(), &[], &command)?;
    let kept = kinds(&events(&narrow, &[])?);
    same("kept, and matched in all that happened", &kept, &kinds(&events(&broad, &["-f", &by_name])?))?;
    ensure(kept.keys().any(|(program, _)| program == "runc:[2:INIT]"), || format!("no init in {kept:#?}"))?;
    let again = count(&narrow, &["-f", &by_name])?;
    same("asked again", again, count(&narrow, &[])?)?;
    ensure(count(&narrow, &["-f", "!container"])? < again, || "much of the host was kept".to_owned())
}

fn older() -> Result<(), Failed> {
    let container = Container::create("older", &["/bin/busybox", "sleep", "60"])?;
    let Container { id, name } = &container;
    crate::docker::docker(&["start", id])?;
    let dir = scratch()?;
    let filters = [
        format!("7:container={name}"),
        "8:container=new".to_owned(),
        "9:container=started".to_owned(),
        "10:container!=new".to_owned(),
    ];
    let file = record(dir.path(), &options(&filters), &["docker", "exec", name, "/bin/busybox", "id"])?;
    let recorded = events(&file, &[])?;
    ensure(recorded == events(&file, &options(&filters))?, || "replay says otherwise".to_owned())?;
    let mine: Vec<&Value> = recorded.iter().filter(|row| row["containerId"] == id.as_str()).collect();
    ensure(mine.len() > 50, || format!("only {} events", mine.len()))?;
    let expected = bit(7) | bit(9) | bit(10);
    let wrong = mine.iter().find(|row| mask(row) != expected);
    ensure(wrong.is_none(), || format!("not {expected:x}: {wrong:#?}"))?;
    let by_id = format!("existing_container.container_id={id}");
    same("told of at the start", events(&file, &["-f", &by_id])?.len(), 1)?;
    let told = info(&file)?["containers"].clone();
    ensure(told.to_string().contains(name.as_str()), || format!("not in `tracer info`: {told:#}"))
}
