//! What stands beside the events, on its way into another capture.

use super::{Edit, Place, Text};
use crate::{Cgroup, ClockOffset, Loss, Process, Settings, Side, User};

pub(super) fn copy(side: Side, edit: &mut dyn Edit, place: Place) -> Side {
    match side {
        Side::Processes(all) => Side::Processes(all.into_iter().map(|it| process(it, edit, place)).collect()),
        Side::Cgroups(all) => Side::Cgroups(all.into_iter().map(|it| cgroup(it, edit, place)).collect()),
        Side::Users(all) => Side::Users(all.into_iter().map(|it| user(it, edit, place)).collect()),
        Side::Losses(all) => Side::Losses(all.into_iter().map(|it| loss(it, place)).collect()),
        Side::Clocks(all) => Side::Clocks(all.into_iter().map(|it| clock(it, place)).collect()),
        // They are copied by themselves, behind the events: see `artifacts`.
        Side::Artifacts(_) => Side::Artifacts(Vec::new()),
    }
}

fn process(mut process: Process, edit: &mut dyn Edit, place: Place) -> Process {
    edit.process(&mut process);
    let mut change = |what, text: &mut Vec<u8>| {
        if let Some(changed) = edit.text(what, text) {
            *text = changed;
        }
    };
    change(Text::Comm, &mut process.comm);
    change(Text::Path, &mut process.exe);
    change(Text::Argv, &mut process.argv);
    if let Some(cwd) = &mut process.facts.cwd {
        let mut text = cwd.to_vec();
        change(Text::Directory, &mut text);
        *cwd = text.into();
    }
    // One that was dropped is not known.
    process.facts.cwd = process.facts.cwd.filter(|cwd| !cwd.is_empty());
    process.fds.iter_mut().for_each(|(_, text)| change(Text::Descriptor, text));
    Process {
        host: process.host.wrapping_add(place.host),
        start_ns: place.start(process.start_ns),
        parent_start_ns: place.start(process.parent_start_ns),
        ..process
    }
}

fn cgroup(mut cgroup: Cgroup, edit: &mut dyn Edit, place: Place) -> Cgroup {
    let mut change = |what, text: &mut String| {
        if let Some(changed) = edit.text(what, text.as_bytes()) {
            *text = String::from_utf8_lossy(&changed).into_owned();
        }
    };
    if let Some(container) = &mut cgroup.container {
        container.started_ns = container.started_ns.map(|time| place.time(time));
        for name in [
            &mut container.name,
            &mut container.image,
            &mut container.image_digest,
            &mut container.pod_name,
            &mut container.pod_namespace,
            &mut container.pod_uid,
        ] {
            change(Text::Container, name);
        }
        settings(&mut container.settings, &mut change);
    }
    change(Text::Cgroup, &mut cgroup.path);
    Cgroup {
        host: cgroup.host.wrapping_add(place.host),
        created_ns: cgroup.created_ns.map(|time| place.time(time)),
        removed_ns: cgroup.removed_ns.map(|time| place.time(time)),
        ..cgroup
    }
}

/// Paths are redacted as others are. A capability has one of the kernel's names; another word may say anything.
fn settings(settings: &mut Settings, change: &mut dyn FnMut(Text, &mut String)) {
    for mount in settings.mounts.iter_mut().flatten() {
        change(Text::Path, &mut mount.source);
        change(Text::Path, &mut mount.destination);
    }
    let of_kernel = |name: &str| events::Names::Capability.parse(name).is_some();
    for capability in settings.added_capabilities.iter_mut().flatten().filter(|name| !of_kernel(name)) {
        change(Text::Container, capability);
    }
}

fn user(mut user: User, edit: &mut dyn Edit, place: Place) -> User {
    if let Some(name) = edit.text(Text::User, user.name.as_bytes()) {
        user.name = String::from_utf8_lossy(&name).into_owned();
    }
    User { host: user.host.wrapping_add(place.host), ..user }
}

fn loss(loss: Loss, place: Place) -> Loss {
    Loss {
        host: loss.host.wrapping_add(place.host),
        from_ns: place.time(loss.from_ns),
        to_ns: place.time(loss.to_ns),
        ..loss
    }
}

fn clock(offset: ClockOffset, place: Place) -> ClockOffset {
    ClockOffset {
        host: offset.host.wrapping_add(place.host),
        from_ns: place.time(offset.from_ns),
        // The boot clock is moved, and the wall clock is not.
        wall_offset_ns: offset.wall_offset_ns.wrapping_sub(place.shift_ns),
    }
}
