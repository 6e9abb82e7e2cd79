//! From captures to a capture: rows are copied block by block, and changed or left out on the way.

use std::io::Write;

use events::context::ContextFlags;
use events::{Context, Event, Marks, Raw};

use crate::{
    Block, BlockBuilder, Capture, Cgroup, Clock, Encoder, Error, Header, Loss, Options, Process, Result, Row,
    Scratch, Side, User, Writer, limits,
};

/// A row that is about to be copied.
#[derive(Clone, Copy, Debug)]
pub struct Copied<'a> {
    pub event: &'static Event,
    pub context: &'a Context<'a>,
    /// In the block.
    pub row: usize,
    /// Among the rows of its event in the block.
    pub ordinal: usize,
    /// Boot clock.
    pub time_ns: u64,
    /// The same by the block's own clock, ns since 1970.
    pub wall_ns: u64,
    /// All arguments by position: some say what others are.
    pub args: &'a [Raw<'a>],
}

/// What becomes of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Keep,
    /// It stays, but only so that the state of processes can be followed; nobody sees it.
    StateOnly,
    Drop,
}

/// What becomes of an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Keep,
    Missing,
    Number(u64),
    Bytes(Vec<u8>),
}

/// What a text of a context or a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    Comm,
    /// A path of an executable.
    Path,
    /// The path of a cgroup, which may hold the id and name of a container or pod.
    Cgroup,
    /// What a descriptor stands for: a path, or the ends of a socket.
    Descriptor,
    /// A node name.
    Host,
    /// The name of a user.
    User,
    /// The name or image of a container or pod.
    Container,
    /// Strings, each followed by a NUL.
    Argv,
}

impl Text {
    /// In words, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Text::Comm => "names of processes (comm)",
            Text::Path => "paths of executables",
            Text::Cgroup => "paths of cgroups",
            Text::Descriptor => "open files of processes",
            Text::Host => "node names (uts)",
            Text::User => "names of users",
            Text::Container => "containers and pods",
            Text::Argv => "command lines of processes",
        }
    }
}

/// Changes made on the way; by default none.
pub trait Edit {
    fn row(&mut self, _row: &Copied<'_>) -> Fate {
        Fate::Keep
    }

    fn argument(&mut self, _row: &Copied<'_>, _position: usize, _value: Raw<'_>) -> Change {
        Change::Keep
    }

    /// Whether the row that was asked about last leaves without the names, paths and node names of its process.
    fn hides_context(&mut self) -> bool {
        false
    }

    /// Changes a process of those that were there when recording began.
    fn process(&mut self, _process: &mut Process) {}

    /// The text that takes the place of this one; `None` leaves it.
    fn text(&mut self, _what: Text, _text: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// Nothing is changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsItIs;

impl Edit for AsItIs {}

/// How a capture goes into another: which host it becomes, and by how much its boot clock is moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Added to the host's index.
    pub host: u16,
    /// Added to every time of the boot clock, wrapping.
    pub shift_ns: u64,
}

impl Place {
    fn time(&self, time_ns: u64) -> u64 {
        time_ns.wrapping_add(self.shift_ns)
    }

    /// A start that is not known stays unknown.
    fn start(&self, start_ns: u64) -> u64 {
        if start_ns == 0 { 0 } else { self.time(start_ns) }
    }
}

/// Copies blocks into a writer.
#[derive(Debug)]
pub struct Copier {
    encoder: Encoder,
    builder: BlockBuilder,
    scratch: Scratch,
    /// Rows that were copied.
    pub rows: u64,
}

impl Copier {
    pub fn new(options: Options) -> Copier {
        Copier {
            encoder: Encoder::new(options),
            builder: BlockBuilder::new(),
            scratch: Scratch::new(),
            rows: 0,
        }
    }

    /// Copies the records beside the events.
    pub fn sides(
        &mut self,
        capture: &Capture,
        writer: &mut Writer<impl Write>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<()> {
        let edited =
            |edit: &mut dyn Edit, what, text: &[u8]| edit.text(what, text).unwrap_or_else(|| text.to_vec());
        let mut own: Vec<Process> = capture.processes().to_vec();
        own.iter_mut().for_each(|process| edit.process(process));
        let processes = own.iter().map(|process| Process {
            host: process.host.wrapping_add(place.host),
            start_ns: place.start(process.start_ns),
            parent_start_ns: place.start(process.parent_start_ns),
            comm: edited(edit, Text::Comm, &process.comm),
            exe: edited(edit, Text::Path, &process.exe),
            argv: edited(edit, Text::Argv, &process.argv),
            fds: process.fds.iter().map(|(fd, text)| (*fd, edited(edit, Text::Descriptor, text))).collect(),
            ..process.clone()
        });
        let processes: Vec<Process> = processes.collect();
        let cgroups: Vec<Cgroup> = capture
            .cgroups()
            .iter()
            .map(|cgroup| {
                let container = cgroup.container.clone().map(|mut container| {
                    container.started_ns = container.started_ns.map(|time| place.time(time));
                    let names = [
                        &mut container.name,
                        &mut container.image,
                        &mut container.image_digest,
                        &mut container.pod_name,
                        &mut container.pod_namespace,
                        &mut container.pod_uid,
                    ];
                    for name in names {
                        if let Some(text) = edit.text(Text::Container, name.as_bytes()) {
                            *name = String::from_utf8_lossy(&text).into_owned();
                        }
                    }
                    container
                });
                let path = edit.text(Text::Cgroup, cgroup.path.as_bytes());
                Cgroup {
                    host: cgroup.host.wrapping_add(place.host),
                    path: path.map_or_else(
                        || cgroup.path.clone(),
                        |path| String::from_utf8_lossy(&path).into_owned(),
                    ),
                    created_ns: cgroup.created_ns.map(|time| place.time(time)),
                    removed_ns: cgroup.removed_ns.map(|time| place.time(time)),
                    container,
                    ..cgroup.clone()
                }
            })
            .collect();
        let losses = capture.losses().iter().map(|loss| Loss {
            host: loss.host.wrapping_add(place.host),
            from_ns: place.time(loss.from_ns),
            to_ns: place.time(loss.to_ns),
            ..loss.clone()
        });
        let users = capture.users().iter().map(|user| {
            let name = edit.text(Text::User, user.name.as_bytes());
            User {
                host: user.host.wrapping_add(place.host),
                name: name
                    .map_or_else(|| user.name.clone(), |name| String::from_utf8_lossy(&name).into_owned()),
                ..user.clone()
            }
        });
        let users: Vec<User> = users.collect();
        writer.side(&Side::Processes(processes))?;
        writer.side(&Side::Cgroups(cgroups))?;
        writer.side(&Side::Users(users))?;
        writer.side(&Side::Losses(losses.collect()))
    }

    /// Copies one block, or what the edit leaves of it.
    pub fn block(
        &mut self,
        capture: &Capture,
        number: usize,
        writer: &mut Writer<impl Write>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<()> {
        self.rows += self.copy(capture, number, Some(writer), edit, place)?;
        Ok(())
    }

    /// Shows an edit all that copying would, and writes nothing.
    pub fn survey(&mut self, capture: &Capture, edit: &mut dyn Edit) -> Result<()> {
        let mut nothing = Writer::create(std::io::sink(), &Header::default())?;
        self.sides(capture, &mut nothing, edit, Place::default())?;
        for number in 0..capture.blocks().len() {
            self.copy::<std::io::Sink>(capture, number, None, edit, Place::default())?;
        }
        Ok(())
    }

    fn copy<W: Write>(
        &mut self,
        capture: &Capture,
        number: usize,
        writer: Option<&mut Writer<W>>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<u64> {
        let Copier { encoder, builder, scratch, rows: _ } = self;
        let block = capture.block(number, scratch)?;
        let mut copy = BlockCopy {
            capture,
            block: &block,
            place,
            codes: [vec![None; block.contexts()?.len()], vec![None; block.contexts()?.len()]],
            ordinals: vec![0; block.event_list().len()],
            encoder,
            builder,
        };
        copy.begin();
        copy.rows(writer, edit)
    }
}

struct BlockCopy<'a> {
    capture: &'a Capture,
    block: &'a Block,
    place: Place,
    /// By context code: its code in the builder, once a row has needed it; and the same of contexts without texts.
    codes: [Vec<Option<u32>>; 2],
    ordinals: Vec<usize>,
    encoder: &'a mut Encoder,
    builder: &'a mut BlockBuilder,
}

impl BlockCopy<'_> {
    fn begin(&mut self) {
        let clock = self.block.clock();
        self.builder.clear();
        self.builder.set_clock(Clock { boot_ns: self.place.time(clock.boot_ns), ..clock });
        self.builder.set_host(self.block.host().wrapping_add(self.place.host));
        self.codes.iter_mut().for_each(|codes| codes.fill(None));
    }

    /// Copies the rows; without a writer the edit sees them and nothing is written.
    fn rows<W: Write>(&mut self, mut writer: Option<&mut Writer<W>>, edit: &mut dyn Edit) -> Result<u64> {
        let block = self.block;
        let (contexts, codes) = (block.contexts()?, block.event_codes()?);
        let (context_codes, times, rets) = (block.context_codes()?, block.times()?, block.rets()?);
        let (scopes, marks, cpus) = (block.scopes()?, block.marks()?, block.cpus()?);
        let damaged = || Error::Damaged { offset: 0, what: "a block contradicts itself" };
        let clock = block.clock();
        let mut copied = 0;
        let mut changed: Vec<Change> = Vec::new();
        for row in 0..block.rows() {
            let code = *codes.get(row).ok_or_else(damaged)?;
            let context_code = *context_codes.get(row).ok_or_else(damaged)?;
            let context = contexts.get(context_code).ok_or_else(damaged)?;
            let id = *block.event_list().get(code as usize).ok_or_else(damaged)?;
            let event = self.capture.schema().event(id).ok_or_else(damaged)?;
            let ordinal = match self.ordinals.get_mut(code as usize) {
                Some(next) => std::mem::replace(next, *next + 1),
                None => return Err(damaged()),
            };
            let time_ns = times.get(row).copied().unwrap_or_default();
            let table = block.args(code);
            let mut values = Vec::with_capacity(event.args.len());
            for (position, arg) in event.args.iter().enumerate() {
                let mut value = table.get(ordinal, position)?;
                if let (true, Raw::Number(start)) = (is_time(arg.name), value) {
                    value = Raw::Number(self.place.start(start));
                }
                values.push(value);
            }
            let wall_ns = clock.wall(time_ns);
            let this = Copied { event, context: &context, row, ordinal, time_ns, wall_ns, args: &values };
            let mut row_marks = marks.get(row).copied().unwrap_or_default();
            match edit.row(&this) {
                Fate::Keep => {}
                Fate::StateOnly => row_marks |= Marks::STATE_ONLY,
                Fate::Drop => continue,
            }
            changed.clear();
            let edited = values.iter().enumerate();
            changed.extend(edited.map(|(position, value)| edit.argument(&this, position, *value)));
            let args: Vec<Raw<'_>> = values
                .iter()
                .zip(&changed)
                .map(|(value, change)| match change {
                    Change::Keep => *value,
                    Change::Missing => Raw::Missing,
                    Change::Number(number) => Raw::Number(*number),
                    Change::Bytes(bytes) => Raw::Bytes(bytes),
                })
                .collect();
            if self.builder.is_full() {
                self.flush(writer.as_deref_mut())?;
                self.begin();
            }
            let hides = edit.hides_context();
            let context = self.context(context_code, &context, hides, edit)?;
            let row = Row {
                time_ns: self.place.time(time_ns),
                event: id,
                cpu: cpus.get(row).copied().unwrap_or_default(),
                context,
                ret: rets.get(row).copied().unwrap_or_default(),
                scopes: scopes.get(row).copied().unwrap_or_default(),
                marks: Marks(row_marks),
                args: &args,
            };
            if writer.is_some() {
                self.builder.push(&row)?;
            }
            copied += 1;
        }
        self.flush(writer)?;
        Ok(copied)
    }

    fn context(&mut self, code: u16, context: &Context<'_>, hides: bool, edit: &mut dyn Edit) -> Result<u32> {
        let place = self.place;
        let [whole, bare] = &mut self.codes;
        let Some(known) = if hides { bare } else { whole }.get_mut(code as usize) else {
            return Err(Error::TooLarge {
                what: "a context",
                value: u64::from(code),
                limit: limits::BLOCK_ROWS as u64,
            });
        };
        if let Some(known) = known {
            return Ok(*known);
        }
        let context = &if hides { Context { comm: b"", exe: b"", uts: b"", ..*context } } else { *context };
        let (comm, exe, uts) = (
            edit.text(Text::Comm, context.comm),
            edit.text(Text::Path, context.exe),
            edit.text(Text::Host, context.uts),
        );
        let moved = Context {
            thread_start_ns: place.start(context.thread_start_ns),
            process_start_ns: place.start(context.process_start_ns),
            parent_start_ns: place.start(context.parent_start_ns),
            comm: comm.as_deref().unwrap_or(context.comm),
            exe: exe.as_deref().unwrap_or(context.exe),
            uts: uts.as_deref().unwrap_or(context.uts),
            flags: ContextFlags(context.flags.0),
            ..*context
        };
        let code = self.builder.intern(&moved);
        *known = Some(code);
        Ok(code)
    }

    fn flush<W: Write>(&mut self, writer: Option<&mut Writer<W>>) -> Result<()> {
        let Some(writer) = writer.filter(|_| !self.builder.is_empty()) else { return Ok(()) };
        writer.block(&self.encoder.encode(self.builder)?)
    }
}

/// Whether an argument is a time of the boot clock.
fn is_time(name: &str) -> bool {
    matches!(name, "start_time" | "parent_start_time")
}
