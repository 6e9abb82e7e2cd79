//! The processes of a capture: who started whom, when each began and ended and how.

use views::tree::Forest;

use super::{Column, Kind, Rows};
use crate::captures::Opened;

pub const COLUMNS: &[Column] = &[
    Column("started", Kind::Time),
    Column("ended", Kind::Time),
    Column("host", Kind::Text),
    Column("host_pid", Kind::Int),
    Column("comm", Kind::Text),
    Column("exe", Kind::Text),
    Column("command", Kind::Text),
    Column("argv", Kind::Texts),
    Column("uid", Kind::Int),
    Column("container", Kind::Text),
    Column("exit_code", Kind::Int),
    Column("exit_signal", Kind::Text),
    Column("entity", Kind::Text),
    Column("parent_entity", Kind::Text),
];

pub fn rows(opened: &Opened) -> anyhow::Result<Rows> {
    let mut rows = Rows::new(COLUMNS);
    for process in Forest::of(&opened.source, 1)?.processes {
        let entity = |it: events::context::Entity| format!("{}@{}", it.pid, it.start_ns);
        rows.time(process.start_wall_ns)
            .time(process.end_wall_ns)
            .text(&process.host)
            .int(i64::from(process.pid))
            .bytes(&process.comm)
            .bytes(&process.exe)
            .bytes(&process.command())
            .texts(process.argv.iter().map(|word| super::rows::text_of(word)))
            .int(i64::from(process.uid))
            .text(&process.container)
            .int(process.exit.map(|exit| exit.code))
            .text(process.exit.and_then(|exit| exit.signal_name()).unwrap_or_default())
            .text(entity(process.entity()))
            .text(process.parent.map(entity).unwrap_or_default());
    }
    Ok(rows)
}
