//! `tracer merge`: captures of several hosts as one, by wall clock, each event with its host.

use anyhow::{Context, Result, bail};
use clap::Args;
use format::rewrite::{AsItIs, Place};
use format::{Capture, Clock, Header};

use crate::inputs::Inputs;
use crate::outcome::Outcome;
use crate::target::{self, Target};

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    target: Target,
    /// Merge captures that were recorded with different filters, policies or events, and forget these: what matched then is
    /// no longer known, and what was not recorded is not told
    #[arg(long)]
    forget_scopes: bool,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let Inputs { files, reading } = &options.inputs;
    if files.len() < 2 {
        bail!("merge makes one capture of several: give two or more");
    }
    let captures: Vec<Capture> = files.iter().map(|file| reading.open(file)).collect::<Result<_>>()?;
    let sources: Vec<String> = files.iter().map(|file| reading.provenance(file)).collect::<Result<_>>()?;
    let (mut header, places) = join(&captures, &sources)?;
    if let Some((other, what)) = difference(&captures) {
        let name = files.get(other).map(|file| file.display().to_string()).unwrap_or_default();
        if !options.forget_scopes {
            bail!(
                "{name} was recorded with other {what} than the first capture: one header cannot say what both recorded \
                 (--forget-scopes merges them without)"
            );
        }
        let recording = &mut header.recording;
        recording.filters.clear();
        recording.policies.clear();
        recording.events.clear();
        recording.made_from =
            format!("merge --forget-scopes{}", recording.made_from.trim_start_matches("merge"));
    }
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
    options.target.finish(writer)?;
    Ok(Outcome::Done)
}

/// The header of the whole, and what becomes of each file. Boot clocks of different hosts have nothing to do with each
/// other, so in the merged capture every "boot clock" counts from 1970, like the wall clock.
fn join(captures: &[Capture], sources: &[String]) -> Result<(Header, Vec<Place>)> {
    let Some(first) = captures.first() else { bail!("nothing to merge") };
    let mut header = target::header(first, "merge", sources);
    let wall_of = |capture: &Capture| {
        let clock = capture.header().clock;
        clock.wall_ns.wrapping_sub(clock.boot_ns)
    };
    let (mut places, mut hosts, mut recordings) = (Vec::new(), Vec::new(), Vec::new());
    for capture in captures {
        let own = capture.header();
        places.push(Place { host: hosts.len() as u16, shift_ns: wall_of(capture) });
        for (host, at) in own.hosts().zip(0u16..) {
            hosts.push(host.clone());
            let mut recording = own.recording_of(at).clone();
            recording.start_ns = recording.start_ns.wrapping_add(wall_of(capture));
            recording.previous_head = None;
            recordings.push(recording);
        }
        for event in capture.schema().declarations() {
            if !header.schema.iter().any(|known| known.id == event.id) {
                header.schema.push(event);
            }
        }
        header.recording.only_matched |= own.recording.only_matched;
        for lacking in &own.recording.unavailable {
            if !header.recording.unavailable.contains(lacking) {
                header.recording.unavailable.push(lacking.clone());
            }
        }
        for line in own.recording.made_from.lines() {
            if !header.recording.made_from.lines().any(|known| known == line) {
                header.recording.made_from.push('\n');
                header.recording.made_from.push_str(line);
            }
        }
        let starts = [header.recording.start_ns, own.recording.start_ns.wrapping_add(wall_of(capture))];
        header.recording.start_ns = if places.len() == 1 { starts[1] } else { starts[0].min(starts[1]) };
    }
    if hosts.len() > usize::from(u16::MAX) {
        bail!("{} hosts are too many for one capture", hosts.len());
    }
    let wall = captures.iter().map(|capture| capture.header().clock.wall_ns).min().unwrap_or_default();
    header.clock = Clock { monotonic_ns: 0, boot_ns: wall, wall_ns: wall };
    let mut hosts = hosts.into_iter();
    header.host = hosts.next().unwrap_or_default();
    header.more_hosts = hosts.collect();
    // What each host recorded; readers go by the first host's, which is why others are refused.
    header.more_recordings = recordings.into_iter().skip(1).collect();
    Ok((header, places))
}

/// The first capture that was recorded otherwise than the one before all, and in what.
fn difference(captures: &[Capture]) -> Option<(usize, &'static str)> {
    let recording = |capture: &Capture| capture.header().recording.clone();
    let first = recording(captures.first()?);
    captures.iter().map(recording).enumerate().find_map(|(at, own)| {
        let differs = |is: bool, what| is.then_some((at, what));
        differs(own.filters != first.filters, "filters")
            .or(differs(own.policies != first.policies, "policies"))
            .or(differs(own.events != first.events, "events"))
            .or(differs(own.only_matched != first.only_matched, "rules of what is kept (--only-matched)"))
    })
}
