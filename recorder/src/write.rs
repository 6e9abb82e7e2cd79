//! The thread that writes: pieces into the file, into the files of a rotated set, or into memory until something
//! triggers.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use crossbeam_channel::Receiver;
use format::{Cgroup, EncodedBlock, Ending, Finished, Header, Loss, Side, User, Writer, WriterOptions};

use crate::{
    amount::Stretch,
    lanes::{Gauge, Piece},
    loss,
    output::{ClosedFile, Output, OutputError, Place},
    process_table::{Change, ProcessTable},
    rotate::Rotation,
};

/// What a file's beginning may take: header, processes, cgroups and users.
const BEGIN_BYTES: u64 = 1 << 20;
/// Room kept for the end of the file: losses, the seal and the footer. What the open segment takes comes on top.
const END_BYTES: u64 = 256 << 10;
/// A segment is ended at the latest this long after the one before: up to there a recorder that is killed leaves a file
/// that is vouched for, and whose blocks can be skipped.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// Of the room for records beside the events, what is kept for the last losses.
const LAST_RECORDS: usize = 1 << 20;

/// Bytes of cgroups that are remembered for files that begin later.
const CGROUPS_BOUND: usize = 32 << 20;
/// What `--flight` may hold unless told otherwise.
pub const DEFAULT_FLIGHT_BYTES: u64 = 512 << 20;

/// Where a recording goes.
#[derive(Debug)]
pub struct Destination {
    /// Opened already.
    pub place: Place,
    pub path: PathBuf,
    /// All files together stay below this.
    pub max_bytes: Option<u64>,
    pub rotation: Option<Rotation>,
    /// Keep this much in memory and write only when released.
    pub flight: Option<Stretch>,
    /// Bytes that may be kept so, however long the stretch is meant to be.
    pub flight_bytes: u64,
    /// Signature and encryption.
    pub seal: WriterOptions,
}

/// Why writing ended before the recording did.
#[derive(Debug)]
pub enum Halt {
    DiskFull,
    /// `--max-size` is reached.
    MaxSize,
    Failed(format::Error),
    Output(OutputError),
    /// Whoever read the stream is gone.
    ReaderGone,
    /// Whoever reads the stream took nothing any more when the recording was to end.
    Abandoned,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Written {
    /// The files that are there now, oldest first.
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    pub rows: u64,
    pub blocks: u64,
    /// Rows that were in files which `--keep` has removed since, and how many files those were.
    pub removed_rows: u64,
    pub removed_files: u64,
    /// Rows that were recorded and could not be written.
    pub lost_rows: u64,
    /// Rows that a flight recorder let go, or that came after `--max-size` was reached.
    pub left_out_rows: u64,
    pub halt: Option<Halt>,
    /// The flight recorder wrote what it held.
    pub released: bool,
}

/// An open file, shared between the writer of its format and who watches over its room.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Output>>);

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Output) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|output| output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(Output::flush)
    }
}

#[derive(Debug)]
struct OpenFile {
    writer: Writer<Shared>,
    output: Shared,
    blocks: u64,
    rows: u64,
    first_ns: Option<u64>,
    /// Boot clock of the last row when a segment was ended last.
    checkpoint_ns: u64,
}

impl OpenFile {
    /// Appends a block, and ends the segment when it is time.
    fn write(&mut self, block: &EncodedBlock) -> format::Result<()> {
        self.writer.block(block)?;
        let now_ns = block.last_ns();
        if self.checkpoint_ns == 0 {
            self.checkpoint_ns = now_ns;
        }
        if now_ns.saturating_sub(self.checkpoint_ns) >= CHECKPOINT.as_nanos() as u64 {
            self.checkpoint_ns = now_ns;
            if self.writer.checkpoint().is_err() {
                // The block is there; what comes next finds out by itself that nothing more can be written.
                let bytes = self.writer.bytes();
                self.output.with(|output| output.rewind(bytes));
            }
        }
        Ok(())
    }
}

/// A finished file of a rotated set.
#[derive(Debug)]
struct Closed {
    file: ClosedFile,
    blocks: u64,
    rows: u64,
}

/// A block that the flight recorder holds.
#[derive(Debug)]
struct Held {
    block: Box<EncodedBlock>,
    changes: Vec<Change>,
}

impl Held {
    fn bytes(&self) -> u64 {
        (self.block.bytes() + self.changes.iter().map(Change::bytes).sum::<usize>()) as u64
    }
}

/// A stretch of rows that a flight recorder had no memory for.
#[derive(Clone, Copy, Debug)]
struct LetGo {
    from_ns: u64,
    to_ns: u64,
    rows: u64,
}

/// Stretches shorter than this are one: what is remembered of them stays small, however long the recording.
const LET_GO_NS: u64 = 100_000_000;

fn let_go(stretches: &mut VecDeque<LetGo>, block: &EncodedBlock) {
    let (from_ns, to_ns, rows) = (block.first_ns(), block.last_ns(), u64::from(block.rows()));
    match stretches.back_mut().filter(|last| to_ns.saturating_sub(last.from_ns) < LET_GO_NS) {
        Some(last) => {
            last.to_ns = last.to_ns.max(to_ns);
            last.rows += rows;
        }
        None => stretches.push_back(LetGo { from_ns, to_ns, rows }),
    }
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
    held: VecDeque<Held>,
    held_bytes: u64,
    holding: bool,
    /// The file has got its processes, cgroups and users.
    begun: bool,
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
    let_go: VecDeque<LetGo>,
    /// Losses that the open file tells of at its end.
    untold: Option<Loss>,
    gauge: Arc<Gauge>,
    result: Written,
}

impl Sink {
    /// Creates the first file and writes its header.
    pub fn create(destination: Destination, header: Header, gauge: Arc<Gauge>) -> Result<Sink, Halt> {
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
            previous_head: None,
            next: None,
            part: 0,
            closed: VecDeque::new(),
            unremoved: Vec::new(),
            lost_ns: None,
            lost_cause: loss::DISK_FULL,
            unwritten_rows: 0,
            let_go: VecDeque::new(),
            untold: None,
            gauge,
            result: Written::default(),
        };
        sink.open()?;
        Ok(sink)
    }

    /// Whether blocks must come with what they changed among the processes.
    pub fn wants_changes(&self) -> bool {
        self.processes.is_some()
    }

    fn path(&self) -> PathBuf {
        match &self.destination.rotation {
            Some(_) => crate::rotate::part_path(&self.destination.path, self.part),
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
        output.reserve(64 << 10, END_BYTES).map_err(|_| Halt::DiskFull)?;
        let output = Shared(Arc::new(Mutex::new(output)));
        self.header.recording.part = self.part;
        self.header.recording.previous_head = self.previous_head;
        let writer =
            Writer::create_with(output.clone(), &self.header, self.destination.seal.clone()).map_err(halt)?;
        // It gets its name once its header stands: whoever is killed in between leaves a set that reads.
        output.with(Output::name).map_err(Halt::Output)?;
        self.file = Some(OpenFile { writer, output, blocks: 0, rows: 0, first_ns: None, checkpoint_ns: 0 });
        Ok(())
    }

    /// Writes until the other end is gone, then finishes the file.
    pub fn run(mut self, pieces: &Receiver<Piece>) -> Written {
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
            Piece::Block { block, changes } if self.holding => {
                self.hold(block, changes);
                Ok(())
            }
            Piece::Block { block, changes } => self.block(&block, changes),
            Piece::Side(side) => self.side(side),
            Piece::Release => self.release(),
        }
    }

    fn block(&mut self, block: &EncodedBlock, changes: Vec<Change>) -> Result<(), Halt> {
        let rows = u64::from(block.rows());
        if rows == 0 {
            return Ok(());
        }
        let outcome = self.rotate_if_due(block).and_then(|()| self.begin()).and_then(|()| self.append(block));
        if let Some(processes) = &mut self.processes {
            changes.into_iter().for_each(|change| processes.apply(change));
        }
        match outcome {
            Ok(()) => {
                self.result.rows += rows;
                self.result.blocks += 1;
                self.gauge.rows.fetch_add(rows, Ordering::Relaxed);
                Ok(())
            }
            Err(halt) => {
                self.lose(block, &halt);
                Err(halt)
            }
        }
    }

    fn append(&mut self, block: &EncodedBlock) -> Result<(), Halt> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let bytes = block.bytes() as u64;
        let end = END_BYTES + file.writer.end_bytes() + block.statistics_bytes();
        if let Some(max) = self.destination.max_bytes {
            let used = self.gauge.bytes.load(Ordering::Relaxed);
            // Small limits leave less room for the end.
            if used + bytes + end.min(max / 16) > max {
                return Err(Halt::MaxSize);
            }
        }
        file.output.with(|output| output.reserve(bytes, end)).map_err(|_| Halt::DiskFull)?;
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
                    *table = ProcessTable::new(processes.clone());
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
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Side::Losses(losses) = side
            && file.writer.side_room() < LAST_RECORDS
        {
            // A file that has told of so many tells of the rest in one piece, at its end.
            for loss in losses {
                let sum = self.untold.get_or_insert_with(|| Loss {
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
    fn tell_untold(&mut self) -> Result<(), Halt> {
        let Some(loss) = self.untold.take() else { return Ok(()) };
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

    fn rotate_if_due(&mut self, block: &EncodedBlock) -> Result<(), Halt> {
        let (Some(rotation), Some(file)) = (&self.destination.rotation, &self.file) else { return Ok(()) };
        let Some(first_ns) = file.first_ns else { return Ok(()) };
        let bytes = file.output.with(|output| output.written()) + block.bytes() as u64;
        let time = Duration::from_nanos(block.last_ns().saturating_sub(first_ns));
        if !rotation.is_due(bytes, time) {
            return Ok(());
        }
        // A file that may have no successor stays open, so that what is lost can be told in it.
        let next = BEGIN_BYTES + block.bytes() as u64;
        file.output.with(|output| output.reserve(next, 2 * END_BYTES)).map_err(|_| Halt::DiskFull)?;
        self.part += 1;
        let opened = self.destination.place.output(&self.path());
        self.next = Some(opened.map_err(|error| {
            self.part -= 1;
            Halt::Output(error)
        })?);
        self.close(Ending::Part)?;
        self.begun = false;
        self.open()
    }

    /// Ends the open file.
    fn close(&mut self, ending: Ending) -> Result<(), Halt> {
        self.tell_untold()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let OpenFile { writer, output, blocks, rows, .. } = file;
        let finished = writer.finish_as(ending).map_err(halt)?;
        let (_, Finished { head, .. }) = finished;
        self.previous_head = Some(head);
        let path = output.with(|output| output.path().to_owned());
        let file =
            output.with(Output::settle).map_err(|source| Halt::Output(OutputError::Io { path, source }))?;
        self.closed.push_back(Closed { file, blocks, rows });
        self.remove_surplus();
        Ok(())
    }

    /// Removes the oldest files beyond `--keep`. One that cannot be removed stays, and counts.
    fn remove_surplus(&mut self) {
        let Some(keep) = self.destination.rotation.as_ref().and_then(|rotation| rotation.keep) else {
            return;
        };
        while self.closed.len() > keep.max(1) {
            let Some(oldest) = self.closed.pop_front() else { return };
            if self.destination.place.remove(&oldest.file).is_err() {
                self.unremoved.push(oldest);
                continue;
            }
            self.gauge.bytes.fetch_sub(oldest.file.bytes, Ordering::Relaxed);
            self.result.rows -= oldest.rows;
            self.result.blocks -= oldest.blocks;
            self.result.removed_rows += oldest.rows;
            self.result.removed_files += 1;
        }
    }

    fn hold(&mut self, block: Box<EncodedBlock>, changes: Vec<Change>) {
        if block.rows() == 0 {
            return;
        }
        let now_ns = block.last_ns();
        let held = Held { block, changes };
        self.held_bytes += held.bytes();
        self.held.push_back(held);
        while self.held.len() > 1 {
            let Some(oldest) = self.held.front() else { break };
            let is_wanted = match self.destination.flight {
                Some(Stretch::Bytes(bytes)) => self.held_bytes <= bytes,
                Some(Stretch::Time(time)) => oldest.block.last_ns() + time.as_nanos() as u64 >= now_ns,
                None => true,
            };
            if is_wanted && self.held_bytes <= self.destination.flight_bytes {
                break;
            }
            let Some(oldest) = self.held.pop_front() else { break };
            self.held_bytes -= oldest.bytes();
            if is_wanted {
                let_go(&mut self.let_go, &oldest.block);
            } else {
                self.result.left_out_rows += u64::from(oldest.block.rows());
            }
            if let Some(processes) = &mut self.processes {
                oldest.changes.into_iter().for_each(|change| processes.apply(change));
            }
        }
        // What would not be wanted by now is no loss any more.
        if let Some(Stretch::Time(time)) = self.destination.flight {
            let before_ns = now_ns.saturating_sub(time.as_nanos() as u64);
            while let Some(gone) = self.let_go.pop_front_if(|gone| gone.to_ns < before_ns) {
                self.result.left_out_rows += gone.rows;
            }
        }
    }

    /// Says in the file what it should hold and had to be let go before.
    fn tell_let_go(&mut self) -> Result<(), Halt> {
        let gone = std::mem::take(&mut self.let_go);
        let (Some(first), Some(last)) = (gone.front(), gone.back()) else { return Ok(()) };
        let count = gone.iter().map(|gone| gone.rows).sum();
        self.result.lost_rows += count;
        self.write_side(&Side::Losses(vec![Loss {
            host: 0,
            from_ns: first.from_ns,
            to_ns: last.to_ns,
            cpu: None,
            event: None,
            count,
            cause: loss::FLIGHT_FULL.to_owned(),
        }]))
    }

    fn release(&mut self) -> Result<(), Halt> {
        self.holding = false;
        self.result.released = true;
        self.held_bytes = 0;
        self.begin()?;
        self.tell_let_go()?;
        while let Some(Held { block, changes }) = self.held.pop_front() {
            if let Err(halt) = self.block(&block, changes) {
                for Held { block, .. } in std::mem::take(&mut self.held) {
                    self.lose(&block, &halt);
                }
                return Err(halt);
            }
        }
        Ok(())
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
                self.lost_cause =
                    if matches!(halt, Halt::DiskFull) { loss::DISK_FULL } else { loss::OUTPUT_FAILED };
                let (from, to) = self.lost_ns.unwrap_or((block.first_ns(), block.last_ns()));
                self.lost_ns = Some((from.min(block.first_ns()), to.max(block.last_ns())));
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        let held: u64 = self.held.iter().map(|held| u64::from(held.block.rows())).sum();
        self.result.left_out_rows += held + self.let_go.drain(..).map(|gone| gone.rows).sum::<u64>();
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
        let files = self.unremoved.drain(..).chain(self.closed.drain(..));
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

fn cgroup_bytes(cgroup: &Cgroup) -> usize {
    let texts = cgroup.container.as_ref().map_or(0, |it| it.id.len() + it.name.len() + it.image.len() + 256);
    size_of::<Cgroup>() + cgroup.path.len() + texts
}
