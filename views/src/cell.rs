//! What stands in a cell, and its text.

use events::consts::errno;
use events::context::UNSET;
use events::terminal::DeviceName;
use events::{Marks, Raw, capability};
use pipeline::EventView;

use crate::clock::{Clock, Hand};
use crate::known::{Known, Who};
use crate::{Column, digits, duration, marks, text, values};

/// How cells are shown.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub clock: Clock,
    /// Dates before times.
    pub dates: bool,
    /// Pids as pairs: as the container and as the host see them.
    pub pairs: bool,
    /// Numbers instead of names of flags and constants.
    pub raw_arguments: bool,
    /// The errno's name beside a negative result.
    pub errno: bool,
    /// Names of events longer than their column are cut.
    pub short_events: bool,
}

/// The value of a cell. Bytes are a capture's own: whoever shows them spells out what a terminal would obey.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    Nothing,
    /// Wall clock, ns since the epoch.
    Time(i64),
    Unsigned(u64),
    /// A terminal by the number of its device.
    Terminal(u32),
    /// A set of capabilities.
    Capabilities(u64),
    Signed(i64),
    /// How long a call took, ns.
    Duration(u64),
    Mask(u64),
    Bytes(&'a [u8]),
    /// Two names, such as namespace and name of a pod.
    Path(&'a str, &'a str),
    /// As a container and as the host see it.
    Pair(u32, u32),
    /// A process by its pid and its start.
    Process(events::context::Entity),
    Parent,
    Ancestors,
    Marks,
    Args,
    Argument(usize),
}

impl Column {
    /// What this column has for an event.
    pub fn cell<'a>(&self, event: &'a EventView<'a>, look: &Look, known: &'a Known) -> Cell<'a> {
        let context = event.context;
        let text = |text: &'a str| if text.is_empty() { Cell::Nothing } else { Cell::Bytes(text.as_bytes()) };
        let number = |number: u32| Cell::Unsigned(number.into());
        let known_number = |known: Option<u32>| known.map_or(Cell::Nothing, number);
        let pair =
            |inside: u32, host: u32| if look.pairs { Cell::Pair(inside, host) } else { number(inside) };
        let of_container =
            |of: fn(&pipeline::Container) -> &str| event.container.map_or(Cell::Nothing, |it| text(of(it)));
        match self {
            Column::Time => Cell::Time(event.wall_ns),
            Column::Scopes => Cell::Mask(event.scopes),
            Column::Host => text(&event.host.name),
            Column::Uts => Cell::Bytes(context.uts),
            Column::Container => {
                of_container(|it| it.id.char_indices().nth(12).map_or(&it.id, |(end, _)| &it.id[..end]))
            }
            Column::ContainerName => of_container(|it| &it.name),
            Column::Image => of_container(|it| &it.image),
            Column::Pod => match event.container {
                Some(it) if !it.pod_name.is_empty() => Cell::Path(&it.pod_namespace, &it.pod_name),
                _ => Cell::Nothing,
            },
            Column::MntNs => number(context.mnt_ns),
            Column::PidNs => number(context.pid_ns),
            Column::NetNs => number(context.net_ns),
            Column::Uid => number(context.uid),
            Column::User => match known.user(event.host.boot, context.uid) {
                Some(name) => Cell::Bytes(name.as_bytes()),
                None => number(context.uid),
            },
            Column::Gid => number(context.gid),
            Column::Euid => known_number(context.credentials.map(|it| it.euid)),
            Column::Cap => context.credentials.map_or(Cell::Nothing, |it| Cell::Capabilities(it.effective)),
            Column::Cwd => context.standing.cwd.map_or(Cell::Nothing, Cell::Bytes),
            Column::Session => known_number(context.standing.session),
            Column::Tty => context.standing.terminal.map_or(Cell::Nothing, Cell::Terminal),
            Column::LoginUid => match context.standing.login_uid {
                Some(UNSET) => Cell::Bytes(b"unset"),
                other => known_number(other),
            },
            Column::Comm => Cell::Bytes(context.comm),
            Column::Exe => Cell::Bytes(context.exe),
            Column::Pid => pair(context.ns_pid, context.pid),
            Column::Tid => pair(context.ns_tid, context.tid),
            Column::Ppid => pair(context.ns_ppid, context.ppid),
            Column::Process => Cell::Process(context.process()),
            Column::Cpu => number(event.cpu.into()),
            Column::Cgroup => Cell::Unsigned(context.cgroup_id),
            // Nothing came back yet.
            Column::Ret if event.marks.has(Marks::UNFINISHED) => Cell::Bytes(b"?"),
            Column::Ret => Cell::Signed(event.ret),
            Column::Duration => event.duration_ns.map_or(Cell::Nothing, Cell::Duration),
            Column::Errno => match errno_of(event) {
                Some(name) => Cell::Bytes(name.as_bytes()),
                None => Cell::Nothing,
            },
            Column::Event => Cell::Bytes(event.event.name.as_bytes()),
            Column::Syscall => match event.event.caller().map(|position| event.args.get(position)) {
                Some(Raw::Bytes(call)) => Cell::Bytes(call),
                _ if event.event.is_syscall() => Cell::Bytes(event.event.name.as_bytes()),
                _ => Cell::Nothing,
            },
            Column::Parent => Cell::Parent,
            Column::Ancestors => Cell::Ancestors,
            Column::Marks => Cell::Marks,
            Column::Args => Cell::Args,
            Column::Argument { event: of, name } => {
                let is_of = of.is_none_or(|of| of == event.event.name);
                match event.event.arg(name).filter(|_| is_of) {
                    Some((position, _)) => Cell::Argument(position),
                    None => Cell::Nothing,
                }
            }
        }
    }
}

fn errno_of(event: &EventView<'_>) -> Option<&'static str> {
    if event.event.is_syscall() && !event.marks.has(Marks::UNFINISHED) {
        errno::of_result(event.ret)
    } else {
        None
    }
}

/// Writes texts of cells.
#[derive(Debug)]
pub struct Cells<'a> {
    look: &'a Look,
    known: &'a Known,
    hand: Hand<'a>,
}

impl<'a> Cells<'a> {
    pub fn new(look: &'a Look, known: &'a Known) -> Cells<'a> {
        Cells { look, known, hand: Hand::new(&look.clock, look.dates) }
    }

    /// Appends the text of a column's cell. Nothing in it moves a terminal's cursor.
    pub fn write(&mut self, column: &Column, event: &EventView<'_>, out: &mut Vec<u8>) {
        let (look, known) = (self.look, self.known);
        match column.cell(event, look, known) {
            Cell::Nothing => {}
            Cell::Time(wall_ns) => self.hand.write(wall_ns, out),
            Cell::Unsigned(number) => digits::unsigned(number, out),
            Cell::Terminal(device) => out.extend_from_slice(DeviceName(device).to_string().as_bytes()),
            Cell::Capabilities(set) => out.extend_from_slice(capability::Set(set).to_string().as_bytes()),
            Cell::Signed(number) => {
                digits::signed(number, out);
                if let Some(name) = errno_of(event).filter(|_| look.errno) {
                    out.push(b' ');
                    out.extend_from_slice(name.as_bytes());
                }
            }
            Cell::Duration(ns) => duration::seconds(ns, out),
            Cell::Mask(mask) => digits::hex16(mask, out),
            Cell::Bytes(bytes) => match bytes.get(..22) {
                Some(start) if look.short_events && *column == Column::Event && bytes.len() > 25 => {
                    text::shown(start, out);
                    out.extend_from_slice(b"...");
                }
                _ => text::shown(bytes, out),
            },
            Cell::Path(above, name) => {
                text::shown(above.as_bytes(), out);
                out.push(b'/');
                text::shown(name.as_bytes(), out);
            }
            Cell::Pair(inside, host) => pair(inside, host, out),
            Cell::Process(entity) => {
                digits::unsigned(entity.pid.into(), out);
                out.push(b'@');
                digits::unsigned(entity.start_ns, out);
            }
            Cell::Parent => {
                let parent = Who::parent(event.host.boot, event.context);
                known.write_name(parent, event.context.ppid, out);
            }
            Cell::Ancestors => known.write_ancestors(event, out),
            Cell::Marks => marks::names(event, out),
            Cell::Args => arguments(event, look.raw_arguments, out),
            Cell::Argument(position) => argument(event, position, look.raw_arguments, out),
        }
    }
}

/// `8      /902559 `: each half is 7 wide.
fn pair(inside: u32, host: u32, out: &mut Vec<u8>) {
    for (number, end) in [(inside, b'/'), (host, b' ')] {
        let start = out.len();
        digits::unsigned(number.into(), out);
        out.resize((start + 7).max(out.len()), b' ');
        if end == b'/' {
            out.push(end);
        }
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
}

/// `dirfd: AT_FDCWD, pathname: /etc/passwd, marks: late`.
pub fn arguments(event: &EventView<'_>, is_raw: bool, out: &mut Vec<u8>) {
    for (position, arg) in event.event.listed_args().iter().enumerate() {
        if position > 0 {
            out.extend_from_slice(b", ");
        }
        text::shown(arg.name.as_bytes(), out);
        out.extend_from_slice(b": ");
        argument(event, position, is_raw, out);
    }
    marks::of_row(event, out);
    duration::of_row(event, out);
}

/// Appends one argument, and what is wrong with it.
pub fn argument(event: &EventView<'_>, position: usize, is_raw: bool, out: &mut Vec<u8>) {
    values::text(event, position, !is_raw, out);
    marks::of_argument(event, position, out);
}
