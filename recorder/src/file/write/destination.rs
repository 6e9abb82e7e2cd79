//! Where a recording goes, and what came of it.

use std::{path::PathBuf, time::Duration};

use format::WriterOptions;

use super::Witness;
use crate::{
    amount::Stretch,
    assemble::{BLOCK_AGE, QUIET_BLOCK_AGE},
    file::output::{OutputError, OutputPlace},
    file::retention::Retention,
    file::rotate::Rotation,
};

/// What `--flight` may hold unless told otherwise.
pub const DEFAULT_FLIGHT_BYTES: u64 = 512 << 20;

/// Where a recording goes.
#[derive(Debug)]
pub struct Destination {
    /// Opened already.
    pub place: OutputPlace,
    pub path: PathBuf,
    /// All files together stay below this.
    pub max_bytes: Option<u64>,
    pub rotation: Option<Rotation>,
    /// Which files of a rotated set stay.
    pub retention: Retention,
    /// Keep this much in memory and write only when released.
    pub flight: Option<Stretch>,
    /// Bytes that may be kept so, however long the stretch is meant to be.
    pub flight_bytes: u64,
    /// Signature and encryption.
    pub seal: WriterOptions,
    /// Who is told the head of the chain at each seal.
    pub witness: Option<Witness>,
}

impl Destination {
    /// How long a block with few rows may wait for more. Who reads along, on a stream or by the heads of the chain, is not
    /// kept waiting; a flight recorder lets go by blocks, and writes none; a part of a set is as long as it was meant to be.
    pub fn quiet_block_age(&self) -> Duration {
        match self.rotation.map(|rotation| rotation.every) {
            _ if self.place.is_stream() || self.flight.is_some() || self.witness.is_some() => BLOCK_AGE,
            Some(Stretch::Time(every)) => every.clamp(BLOCK_AGE, QUIET_BLOCK_AGE),
            _ => QUIET_BLOCK_AGE,
        }
    }
}

/// Why writing ended before the recording did.
#[derive(Debug)]
pub enum Halt {
    DiskFull,
    /// `--max-size` is reached.
    MaxSize,
    /// `--max-disk` does not hold what has to be written, though all older parts are gone.
    MaxDisk,
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
    /// Rows that were in files which `--keep`, `--max-disk` or `--keep-for` has removed since, and how many files those were.
    pub removed_rows: u64,
    pub removed_files: u64,
    /// Files of earlier recordings of the set's name that were removed.
    pub removed_earlier_files: u64,
    /// Removed files, of this recording and of earlier ones, that the store had not said that it has, where somebody uploads them.
    pub removed_unacknowledged_files: u64,
    /// Rows that were recorded and could not be written.
    pub lost_rows: u64,
    /// Rows that a flight recorder let go, or that came after `--max-size` was reached.
    pub left_out_rows: u64,
    /// Heads that the witness did not take.
    pub lost_heads: u64,
    pub halt: Option<Halt>,
    /// The flight recorder wrote what it held.
    pub released: bool,
}
