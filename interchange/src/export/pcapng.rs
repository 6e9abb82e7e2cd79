//! Packets as pcapng: raw IP with nanoseconds. Whose packet it is stands in option 8 of its block (process and thread id)
//! and, for programs that do not know that option yet, in a comment. Names that DNS answers gave to addresses follow in a
//! name resolution block.
//!
//! Specification: draft-ietf-opsawg-pcapng.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use events::show::{Leaf, Parts, Shape, argument};
use events::{ArgKind, Raw};
use pipeline::EventView;

use super::{About, Writes};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const PACKET: u32 = 6;
/// `LINKTYPE_RAW`: packets begin with their IP header.
const RAW_IP: u16 = 101;
const NANOSECONDS: u8 = 9;

/// Directions as the catalogue has them.
const INGRESS: u64 = 0;
const EGRESS: u64 = 1;

const OPTION_COMMENT: u16 = 1;
const OPTION_FLAGS: u16 = 2;
const OPTION_PROCESS: u16 = 8;

/// The section and its one interface: every socket's packets are seen at the same place.
pub fn header(about: &About) -> Vec<u8> {
    let mut out = Vec::new();
    block(SECTION, &mut out, |out| {
        out.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        out.extend_from_slice(&1u16.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        // The length of the section is not known.
        out.extend_from_slice(&(-1i64).to_le_bytes());
        option(2, about.machine.as_bytes(), out);
        option(3, about.kernel.as_bytes(), out);
        option(4, about.program.as_bytes(), out);
        option(0, b"", out);
    });
    block(INTERFACE, &mut out, |out| {
        out.extend_from_slice(&RAW_IP.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        // No limit: each packet says how much of it there is.
        out.extend_from_slice(&0u32.to_le_bytes());
        option(2, b"sockets", out);
        option(3, format!("sockets of {}", about.host).as_bytes(), out);
        option(9, &[NANOSECONDS], out);
        option(0, b"", out);
    });
    out
}

/// Appends a block: its length stands before and behind its body, which ends at a multiple of four bytes.
fn block(kind: u32, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    pad(start, out);
    let length = (out.len() - start + 4) as u32;
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    out.extend_from_slice(&length.to_le_bytes());
}

fn pad(start: usize, out: &mut Vec<u8>) {
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
}

/// Appends an option; code 0 ends them.
fn option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    let start = out.len();
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(start, out);
}

#[derive(Debug)]
pub struct Pcapng<'a> {
    names: &'a HostNames,
}

impl Pcapng<'_> {
    pub fn new(names: &HostNames) -> Pcapng<'_> {
        Pcapng { names }
    }
}

impl Writes for Pcapng<'_> {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        match event.event.name {
            "net_packet" => packet(event, out),
            "net_packet_dns_response" => {
                self.names.see(event);
                true
            }
            _ => false,
        }
    }
}

fn packet(event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
    let at = |name: &str| event.event.arg(name).map(|(at, _)| event.args.get(at));
    let number = |name: &str| match at(name) {
        Some(Raw::Number(number)) => Some(number),
        _ => None,
    };
    let Some(Raw::Bytes(data)) = at("data") else { return false };
    let Ok(kept) = u32::try_from(data.len()) else { return false };
    let length = number("length").map_or(kept, |length| (length as u32).max(kept));
    block(PACKET, out, |out| {
        out.extend_from_slice(&0u32.to_le_bytes());
        let time = event.wall_ns.max(0) as u64;
        out.extend_from_slice(&((time >> 32) as u32).to_le_bytes());
        out.extend_from_slice(&(time as u32).to_le_bytes());
        out.extend_from_slice(&kept.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        let start = out.len();
        out.extend_from_slice(data);
        pad(start, out);
        option(OPTION_COMMENT, comment(event).as_bytes(), out);
        let flags = match number("direction") {
            Some(INGRESS) => 1,
            Some(EGRESS) => 2,
            _ => 0u32,
        };
        option(OPTION_FLAGS, &flags.to_le_bytes(), out);
        let ids = [event.context.pid.to_le_bytes(), event.context.tid.to_le_bytes()].concat();
        option(OPTION_PROCESS, &ids, out);
        option(0, b"", out);
    });
    true
}

/// `pid=4242 comm=curl exe=/usr/bin/curl container=web pod=default/web-1`, in one line whatever the names are.
fn comment(event: &EventView<'_>) -> String {
    let context = event.context;
    let word = |bytes: &[u8]| -> String {
        String::from_utf8_lossy(bytes)
            .chars()
            .map(|c| if c.is_control() || c == ' ' { '_' } else { c })
            .collect()
    };
    let mut text = format!("pid={} comm={}", context.pid, word(context.comm));
    if !context.exe.is_empty() {
        text.push_str(&format!(" exe={}", word(context.exe)));
    }
    if let Some(container) = event.container.filter(|container| !container.id.is_empty()) {
        let name = if container.name.is_empty() { &container.id } else { &container.name };
        text.push_str(&format!(" container={}", word(name.as_bytes())));
        if !container.pod_name.is_empty() {
            let (space, pod) =
                (word(container.pod_namespace.as_bytes()), word(container.pod_name.as_bytes()));
            text.push_str(&format!(" pod={space}/{pod}"));
        }
    }
    text
}

/// Names that addresses had in DNS answers.
#[derive(Debug, Default)]
pub struct HostNames {
    of: Mutex<BTreeMap<IpAddr, BTreeSet<String>>>,
}

/// Addresses that are remembered: answers come from the network, and a hostile one could go on for ever.
const ADDRESSES: usize = 16_384;
const NAMES_OF_ONE: usize = 16;

impl HostNames {
    fn see(&self, event: &EventView<'_>) {
        let Some((position, _)) =
            event.event.args.iter().enumerate().find(|(_, arg)| arg.name == "dns_response")
        else {
            return;
        };
        debug_assert_eq!(event.event.args[position].kind, ArgKind::Tree);
        let mut found = Answers::default();
        argument(event.event, position, &|at| event.args.get(at), &mut found);
        let mut all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        for (address, name) in found.pairs {
            if all.len() < ADDRESSES || all.contains_key(&address) {
                let names = all.entry(address).or_default();
                if names.len() < NAMES_OF_ONE {
                    names.insert(name);
                }
            }
        }
    }

    /// The name resolution block; nothing where no name is known.
    pub fn block(&self) -> Vec<u8> {
        let all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        if all.is_empty() {
            return out;
        }
        block(NAMES, &mut out, |out| {
            for (address, names) in all.iter() {
                let (kind, mut value) = match address {
                    IpAddr::V4(address) => (1, address.octets().to_vec()),
                    IpAddr::V6(address) => (2, address.octets().to_vec()),
                };
                for name in names {
                    value.extend_from_slice(name.as_bytes());
                    value.push(0);
                }
                option(kind, &value, out);
            }
            // The records' end, then the options'.
            option(0, b"", out);
            option(0, b"", out);
        });
        out
    }
}

/// Listens to a DNS answer: `query` names what was asked, each `answer` that is an address is one of its.
#[derive(Default)]
struct Answers {
    member: String,
    query: String,
    pairs: Vec<(IpAddr, String)>,
}

impl Parts for Answers {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        let Leaf::Text(bytes) = leaf else { return };
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        match self.member.as_str() {
            "query" => self.query = text.trim_end_matches('.').to_owned(),
            "answer" if !self.query.is_empty() && self.query.len() < 256 => {
                if let Ok(address) = text.parse() {
                    self.pairs.push((address, self.query.clone()));
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, _: Shape) {}

    fn member(&mut self, name: &str) {
        name.clone_into(&mut self.member);
    }

    fn close(&mut self, _: Shape) {}
}
