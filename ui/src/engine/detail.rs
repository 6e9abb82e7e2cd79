//! Everything that is known of one event, a line each; what filters can ask for can be included from here.

use pipeline::EventView;
use views::cell::Cells;
use views::{Class, Column, Known, Look};

use super::Style;
use super::rows::{argument, field, name, whole};
use crate::page::{Field, Line, Page};

/// Before the arguments.
const BEFORE: &[(&str, Column)] = &[
    ("time", Column::Time),
    ("event", Column::Event),
    ("result", Column::Ret),
    ("error", Column::Errno),
    ("process", Column::Process),
    ("comm", Column::Comm),
    ("exe", Column::Exe),
    ("thread", Column::Tid),
    ("parent pid", Column::Ppid),
    ("user", Column::User),
    ("effective uid", Column::Euid),
    ("capabilities", Column::Cap),
    ("directory", Column::Cwd),
    ("session", Column::Session),
    ("terminal", Column::Tty),
    ("login uid", Column::LoginUid),
];

/// Behind them.
const BEHIND: &[(&str, Column)] = &[
    ("marks", Column::Marks),
    ("container", Column::Container),
    ("container name", Column::ContainerName),
    ("image", Column::Image),
    ("pod", Column::Pod),
    ("host", Column::Host),
    ("node name", Column::Uts),
    ("mount ns", Column::MntNs),
    ("pid ns", Column::PidNs),
    ("net ns", Column::NetNs),
    ("group", Column::Gid),
    ("cgroup", Column::Cgroup),
    ("processor", Column::Cpu),
];

/// Names of lines stand in so many characters.
const NAMES: usize = 16;

pub fn page(event: &EventView<'_>, style: &Style, known: &Known) -> Page {
    // One event has room for what rows leave out.
    let look = Look { dates: true, errno: true, short_events: false, pairs: false, ..style.look.clone() };
    let mut cells = Cells::new(&look, known);
    let mut page = Page { title: title(event), ..Page::default() };
    let mut add = |lines: &mut Vec<Line>, names: &[(&str, Column)]| {
        for (label, column) in names {
            let mut out = Vec::new();
            cells.write(column, event, &mut out);
            if !out.is_empty() {
                let value = String::from_utf8_lossy(&out).into_owned();
                lines.push(line(label, &value, column.class(event), field(column, event)));
            }
        }
    };
    add(&mut page.lines, BEFORE);
    for (position, arg) in event.event.args.iter().enumerate() {
        let value = whole(event, position, style.look.raw_arguments);
        page.lines.push(line(&name(arg.name.as_bytes()), &value, Class::Plain, argument(event, position)));
    }
    if let Some((base, _)) = event.base {
        page.lines.push(line("derived from", base.name, Class::Quiet, Some(Field::new("event", base.name))));
    }
    add(&mut page.lines, BEHIND);
    page
}

fn title(event: &EventView<'_>) -> String {
    format!("{} of {} ({})", event.event.name, name(event.context.comm), event.context.pid)
}

fn line(label: &str, value: &str, class: Class, field: Option<Field>) -> Line {
    Line { text: format!("{label:<NAMES$} {value}"), class, field, ..Line::default() }
}
