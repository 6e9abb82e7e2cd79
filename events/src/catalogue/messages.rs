//! What programs say to logs and to audit, read out of what they write and send.

use super::declare::{arg, event, int, text};
use crate::ArgKind::U16;
use crate::{Event, EventId, Names, Source};

pub const LOG_MESSAGE: EventId = EventId(1600);
pub const AUDIT_USER_MESSAGE: EventId = EventId(1601);

const SENDS: Source = Source::Derived { from: &["write", "writev", "sendto", "sendmsg", "sendmmsg"] };

pub(super) const EVENTS: &[Event] = &[
    event(
        LOG_MESSAGE,
        "log_message",
        SENDS,
        &[],
        &[
            // `syslog`, `journal`, `stdout` (of a service), `file` or `history` (of a shell).
            text("via"),
            text("facility"),
            text("severity"),
            text("tag"),
            int("pid"),
            text("text"),
        ],
    ),
    event(
        AUDIT_USER_MESSAGE,
        "audit_user_message",
        SENDS,
        &[],
        &[arg("type", "u16", U16).named(Names::AuditMessage), text("text")],
    ),
];
