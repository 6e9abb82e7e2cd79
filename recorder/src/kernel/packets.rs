//! The programs that see packets: attached to the root control group, so that all sockets are below it.

use std::{fs::File, path::Path};

use aya::{
    Ebpf,
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType},
};

use super::load::chain;

const PROGRAMS: [(&str, CgroupSkbAttachType); 2] =
    [("packet_in", CgroupSkbAttachType::Ingress), ("packet_out", CgroupSkbAttachType::Egress)];

/// Where the unified hierarchy is mounted: alone, or beside the older ones.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut CgroupSkb, String> {
    let program = ebpf.program_mut(name).ok_or_else(|| format!("the object has no program `{name}`"))?;
    program.try_into().map_err(|error: aya::programs::ProgramError| chain(&error))
}

pub fn load(ebpf: &mut Ebpf) -> Result<(), String> {
    PROGRAMS.iter().try_for_each(|(name, _)| program(ebpf, name)?.load().map_err(|error| chain(&error)))
}

pub fn attach(ebpf: &mut Ebpf) -> Result<(), String> {
    let root = ROOTS
        .iter()
        .find(|root| Path::new(root).join("cgroup.controllers").exists())
        .ok_or("no control group hierarchy of version 2 is mounted")?;
    let root = File::open(root).map_err(|error| format!("cannot open {root}: {error}"))?;
    PROGRAMS.iter().try_for_each(|(name, direction)| {
        // The kernel lets others attach beside us in any case; asking for it by flags is what it refuses.
        let attached = program(ebpf, name)?.attach(&root, *direction, CgroupAttachMode::Single);
        attached.map(drop).map_err(|error| chain(&error))
    })
}
