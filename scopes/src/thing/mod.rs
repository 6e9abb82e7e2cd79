//! What events are about beside their process, whatever their arguments are called: files, and the other ends of
//! connections.
//!
//! ```text
//! openat(dirfd=/etc, pathname=shadow)    /etc, /etc/shadow        file=/etc/shadow
//! read(fd=/etc/shadow)                   /etc/shadow
//! connect(addr=10.0.0.9:443)             10.0.0.9, port 443       peer=10.0.0.0/8
//! ```

pub mod file;
pub mod peer;

use events::{ArgKind, Event};

/// What a key asks for that any argument may name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Thing {
    File,
    Peer,
}

/// Where an event names such a thing: positions of arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A path, and the descriptor of the directory that it is relative to.
    Path(usize, Option<usize>),
    /// What a descriptor stands for.
    Descriptor(usize),
    /// A `struct sockaddr`.
    Address(usize),
    /// A message with the address that it goes to or comes from.
    Message(usize),
    /// An address as text, and its port.
    Text(usize, Option<usize>),
    /// The metadata of a derived packet: a source and a destination.
    Metadata(usize),
    /// A packet from its IP header on: a source and a destination.
    Packet(usize),
}

impl Thing {
    /// The key that asks for it.
    pub const fn name(self) -> &'static str {
        match self {
            Thing::File => "file",
            Thing::Peer => "peer",
        }
    }

    pub fn by_name(name: &str) -> Option<Thing> {
        [Thing::File, Thing::Peer].into_iter().find(|thing| thing.name() == name)
    }

    /// What a value may be, for messages.
    pub const fn values(self) -> &'static str {
        match self {
            Thing::File => "an absolute path, or memfd:NAME, with * for any characters",
            Thing::Peer => {
                "an address (10.0.0.9, ::1), ADDRESS:PORT, [ADDRESS]:PORT, ADDRESS/BITS, :PORT, or a name that a recorded \
                 DNS answer gave; with * for any characters"
            }
        }
    }

    /// Where an event names it; nowhere for an event that never does.
    pub fn places(self, event: &Event) -> Vec<Place> {
        let places = (0..event.args.len()).filter_map(|position| match self {
            Thing::File => file::place(event, position),
            Thing::Peer => peer::place(event, position),
        });
        places.collect()
    }
}

impl Place {
    /// The argument that names it, and one that has a part in that.
    pub const fn positions(self) -> (usize, Option<usize>) {
        match self {
            Place::Path(position, other) | Place::Text(position, other) => (position, other),
            Place::Descriptor(position)
            | Place::Address(position)
            | Place::Message(position)
            | Place::Metadata(position)
            | Place::Packet(position) => (position, None),
        }
    }
}

/// The position of the argument of this name.
fn position(event: &Event, name: &str) -> Option<usize> {
    event.arg(name).map(|(position, _)| position)
}

fn is_text(kind: ArgKind) -> bool {
    matches!(kind, ArgKind::Str | ArgKind::Text(_))
}
