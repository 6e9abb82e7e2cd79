//! Cgroups: made, removed, joined.

use super::declare::{CALL, event, pid, text, u32, u64};
use crate::{Event, EventId, Source};

pub const CGROUP_MKDIR: EventId = EventId(1050);
pub const CGROUP_RMDIR: EventId = EventId(1051);
pub const CGROUP_ATTACH_TASK: EventId = EventId(1052);

pub(super) const EVENTS: &[Event] = &[
    event(
        CGROUP_MKDIR,
        "cgroup_mkdir",
        Source::Tracepoint("cgroup_mkdir"),
        &[],
        &[u64("cgroup_id"), text("cgroup_path"), u32("hierarchy_id"), CALL],
    ),
    event(
        CGROUP_RMDIR,
        "cgroup_rmdir",
        Source::Tracepoint("cgroup_rmdir"),
        &[],
        &[u64("cgroup_id"), text("cgroup_path"), u32("hierarchy_id"), CALL],
    ),
    event(
        CGROUP_ATTACH_TASK,
        "cgroup_attach_task",
        Source::Tracepoint("cgroup_attach_task"),
        &[],
        &[text("cgroup_path"), text("comm"), pid("pid"), u64("cgroup_id"), u32("hierarchy_id"), CALL],
    ),
];
