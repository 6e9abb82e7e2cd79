//! The programs that see packets and the making of sockets: attached to the root control group, all sockets below it.

use std::{fs::File, path::PathBuf};

use aya::{
    Ebpf,
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, Program},
};
use events::{EventId, catalogue::network};

use super::{
    hooks::brief,
    socket_list::{self, SocketOwner},
};
use crate::containers::cgroups::unified_mount;

pub const EVENT: EventId = network::NET_PACKET;

/// Room for 36,000 packets of the default snap length.
pub const RING_BYTES: u32 = 16 << 20;
/// A record must be smaller than the largest write.
pub const LARGEST_SNAPLEN: usize = 60_000;
/// Sockets and listening sockets whose owners are kept; the least used give way.
pub const OWNERS: (u32, u32) = (65_536, 4096);

const PACKETS: [(&str, CgroupSkbAttachType); 2] =
    [("packet_in", CgroupSkbAttachType::Ingress), ("packet_out", CgroupSkbAttachType::Egress)];
const SOCKETS: &str = "socket_created";

fn program<'a, T>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut T, String>
where
    &'a mut T: TryFrom<&'a mut Program, Error = aya::programs::ProgramError>,
{
    let program = ebpf.program_mut(name).ok_or_else(|| format!("the object has no program `{name}`"))?;
    program.try_into().map_err(|error| brief(&error))
}

/// The root control group, wherever the unified hierarchy is mounted: alone, or beside the older ones.
fn root() -> Result<File, String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")
        .map_err(|error| format!("cannot read /proc/self/mounts: {error}"))?;
    let root: PathBuf = unified_mount(&mounts).ok_or("no control group hierarchy of version 2 is mounted")?;
    File::open(&root).map_err(|error| format!("cannot open {}: {error}", root.display()))
}

// The kernel lets others attach beside us in any case; asking for it by flags is what it refuses.
const MODE: CgroupAttachMode = CgroupAttachMode::Single;

pub fn load(ebpf: &mut Ebpf) -> Result<(), String> {
    PACKETS
        .iter()
        .try_for_each(|(name, _)| program::<CgroupSkb>(ebpf, name)?.load().map_err(|error| brief(&error)))
}

pub fn attach(ebpf: &mut Ebpf) -> Result<(), String> {
    let root = root()?;
    PACKETS.iter().try_for_each(|(name, direction)| {
        let attached = program::<CgroupSkb>(ebpf, name)?.attach(&root, *direction, MODE);
        attached.map(drop).map_err(|error| brief(&error))
    })
}

/// Notes the owners of sockets, from their making on, and of those that are there already.
pub fn know_owners(ebpf: &mut Ebpf, btf: &aya::Btf) -> Result<Vec<SocketOwner>, String> {
    let root = root()?;
    let created: &mut CgroupSock = program(ebpf, SOCKETS)?;
    let attached = created.load().and_then(|()| created.attach(&root, MODE).map(drop));
    attached.map_err(|error| format!("the making of sockets cannot be watched: {}", brief(&error)))?;
    socket_list::take(ebpf, btf)
        .map_err(|reason| format!("sockets that are older than the recording cannot be listed: {reason}"))
}
