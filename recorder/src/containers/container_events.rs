//! Events that the recorder says itself: containers that were there, that came and that went.

use events::{
    EventId, Raw, catalogue,
    catalogue::{cgroups, containers},
};
use format::{Cgroup, Container};

use crate::{
    containers::cgroup_table::CgroupTable, containers::cgroups::FoundCgroup, host::process_table::argument,
    kernel::Record,
};

/// What happened to a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happened {
    /// It is older than the recording.
    Existing,
    Created,
    Removed,
}

impl Happened {
    pub const fn event(self) -> EventId {
        match self {
            Happened::Existing => containers::EXISTING_CONTAINER,
            Happened::Created => containers::CONTAINER_CREATE,
            Happened::Removed => containers::CONTAINER_REMOVE,
        }
    }
}

/// Keeps what an event says about cgroups. What it means for a container, if it means anything, is for the one who asks
/// to say.
pub fn follow(table: &mut CgroupTable, record: &Record<'_>) -> Option<(Happened, u64)> {
    if record.event != cgroups::CGROUP_MKDIR && record.event != cgroups::CGROUP_RMDIR {
        return None;
    }
    let number = |name| match argument(record, name) {
        Raw::Number(n) => Some(n),
        _ => None,
    };
    // Ids of the old hierarchies are numbers of their own.
    if number("hierarchy_id").is_some_and(|hierarchy| hierarchy as u32 != 0) {
        return None;
    }
    let id = number("cgroup_id")?;
    if record.event == cgroups::CGROUP_RMDIR {
        return table.removed(id, record.time_ns).then_some((Happened::Removed, id));
    }
    let Raw::Bytes(path) = argument(record, "cgroup_path") else { return None };
    let found = FoundCgroup { id, path: String::from_utf8_lossy(path).into_owned() };
    table.made(found, record.time_ns).then_some((Happened::Created, id))
}

/// The event's arguments as the catalogue declares them. `wall_ns` is when its cgroup was made, if that was seen.
pub fn arguments<'a>(
    happened: Happened,
    cgroup: &'a Cgroup,
    container: &'a Container,
    wall_ns: Option<u64>,
) -> Vec<Raw<'a>> {
    let Some(event) = catalogue::by_id(happened.event()) else { return Vec::new() };
    event.args.iter().map(|arg| value(arg.name, cgroup, container, wall_ns)).collect()
}

fn value<'a>(name: &str, cgroup: &'a Cgroup, container: &'a Container, wall_ns: Option<u64>) -> Raw<'a> {
    let text = match name {
        "runtime" => &container.runtime,
        "container_id" => &container.id,
        "container_image" => &container.image,
        "container_name" => &container.name,
        "pod_name" => &container.pod_name,
        "pod_namespace" => &container.pod_namespace,
        "pod_uid" => &container.pod_uid,
        "cgroup_path" => &cgroup.path,
        "ctime" => return wall_ns.map_or(Raw::Missing, Raw::Number),
        _ => return Raw::Missing,
    };
    if text.is_empty() { Raw::Missing } else { Raw::Bytes(text.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_where_the_catalogue_declares_them() {
        let container = Container { id: "e9cf".into(), name: "web".into(), ..Container::default() };
        let cgroup = Cgroup::default();
        for happened in [Happened::Existing, Happened::Created, Happened::Removed] {
            let event = catalogue::by_id(happened.event()).unwrap();
            let args = arguments(happened, &cgroup, &container, Some(7));
            assert_eq!(args.len(), event.args.len());
            let arg = |name: &str| event.arg(name).map(|(at, _)| args[at]);
            assert_eq!(arg("container_id"), Some(Raw::Bytes(b"e9cf")));
            assert_eq!(arg("runtime"), Some(Raw::Missing));
            if happened != Happened::Removed {
                assert_eq!(
                    (arg("ctime"), arg("container_name")),
                    (Some(Raw::Number(7)), Some(Raw::Bytes(b"web")))
                );
            }
        }
    }
}
