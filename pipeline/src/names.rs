//! Names that answers of DNS gave for addresses. What all of a capture's answers say holds for all of its rows: a connection
//! that was open before its name was asked for again has that name, too.

use std::collections::BTreeSet;
use std::net::IpAddr;

use events::catalogue::network::NET_PACKET_DNS_RESPONSE;
use events::show::{Leaf, find};
use hashbrown::HashMap;
use scopes::{Plan, ScopeSet};

use crate::{EventView, Matcher, Question, Result, Source};

/// Names of addresses that are kept: about 150 bytes each.
const MOST_NAMES: usize = 1 << 18;

/// Names by the addresses that answers gave for them.
#[derive(Debug, Default)]
pub struct Names {
    of: HashMap<IpAddr, BTreeSet<String>>,
    count: usize,
}

impl Names {
    /// Reads the answers that were recorded, those too that a cut keeps for the sake of names alone.
    pub fn of_source(source: &Source, threads: usize) -> Result<Names> {
        let mut names = Names::default();
        let plan = plan();
        let question = Question { threads, ..Question::new(source, matchers(&plan, source)) };
        question.each(&mut |_, view| answers(view, &mut |name, address| names.learn(address, name)))?;
        Ok(names)
    }

    fn learn(&mut self, address: IpAddr, name: &str) {
        if name.is_empty() || self.count >= MOST_NAMES {
            return;
        }
        if self.of.entry(address).or_default().insert(name.to_owned()) {
            self.count += 1;
        }
    }

    /// The names of an address, in order.
    pub fn of(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        self.of.get(&address).into_iter().flatten().map(String::as_str)
    }

    /// All names, each with its address.
    pub fn iter(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.of.iter().flat_map(|(address, names)| names.iter().map(|name| (name.as_str(), *address)))
    }
}

/// What asks for answers of DNS.
pub fn plan() -> Plan {
    ScopeSet::parse(&["event=net_packet_dns_response"])
        .map_or_else(|_| Plan::everything(), |set| Plan::compile(&set))
}

/// Matchers that find all answers, whether a capture shows their packets or not.
pub fn matchers<'p>(plan: &'p Plan, source: &Source) -> Vec<Matcher<'p>> {
    source.files().iter().map(|file| Matcher::of_capture(plan, &file.capture).with_hidden()).collect()
}

/// Calls `found` with each name and address of an answer.
pub fn answers(view: &EventView<'_>, found: &mut dyn FnMut(&str, IpAddr)) {
    if view.event.id != NET_PACKET_DNS_RESPONSE {
        return;
    }
    let Some((at, _)) = view.event.arg("dns_response") else { return };
    let arg = |at| view.args.get(at);
    let mut query = String::new();
    find(view.event, at, &arg, "query_data.query", &mut |leaf| {
        if let (Leaf::Text(text), true) = (&leaf, query.is_empty()) {
            query = String::from_utf8_lossy(text).into_owned();
        }
    });
    find(view.event, at, &arg, "dns_answer.answer", &mut |leaf| {
        if let Leaf::Text(text) = &leaf
            && let Some(address) = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok())
        {
            found(&query, address.to_canonical());
        }
    });
}
