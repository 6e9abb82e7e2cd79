//! `tracer merge`: captures of several hosts as one, by wall clock, each event with its host.

use anyhow::{Context, Result, bail};
use clap::Args;
use format::rewrite::{AsItIs, Place};
use format::{Capture, Clock, Header, SourceCapture, recorded};

use crate::inputs::Inputs;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::provenance;
use crate::target::Target;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    target: Target,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let (files, reading) = (options.inputs.files()?, &options.inputs.reading);
    if files.len() < 2 {
        bail!("merge makes one capture of several: give two or more");
    }
    let progress = Progress::of(files);
    let captures: Vec<Capture> = files.iter().map(|file| reading.open(file)).collect::<Result<_>>()?;
    let sources = files.iter().map(|file| reading.provenance(file)).collect::<Result<_>>()?;
    let (header, places) = join(&captures, sources)?;
    let mut writer = options.target.create(&header, &options.inputs.paths())?;
    let mut copier = options.target.copier();
    let mut blocks = Vec::new();
    for (file, (capture, place)) in captures.iter().zip(&places).enumerate() {
        copier.sides(capture, &mut writer, &mut AsItIs, *place).context("writing")?;
        let firsts = capture.blocks().iter().enumerate();
        blocks.extend(
            firsts.map(|(block, info)| (info.statistics.first_ns.wrapping_add(place.shift_ns), file, block)),
        );
    }
    blocks.sort_unstable();
    for (_, file, block) in blocks {
        if let (Some(capture), Some(place), Some(name)) =
            (captures.get(file), places.get(file), files.get(file))
        {
            copier
                .block(capture, block, &mut writer, &mut AsItIs, *place)
                .with_context(|| name.display().to_string())?;
        }
    }
    for (capture, place) in captures.iter().zip(&places) {
        copier.artifacts(capture, &mut writer, &mut AsItIs, *place).context("writing")?;
    }
    drop(progress);
    options.target.finish(writer)?;
    Ok(Outcome::Done)
}

/// The header of the whole, and what becomes of each file. Boot clocks of different hosts have nothing to do with each
/// other, so in the merged capture every "boot clock" counts from 1970, like the wall clock. Each host keeps how it was
/// recorded: the same scope may be another question on another host.
fn join(captures: &[Capture], sources: Vec<SourceCapture>) -> Result<(Header, Vec<Place>)> {
    let all: Vec<&Capture> = captures.iter().collect();
    let mut header = provenance::header(&all, vec!["tracer".into(), "merge".into()], sources);
    let (mut places, mut hosts, mut recordings) = (Vec::new(), Vec::new(), Vec::new());
    for capture in captures {
        let own = capture.header();
        let shift_ns = own.clock.wall_ns.wrapping_sub(own.clock.boot_ns);
        places.push(Place { host: u16::try_from(hosts.len()).unwrap_or(u16::MAX), shift_ns });
        for (host, at) in own.hosts().zip(0u16..) {
            let mut recording = own.recording_of(at).clone();
            recording.start_ns = match recording.start_ns {
                0 => own.clock.wall_ns,
                start => start.wrapping_add(shift_ns),
            };
            recording.previous_head = None;
            if let Some(began) = recording.number(recorded::BEGAN_NS) {
                let began = began.wrapping_add(shift_ns).to_string();
                recording.more.insert(recorded::BEGAN_NS.into(), began);
            }
            if let Some(end) = recording.number(recorded::ENDED_NS).filter(|end| *end != recorded::GOES_ON) {
                let end = end.wrapping_add(shift_ns).to_string();
                recording.more.insert(recorded::ENDED_NS.into(), end);
            }
            hosts.push(host.clone());
            recordings.push(recording);
        }
        for event in capture.schema().declarations() {
            if !header.schema.iter().any(|known| known.id == event.id) {
                header.schema.push(event);
            }
        }
    }
    if hosts.len() > usize::from(u16::MAX) {
        bail!("{} hosts are too many for one capture", hosts.len());
    }
    let wall = captures.iter().map(|capture| capture.header().clock.wall_ns).min().unwrap_or_default();
    header.clock = Clock { monotonic_ns: 0, boot_ns: wall, wall_ns: wall };
    let (mut hosts, mut recordings) = (hosts.into_iter(), recordings.into_iter());
    header.host = hosts.next().unwrap_or_default();
    header.recording = recordings.next().unwrap_or_default();
    header.more_hosts = hosts.collect();
    header.more_recordings = recordings.collect();
    Ok((header, places))
}
