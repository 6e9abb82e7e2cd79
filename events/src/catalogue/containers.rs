//! Containers: what runs them, their names, when they came and went.

use super::declare::{arg, event, text, ulong};
use crate::ArgKind::Bool;
use crate::{Event, EventId, Set, Source};

pub const CONTAINER_CREATE: EventId = EventId(1400);
pub const CONTAINER_REMOVE: EventId = EventId(1401);
pub const EXISTING_CONTAINER: EventId = EventId(1402);

pub(super) const EVENTS: &[Event] = &[
    event(
        CONTAINER_CREATE,
        "container_create",
        Source::Recorder,
        &[Set::Default, Set::Containers],
        &[
            text("runtime"),
            text("container_id"),
            ulong("ctime"),
            text("container_image"),
            text("container_name"),
            text("pod_name"),
            text("pod_namespace"),
            text("pod_uid"),
            arg("pod_sandbox", "bool", Bool),
        ],
    ),
    event(
        CONTAINER_REMOVE,
        "container_remove",
        Source::Recorder,
        &[Set::Default, Set::Containers],
        &[text("runtime"), text("container_id")],
    ),
    event(
        EXISTING_CONTAINER,
        "existing_container",
        Source::Recorder,
        &[Set::Containers],
        &[
            text("runtime"),
            text("container_id"),
            ulong("ctime"),
            text("container_image"),
            text("container_name"),
            text("pod_name"),
            text("pod_namespace"),
            text("pod_uid"),
            arg("pod_sandbox", "bool", Bool),
        ],
    ),
];
