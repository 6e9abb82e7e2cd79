//! Groups of events and what each comes to. Blocks hold distinct contexts and values: each is turned into the name of its
//! group once a block, and rows are added up by numbers.

use std::cmp::Reverse;

use events::consts::errno;
use events::show::find;
use events::{Arg, ArgKind, Event, Raw, descriptor, show};
use format::{ColumnView, MISSING, NUMBER};
use hashbrown::HashMap;
use pipeline::{Batch, Container, EventView, Projection};

use crate::Known;

/// What events are grouped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Comm,
    Event,
    Binary,
    Container,
    User,
    Host,
    File,
    Directory,
    Peer,
    Domain,
    Errno,
    Syscall,
}

impl By {
    pub const ALL: &'static [By] = &[
        By::Comm,
        By::Event,
        By::Binary,
        By::Container,
        By::User,
        By::Host,
        By::File,
        By::Directory,
        By::Peer,
        By::Domain,
        By::Errno,
        By::Syscall,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            By::Comm => "comm",
            By::Event => "event",
            By::Binary => "binary",
            By::Container => "container",
            By::User => "user",
            By::Host => "host",
            By::File => "file",
            By::Directory => "directory",
            By::Peer => "peer",
            By::Domain => "domain",
            By::Errno => "errno",
            By::Syscall => "syscall",
        }
    }
}

/// What the events of a group come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sum {
    pub count: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Results of calls that read, write, send and receive.
    pub bytes: u64,
    /// Wall clock, ns since the epoch.
    pub first_ns: i64,
    pub last_ns: i64,
}

const NONE: Sum = Sum { count: 0, failures: 0, bytes: 0, first_ns: i64::MAX, last_ns: i64::MIN };

impl Sum {
    fn event(&mut self, time_ns: i64, failed: bool, bytes: u64) {
        self.count += 1;
        self.failures += u64::from(failed);
        self.bytes = self.bytes.wrapping_add(bytes);
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
    }

    fn add(&mut self, more: &Sum) {
        self.count += more.count;
        self.failures += more.failures;
        self.bytes = self.bytes.wrapping_add(more.bytes);
        self.first_ns = self.first_ns.min(more.first_ns);
        self.last_ns = self.last_ns.max(more.last_ns);
    }
}

/// Sums by group. An event without what is asked for (a file, a peer) is in no group.
#[derive(Debug)]
pub struct Sums<'k> {
    by: By,
    known: &'k Known,
    groups: HashMap<Box<[u8]>, Sum>,
    /// By event code of a block.
    kinds: Vec<Kind>,
    of_contexts: Vec<Sum>,
}

/// What rows of one event of a block are.
#[derive(Debug, Default)]
struct Kind {
    is_call: bool,
    has_bytes: bool,
    /// Sums of the event as a whole.
    sum: Option<Sum>,
}

/// Calls whose result is a number of bytes that were moved.
const MOVERS: &[&str] = &[
    "read",
    "write",
    "pread64",
    "pwrite64",
    "readv",
    "writev",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendfile",
    "splice",
    "vmsplice",
    "tee",
    "copy_file_range",
    "process_vm_readv",
    "process_vm_writev",
    "mq_timedreceive",
];

/// Whether the result of a call of this name is a number of bytes that were moved.
pub fn moves_bytes(name: &str) -> bool {
    MOVERS.contains(&name)
}

impl<'k> Sums<'k> {
    pub fn new(by: By, known: &'k Known) -> Sums<'k> {
        Sums { by, known, groups: HashMap::new(), kinds: Vec::new(), of_contexts: Vec::new() }
    }

    /// What a block has, to be merged: any thread may add it up.
    pub fn of(by: By, known: &'k Known, batch: &Batch<'_>) -> format::Result<Sums<'k>> {
        let mut sums = Sums::new(by, known);
        sums.add(batch)?;
        Ok(sums)
    }

    /// Adds what others come to.
    pub fn merge(&mut self, more: Sums<'_>) {
        if self.groups.is_empty() {
            self.groups = more.groups;
            return;
        }
        more.groups.iter().for_each(|(name, sum)| self.group(name, sum));
    }

    /// What is read of the rows of batches.
    pub fn projection() -> Projection {
        Projection { contexts: true, rets: true, ..Projection::NONE }
    }

    /// The groups, those with the most events first, and of as many those of the first name.
    pub fn sorted(&self) -> Vec<(Box<[u8]>, Sum)> {
        let mut groups: Vec<_> = self.groups.iter().map(|(name, sum)| (name.clone(), *sum)).collect();
        groups.sort_by(|(a, x), (b, y)| (Reverse(x.count), a).cmp(&(Reverse(y.count), b)));
        groups
    }

    /// Adds what a block has.
    pub fn add(&mut self, batch: &Batch<'_>) -> format::Result<()> {
        batch.each_deriving(&mut |event| self.view(event))?;
        match self.by {
            By::Comm | By::Binary | By::Container | By::User | By::Host => self.by_context(batch),
            By::Event | By::Syscall | By::Errno => self.by_event(batch),
            By::File | By::Directory | By::Peer | By::Domain => self.by_value(batch),
        }
    }

    fn group(&mut self, name: &[u8], sum: &Sum) {
        if let Some(known) = self.groups.get_mut(name) {
            known.add(sum);
        } else {
            self.groups.insert(name.into(), *sum);
        }
    }

    /// One event by itself: what is derived, and what something is derived from.
    fn view(&mut self, event: &EventView<'_>) {
        let kind = Kind::of(event.event);
        let mut sum = NONE;
        sum.event(event.wall_ns, kind.is_call && event.ret < 0, kind.bytes(event.ret));
        let mut name = Vec::new();
        match self.by {
            By::Event => name.extend_from_slice(event.event.name.as_bytes()),
            By::Syscall if kind.is_call => name.extend_from_slice(event.event.name.as_bytes()),
            By::Errno if kind.is_call => error(event.ret, &mut name),
            By::Syscall | By::Errno => {}
            By::Host => name.extend_from_slice(event.host.name.as_bytes()),
            By::File | By::Directory | By::Peer | By::Domain => {
                for position in positions(self.by, event.event) {
                    of_value(self.by, event.event, position, &|at| event.args.get(at), &mut name);
                    if !name.is_empty() {
                        break;
                    }
                }
            }
            by => of_context(by, event.context, event.container, event.host.boot, self.known, &mut name),
        }
        if !name.is_empty() {
            self.group(&name, &sum);
        }
    }

    fn learn_kinds(&mut self, batch: &Batch<'_>) {
        let events = 0..batch.block().event_list().len() as u16;
        self.kinds.clear();
        self.kinds.extend(events.map(|code| batch.event(code).map(Kind::of).unwrap_or_default()));
    }

    fn by_context(&mut self, batch: &Batch<'_>) -> format::Result<()> {
        self.learn_kinds(batch);
        let block = batch.block();
        let columns = Columns::of(batch)?;
        let mut sums = std::mem::take(&mut self.of_contexts);
        sums.clear();
        sums.resize(block.context_count(), NONE);
        for (row, ..) in batch.rows() {
            let at = row as usize;
            let (Some(context), Some(kind)) = (columns.contexts.get(at), columns.kind(&self.kinds, at))
            else {
                continue;
            };
            if let Some(sum) = sums.get_mut(usize::from(*context)) {
                columns.add(kind, at, sum);
            }
        }
        let contexts = block.contexts()?;
        let host = batch.host();
        let mut name = Vec::new();
        for (code, sum) in (0u16..).zip(&sums).filter(|(_, sum)| sum.count > 0) {
            let Some(context) = contexts.get(code) else { continue };
            name.clear();
            if self.by == By::Host {
                name.extend_from_slice(host.name.as_bytes());
            } else {
                let container = host.containers().get(context.cgroup_id);
                of_context(self.by, &context, container, host.boot, self.known, &mut name);
            }
            if !name.is_empty() {
                self.group(&name, sum);
            }
        }
        self.of_contexts = sums;
        Ok(())
    }

    fn by_event(&mut self, batch: &Batch<'_>) -> format::Result<()> {
        self.learn_kinds(batch);
        let columns = Columns::of(batch)?;
        let mut errors: HashMap<i64, Sum> = HashMap::new();
        let is_errno = self.by == By::Errno;
        let is_call_only = self.by != By::Event;
        for (row, ..) in batch.rows() {
            let at = row as usize;
            let Some(code) = columns.events.get(at).map(|code| usize::from(*code)) else { continue };
            let Some(kind) = self.kinds.get_mut(code).filter(|kind| kind.is_call || !is_call_only) else {
                continue;
            };
            if is_errno {
                let ret = columns.rets.get(at).copied().unwrap_or(0);
                if ret < 0 {
                    columns.add(kind, at, errors.entry(ret).or_insert(NONE));
                }
                continue;
            }
            let mut sum = kind.sum.unwrap_or(NONE);
            columns.add(kind, at, &mut sum);
            kind.sum = Some(sum);
        }
        let mut name = Vec::new();
        for (ret, sum) in errors {
            name.clear();
            error(ret, &mut name);
            if !name.is_empty() {
                self.group(&name, &sum);
            }
        }
        for (code, kind) in (0u16..).zip(std::mem::take(&mut self.kinds)) {
            if let (Some(event), Some(sum)) = (batch.event(code), kind.sum) {
                self.group(event.name.as_bytes(), &sum);
            }
        }
        Ok(())
    }

    /// By a value of an argument: rows are added up by the code of the value, and each distinct one is named once.
    fn by_value(&mut self, batch: &Batch<'_>) -> format::Result<()> {
        self.learn_kinds(batch);
        let block = batch.block();
        let columns = Columns::of(batch)?;
        let mut values: Vec<Values<'_>> = Vec::new();
        for code in 0..block.event_list().len() as u16 {
            let mut of_event = Values { columns: Vec::new() };
            if let Some(event) = batch.event(code) {
                for position in positions(self.by, event) {
                    let column = block.args(code).column(position)?;
                    if let ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } =
                        column
                    {
                        of_event.columns.push((event, position, column, vec![NONE; dictionary.len()]));
                    }
                }
            }
            values.push(of_event);
        }
        for (row, ordinal, _) in batch.rows() {
            let at = row as usize;
            let Some(code) = columns.events.get(at).map(|code| usize::from(*code)) else { continue };
            let (Some(kind), Some(of_event)) = (self.kinds.get(code), values.get_mut(code)) else { continue };
            if let Some(sum) = of_event.sum(ordinal as usize) {
                columns.add(kind, at, sum);
            }
        }
        let mut name = Vec::new();
        for (event, position, column, sums) in values.into_iter().flat_map(|it| it.columns) {
            let (ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. }) = column else {
                continue;
            };
            for (value, sum) in dictionary.iter().zip(&sums).filter(|(_, sum)| sum.count > 0) {
                name.clear();
                let raw = |at: usize| if at == position { Raw::Bytes(value) } else { Raw::Missing };
                of_value(self.by, event, position, &raw, &mut name);
                if !name.is_empty() {
                    self.group(&name, sum);
                }
            }
        }
        Ok(())
    }
}

/// Sums by code of the values of an event's arguments that may name a group.
struct Values<'a> {
    columns: Vec<(&'static Event, usize, ColumnView<'a>, Vec<Sum>)>,
}

impl Values<'_> {
    /// The sum of the first of the arguments that has a value in this row.
    fn sum(&mut self, ordinal: usize) -> Option<&mut Sum> {
        self.columns.iter_mut().find_map(|(_, _, column, sums)| {
            let code = match column {
                ColumnView::Bytes { codes: [], .. } => 0,
                ColumnView::Bytes { codes, .. } | ColumnView::Mixed { codes, .. } => *codes.get(ordinal)?,
                _ => return None,
            };
            if code == MISSING || code == NUMBER { None } else { sums.get_mut(code as usize) }
        })
    }
}

/// The columns of a block that sums are made of.
struct Columns<'b> {
    events: &'b [u16],
    contexts: &'b [u16],
    rets: &'b [i64],
    times: &'b [u64],
    clock: format::Clock,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b Batch<'_>) -> format::Result<Columns<'b>> {
        let block = batch.block();
        Ok(Columns {
            events: block.event_codes()?,
            contexts: block.context_codes()?,
            rets: block.rets()?,
            times: block.times()?,
            clock: block.clock(),
        })
    }

    fn kind<'a>(&self, kinds: &'a [Kind], row: usize) -> Option<&'a Kind> {
        kinds.get(usize::from(*self.events.get(row)?))
    }

    #[inline]
    fn add(&self, kind: &Kind, row: usize, sum: &mut Sum) {
        let ret = self.rets.get(row).copied().unwrap_or(0);
        let time = self.clock.wall(self.times.get(row).copied().unwrap_or(0)) as i64;
        sum.event(time, kind.is_call && ret < 0, kind.bytes(ret));
    }
}

impl Kind {
    fn of(event: &'static Event) -> Kind {
        let is_call = event.is_syscall();
        Kind { is_call, has_bytes: is_call && MOVERS.contains(&event.name), sum: None }
    }

    #[inline]
    fn bytes(&self, ret: i64) -> u64 {
        if self.has_bytes && ret > 0 { ret as u64 } else { 0 }
    }
}

fn error(ret: i64, name: &mut Vec<u8>) {
    if let Some(known) = errno::of_result(ret) {
        name.extend_from_slice(known.as_bytes());
    }
}

fn of_context(
    by: By,
    context: &events::Context<'_>,
    container: Option<&Container>,
    boot: usize,
    known: &Known,
    name: &mut Vec<u8>,
) {
    match by {
        By::Comm => name.extend_from_slice(context.comm),
        By::Binary => name.extend_from_slice(context.exe),
        By::User => match known.user(boot, context.uid) {
            Some(user) => name.extend_from_slice(user.as_bytes()),
            None => name.extend_from_slice(context.uid.to_string().as_bytes()),
        },
        By::Container => {
            let Some(container) = container else { return };
            let shown = if container.name.is_empty() { &container.id } else { &container.name };
            name.extend_from_slice(shown.as_bytes());
        }
        _ => {}
    }
}

/// The arguments that may name a group, the first one that has a value counts.
fn positions(by: By, event: &'static Event) -> Vec<usize> {
    let mut positions = Vec::new();
    let mut add = |is: &dyn Fn(&Arg) -> bool| {
        positions.extend(event.args.iter().enumerate().filter(|(_, arg)| is(arg)).map(|(at, _)| at));
    };
    match by {
        By::File | By::Directory => {
            add(&|arg| is_path(arg.name) && matches!(arg.kind, ArgKind::Str | ArgKind::Text(_)));
            add(&|arg| matches!(arg.kind, ArgKind::Fd) && arg.name != "dirfd");
        }
        By::Peer => {
            add(&|arg| matches!(arg.kind, ArgKind::Sockaddr(_)) && arg.name != "local_addr");
            add(&|arg| matches!(arg.kind, ArgKind::Fd));
        }
        By::Domain => add(&|arg| matches!(arg.name, "dns_questions" | "dns_response")),
        _ => {}
    }
    // What `bind` and its kin are given is their own end.
    if by == By::Peer && matches!(event.name, "bind" | "getsockname") {
        positions.clear();
    }
    positions
}

fn is_path(name: &str) -> bool {
    name.ends_with("path")
        || name.ends_with("pathname")
        || matches!(name, "filename" | "oldname" | "newname" | "path_name")
}

/// Appends the group that a value names; nothing where it names none.
fn of_value<'a>(
    by: By,
    event: &'static Event,
    position: usize,
    raw: &dyn Fn(usize) -> Raw<'a>,
    name: &mut Vec<u8>,
) {
    let value = raw(position);
    let text = match value.descriptor() {
        Some((_, text)) if event.args.get(position).is_some_and(|arg| matches!(arg.kind, ArgKind::Fd)) => {
            Some(text)
        }
        _ => None,
    };
    match by {
        By::File | By::Directory => {
            let path = match (text, value) {
                (Some(text), _) if text.starts_with(b"/") => text,
                (None, Raw::Bytes(path)) => path,
                _ => return,
            };
            if by == By::File {
                name.extend_from_slice(path);
                return;
            }
            match path.iter().rposition(|byte| *byte == b'/') {
                Some(0) => name.push(b'/'),
                Some(end) => name.extend_from_slice(path.get(..end).unwrap_or_default()),
                // Of the directory that the caller was in, nobody knows which.
                None => name.push(b'.'),
            }
        }
        By::Peer => match text {
            Some(text) => {
                let remote = descriptor::ends(text).and_then(|ends| ends.remote);
                name.extend_from_slice(remote.unwrap_or_default());
            }
            None => peer(event, position, raw, name),
        },
        By::Domain => {
            find(event, position, raw, "query", &mut |leaf| domain(&leaf, name));
            find(event, position, raw, "query_data.query", &mut |leaf| domain(&leaf, name));
        }
        _ => {}
    }
}

fn domain(leaf: &show::Leaf<'_>, name: &mut Vec<u8>) {
    if name.is_empty()
        && let show::Leaf::Text(text) = leaf
    {
        name.extend_from_slice(text);
    }
}

/// `10.0.0.2:443`, `[::1]:53`, `/run/x.sock`.
fn peer<'a>(event: &'static Event, position: usize, raw: &dyn Fn(usize) -> Raw<'a>, name: &mut Vec<u8>) {
    let member = |path: &str| {
        let mut text = String::new();
        find(event, position, raw, path, &mut |leaf| text = leaf.to_string());
        text
    };
    let (v4, v6) = (member("sin_addr"), member("sin6_addr"));
    let shown = if !v4.is_empty() {
        format!("{v4}:{}", member("sin_port"))
    } else if !v6.is_empty() {
        format!("[{v6}]:{}", member("sin6_port"))
    } else {
        member("sun_path")
    };
    name.extend_from_slice(shown.as_bytes());
}
