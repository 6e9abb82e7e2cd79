//! From captures to a capture: rows are copied block by block, and changed or left out on the way.

mod artifacts;
mod block_copy;
mod side;

use std::io::Write;
use std::sync::Arc;

use block_copy::BlockCopy;
use events::{Context, Event, Raw};

use crate::{
    Artifact, Block, BlockBuilder, Capture, ClockOffset, Content, Encoder, Header, Options, Process, Result,
    Scratch, Sha256, Side, WallClock, Writer,
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
    /// Shared by rows that get the same.
    Bytes(Arc<[u8]>),
}

impl Change {
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Change {
        Change::Bytes(bytes.into())
    }
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
    /// A working directory.
    Directory,
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
            Text::Directory => "working directories of processes",
        }
    }
}

/// Changes made on the way; by default none.
pub trait Edit {
    /// The rows of a block follow; values of the block before it are no longer where they were.
    fn block(&mut self) {}

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

    /// What becomes of an artifact; asked once the rows were. `None` leaves it out, and its bytes with it unless others have them.
    fn artifact(&mut self, artifact: Artifact) -> Option<Artifact> {
        Some(artifact)
    }

    /// Whether the bytes of an artifact stay that no artifact names which does.
    fn keeps_content(&mut self, _sha256: &Sha256) -> bool {
        true
    }

    /// The bytes of an artifact are copied.
    fn content(&mut self, _content: &Content) -> Result<()> {
        Ok(())
    }

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

    /// Copies the records beside the events, but for artifacts.
    pub fn sides(
        &mut self,
        capture: &Capture,
        writer: &mut Writer<impl Write>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<()> {
        let records = [
            Side::Processes(capture.processes().to_vec()),
            Side::Cgroups(capture.cgroups().to_vec()),
            Side::Users(capture.users().to_vec()),
            Side::Losses(capture.losses().to_vec()),
            Side::Clocks(clocks(capture)),
        ];
        records.into_iter().try_for_each(|side| self.side(side, writer, edit, place))
    }

    /// Copies some of them.
    pub fn side(
        &mut self,
        side: Side,
        writer: &mut Writer<impl Write>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<()> {
        writer.side(&side::copy(side, edit, place))
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

    /// Copies a block that stands in no file: one that arrived. `head`: the capture that it is of.
    pub fn arrived(
        &mut self,
        head: &Capture,
        block: &Block,
        writer: &mut Writer<impl Write>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<()> {
        let Copier { encoder, builder, .. } = self;
        self.rows += BlockCopy::new(head, block, place, encoder, builder)?.rows(Some(writer), edit)?;
        Ok(())
    }

    /// Copies one block as it stands in its file, with what the index says of it, which must be verified. False, and nothing
    /// is written, where it has to be encoded anew: see [`Capture::stored_block`].
    pub fn stored_block(
        &mut self,
        capture: &Capture,
        number: usize,
        writer: &mut Writer<impl Write>,
    ) -> Result<bool> {
        let Some(block) = capture.stored_block(number, &mut self.scratch)? else { return Ok(false) };
        writer.block(&block)?;
        self.rows += u64::from(block.rows());
        Ok(true)
    }

    /// Shows an edit all that copying would, and writes nothing.
    pub fn survey(&mut self, capture: &Capture, edit: &mut dyn Edit) -> Result<()> {
        let mut nothing = Writer::create(std::io::sink(), &Header::default())?;
        self.sides(capture, &mut nothing, edit, Place::default())?;
        for number in 0..capture.blocks().len() {
            self.copy::<std::io::Sink>(capture, number, None, edit, Place::default())?;
        }
        self.artifacts(capture, &mut nothing, edit, Place::default())
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
        BlockCopy::new(capture, &block, place, encoder, builder)?.rows(writer, edit)
    }
}

/// What the clocks of all hosts were over the time of the capture, as far as it knows: blocks that go into another one may
/// not be those in which somebody set the clock. Of a capture that is read as it comes nothing is known yet.
fn clocks(capture: &Capture) -> Vec<ClockOffset> {
    if capture.blocks().is_empty() {
        return capture.clocks().to_vec();
    }
    let hosts = (0u16..).zip(capture.header().hosts());
    hosts.flat_map(|(host, _)| WallClock::of(capture, host).offsets(host).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
pub(crate) mod tests;
