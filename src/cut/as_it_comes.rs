//! A capture on standard input of which all rows stay: it is copied as it comes, and nothing of it is kept. Whoever cuts out a
//! stretch of time or what a filter matches has to know of what comes later, and reads it twice: see [`crate::spool`].

use std::collections::BTreeMap;
use std::io::{self, Read};

use anyhow::{Context, Result, bail};
use format::rewrite::Place;
use format::{Block, ClockOffset, Side, SourceCapture, StreamReader, Streamed};

use super::Options;
use super::columns::Columns;
use super::keep::Keep;
use crate::outcome::Outcome;
use crate::provenance;
use crate::stderr;

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

pub fn run(options: &Options) -> Result<Outcome> {
    let name = options.input.name();
    let mut stream = Stream {
        reader: StreamReader::new(options.input.reading.identity.options()?),
        buffer: vec![0; PIECE],
        is_over: false,
    };
    let Some(Streamed::Head(head)) = stream.next().with_context(|| name.clone())? else {
        bail!("{name}: no capture came");
    };
    let columns = Columns::parse(&options.keep, &options.drop, head.schema())?;
    let verdict = "not verified: it was read as it came".to_owned();
    let source = SourceCapture { name: name.clone(), verdict, ..SourceCapture::default() };
    let header = provenance::header(&[&head], options.command(), vec![source]);
    let mut writer = options.target.create(&header, &options.input.paths())?;
    let mut copier = options.target.copier();
    let mut keep = Keep::all(&columns);
    copier.sides(&head, &mut writer, &mut keep, Place::default())?;
    let mut outcome = Outcome::Done;
    let mut artifacts = head.artifacts().to_vec();
    let mut clocks = Clocks::default();
    while let Some(streamed) = stream.next().with_context(|| name.clone())? {
        match streamed {
            Streamed::Block(block, _) => {
                clocks.block(&block);
                copier.arrived(&head, &block, &mut writer, &mut keep, Place::default())?;
            }
            // They are written once it is known of which the bytes have come.
            Streamed::Side(Side::Artifacts(more)) => artifacts.extend(more),
            Streamed::Content(content) => {
                writer.content(&content)?;
            }
            Streamed::Side(side) => {
                clocks.is_told |= matches!(side, Side::Clocks(_));
                copier.side(side, &mut writer, &mut keep, Place::default())?;
            }
            Streamed::Missing(what) => {
                stderr::warn(format_args!("{name}: {what}"));
                outcome = Outcome::Partial;
            }
            Streamed::Head(_) | Streamed::End { .. } => {}
        }
    }
    if let Some(side) = clocks.side() {
        copier.side(side, &mut writer, &mut keep, Place::default())?;
    }
    copier.artifact_records(artifacts, &mut writer, Place::default())?;
    options.target.finish(writer)?;
    Ok(outcome)
}

/// The clocks of hosts, as the blocks that came tell them.
#[derive(Default)]
struct Clocks {
    /// By host: rising.
    offsets: BTreeMap<u16, Vec<ClockOffset>>,
    /// What came is made from another capture, whose clocks it tells.
    is_told: bool,
}

impl Clocks {
    fn block(&mut self, block: &Block) {
        let (host, clock) = (block.host(), block.clock());
        let wall_offset_ns = clock.wall_ns.wrapping_sub(clock.boot_ns);
        let of_host = self.offsets.entry(host).or_default();
        if of_host.last().is_none_or(|last| last.wall_offset_ns != wall_offset_ns) {
            of_host.push(ClockOffset { host, from_ns: block.extent().0, wall_offset_ns });
        }
    }

    fn side(self) -> Option<Side> {
        let is_new = !self.is_told && !self.offsets.is_empty();
        is_new.then(|| Side::Clocks(self.offsets.into_values().flatten().collect()))
    }
}

/// What comes on standard input, taken apart.
struct Stream {
    reader: StreamReader,
    buffer: Vec<u8>,
    is_over: bool,
}

impl Stream {
    fn next(&mut self) -> Result<Option<Streamed>> {
        loop {
            if let Some(streamed) = self.reader.pull()? {
                return Ok(Some(streamed));
            }
            if self.is_over {
                return Ok(self.reader.end()?);
            }
            match io::stdin().lock().read(&mut self.buffer) {
                Ok(read) => {
                    self.is_over = read == 0;
                    self.reader.push(self.buffer.get(..read).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
