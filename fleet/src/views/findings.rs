//! What rules find: those that are part of the program, and those of `--rules`.

use rules::scan::{Asking, Scan};

use super::{Column, Kind, Rows};
use crate::captures::Opened;
use crate::rule_files;

pub const COLUMNS: &[Column] = &[
    Column("time", Kind::Time),
    Column("host", Kind::Text),
    Column("rule", Kind::Text),
    Column("title", Kind::Text),
    Column("level", Kind::Text),
    Column("tags", Kind::Texts),
    Column("host_pid", Kind::Int),
    Column("comm", Kind::Text),
    Column("exe", Kind::Text),
    Column("command", Kind::Text),
    Column("uid", Kind::Int),
    Column("container_id", Kind::Text),
    Column("ancestors", Kind::Texts),
    Column("events", Kind::Texts),
    Column("capture", Kind::Text),
    Column("block", Kind::Int),
    Column("row", Kind::Int),
    Column("output", Kind::Text),
];

pub fn rows(opened: &Opened) -> anyhow::Result<Rows> {
    let corpus = rule_files::corpus(&opened.how.rules)?;
    let scan = Scan::new(&corpus.rules, &opened.source);
    let asking = Asking { strict: opened.how.strict, threads: 1, ..Asking::default() };
    let mut rows = Rows::new(COLUMNS);
    let report = scan.run(asking, &mut |finding| {
        let Some(rule) = corpus.rules.get(finding.rule) else { return };
        let process = &finding.process;
        let last = finding.events.last();
        rows.time(finding.wall_ns)
            .text(&finding.host)
            .text(&rule.id)
            .text(&rule.title)
            .text(rule.level.name())
            .texts(rule.tags.iter().cloned())
            .int(i64::from(process.pid))
            .text(&process.name)
            .text(&process.exe)
            .text(&process.command_line)
            .int(i64::from(process.uid))
            .text(finding.container.as_ref().map(|it| it.id.as_str()).unwrap_or_default())
            .texts(finding.ancestry.iter().map(|it| it.name.clone()))
            .texts(finding.events.iter().map(|it| it.name.to_owned()))
            .text(last.map(|it| it.file.as_str()).unwrap_or_default())
            .int(last.map(|it| it.block as i64))
            .int(last.map(|it| i64::from(it.row)))
            .text(finding.output.as_ref().map(|it| it.text.as_str()).unwrap_or_default());
    })?;
    opened.how.missing.add(report.stats.gaps);
    Ok(rows)
}
