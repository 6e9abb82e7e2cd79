//! DNS messages.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{Name, Packet as Message, PacketFlag, Question, ResourceRecord};

use super::{Derived, Packet};
use crate::derive::tree::{Members, Tree};

/// A message's header: id, flags and four counts.
const HEADER: usize = 12;

/// `is_cut`: more was sent than is here.
pub fn derive(packet: &Packet<'_>, payload: &[u8], is_cut: bool, derived: &mut Derived) {
    let Some(counts) = Counts::of(payload) else { return };
    let mut kept = Cow::Borrowed(payload);
    // A message that the snap length cut is read up to its last whole answer.
    let mut answers = counts.answers.min(MAX_ANSWERS);
    let message = loop {
        match Message::parse(&kept) {
            Ok(message) => break message,
            Err(_) => {
                let cut = kept.to_mut();
                // Authorities and additional records go first, then one answer after the other.
                let [.., a0, a1] = &mut cut[..8] else { return };
                [*a0, *a1] = answers.to_be_bytes();
                cut[8..HEADER].fill(0);
                if Message::parse(cut).is_ok() {
                    continue;
                }
                match answers.checked_sub(1) {
                    Some(fewer) => answers = fewer,
                    // Not even the questions are whole: the header is, and says what was asked for.
                    None if is_cut && cut[4..6] != [0; 2] => cut[4..6].fill(0),
                    None => return,
                }
            }
        }
    };
    if message.questions.is_empty() && message.answers.is_empty() && !is_cut {
        return;
    }
    // What was told of a message that is not all here says so.
    let is_cut = is_cut || matches!(kept, Cow::Owned(_));
    let is_response = message.has_flags(PacketFlag::RESPONSE);
    if derived.begin("net_packet_dns") {
        packet.common(derived);
        derived.members("proto_dns", |members| whole(&message, &counts, members));
        if is_cut {
            derived.cut("proto_dns");
        }
    }
    if !is_response && derived.begin("net_packet_dns_request") {
        packet.common(derived);
        derived.bytes("dns_questions", |out| Tree::new(out).list(&message.questions, question_data));
        if is_cut && message.questions.len() < usize::from(counts.questions) {
            derived.cut("dns_questions");
        }
    }
    if is_response && derived.begin("net_packet_dns_response") {
        packet.common(derived);
        derived.bytes("dns_response", |out| {
            Tree::new(out).list(&message.questions, |question, tree| {
                tree.members(|members| {
                    members
                        .value("query_data", |tree| question_data(question, tree))
                        .value("dns_answer", |tree| tree.list(&message.answers, answer_data));
                });
            });
        });
        if is_cut && message.answers.len() < usize::from(counts.answers) {
            derived.cut("dns_response");
        }
    }
}

/// Answers of a cut message that are tried; more do not fit one datagram that anybody captures whole.
const MAX_ANSWERS: u16 = 64;

/// The counts as the message states them, also when fewer records could be read.
struct Counts {
    id: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Counts {
    fn of(payload: &[u8]) -> Option<Counts> {
        let header: &[u8; HEADER] = payload.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        Some(Counts {
            id: word(0),
            questions: word(4),
            answers: word(6),
            authorities: word(8),
            additionals: word(10),
        })
    }
}

fn whole(message: &Message<'_>, counts: &Counts, members: &mut Members<'_>) {
    let flag = |flag| u8::from(message.has_flags(flag));
    members
        .number("ID", counts.id)
        .number("QR", flag(PacketFlag::RESPONSE))
        .text("opCode", format!("{:?}", message.opcode()))
        .number("AA", flag(PacketFlag::AUTHORITATIVE_ANSWER))
        .number("TC", flag(PacketFlag::TRUNCATION))
        .number("RD", flag(PacketFlag::RECURSION_DESIRED))
        .number("RA", flag(PacketFlag::RECURSION_AVAILABLE))
        .number("Z", 0u8)
        .text("responseCode", format!("{:?}", message.rcode()))
        .number("QDCount", counts.questions)
        .number("ANCount", counts.answers)
        .number("NSCount", counts.authorities)
        .number("ARCount", counts.additionals)
        .value("questions", |tree| {
            tree.list(&message.questions, |question, tree| {
                tree.members(|members| {
                    members
                        .text("name", name(&question.qname))
                        .text("type", type_name(question.qtype.into()))
                        .text("class", class_name(question.qclass.into()));
                });
            });
        })
        .value("answers", |tree| tree.list(&message.answers, record))
        .value("authorities", |tree| tree.list(&message.name_servers, record))
        .value("additionals", |tree| tree.list(&message.additional_records, record));
}

fn record(record: &ResourceRecord<'_>, tree: &mut Tree<'_>) {
    tree.members(|members| {
        members
            .text("name", name(&record.name))
            .text("type", type_name(record.rdata.type_code().into()))
            .text("class", class_name(record.class.into()))
            .number("TTL", record.ttl)
            .text("data", data(&record.rdata));
    });
}

fn question_data(question: &Question<'_>, tree: &mut Tree<'_>) {
    tree.members(|members| {
        members
            .text("query", name(&question.qname))
            .text("query_type", type_name(question.qtype.into()))
            .text("query_class", class_name(question.qclass.into()));
    });
}

fn answer_data(record: &ResourceRecord<'_>, tree: &mut Tree<'_>) {
    tree.members(|members| {
        members
            .text("answer_type", type_name(record.rdata.type_code().into()))
            .number("ttl", record.ttl)
            .text("answer", data(&record.rdata));
    });
}

/// Labels joined by dots, as they are: they need not be UTF-8.
fn name(name: &Name<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for label in name.as_bytes() {
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(label);
    }
    text
}

/// What a record says, for the types that people ask about; empty for others.
fn data(data: &RData<'_>) -> Vec<u8> {
    match data {
        RData::A(a) => Ipv4Addr::from(a.address).to_string().into_bytes(),
        RData::AAAA(aaaa) => Ipv6Addr::from(aaaa.address).to_string().into_bytes(),
        RData::CNAME(of) => name(&of.0),
        RData::NS(of) => name(&of.0),
        RData::PTR(of) => name(&of.0),
        RData::MX(mx) => spaced(&[mx.preference.to_string().as_bytes(), &name(&mx.exchange)]),
        RData::SRV(srv) => spaced(&[
            srv.priority.to_string().as_bytes(),
            srv.weight.to_string().as_bytes(),
            srv.port.to_string().as_bytes(),
            &name(&srv.target),
        ]),
        RData::SOA(soa) => spaced(&[&name(&soa.mname), &name(&soa.rname), soa.serial.to_string().as_bytes()]),
        RData::TXT(txt) => {
            let mut text = Vec::new();
            for (key, value) in txt.iter_raw() {
                if !text.is_empty() {
                    text.push(b' ');
                }
                text.extend_from_slice(key);
                if let Some(value) = value {
                    text.push(b'=');
                    text.extend_from_slice(value);
                }
            }
            text
        }
        _ => Vec::new(),
    }
}

fn spaced(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(&b' ')
}

/// Record types by IANA's names; others as RFC 3597 writes them.
fn type_name(number: u16) -> String {
    let name = match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        41 => "OPT",
        43 => "DS",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        257 => "CAA",
        _ => return format!("TYPE{number}"),
    };
    name.to_owned()
}

fn class_name(number: u16) -> String {
    match number {
        1 => "IN".to_owned(),
        3 => "CH".to_owned(),
        4 => "HS".to_owned(),
        255 => "ANY".to_owned(),
        _ => format!("CLASS{number}"),
    }
}
