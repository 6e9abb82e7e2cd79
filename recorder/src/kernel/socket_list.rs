//! Who has which socket when a recording begins.
//!
//! A BPF iterator goes through the descriptors of all tasks, in all network namespaces, and sees every kind of socket,
//! also those that sock_diag does not tell of (ping's); it gives each a cookie and says who holds it with the exact
//! start times. Kernels before 5.15 cannot: there, older sockets have no owner until they are used again.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use aya::{Ebpf, maps::HashMap, programs::Iter};
use events::{
    abi::{
        CONTEXT_BYTES, HEADER_BYTES, WireContext,
        owners::{Listening, Owner, state},
    },
    context::ContextFlags,
};

use super::{decode, hooks::brief, load::chain};

/// A task that held sockets.
#[derive(Clone, PartialEq, Debug)]
pub struct SocketOwner {
    /// What the programs refer to it by. Ids of the programs' own have the CPU above bit 44, counted from 1.
    pub id: u64,
    pub context: WireContext,
    pub exe: Vec<u8>,
}

/// A socket that was open.
#[derive(Clone, Debug)]
struct Row {
    cookie: u64,
    listening: Option<Listening>,
    owner: WireContext,
}

/// Lists the sockets and tells the programs whose they are. What has been noted since they were attached stays.
pub fn take(ebpf: &mut Ebpf, btf: &aya::Btf) -> Result<Vec<SocketOwner>, String> {
    const IF_NEW: u64 = 1;
    let rows = rows(&read(ebpf, btf)?);
    let owners = owners(&rows);
    for name in ["OWNERS", "LISTENERS"] {
        let map = ebpf.map_mut(name).ok_or_else(|| format!("the object has no map `{name}`"))?;
        let failed = |error: aya::maps::MapError| chain(&error);
        if name == "OWNERS" {
            let mut map: HashMap<_, u64, [u8; Owner::BYTES]> = map.try_into().map_err(failed)?;
            for row in &rows {
                // One that is there has been noted by the owner's own doing.
                let _ = map.insert(row.cookie, owner_of(row, &owners).to_bytes(), IF_NEW);
            }
        } else {
            let mut map: HashMap<_, [u8; Listening::BYTES], [u8; Owner::BYTES]> =
                map.try_into().map_err(failed)?;
            for (row, listening) in rows.iter().filter_map(|row| Some((row, row.listening?))) {
                let _ = map.insert(listening.to_bytes(), owner_of(row, &owners).to_bytes(), IF_NEW);
            }
        }
    }
    Ok(owners)
}

fn read(ebpf: &mut Ebpf, btf: &aya::Btf) -> Result<Vec<u8>, String> {
    let program = ebpf.program_mut("list_sockets").ok_or("the object has no program `list_sockets`")?;
    let program: &mut Iter =
        program.try_into().map_err(|error: aya::programs::ProgramError| brief(&error))?;
    program.load("task_file", btf).map_err(|error| brief(&error))?;
    let link = program.attach().and_then(|id| program.take_link(id)).map_err(|error| brief(&error))?;
    let mut bytes = Vec::new();
    let mut file = link.into_file().map_err(|error| chain(&error))?;
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn rows(bytes: &[u8]) -> Vec<Row> {
    bytes.chunks_exact(HEADER_BYTES + CONTEXT_BYTES).filter_map(row).collect()
}

fn row(bytes: &[u8]) -> Option<Row> {
    let word = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes);
    let half = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes);
    let (cookie, net, port, socket_state) = (word(0)?, word(8)?, half(16)?, half(20)?);
    let is_listening = u64::from(socket_state) == state::LISTEN;
    Some(Row {
        cookie,
        listening: is_listening.then_some(Listening { net, port, spare: 0 }),
        owner: decode::context(bytes)?,
    })
}

/// Each task once, in order of thread id.
fn owners(rows: &[Row]) -> Vec<SocketOwner> {
    let tasks: BTreeMap<u32, &WireContext> = rows.iter().map(|row| (row.owner.tid, &row.owner)).collect();
    tasks
        .values()
        .zip(1u64..)
        .map(|(context, id)| {
            let mut context = **context;
            let exe = executable(context.pid).unwrap_or_default();
            if exe.is_empty() {
                context.flags |= ContextFlags::EXE_UNKNOWN;
            }
            SocketOwner { id, context, exe }
        })
        .collect()
}

fn executable(pid: u32) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt as _;
    let target = std::fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe")).ok()?;
    let mut path = target.into_os_string().into_vec();
    if let Some(kept) = path.strip_suffix(b" (deleted)") {
        path.truncate(kept.len());
    }
    Some(path)
}

fn owner_of(row: &Row, owners: &[SocketOwner]) -> Owner {
    let found = owners.binary_search_by_key(&row.owner.tid, |owner| owner.context.tid);
    Owner {
        pid: row.owner.pid,
        tid: row.owner.tid,
        process_start_ns: row.owner.process_start_ns,
        thread_start_ns: row.owner.thread_start_ns,
        context: found.ok().and_then(|place| owners.get(place)).map_or(0, |owner| owner.id),
        flags: 0,
        spare: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_bytes(cookie: u64, state: u32, pid: u32, tid: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES + CONTEXT_BYTES];
        bytes[..8].copy_from_slice(&cookie.to_ne_bytes());
        bytes[8..16].copy_from_slice(&0xffff_8880_0000_0000u64.to_ne_bytes());
        bytes[16..20].copy_from_slice(&8080u32.to_ne_bytes());
        bytes[20..24].copy_from_slice(&state.to_ne_bytes());
        bytes[40..44].copy_from_slice(&pid.to_ne_bytes());
        bytes[44..48].copy_from_slice(&tid.to_ne_bytes());
        bytes
    }

    #[test]
    fn each_holder_of_sockets_is_told_once_and_its_sockets_refer_to_it() {
        let mut bytes = row_bytes(7, 1, 20, 21);
        bytes.extend(row_bytes(8, 10, 20, 21));
        bytes.extend(row_bytes(9, 1, 4, 4));
        bytes.extend([1; 30]); // a torn end
        let rows = rows(&bytes);
        let owners = owners(&rows);
        assert_eq!(owners.iter().map(|o| (o.id, o.context.tid)).collect::<Vec<_>>(), [(1, 4), (2, 21)]);
        let of: Vec<_> = rows.iter().map(|row| (row.cookie, owner_of(row, &owners).context)).collect();
        assert_eq!(of, [(7, 2), (8, 2), (9, 1)]);
        assert_eq!(rows[1].listening.map(|l| l.port), Some(8080));
        assert!(rows[0].listening.is_none());
    }

    #[test]
    fn an_owner_is_written_as_the_programs_read_it() {
        let owner =
            Owner { pid: 1, tid: 2, process_start_ns: 3, thread_start_ns: 4, context: 5, flags: 6, spare: 0 };
        let bytes = owner.to_bytes();
        assert_eq!([bytes[0], bytes[4], bytes[8], bytes[16], bytes[24], bytes[32]], [1, 2, 3, 4, 5, 6]);
    }
}
