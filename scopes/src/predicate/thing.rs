//! `file` and `peer`: a row passes by what any of its arguments names.
//!
//! A row has as many values as its arguments name things: it is had when one of them is asked for, and left out when one
//! of them is excluded.

use std::net::{IpAddr, SocketAddr};

use events::{Event, Raw};
use hashbrown::HashMap;

use crate::filter::{Filter, Target, Value};
use crate::pattern::Pattern;
use crate::predicate::text::{Texts, word};
use crate::predicate::{Asked, gate};
use crate::set::ScopeSet;
use crate::thing::peer::{Peer, masked};
use crate::thing::{Place, Thing, file, peer};
use crate::words::{Gate, Words};

/// All filters on one such key, of one event.
#[derive(Debug)]
pub struct ThingKey {
    event: &'static Event,
    places: Vec<Place>,
    gate: Gate,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Files(Texts),
    Peers(Peers),
}

/// What `file` or `peer` filters ask for, to be asked of single files and ends: for who looks at one thing, and not at events.
#[derive(Debug)]
pub struct Sought {
    wanted: Wanted,
    is_exact: bool,
}

impl Sought {
    /// The filters on such a key in scope 1.
    pub fn of(thing: Thing, set: &ScopeSet) -> Sought {
        let filters = set.scopes().flat_map(|scope| &scope.filters);
        let filters: Vec<&Filter> = filters.filter(|filter| filter.target == Target::Thing(thing)).collect();
        let is_exact = filters.iter().all(|filter| match filter.values.as_slice() {
            [Value::Text(pattern)] => pattern.is_exact(),
            _ => false,
        });
        Sought { wanted: Wanted::of(thing, &[Asked { bit: 1, filters }]), is_exact }
    }

    /// Whether it is one file.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    pub fn has_file(&self, path: &[u8]) -> bool {
        matches!(&self.wanted, Wanted::Files(texts) if texts.words(path).equal != 0)
    }

    pub fn has_peer(&self, end: SocketAddr) -> bool {
        matches!(&self.wanted, Wanted::Peers(peers) if peers.words(end).equal != 0)
    }
}

impl Wanted {
    fn of(thing: Thing, asked: &[Asked<'_>]) -> Wanted {
        let values = || {
            let filters = asked.iter().flat_map(|asked| asked.filters.iter().map(|it| (asked.bit, *it)));
            filters.flat_map(|(bit, filter)| {
                let word = word(bit, filter.is_positive());
                filter.values.iter().map(move |value| (value, word))
            })
        };
        match thing {
            Thing::File => Wanted::Files(Texts::of(values().filter_map(|(value, word)| match value {
                Value::Text(pattern) => Some((pattern, word)),
                _ => None,
            }))),
            Thing::Peer => Wanted::Peers(Peers::of(values().filter_map(|(value, word)| match value {
                Value::Peer(peer) => Some((peer, word)),
                _ => None,
            }))),
        }
    }
}

impl ThingKey {
    pub(crate) fn new(event: &'static Event, thing: Thing, asked: &[Asked<'_>]) -> ThingKey {
        ThingKey { event, places: thing.places(event), gate: gate(asked), wanted: Wanted::of(thing, asked) }
    }

    /// A key of one filter, for whoever looks for what it matched.
    pub(crate) fn of_filters(event: &'static Event, thing: Thing, filters: &[Filter]) -> ThingKey {
        ThingKey::new(event, thing, &[Asked { bit: 1, filters: filters.iter().collect() }])
    }

    /// Where rows of the event name such things.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Scopes that ask.
    pub fn scopes(&self) -> u64 {
        self.gate.used
    }

    /// What the values at one place add; see [`Place::positions`] for which these are.
    pub fn words(&self, place: Place, value: Raw<'_>, other: Raw<'_>) -> Words {
        let mut words = Words::default();
        match &self.wanted {
            Wanted::Files(texts) => {
                file::each(self.event, place, value, other, &mut |name| words.add(texts.words(name)));
            }
            Wanted::Peers(peers) => {
                peer::each(self.event, place, value, other, &mut |end| words.add(peers.words(end)));
            }
        }
        words
    }

    /// The scopes that a row passes, given what all of its places add.
    pub fn close(&self, words: Words) -> u64 {
        self.gate.close(words)
    }

    /// The same, of a row whose values are at hand.
    pub fn mask<'a>(&self, value: &dyn Fn(usize) -> Raw<'a>) -> u64 {
        let mut words = Words::default();
        for place in &self.places {
            let (position, other) = place.positions();
            words.add(self.words(*place, value(position), other.map_or(Raw::Missing, value)));
        }
        self.gate.close(words)
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate
    }

    /// The files that are asked for, or the peers.
    pub(crate) fn files(&self) -> Option<&Texts> {
        match &self.wanted {
            Wanted::Files(texts) => Some(texts),
            Wanted::Peers(_) => None,
        }
    }

    pub(crate) fn peers(&self) -> Option<&Peers> {
        match &self.wanted {
            Wanted::Files(_) => None,
            Wanted::Peers(peers) => Some(peers),
        }
    }

    /// Calls `found` with each argument that names such a thing, as it names it, and whether a filter speaks of it.
    pub(crate) fn each_name<'a>(
        &self,
        value: &dyn Fn(usize) -> Raw<'a>,
        found: &mut dyn FnMut(&'static str, String, bool),
    ) {
        for place in &self.places {
            let (position, other) = place.positions();
            let Some(arg) = self.event.args.get(position) else { continue };
            let (one, other) = (value(position), other.map_or(Raw::Missing, value));
            let is_named = |words: Words| words.equal | words.not != 0;
            match &self.wanted {
                Wanted::Files(texts) => file::each(self.event, *place, one, other, &mut |name| {
                    found(arg.name, String::from_utf8_lossy(name).into_owned(), is_named(texts.words(name)));
                }),
                Wanted::Peers(peers) => peer::each(self.event, *place, one, other, &mut |end| {
                    let text = if end.port() == 0 { end.ip().to_string() } else { end.to_string() };
                    found(arg.name, text, is_named(peers.words(end)));
                }),
            }
        }
    }
}

/// Peers that are asked for: addresses are looked up by as many bits as any of them has, so that a list of a hundred
/// thousand costs what one does.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    nets: HashMap<(IpAddr, u8, Option<u16>), Words>,
    /// Kinds of `nets`: IPv4 or not, bits, with a port or not.
    shapes: Vec<(bool, u8, bool)>,
    ports: HashMap<u16, Words>,
    /// What is compared with addresses as they are written. Names without wildcards are none of them.
    written: Vec<(Pattern, Option<u16>, Words)>,
    /// Scopes that ask for any peer.
    equal: u64,
}

impl Peers {
    pub fn of<'p>(asked: impl IntoIterator<Item = (&'p Peer, Words)>) -> Peers {
        let mut peers = Peers::default();
        for (peer, words) in asked {
            peers.equal |= words.equal;
            match peer {
                Peer::Net { address, bits, port } => {
                    let shape = (address.is_ipv4(), *bits, port.is_some());
                    if !peers.shapes.contains(&shape) {
                        peers.shapes.push(shape);
                    }
                    peers.nets.entry((*address, *bits, *port)).or_default().add(words);
                }
                Peer::Port(port) => peers.ports.entry(*port).or_default().add(words),
                Peer::Name(pattern, _) if pattern.is_exact() => {}
                Peer::Written(pattern, port) | Peer::Name(pattern, port) => {
                    peers.written.push((pattern.clone(), *port, words))
                }
            }
        }
        peers
    }

    pub fn words(&self, end: SocketAddr) -> Words {
        let mut words = Words::default();
        let (address, port) = (end.ip(), end.port());
        for (is_v4, bits, has_port) in &self.shapes {
            if *is_v4 == address.is_ipv4() {
                let key = (masked(address, *bits), *bits, has_port.then_some(port));
                words.add(self.nets.get(&key).copied().unwrap_or_default());
            }
        }
        if !self.ports.is_empty() && port != 0 {
            words.add(self.ports.get(&port).copied().unwrap_or_default());
        }
        if !self.written.is_empty() {
            let (alone, whole) = (address.to_string(), end.to_string());
            for (pattern, at_port, add) in &self.written {
                let is_it = match at_port {
                    Some(at_port) => *at_port == port && pattern.matches(alone.as_bytes()),
                    None => pattern.matches(alone.as_bytes()) || pattern.matches(whole.as_bytes()),
                };
                if is_it {
                    words.add(*add);
                }
            }
        }
        words
    }

    /// Scopes that ask for a peer which descriptors may name, where `may` says whether a text of theirs may have a part,
    /// at its end or anywhere. Nets and patterns are not looked for.
    pub fn may(&self, may: &dyn Fn(&[u8], bool) -> bool) -> u64 {
        if !self.written.is_empty() || self.nets.len() > MOST_LOOKED_FOR {
            return self.equal;
        }
        let mut equal = 0;
        for ((address, bits, port), words) in &self.nets {
            // IPv6 may be written in more than one way.
            let IpAddr::V4(v4) = address else {
                equal |= words.equal;
                continue;
            };
            let is_host = *bits == 32;
            // An IPv4 address within IPv6 has a bracket before its port.
            let is_there = (!is_host || may(v4.to_string().as_bytes(), false))
                && port.is_none_or(|port| may(format!(":{port}").as_bytes(), true));
            equal |= if is_there { words.equal } else { 0 };
        }
        for (port, words) in &self.ports {
            equal |= if may(format!(":{port}").as_bytes(), true) { words.equal } else { 0 };
        }
        equal
    }
}

/// More addresses than this are not looked for in statistics: reading takes no longer.
const MOST_LOOKED_FOR: usize = 4096;
