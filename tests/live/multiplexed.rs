//! Calls that a 32-bit task makes through another one: told as what they mean, with the arguments that they have then.

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::host::{ensure, events, same};
use crate::narrow;

pub const TESTS: &[Test] =
    &[("calls_through_socketcall_and_its_kin_are_told_as_what_they_mean", told_as_meant)];

/// What the program does: see [`program::run`].
pub const MULTIPLEXED: &str = "multiplexed";

/// The calls as they are told, in order.
const CALLS: &[&str] = &[
    "socket",
    "setsockopt",
    "bind",
    "getsockname",
    "socket",
    "connect",
    "sendto",
    "sendto",
    "recvfrom",
    "recvfrom",
    "socketpair",
    "sendmsg",
    "recvmsg",
    "shutdown",
    "getsockopt",
    "socket",
    "bind",
    "listen",
    "socket",
    "connect",
    "accept",
    "getpeername",
    "select",
    "shmget",
    "shmat",
    "shmctl",
    "shmdt",
    "shmctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "semctl",
    "openat",
    "mmap",
    // What means nothing, and what nobody can read, is the call that it is.
    "socketcall",
    "socketcall",
    "ipc",
    "old_select",
    "old_mmap",
];

fn told_as_meant() -> Result<(), Failed> {
    let Some((recorded, rows)) = narrow::recorded(MULTIPLEXED, &["--strict"])? else { return Ok(()) };
    let compat: Vec<&Value> = rows
        .iter()
        .filter(|row| row["contextFlags"]["isCompat"] == true)
        .filter(|row| !row["eventName"].as_str().is_some_and(|name| name.contains("security_")))
        .filter(|row| row["syscall"] == row["eventName"])
        .collect();
    let names: Vec<&str> = compat.iter().filter_map(|row| row["eventName"].as_str()).collect();
    same("calls", names.clone(), CALLS.to_vec())?;
    // The n-th call of a name.
    let row = |name: &str, which: usize| -> Result<&Value, Failed> {
        let mut all = compat.iter().filter(|row| row["eventName"] == name);
        Ok(all.nth(which).ok_or_else(|| format!("no {name}"))?)
    };
    let argument = |name: &str, which: usize, argument: &str| -> Result<Value, Failed> {
        let row = row(name, which)?;
        let mut all = row["args"].as_array().into_iter().flatten();
        let found = all.find(|one| one["name"] == argument);
        Ok(found.ok_or_else(|| format!("{name} has no {argument}: {row}"))?["value"].clone())
    };
    let number = |value: &Value| value.as_i64().unwrap_or(-1);
    for row in compat.iter().take(CALLS.len() - 5) {
        ensure(number(&row["returnValue"]) >= 0, || format!("it failed: {row}"))?;
        let marks = row["marks"].to_string();
        ensure(!marks.contains("changed") && !marks.contains("uncompared"), || {
            format!("nobody touched it: {row}")
        })?;
    }
    // Its own arguments, and the descriptor that it returned before.
    let server = row("socket", 0)?["returnValue"].clone();
    let client = row("socket", 1)?["returnValue"].clone();
    same("bind's descriptor", argument("bind", 0, "sockfd")?, server.clone())?;
    same("connect's descriptor", argument("connect", 0, "sockfd")?, client.clone())?;
    let address = argument("connect", 0, "addr")?;
    same("connect's address", address["sin_addr"].clone(), json!("127.0.0.1"))?;
    same("its family", address["sa_family"].clone(), json!("AF_INET"))?;
    same("and where it is bound", argument("bind", 0, "addr")?["sin_addr"].clone(), json!("127.0.0.1"))?;
    let sent = |which| argument("sendto", which, "buf");
    ensure(sent(0)?.to_string().contains("aGVsbG8") || sent(0)?.to_string().contains("hello"), || {
        format!("send's bytes: {:?}", sent(0))
    })?;
    same("send has no address", argument("sendto", 0, "dest_addr")?, Value::Null)?;
    ensure(!argument("sendto", 1, "dest_addr")?.is_null(), || "sendto has one".to_owned())?;
    same("what recv got", argument("recvfrom", 0, "buf")?, sent(0)?)?;
    same("accept's descriptor", argument("accept", 0, "sockfd")?, row("socket", 2)?["returnValue"].clone())?;
    same("select's number", number(&argument("select", 0, "nfds")?), number(&server) + 1)?;
    ensure(!argument("select", 0, "readfds")?.is_null(), || "select's descriptors".to_owned())?;

    // System V: the address that is attached is the result, though the call says it elsewhere.
    let segment = row("shmget", 0)?["returnValue"].clone();
    same("shmat's segment", argument("shmat", 0, "shmid")?, segment.clone())?;
    let attached = number(&row("shmat", 0)?["returnValue"]);
    ensure(attached > 0 && attached % 4096 == 0, || format!("attached at {attached}"))?;
    same("shmctl's segment", argument("shmctl", 0, "shmid")?, segment)?;
    same("its command", number(&argument("shmctl", 0, "cmd")?), 2)?;
    ensure(argument("shmctl", 0, "buf")?.is_object(), || "what the segment is".to_owned())?;
    same("messages", argument("msgrcv", 0, "msgp")?, argument("msgsnd", 0, "msgp")?)?;
    same("messages by the old form", argument("msgrcv", 1, "msgp")?, argument("msgsnd", 1, "msgp")?)?;
    same("their type", number(&argument("msgrcv", 1, "msgtyp")?), 7)?;
    same("semop's operations", number(&argument("semop", 0, "nsops")?), 1)?;
    ensure(!argument("semop", 0, "sops")?.is_null(), || "semop's operation".to_owned())?;
    let timeout = argument("semtimedop", 0, "timeout")?;
    same("semtimedop's time", timeout["tv_sec"].clone(), json!(5))?;
    same("mmap's length", number(&argument("mmap", 0, "length")?), 8192)?;
    same("its file", argument("mmap", 0, "fd")?, row("openat", 0)?["returnValue"].clone())?;
    same("its offset", number(&argument("mmap", 0, "off")?), 4096)?;

    // People ask for them by their names.
    let asked = |filter: &str| -> Result<usize, Failed> {
        let compat = "binary=*/live-*";
        Ok(events(&recorded.file, &["-f", filter, "-f", compat])?
            .iter()
            .filter(|row| row["contextFlags"]["isCompat"] == true)
            .count())
    };
    same("event=connect", asked("event=connect")?, 2)?;
    same("by its address", asked("connect.addr.sin_addr=127.0.0.1")?, 1)?;
    same("socketcall", asked("event=socketcall")?, 2)
}

/// What the program does. All that is pointed to lies below 4 GiB.
#[cfg(target_arch = "x86_64")]
pub mod program {
    use crate::compat::call6;
    use crate::narrow::program::Page;

    const SOCKETCALL: u32 = 102;
    const IPC: u32 = 117;
    const IPC_64: u32 = 0x100;
    const IPC_CREAT: u32 = 0o1000;
    const NOWHERE: u32 = 0x10;

    pub fn run(page: &mut Page) {
        let socketcall = |page: &mut Page, call: u32, arguments: &[u32]| {
            let list = page.put(arguments);
            call6(SOCKETCALL, [call, list, 0, 0, 0, 0]) as u32
        };
        let loopback = [2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0u8];
        let (address, length) = (page.put(&loopback), page.put(&[16u32]));
        let (hello, room, one) = (page.put(b"hello"), page.room(64), page.put(&[1u32]));
        // A pair of datagram sockets, one bound to a port of the kernel's choice.
        let server = socketcall(page, 1, &[2, 2, 0]);
        socketcall(page, 14, &[server, 1, 2, one, 4]);
        socketcall(page, 2, &[server, address, 16]);
        socketcall(page, 6, &[server, address, length]);
        let client = socketcall(page, 1, &[2, 2, 0]);
        socketcall(page, 3, &[client, address, 16]);
        socketcall(page, 9, &[client, hello, 5, 0]);
        socketcall(page, 11, &[client, hello, 5, 0, address, 16]);
        socketcall(page, 10, &[server, room, 64, 0]);
        socketcall(page, 12, &[server, room, 64, 0, 0, 0]);
        let pair = page.room(8);
        socketcall(page, 8, &[1, 1, 0, pair]);
        let [left, right] = crate::narrow::program::numbers(pair);
        let vector = page.put(&[hello, 5]);
        let message = page.put(&[0, 0, vector, 1, 0, 0, 0]);
        socketcall(page, 16, &[left, message, 0]);
        let vector = page.put(&[room, 64]);
        let message = page.put(&[0, 0, vector, 1, 0, 0, 0]);
        socketcall(page, 17, &[right, message, 0]);
        socketcall(page, 13, &[left, 1]);
        let size = page.put(&[4u32]);
        socketcall(page, 15, &[left, 1, 3, room, size]);
        // A stream that is accepted.
        let name = page.put(b"\x01\0\0tracer-multiplexed");
        let listener = socketcall(page, 1, &[1, 1, 0]);
        socketcall(page, 2, &[listener, name, 21]);
        socketcall(page, 4, &[listener, 1]);
        let caller = socketcall(page, 1, &[1, 1, 0]);
        socketcall(page, 3, &[caller, name, 21]);
        let accepted = socketcall(page, 5, &[listener, 0, 0]);
        let size = page.put(&[64u32]);
        socketcall(page, 7, &[accepted, room, size]);

        let (set, now) = (page.put(&[1u32 << server]), page.put(&[0u32, 0]));
        let list = page.put(&[server + 1, set, 0, 0, now]);
        call6(82, [list, 0, 0, 0, 0, 0]);

        let ipc = |arguments: [u32; 6]| call6(IPC, arguments) as u32;
        let (place, buffer) = (page.room(4), page.room(128));
        let segment = ipc([23, 0, 4096, IPC_CREAT | 0o600, 0, 0]);
        ipc([21, segment, 0, place, 0, 0]);
        ipc([24, segment, IPC_64 | 2, 0, buffer, 0]);
        let [attached, _] = crate::narrow::program::numbers(place);
        ipc([22, 0, 0, 0, attached, 0]);
        ipc([24, segment, IPC_64, 0, 0, 0]);

        let queue = ipc([13, 0, IPC_CREAT | 0o600, 0, 0, 0]);
        let sent = page.put(b"\x07\0\0\0hi");
        ipc([11, queue, 2, 0, sent, 0]);
        ipc([1 << 16 | 12, queue, 2, 0, buffer, 7]);
        ipc([11, queue, 2, 0, sent, 0]);
        let both = page.put(&[buffer, 7]);
        ipc([12, queue, 2, 0, both, 0]);
        ipc([14, queue, IPC_64, 0, 0, 0]);

        let semaphore = ipc([2, 0, 1, IPC_CREAT | 0o600, 0, 0]);
        let up = page.put(&[0u16, 1, 0]);
        ipc([1, semaphore, 1, 0, up, 0]);
        let (down, timeout) = (page.put(&[0u16, 0xffff, 0]), page.put(&[5u32, 0]));
        ipc([4, semaphore, 1, 0, down, timeout]);
        let value = page.put(&[buffer]);
        ipc([3, semaphore, 0, IPC_64 | 2, value, 0]);
        ipc([3, semaphore, 0, IPC_64, value, 0]);

        let own = page.put(b"/proc/self/exe\0");
        let file = call6(295, [-100i32 as u32, own, 0, 0, 0, 0]) as u32;
        // Private, read only.
        let list = page.put(&[0, 8192, 1, 2, file, 4096]);
        call6(90, [list, 0, 0, 0, 0, 0]);

        call6(SOCKETCALL, [99, list, 0, 0, 0, 0]);
        call6(SOCKETCALL, [3, NOWHERE, 0, 0, 0, 0]);
        ipc([5, 0, 0, 0, 0, 0]);
        call6(82, [NOWHERE, 0, 0, 0, 0, 0]);
        call6(90, [NOWHERE, 0, 0, 0, 0, 0]);
    }
}
