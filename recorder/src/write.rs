//! The thread that writes: pieces into the file, into the files of a rotated set, or into memory until something
//! triggers.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use crossbeam_channel::Receiver;
use format::{Cgroup, EncodedBlock, Finished, Header, Loss, Side, User, Writer, WriterOptions};

use crate::{
    amount::Stretch,
    lanes::{Gauge, Piece},
    loss,
    output::{Output, OutputError},
    process_table::{Change, ProcessTable},
    rotate::Rotation,
};

/// What a file's beginning may take: header, processes, cgroups and users.
const BEGIN_BYTES: u64 = 1 << 20;
/// Room kept for the end of the file: losses, index and footer. The index takes some hundred bytes for each block.
const END_BYTES: u64 = 256 << 10;
const END_BYTES_PER_BLOCK: u64 = 4 << 10;

/// Where a recording goes.
#[derive(Clone, Debug)]
pub struct Destination {
    pub path: PathBuf,
    /// Replace what is there.
    pub force: bool,
    /// All files together stay below this.
    pub max_bytes: Option<u64>,
    pub rotation: Option<Rotation>,
    /// Keep this much in memory and write only when released.
    pub flight: Option<Stretch>,
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
}

/// A finished file of a rotated set.
#[derive(Debug)]
struct Closed {
    path: PathBuf,
    bytes: u64,
    blocks: u64,
    rows: u64,
}

/// A block that the flight recorder holds.
#[derive(Debug)]
struct Held {
    block: Box<EncodedBlock>,
    changes: Vec<Change>,
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
    users: Vec<User>,
    held: VecDeque<Held>,
    held_bytes: u64,
    holding: bool,
    /// The file has got its processes, cgroups and users.
    begun: bool,
    previous_head: Option<[u8; 32]>,
    part: u32,
    closed: VecDeque<Closed>,
    /// Files that should be gone, and could not be removed.
    unremoved: Vec<Closed>,
    /// Boot clock of the first and the last row that could not be written.
    lost_ns: Option<(u64, u64)>,
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
            users: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            holding,
            begun: !keeps_state,
            previous_head: None,
            part: 0,
            closed: VecDeque::new(),
            unremoved: Vec::new(),
            lost_ns: None,
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
        let path = self.path();
        // A part gets its name once its header stands: whoever is killed in between leaves a set that reads.
        let mut output = if self.destination.rotation.is_some() {
            Output::create_unnamed(&path, self.destination.force)
        } else {
            Output::create(&path, self.destination.force)
        }
        .map_err(Halt::Output)?;
        output.count_into(Arc::clone(&self.gauge.bytes));
        if output.reserve(64 << 10, END_BYTES).is_err() {
            let _ = if self.destination.rotation.is_some() { output.remove() } else { Ok(()) };
            return Err(Halt::DiskFull);
        }
        let output = Shared(Arc::new(Mutex::new(output)));
        self.header.recording.part = self.part;
        self.header.recording.previous_head = self.previous_head;
        let writer =
            Writer::create_with(output.clone(), &self.header, self.destination.seal.clone()).map_err(halt)?;
        output.with(|output| output.name(&path)).map_err(Halt::Output)?;
        self.file = Some(OpenFile { writer, output, blocks: 0, rows: 0, first_ns: None });
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
        let end = END_BYTES + END_BYTES_PER_BLOCK * (file.blocks + 1);
        if let Some(max) = self.destination.max_bytes {
            let used = self.gauge.bytes.load(Ordering::Relaxed);
            // Small limits leave less room for the end.
            if used + bytes + end.min(max / 16) > max {
                return Err(Halt::MaxSize);
            }
        }
        file.output.with(|output| output.reserve(bytes, end)).map_err(|_| Halt::DiskFull)?;
        file.output.with(Output::mark);
        if let Err(error) = file.writer.block(block) {
            // Half a block must not stand in the way of the file's end.
            file.output.with(Output::rewind);
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
            Side::Cgroups(cgroups) => {
                for cgroup in cgroups {
                    self.cgroups.insert(cgroup.id, cgroup.clone());
                }
            }
            Side::Users(users) => self.users.clone_from(users),
            _ => {}
        }
        // A file that has not begun gets the state at its beginning later; losses of a stretch that is let go are not its.
        if self.begun || matches!(side, Side::Losses(_)) { self.write_side(&side) } else { Ok(()) }
    }

    fn write_side(&mut self, side: &Side) -> Result<(), Halt> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.output.with(Output::mark);
        file.writer.side(side).map_err(|error| {
            file.output.with(Output::rewind);
            halt(error)
        })
    }

    /// Gives a file that begins here the state of here.
    fn begin(&mut self) -> Result<(), Halt> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.cgroups.retain(|_, cgroup| cgroup.removed_ns.is_none());
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
        self.close()?;
        self.part += 1;
        self.begun = false;
        self.open()
    }

    /// Ends the open file.
    fn close(&mut self) -> Result<(), Halt> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let OpenFile { writer, output, blocks, rows, .. } = file;
        let finished = writer.finish().map_err(halt)?;
        let (_, Finished { head, .. }) = finished;
        self.previous_head = Some(head);
        let path = output.with(|output| output.path().to_owned());
        output
            .with(Output::settle)
            .map_err(|source| Halt::Output(OutputError::Io { path: path.clone(), source }))?;
        let bytes = output.with(|output| output.written());
        self.closed.push_back(Closed { path, bytes, blocks, rows });
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
            if fs::remove_file(&oldest.path).is_err() {
                self.unremoved.push(oldest);
                continue;
            }
            self.gauge.bytes.fetch_sub(oldest.bytes, Ordering::Relaxed);
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
        self.held_bytes += block.bytes() as u64;
        self.held.push_back(Held { block, changes });
        while self.held.len() > 1 {
            let Some(oldest) = self.held.front() else { break };
            let keep = match self.destination.flight {
                Some(Stretch::Bytes(bytes)) => self.held_bytes <= bytes,
                Some(Stretch::Time(time)) => oldest.block.last_ns() + time.as_nanos() as u64 >= now_ns,
                None => true,
            };
            if keep {
                break;
            }
            let Some(oldest) = self.held.pop_front() else { break };
            self.held_bytes -= oldest.block.bytes() as u64;
            self.result.left_out_rows += u64::from(oldest.block.rows());
            if let Some(processes) = &mut self.processes {
                oldest.changes.into_iter().for_each(|change| processes.apply(change));
            }
        }
    }

    fn release(&mut self) -> Result<(), Halt> {
        self.holding = false;
        self.result.released = true;
        self.held_bytes = 0;
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
                let (from, to) = self.lost_ns.unwrap_or((block.first_ns(), block.last_ns()));
                self.lost_ns = Some((from.min(block.first_ns()), to.max(block.last_ns())));
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        let held: u64 = self.held.iter().map(|held| u64::from(held.block.rows())).sum();
        self.result.left_out_rows += held;
        let mut outcome = self.begin();
        if let Some((from_ns, to_ns)) = self.lost_ns {
            let side = Side::Losses(vec![Loss {
                host: 0,
                from_ns,
                to_ns,
                cpu: None,
                event: None,
                count: self.result.lost_rows,
                cause: loss::DISK_FULL.to_owned(),
            }]);
            outcome = outcome.and_then(|()| self.write_side(&side));
        }
        outcome = outcome.and_then(|()| self.close());
        if let (Err(halt), None) = (outcome, &self.result.halt) {
            self.result.halt = Some(halt);
        }
        let files = self.unremoved.drain(..).chain(self.closed.drain(..));
        self.result.files = files.map(|closed| closed.path).collect();
        self.result.bytes = self.gauge.bytes.load(Ordering::Relaxed);
    }
}

fn halt(error: format::Error) -> Halt {
    match error {
        format::Error::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
        {
            Halt::DiskFull
        }
        other => Halt::Failed(other),
    }
}
