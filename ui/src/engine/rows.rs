//! Events as rows of the table: the texts of views, and what filters call each value.

use events::Raw;
use pipeline::EventView;
use views::cell::Cells;
use views::{Class, Column, Look};

use crate::answer::Anchor;
use crate::page::{Field, shown};
use crate::row::{Cell, Row};

/// How rows look.
#[derive(Clone, Debug, Default)]
pub struct Style {
    pub look: Look,
    pub columns: Vec<Column>,
}

/// Characters of a value that a row holds: no terminal has more, and a capture may hold megabytes.
const MOST_CHARS: usize = 512;
/// Cells of one row.
const MOST_CELLS: usize = 64;

pub fn row(event: &EventView<'_>, style: &Style, cells: &mut Cells<'_>, is_context: bool) -> Row {
    let mut row = Row {
        anchor: Anchor { at: event.at, key: event.host.key(event.time_ns) },
        wall_ns: event.wall_ns,
        pid: event.context.pid,
        process_start_ns: event.context.process_start_ns,
        event: name(event.event.name.as_bytes()),
        process: format!("{} {}", name(event.context.comm), event.context.pid),
        cells: Vec::new(),
        is_context,
    };
    for (at, column) in style.columns.iter().enumerate() {
        if *column == Column::Args {
            arguments(event, style, at, &mut row.cells);
            continue;
        }
        let mut out = Vec::new();
        cells.write(column, event, &mut out);
        let class = column.class(event);
        row.cells.push(Cell { column: at, text: text(&out), class, field: field(column, event) });
    }
    row
}

fn arguments(event: &EventView<'_>, style: &Style, column: usize, cells: &mut Vec<Cell>) {
    let before = cells.len();
    for (position, arg) in event.event.listed_args().iter().enumerate().take(MOST_CELLS) {
        let mut out = Vec::new();
        views::text::shown(arg.name.as_bytes(), &mut out);
        out.extend_from_slice(b": ");
        views::cell::argument(event, position, style.look.raw_arguments, &mut out);
        let field = argument(event, position);
        cells.push(Cell { column, text: text(&out), class: Class::Plain, field });
    }
    let mut marks = Vec::new();
    views::marks::names(event, &mut marks);
    if !marks.is_empty() || cells.len() == before {
        let text = if marks.is_empty() { String::new() } else { format!("marks: {}", text(&marks)) };
        cells.push(Cell { column, text, class: Class::Loss, field: None });
    }
}

/// What filters call an argument's value.
pub fn argument(event: &EventView<'_>, position: usize) -> Option<Field> {
    let arg = event.event.args.get(position)?;
    let key = format!("{}.{}", event.event.name, arg.name);
    match event.args.get(position) {
        Raw::Missing => None,
        Raw::Number(number) => {
            let mut out = Vec::new();
            views::values::text(event, position, false, &mut out);
            // Numbers as the argument's type has them: signed ones with their sign.
            let written = String::from_utf8_lossy(&out).into_owned();
            let is_number = written.parse::<i128>().is_ok();
            Some(Field::new(key, if is_number { written } else { number.to_string() }))
        }
        Raw::Bytes(bytes) if arg.kind.is_bytes() && is_text(arg.kind) => Some(Field::of_bytes(key, bytes)),
        raw => raw.descriptor().map(|(number, name)| match name.is_empty() {
            true => Field::new(key, number.to_string()),
            false => Field::of_bytes(key, name),
        }),
    }
}

fn is_text(kind: events::ArgKind) -> bool {
    matches!(kind, events::ArgKind::Str | events::ArgKind::Text(_))
}

/// What filters call the value of a column.
pub fn field(column: &Column, event: &EventView<'_>) -> Option<Field> {
    let context = event.context;
    let number = |key: &str, number: u32| Some(Field::new(key, number.to_string()));
    let bytes = |key: &str, bytes: &[u8]| (!bytes.is_empty()).then(|| Field::of_bytes(key, bytes));
    match column {
        Column::Host => bytes("host", event.host.name.as_bytes()),
        Column::Uts => bytes("uts", context.uts),
        Column::Container => event.container.and_then(|it| bytes("container", it.id.as_bytes())),
        Column::MntNs => number("mntns", context.mnt_ns),
        Column::PidNs => number("pidns", context.pid_ns),
        Column::Uid | Column::User => number("uid", context.uid),
        Column::Euid => context.credentials.and_then(|it| number("euid", it.euid)),
        Column::Cwd => context.standing.cwd.and_then(|cwd| bytes("cwd", cwd)),
        Column::Session => context.standing.session.and_then(|session| number("session", session)),
        Column::Tty => {
            let name = context.standing.terminal.map(|it| events::terminal::DeviceName(it).to_string());
            name.map(|name| Field::new("tty", name))
        }
        Column::LoginUid => context.standing.login_uid.and_then(|uid| number("loginuid", uid)),
        Column::Comm => bytes("comm", context.comm),
        Column::Exe => bytes("binary", context.exe),
        Column::Pid | Column::Process => {
            Some(Field::new("pid", format!("{}@{}", context.pid, context.process_start_ns)))
        }
        Column::Tid => number("tid", context.tid),
        Column::Ppid | Column::Parent => number("ppid", context.ppid),
        Column::Event => Some(Field::new("event", event.event.name)),
        Column::Ret if event.event.is_syscall() => {
            Some(Field::new(format!("{}.retval", event.event.name), event.ret.to_string()))
        }
        Column::Errno if event.event.is_syscall() && event.ret < 0 => {
            Some(Field::new(format!("{}.retval", event.event.name), event.ret.to_string()))
        }
        Column::Argument { event: of, name } if of.is_none_or(|of| of == event.event.name) => {
            event.event.arg(name).and_then(|(position, _)| argument(event, position))
        }
        _ => None,
    }
}

/// Bytes that views have made harmless, as far as anybody reads them.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// The whole of a value, for the detail.
pub fn whole(event: &EventView<'_>, position: usize, is_raw: bool) -> String {
    let mut out = Vec::new();
    views::cell::argument(event, position, is_raw, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A name of the capture, as text.
pub fn name(bytes: &[u8]) -> String {
    shown(bytes)
}
