//! The tables before the events: who was there, and what their descriptors stood for.

use std::net::{IpAddr, SocketAddr};

use crate::scap::{block, descriptor};

use super::cursor::Cursor;

/// A thread of the process table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Task {
    pub tid: u32,
    pub pid: u32,
    /// Of the thread that made it.
    pub ptid: u32,
    pub session: u32,
    pub comm: Vec<u8>,
    pub exe: Vec<u8>,
    /// Each argument followed by a NUL.
    pub argv: Vec<u8>,
    pub cwd: Vec<u8>,
    pub uid: u32,
    pub gid: u32,
    pub ns_tid: u32,
    pub ns_pid: u32,
    pub cgroups: Vec<u8>,
}

/// Reads the threads of a process table; `None` where it does not read.
pub fn tasks(kind: u32, body: &[u8]) -> Option<Vec<Task>> {
    let version = block::PROCESSES.iter().position(|known| *known == kind)? + 1;
    let mut cursor = Cursor(body);
    let mut tasks = Vec::new();
    // What is shorter than a length is padding.
    while cursor.0.len() >= 4 {
        tasks.push(match version {
            9 => {
                let length = cursor.u32()?.checked_sub(4)?;
                task(version, &mut Cursor(cursor.take(length as usize)?))?
            }
            _ => task(version, &mut cursor)?,
        });
    }
    Some(tasks)
}

fn task(version: usize, cursor: &mut Cursor<'_>) -> Option<Task> {
    let mut task = Task { tid: id(cursor)?, pid: id(cursor)?, ptid: id(cursor)?, ..Task::default() };
    if version >= 6 {
        task.session = id(cursor)?;
    }
    if version >= 8 {
        // Its group, in its own namespace.
        cursor.u64()?;
    }
    task.comm = cursor.text()?.to_vec();
    let first = cursor.text()?;
    // Before the path of the executable was kept, its first argument is the nearest to it.
    task.exe = if version >= 7 { cursor.text()? } else { first }.to_vec();
    let rest = cursor.text()?;
    if !first.is_empty() {
        task.argv = [first, b"\0", rest].concat();
        if !task.argv.ends_with(b"\0") {
            task.argv.push(0);
        }
    }
    task.cwd = cursor.text()?.to_vec();
    // The limit of descriptors, and flags.
    cursor.take(12)?;
    task.uid = cursor.u32()?;
    task.gid = cursor.u32()?;
    if version >= 2 {
        // Memory and faults.
        cursor.take(3 * 4 + 2 * 8)?;
    }
    if version >= 3 {
        // The environment.
        cursor.text()?;
    }
    if version >= 4 {
        task.ns_tid = id(cursor)?;
        task.ns_pid = id(cursor)?;
        task.cgroups = cursor.text()?.to_vec();
    }
    if version >= 5 && cursor.0.len() >= 2 {
        // The root directory.
        cursor.text()?;
    }
    Some(task)
}

/// An id of eight bytes; those that are none are 0.
fn id(cursor: &mut Cursor<'_>) -> Option<u32> {
    cursor.u64().map(|id| u32::try_from(id).unwrap_or(0))
}

/// Descriptors by number, with what each stands for.
pub type Descriptors = Vec<(i32, Vec<u8>)>;

/// Reads the descriptors of one process: its number, and what each stands for.
pub fn descriptors(kind: u32, body: &[u8]) -> Option<(u32, Descriptors)> {
    let has_lengths = kind == block::DESCRIPTORS;
    let mut cursor = Cursor(body);
    let tid = id(&mut cursor)?;
    let mut all = Vec::new();
    while cursor.0.len() >= 4 {
        let (number, stands_for) = match has_lengths {
            true => {
                let length = cursor.u32()?.checked_sub(4)?;
                one(&mut Cursor(cursor.take(length as usize)?))?
            }
            false => one(&mut cursor)?,
        };
        if let Some(stands_for) = stands_for {
            all.push((number, stands_for));
        }
    }
    Some((tid, all))
}

fn one(cursor: &mut Cursor<'_>) -> Option<(i32, Option<Vec<u8>>)> {
    let number = cursor.u64()? as i64;
    let inode = cursor.u64()?;
    let kind = cursor.u8()?;
    let stands_for = match kind {
        descriptor::IPV4 | descriptor::IPV6 => {
            let size = if kind == descriptor::IPV4 { 4 } else { 16 };
            let (local, remote) = (cursor.take(size)?, cursor.take(size)?);
            let (local_port, remote_port) = (cursor.u16()?, cursor.u16()?);
            let word = protocol(cursor.u8()?);
            let (local, remote) = (end(local, local_port)?, end(remote, remote_port)?);
            Some(format!("{word} {local}->{remote}").into_bytes())
        }
        descriptor::IPV4_LISTENING | descriptor::IPV6_LISTENING => {
            let size = if kind == descriptor::IPV4_LISTENING { 4 } else { 16 };
            let local = cursor.take(size)?;
            let port = cursor.u16()?;
            let word = protocol(cursor.u8()?);
            Some(format!("{word} {}", end(local, port)?).into_bytes())
        }
        descriptor::UNIX => {
            // Both sockets in the kernel.
            cursor.take(16)?;
            let name = cursor.text()?;
            Some(match name {
                b"" => format!("unix [{inode}]").into_bytes(),
                name => [b"unix ", name].concat(),
            })
        }
        descriptor::FILE_V2 => {
            // Its flags; its device follows in newer files.
            cursor.u32()?;
            Some(cursor.text()?.to_vec())
        }
        descriptor::PIPE => {
            let name = cursor.text()?;
            Some(if name.is_empty() { format!("pipe:[{inode}]").into_bytes() } else { name.to_vec() })
        }
        descriptor::FILE | descriptor::DIRECTORY | descriptor::EVENT..=descriptor::NETLINK => {
            Some(cursor.text()?.to_vec())
        }
        // Of kinds that are not known, nothing says how long they are, unless an entry does.
        _ => return Some((number as i32, None)),
    };
    Some((number as i32, stands_for.filter(|text| !text.is_empty())))
}

fn protocol(number: u8) -> &'static str {
    match number {
        2 => "tcp",
        3 => "udp",
        4 => "icmp",
        5 => "raw",
        _ => "socket",
    }
}

fn end(ip: &[u8], port: u16) -> Option<SocketAddr> {
    let ip: IpAddr = match ip.first_chunk::<16>() {
        Some(ip) => (*ip).into(),
        None => (*ip.first_chunk::<4>()?).into(),
    };
    Some(SocketAddr::new(ip, port))
}

/// Users by number.
pub fn users(kind: u32, body: &[u8]) -> Option<Vec<(u32, String)>> {
    let mut cursor = Cursor(body);
    let mut users = Vec::new();
    while cursor.0.len() >= 4 {
        let mut entry = match kind {
            block::USERS => {
                let length = cursor.u32()?.checked_sub(4)?;
                Cursor(cursor.take(length as usize)?)
            }
            _ => cursor,
        };
        let is_user = entry.u8()? == 0;
        let id = entry.u32()?;
        if is_user {
            entry.u32()?;
        }
        let name = entry.text()?;
        if is_user {
            entry.text()?;
            entry.text()?;
            users.push((id, String::from_utf8_lossy(name).into_owned()));
        }
        if kind != block::USERS {
            cursor = entry;
        }
    }
    Some(users)
}

/// The host's name, of the machine's block.
pub fn host(body: &[u8]) -> Option<String> {
    let name = body.get(20..148)?.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}
