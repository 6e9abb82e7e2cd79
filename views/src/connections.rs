//! Connections over time: whose they were, what went each way, when they began and ended and how, and by what name the peer
//! was known.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;

use events::{ArgKind, Event, EventId, Marks, catalogue, descriptor};
use hashbrown::HashMap;
use pipeline::Names;
use pipeline::stage::{Client, Reads, Told};
use scopes::Sought;
use scopes::thing::peer::end;

use crate::known::Who;
use crate::state::{Object, Value, sockets};
use crate::tree::Forest;

/// Connections that are kept: about 300 bytes each.
const MOST_CONNECTIONS: usize = 1 << 18;

const ESTABLISHED: u64 = 1;
const SYN_SENT: u64 = 2;
const SYN_RECV: u64 = 3;
const FIN_WAIT1: u64 = 4;
const CLOSE: u64 = 7;
const CLOSE_WAIT: u64 = 8;
const IPPROTO_TCP: u64 = 6;

/// Which way a call moves bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moves {
    Sent,
    Received,
    Nothing,
}

/// Both ends of a socket: one of each boot and kind.
type Ends = (usize, Vec<u8>, SocketAddr, SocketAddr);

/// A socket of a boot, by the cookie that the kernel gives it.
type Socket = (usize, u64);

/// When a connection was asked for, by the wall clock, and by whom: it is the caller of `connect` who runs then.
type Asked = (i64, Option<Who>);

#[derive(Clone, Debug)]
struct Connection {
    sent: u64,
    received: u64,
    calls: u64,
    holders: BTreeSet<Who>,
    /// Wall clock, ns since the epoch.
    first_ns: i64,
    last_ns: i64,
    begun_ns: Option<i64>,
    ended_ns: Option<i64>,
    is_outgoing: Option<bool>,
    how: Option<&'static str>,
}

/// All connections of a capture.
#[derive(Debug)]
pub struct Connections {
    calls: HashMap<EventId, (Moves, usize)>,
    state: Positions,
    open: BTreeMap<Ends, Connection>,
    /// Both ends by the socket: it has no port of its own before it is given one, and none any more once it is closed.
    ends_of: HashMap<Socket, Ends>,
    /// Sockets that asked for a connection and have no port yet.
    asking: HashMap<Socket, Asked>,
    /// Ended, and followed by another one of the same ends.
    done: Vec<(Ends, Connection)>,
    /// What there was no room for.
    pub left_out: u64,
    range: (i64, i64),
}

/// Where the arguments of `inet_sock_set_state` stand.
#[derive(Clone, Copy, Debug)]
struct Positions {
    event: EventId,
    old: usize,
    new: usize,
    local: usize,
    remote: usize,
    protocol: usize,
    cookie: usize,
}

impl Connections {
    /// `range`: wall clock, ns since the epoch, without its end.
    pub fn new(range: (i64, i64)) -> Connections {
        let event = catalogue::network::INET_SOCK_SET_STATE;
        let at = |name| catalogue::by_id(event).and_then(|it| it.arg(name)).map_or(usize::MAX, |(at, _)| at);
        let state = Positions {
            event,
            old: at("old_state"),
            new: at("new_state"),
            local: at("local_addr"),
            remote: at("remote_addr"),
            protocol: at("protocol"),
            cookie: at("cookie"),
        };
        let calls = catalogue::events().filter(|event| event.is_syscall());
        let calls = calls.filter_map(|event| Some((event.id, call(event)?))).collect();
        Connections {
            calls,
            state,
            open: BTreeMap::new(),
            ends_of: HashMap::new(),
            asking: HashMap::new(),
            done: Vec::new(),
            left_out: 0,
            range,
        }
    }

    /// What it is to be told.
    pub fn reads(&self) -> Vec<Reads> {
        let Positions { event, old, new, local, remote, protocol, cookie } = self.state;
        let args = vec![old, new, local, remote, protocol, cookie];
        let of_calls = self.calls.iter().map(|(event, (_, args))| Reads {
            event: *event,
            args: vec![*args],
            contexts: true,
            results: true,
            only: None,
            descriptors: None,
        });
        let mut reads: Vec<Reads> = of_calls.collect();
        reads.push(Reads { event, args, contexts: true, results: true, only: None, descriptors: None });
        reads.sort_by_key(|reads| reads.event);
        reads
    }

    /// The connection of these ends; `None` where there is no room for one more.
    fn of(&mut self, ends: Ends, wall_ns: i64) -> Option<&mut Connection> {
        if !self.open.contains_key(&ends) && self.open.len() + self.done.len() >= MOST_CONNECTIONS {
            self.left_out += 1;
            return None;
        }
        let it = self.open.entry(ends).or_insert_with(|| Connection {
            sent: 0,
            received: 0,
            calls: 0,
            holders: BTreeSet::new(),
            first_ns: wall_ns,
            last_ns: wall_ns,
            begun_ns: None,
            ended_ns: None,
            is_outgoing: None,
            how: None,
        });
        (it.first_ns, it.last_ns) = (it.first_ns.min(wall_ns), it.last_ns.max(wall_ns));
        Some(it)
    }

    fn state(&mut self, row: &Told<'_>, wall_ns: i64) {
        let at = self.state;
        let number = |at| row.number(at);
        let address = |at| match row.arg(at) {
            events::Raw::Bytes(bytes) => sockets::end(bytes),
            _ => None,
        };
        let (Some(old), Some(new)) = (number(at.old), number(at.new)) else { return };
        let (Some(local), Some(remote)) = (address(at.local), address(at.remote)) else { return };
        if number(at.protocol).is_some_and(|it| it != IPPROTO_TCP) || remote.port() == 0 {
            return;
        }
        let socket = number(at.cookie).filter(|cookie| *cookie != 0).map(|cookie| (row.boot(), cookie));
        let ends = (row.boot(), b"tcp".to_vec(), local, remote);
        let caller = || row.context().filter(|it| it.pid != 0 && !row.marks().has(Marks::NO_CONTEXT));
        let asked = (old, new) == (CLOSE, SYN_SENT);
        let asked = asked.then(|| (wall_ns, caller().map(|it| Who::of(row.boot(), &it))));
        let Some((ends, asked)) = self.ends_of(socket, ends, new, asked) else { return };
        // The same ends once more are another connection.
        let begins = new == SYN_RECV || asked.is_some();
        if begins
            && self.open.get(&ends).is_some_and(|it| it.ended_ns.is_some())
            && let Some(ended) = self.open.remove(&ends)
        {
            self.done.push((ends.clone(), ended));
        }
        let Some(it) = self.of(ends, wall_ns) else { return };
        if let Some((asked_ns, who)) = asked {
            (it.is_outgoing, it.begun_ns) = (Some(true), Some(asked_ns));
            it.first_ns = it.first_ns.min(asked_ns);
            it.holders.extend(who);
        }
        match (old, new) {
            (SYN_RECV, ESTABLISHED) => (it.is_outgoing, it.begun_ns) = (Some(false), Some(wall_ns)),
            (SYN_SENT, CLOSE) => it.how = Some("refused or no answer"),
            (ESTABLISHED, FIN_WAIT1) => it.how = Some("closed here"),
            (ESTABLISHED, CLOSE_WAIT) => it.how = Some("closed by peer"),
            (ESTABLISHED, CLOSE) => it.how = Some("reset"),
            _ => {}
        }
        if new == CLOSE {
            it.ended_ns = Some(wall_ns);
        }
    }

    /// The ends that a state is of, and who asked for the connection where that becomes known with it. `None` while a socket
    /// has no port yet.
    fn ends_of(
        &mut self,
        socket: Option<Socket>,
        ends: Ends,
        new: u64,
        asked: Option<Asked>,
    ) -> Option<(Ends, Option<Asked>)> {
        let (.., local, _) = &ends;
        let has_port = local.port() != 0;
        let Some(socket) = socket else { return Some((ends, asked)) };
        let has_room = self.ends_of.len() + self.asking.len() < MOST_CONNECTIONS;
        match (new, asked) {
            (_, Some(asked)) if !has_port => {
                if has_room {
                    self.asking.insert(socket, asked);
                }
                None
            }
            // One that was refused never had a port that anybody saw.
            (CLOSE, _) => {
                let asked = self.asking.remove(&socket);
                let known = self.ends_of.remove(&socket);
                match (known, asked) {
                    (Some(known), asked) => Some((known, asked)),
                    (None, None) if !has_port => None,
                    (None, asked) => Some((ends, asked)),
                }
            }
            _ if !has_port => self.ends_of.get(&socket).cloned().map(|known| (known, None)),
            (_, asked) => {
                if has_room {
                    self.ends_of.insert(socket, ends.clone());
                }
                Some((ends, asked.or(self.asking.remove(&socket))))
            }
        }
    }

    fn call(&mut self, row: &Told<'_>, wall_ns: i64) {
        let Some((moves, at)) = self.calls.get(&row.event).copied() else { return };
        let Some((_, text)) = row.arg(at).descriptor() else { return };
        let Some(descriptor::Ends { word, local, remote: Some(remote) }) = descriptor::ends(text) else {
            return;
        };
        let (Some(local), Some(remote)) = (end(local), end(remote)) else { return };
        // A socket whose connection was refused keeps the address, but is connected to nobody.
        if word == b"tcp" && remote.port() == 0 {
            return;
        }
        let Some(context) = row.context().filter(|it| it.pid != 0) else { return };
        let who = Who::of(row.boot(), &context);
        let bytes = u64::try_from(row.ret()).unwrap_or_default();
        let Some(it) = self.of((row.boot(), word.to_vec(), local, remote), wall_ns) else { return };
        it.holders.insert(who);
        it.calls += 1;
        match moves {
            Moves::Sent => it.sent = it.sent.saturating_add(bytes),
            Moves::Received => it.received = it.received.saturating_add(bytes),
            Moves::Nothing => {}
        }
    }

    /// Those of some peers and of some processes, in order of time.
    pub fn objects(
        &self,
        peer: Option<&Sought>,
        whose: Option<&HashSet<Who>>,
        names: &Names,
        forest: &Forest,
    ) -> Vec<Object> {
        let done = self.done.iter().map(|(ends, it)| (ends, it));
        let mut all: Vec<_> = self.open.iter().chain(done).collect();
        all.sort_by(|(a, x), (b, y)| (x.first_ns, a).cmp(&(y.first_ns, b)));
        let is_asked = |(ends, it): &(&Ends, &Connection)| {
            let (.., remote) = ends;
            let is_theirs = whose.is_none_or(|whose| it.holders.iter().any(|holder| whose.contains(holder)));
            is_theirs && peer.is_none_or(|peer| peer.has_peer(*remote))
        };
        all.into_iter().filter(is_asked).map(|(ends, it)| object(ends, it, names, forest)).collect()
    }
}

fn object(ends: &Ends, it: &Connection, names: &Names, forest: &Forest) -> Object {
    let (boot, word, local, remote) = ends;
    let named: Vec<Vec<u8>> = names.of(remote.ip()).map(|name| name.as_bytes().to_vec()).collect();
    let holders: Vec<Vec<u8>> = it
        .holders
        .iter()
        .map(|who| match forest.find(who) {
            Some(process) => [&*process.comm, format!("({})", who.pid).as_bytes()].concat(),
            None => format!("({})", who.pid).into_bytes(),
        })
        .collect();
    let time = |ns: Option<i64>| ns.map_or(Value::Unknown, Value::Time);
    let way = match it.is_outgoing {
        Some(true) => Value::word("out"),
        Some(false) => Value::word("in"),
        None => Value::Unknown,
    };
    let is_tcp = word == b"tcp";
    let ended = if is_tcp { time(it.ended_ns) } else { Value::Nothing };
    let how = match it.how {
        Some(how) => Value::word(how),
        None if is_tcp && it.ended_ns.is_none() && it.begun_ns.is_some() => Value::word("open at the end"),
        None if is_tcp => Value::Unknown,
        None => Value::Nothing,
    };
    Object::new(format!("{boot} {local} {remote} {}", it.first_ns))
        .column("begun", "BEGUN", time(it.begun_ns))
        .column("ended", "ENDED", ended)
        .column("kind", "KIND", Value::text(word))
        .column("way", "WAY", way)
        .column("local", "LOCAL", Value::text(local.to_string().as_bytes()))
        .column("peer", "PEER", Value::text(remote.to_string().as_bytes()))
        .column("names", "NAME", if named.is_empty() { Value::Unknown } else { Value::Texts(named) })
        .column("sent", "SENT", Value::Number(it.sent.into()))
        .column("received", "RECEIVED", Value::Number(it.received.into()))
        .column("how", "END", how)
        .fact("first", Value::Time(it.first_ns))
        .fact("last", Value::Time(it.last_ns))
        .fact("calls", Value::Number(it.calls.into()))
        .column(
            "processes",
            "PROCESSES",
            if holders.is_empty() { Value::Unknown } else { Value::Texts(holders) },
        )
}

impl Client for Connections {
    fn tell(&mut self, row: &Told<'_>) {
        let wall_ns = row.wall_ns();
        if !(self.range.0..self.range.1).contains(&wall_ns) || row.marks().has(Marks::UNDONE) {
            return;
        }
        if row.event == self.state.event { self.state(row, wall_ns) } else { self.call(row, wall_ns) }
    }

    fn forget(&mut self, _: u64) {}
}

/// What a call does with sockets, and where its descriptors stand.
fn call(event: &Event) -> Option<(Moves, usize)> {
    let fd = |name: Option<&str>| {
        let is_it = |arg: &events::Arg| arg.kind == ArgKind::Fd && name.is_none_or(|name| arg.name == name);
        event.args.iter().position(is_it)
    };
    let (moves, at) = match event.name {
        "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" => (Moves::Sent, fd(None)),
        "read" | "readv" | "recvfrom" | "recvmsg" | "pread64" => (Moves::Received, fd(None)),
        "sendfile" => (Moves::Sent, fd(Some("out_fd"))),
        "splice" => (Moves::Sent, fd(Some("fd_out"))),
        // Their results are messages, not bytes.
        "connect" | "shutdown" | "sendmmsg" | "recvmmsg" | "getpeername" => (Moves::Nothing, fd(None)),
        _ => return None,
    };
    Some((moves, at?))
}
