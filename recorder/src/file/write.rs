//! The thread that writes: pieces into the file, into the files of a rotated set, or into memory until something
//! triggers.

mod artifacts;
mod destination;
mod flight;
mod open_file;
mod parts;
mod retaining;
mod witness;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::Ordering},
};

pub use destination::{DEFAULT_FLIGHT_BYTES, Destination, Halt, Written};
use events::catalogue;
use flight::{Evicted, HeldBlock};
use format::facts::FactSet;
use format::{Cgroup, EncodedBlock, Ending, Header, Loss, Recording, Side, User, Writer};
use open_file::{OpenFile, Shared};
use parts::Closed;
use scopes::select;
pub use witness::Witness;

use crate::{
    file::lanes::{Gauge, Piece},
    file::output::Output,
    file::writing::Writing,
    host::process_table::{Change, ProcessTable},
    loss,
};

/// What a file's beginning may take: header, processes, cgroups and users.
const BEGIN_BYTES: u64 = 1 << 20;
/// Room kept for the end of the file: losses, the seal and the footer. What the open segment takes comes on top.
const END_BYTES: u64 = 256 << 10;
/// Of the room for records beside the events, what is kept for the last losses.
const LAST_RECORDS: usize = 1 << 20;

/// Bytes of cgroups that are remembered for files that begin later.
pub const CGROUPS_BOUND: usize = 32 << 20;

/// The facts of processes that this recording tells the changes of.
fn followed(recording: &Recording) -> FactSet {
    let chosen = select::select(&recording.events).ok().flatten();
    FactSet::followed(recording, &|name| {
        chosen
            .as_ref()
            .is_none_or(|chosen| catalogue::by_name(name).is_some_and(|event| chosen.contains(&event.id)))
    })
}

/// The writing end of a recording.
#[derive(Debug)]
pub struct Sink {
    destination: Destination,
    header: Header,
    file: Option<OpenFile>,
    /// State at the beginning of what is not written yet, for files that begin in the middle.
    processes: Option<ProcessTable>,
    cgroups: BTreeMap<u64, Cgroup>,
    cgroups_bytes: usize,
    users: Vec<User>,
    held: VecDeque<HeldBlock>,
    held_bytes: u64,
    holding: bool,
    /// The file has got its processes, cgroups and users.
    begun: bool,
    /// The next block is of the time of the last one.
    goes_on: bool,
    previous_head: Option<[u8; 32]>,
    /// The file that comes after the open one, made already.
    next: Option<Output>,
    part: u32,
    closed: VecDeque<Closed>,
    /// Files that should be gone, and could not be removed.
    unremoved: Vec<Closed>,
    /// Boot clock of the first and the last row that could not be written.
    lost_ns: Option<(u64, u64)>,
    lost_cause: &'static str,
    unwritten_rows: u64,
    /// What a flight recorder had to let go before its time.
    evicted: VecDeque<Evicted>,
    /// Losses that the open file tells of at its end.
    pending_losses: Option<Loss>,
    /// Artifacts for which the open file had no room.
    unwritten_artifacts: u64,
    gauge: Arc<Gauge>,
    result: Written,
}

impl Sink {
    /// Creates the first file and writes its header.
    pub fn create(mut destination: Destination, header: Header, gauge: Arc<Gauge>) -> Result<Sink, Halt> {
        let closed = Sink::earlier(&mut destination.retention);
        let holding = destination.flight.is_some();
        let keeps_state = holding || destination.rotation.is_some();
        let mut sink = Sink {
            destination,
            header,
            file: None,
            processes: keeps_state.then(ProcessTable::default),
            cgroups: BTreeMap::new(),
            cgroups_bytes: 0,
            users: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            holding,
            begun: !keeps_state,
            goes_on: false,
            previous_head: None,
            next: None,
            part: 0,
            closed,
            unremoved: Vec::new(),
            lost_ns: None,
            lost_cause: loss::DISK_FULL,
            unwritten_rows: 0,
            evicted: VecDeque::new(),
            pending_losses: None,
            unwritten_artifacts: 0,
            gauge,
            result: Written::default(),
        };
        sink.free_to_begin();
        sink.open()?;
        Ok(sink)
    }

    /// Whether blocks must come with what they changed among the processes.
    pub fn wants_changes(&self) -> bool {
        self.processes.is_some()
    }

    fn path(&self) -> PathBuf {
        match &self.destination.rotation {
            Some(_) => {
                let number = self.destination.retention.first_number.saturating_add(self.part);
                crate::file::rotate::part_path(&self.destination.path, number)
            }
            None => self.destination.path.clone(),
        }
    }

    fn open(&mut self) -> Result<(), Halt> {
        let mut output = match self.next.take() {
            Some(output) => output,
            None => self.destination.place.output(&self.path()).map_err(Halt::Output)?,
        };
        output.count_into(Arc::clone(&self.gauge.bytes));
        output.abandon_with(Arc::clone(&self.gauge.abandoned));
        if let Some(step) = self.destination.retention.step_bytes() {
            output.ask_at_most(step);
        }
        if let Some(limit) = self.destination.retention.max_disk_bytes {
            output.bound(limit.saturating_sub(self.closed_bytes()));
        }
        output.reserve(64 << 10, END_BYTES).map_err(|_| Halt::DiskFull)?;
        let output = Shared(Arc::new(Mutex::new(output)));
        self.gauge.part.store(self.part, Ordering::Relaxed);
        self.header.recording.part = self.part;
        self.header.recording.previous_head = self.previous_head;
        let mut options = self.destination.seal.clone();
        options.heads = self.destination.witness.as_ref().map(Witness::sink);
        let mut writer = Writer::create_with(output.clone(), &self.header, options).map_err(halt)?;
        writer.set_oldest_part(self.oldest_part(0, self.part));
        // It gets its name once its header stands: whoever is killed in between leaves a set that reads.
        output.with(Output::name).map_err(Halt::Output)?;
        let part = self.part;
        self.file =
            Some(OpenFile { writer, output, part, blocks: 0, rows: 0, first_ns: None, checkpoint_ns: 0 });
        Writing::add(&self.gauge.writing.files, 1);
        self.free(END_BYTES)?;
        Ok(())
    }

    /// Writes until the other end is gone, then finishes the file.
    pub fn run(mut self, pieces: impl Iterator<Item = Piece>) -> Written {
        for piece in pieces {
            if self.result.halt.is_some() {
                self.leave(piece);
                continue;
            }
            if let Err(halt) = self.piece(piece) {
                self.gauge.stuck.store(true, Ordering::Relaxed);
                self.result.halt = Some(halt);
            }
        }
        self.finish();
        self.result
    }

    fn piece(&mut self, piece: Piece) -> Result<(), Halt> {
        match piece {
            Piece::Block { block, changes, goes_on } if self.holding => {
                self.hold(HeldBlock { block, changes, goes_on });
                Ok(())
            }
            Piece::Block { block, changes, goes_on } => self.block(&block, changes, goes_on),
            Piece::Side(side) => self.side(side),
            Piece::Artifacts(taken) => self.artifacts(taken),
            // Who looks on may decide what was decided already.
            Piece::Release if self.holding => self.release(),
            Piece::Release => Ok(()),
        }
    }

    /// Writes a block. `goes_on`: others follow that are of the same time, and belong into the same file.
    fn block(&mut self, block: &EncodedBlock, changes: Vec<Change>, goes_on: bool) -> Result<(), Halt> {
        let rows = u64::from(block.rows());
        if rows == 0 {
            return Ok(());
        }
        let is_within = std::mem::replace(&mut self.goes_on, goes_on);
        self.expire();
        let outcome = self
            .rotate_if_due(block, is_within)
            .and_then(|()| self.begin())
            .and_then(|()| self.append(block));
        if let Some(processes) = &mut self.processes {
            processes.begin();
            changes.into_iter().for_each(|change| processes.apply(change));
        }
        match outcome {
            Ok(()) => {
                self.result.rows += rows;
                self.result.blocks += 1;
                self.gauge.rows.fetch_add(rows, Ordering::Relaxed);
                let writing = &self.gauge.writing;
                Writing::add(&writing.rows, rows);
                Writing::add(&writing.bytes, block.bytes() as u64);
                writing.last_ns.fetch_max(block.last_ns(), Ordering::Relaxed);
                Ok(())
            }
            Err(halt) => {
                self.lose(block, &halt);
                Err(halt)
            }
        }
    }

    fn append(&mut self, block: &EncodedBlock) -> Result<(), Halt> {
        let Some(file) = &self.file else { return Ok(()) };
        let bytes = block.bytes() as u64;
        let end = END_BYTES + file.writer.end_bytes() + block.statistics_bytes();
        if let Some(max) = self.destination.max_bytes {
            let used = self.gauge.bytes.load(Ordering::Relaxed);
            // Small limits leave less room for the end.
            if used + bytes + end.min(max / 16) > max {
                return Err(Halt::MaxSize);
            }
        }
        self.reserve(bytes, end)?;
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Err(error) = file.write(block) {
            // Half a frame must not stand in the way of the file's end.
            file.output.with(|output| output.rewind(file.writer.bytes()));
            return Err(halt(error));
        }
        file.blocks += 1;
        file.rows += u64::from(block.rows());
        file.first_ns.get_or_insert(block.first_ns());
        Ok(())
    }

    fn side(&mut self, side: Side) -> Result<(), Halt> {
        match &side {
            Side::Processes(processes) => {
                if let Some(table) = &mut self.processes {
                    let followed = followed(&self.header.recording);
                    *table = ProcessTable::new(processes.clone(), followed);
                }
            }
            Side::Cgroups(cgroups) if self.processes.is_some() => {
                cgroups.iter().for_each(|cgroup| self.know(cgroup));
            }
            Side::Users(users) => self.users.clone_from(users),
            _ => {}
        }
        // A file that has not begun gets the state at its beginning later; losses of a stretch that is let go are not its.
        if self.begun || matches!(side, Side::Losses(_)) { self.write_side(&side) } else { Ok(()) }
    }

    /// Remembers a cgroup for files that begin later. One that is gone is told of in the file that was open then; who can
    /// make cgroups cannot make more than the bound known.
    fn know(&mut self, cgroup: &Cgroup) {
        let is_over = self.begun && !self.holding && cgroup.removed_ns.is_some();
        if let Some(older) = self.cgroups.remove(&cgroup.id) {
            self.cgroups_bytes -= cgroup_bytes(&older);
        }
        let bytes = cgroup_bytes(cgroup);
        if self.cgroups_bytes + bytes > CGROUPS_BOUND {
            self.cgroups.retain(|_, cgroup| cgroup.removed_ns.is_none());
            self.cgroups_bytes = self.cgroups.values().map(cgroup_bytes).sum();
        }
        if !is_over && self.cgroups_bytes + bytes <= CGROUPS_BOUND {
            self.cgroups_bytes += bytes;
            self.cgroups.insert(cgroup.id, cgroup.clone());
        }
    }

    fn write_side(&mut self, side: &Side) -> Result<(), Halt> {
        let end = END_BYTES + self.file.as_ref().map_or(0, |file| file.writer.end_bytes());
        self.free(about_bytes(side) + end)?;
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Side::Losses(losses) = side
            && file.writer.side_room() < LAST_RECORDS
        {
            // A file that has told of so many tells of the rest in one piece, at its end.
            for loss in losses {
                let sum = self.pending_losses.get_or_insert_with(|| Loss {
                    cpu: None,
                    event: None,
                    count: 0,
                    cause: loss::TOO_MANY.to_owned(),
                    ..loss.clone()
                });
                sum.from_ns = sum.from_ns.min(loss.from_ns);
                sum.to_ns = sum.to_ns.max(loss.to_ns);
                sum.count = sum.count.saturating_add(loss.count);
            }
            return Ok(());
        }
        file.writer.side(side).map_err(|error| {
            file.output.with(|output| output.rewind(file.writer.bytes()));
            halt(error)
        })
    }

    /// Writes the losses that were kept for the end of the file.
    fn write_pending_losses(&mut self) -> Result<(), Halt> {
        let Some(loss) = self.pending_losses.take() else { return Ok(()) };
        let Some(file) = &mut self.file else { return Ok(()) };
        file.writer.side(&Side::Losses(vec![loss])).map_err(halt)
    }

    /// Gives a file that begins here the state of here.
    fn begin(&mut self) -> Result<(), Halt> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.cgroups.retain(|_, cgroup| cgroup.removed_ns.is_none());
        self.cgroups_bytes = self.cgroups.values().map(cgroup_bytes).sum();
        let processes = self.processes.as_ref().map(ProcessTable::processes).unwrap_or_default();
        self.write_side(&Side::Processes(processes))?;
        self.write_side(&Side::Cgroups(self.cgroups.values().cloned().collect()))?;
        self.write_side(&Side::Users(self.users.clone()))
    }

    /// A piece that comes when nothing can be written any more.
    fn leave(&mut self, piece: Piece) {
        let Piece::Block { block, .. } = piece else { return };
        if let Some(halt) = self.result.halt.take() {
            self.lose(&block, &halt);
            self.result.halt = Some(halt);
        }
    }

    fn lose(&mut self, block: &EncodedBlock, halt: &Halt) {
        let rows = u64::from(block.rows());
        match halt {
            // The recording ends where its last block ends; what comes later is not part of it.
            Halt::MaxSize => self.result.left_out_rows += rows,
            _ if rows > 0 => {
                self.result.lost_rows += rows;
                self.unwritten_rows += rows;
                Writing::add(&self.gauge.writing.lost_rows, rows);
                self.lost_cause = match halt {
                    Halt::DiskFull | Halt::MaxDisk => loss::DISK_FULL,
                    _ => loss::OUTPUT_FAILED,
                };
                let (from, to) = self.lost_ns.unwrap_or((block.first_ns(), block.last_ns()));
                self.lost_ns = Some((from.min(block.first_ns()), to.max(block.last_ns())));
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        let held: u64 = self.held.iter().map(|held| u64::from(held.block.rows())).sum();
        self.result.left_out_rows += held + self.evicted.drain(..).map(|gone| gone.rows).sum::<u64>();
        let mut outcome = self.begin();
        if let Some((from_ns, to_ns)) = self.lost_ns {
            let side = Side::Losses(vec![Loss {
                host: 0,
                from_ns,
                to_ns,
                cpu: None,
                event: None,
                count: self.unwritten_rows,
                cause: self.lost_cause.to_owned(),
            }]);
            outcome = outcome.and_then(|()| self.write_side(&side));
        }
        outcome = outcome.and_then(|()| self.close(Ending::Recording));
        if let (Err(halt), None) = (outcome, &self.result.halt) {
            self.result.halt = Some(halt);
        }
        if let Some(witness) = &self.destination.witness {
            let (_, lost) = witness.finish();
            self.result.lost_heads = lost;
        }
        self.tell_disk_bytes();
        // Those of earlier recordings are there as well, and are not this one's.
        let files = self.unremoved.drain(..).chain(self.closed.drain(..)).filter(|it| it.part.is_some());
        self.result.files = files.map(|closed| closed.file.path).collect();
        self.result.bytes = self.gauge.bytes.load(Ordering::Relaxed);
    }
}

fn halt(error: format::Error) -> Halt {
    let format::Error::Io { source, .. } = &error else { return Halt::Failed(error) };
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Halt::DiskFull,
        io::ErrorKind::BrokenPipe => Halt::ReaderGone,
        io::ErrorKind::TimedOut => Halt::Abandoned,
        _ => Halt::Failed(error),
    }
}

/// How many bytes records beside the events take at most, unless they are unusual: room is made for them.
fn about_bytes(side: &Side) -> u64 {
    let (count, each) = match side {
        Side::Processes(processes) => (processes.len(), 512),
        Side::Cgroups(cgroups) => return cgroups.iter().map(|it| cgroup_bytes(it) as u64).sum(),
        Side::Users(users) => (users.len(), 64),
        Side::Losses(losses) => (losses.len(), 64),
        _ => (64, 64),
    };
    count as u64 * each
}

fn cgroup_bytes(cgroup: &Cgroup) -> usize {
    let texts = cgroup
        .container
        .as_ref()
        .map_or(0, |it| it.id.len() + it.name.len() + it.image.len() + it.settings.bytes() + 256);
    size_of::<Cgroup>() + cgroup.path.len() + texts
}
