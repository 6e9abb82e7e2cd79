//! Names of addresses, as recorded answers of DNS gave them.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use events::Event;
use events::show::{self, Leaf};
use pipeline::Args;

/// Addresses whose names are kept; the ones that were learned first are forgotten first.
const MAX_ADDRESSES: usize = 1 << 16;
/// Names of one address: what many sites share has many, and the last ones are meant.
const MAX_NAMES: usize = 4;

/// Addresses of one name.
const MAX_ANSWERS: usize = 64;

/// The last names that were asked for before an address was answered, and the addresses of the last answer to each name.
#[derive(Debug, Default)]
pub struct HostNames {
    by_address: HashMap<IpAddr, Vec<Box<str>>>,
    order: VecDeque<IpAddr>,
    by_name: HashMap<Box<str>, Vec<IpAddr>>,
    names: VecDeque<Box<str>>,
}

impl HostNames {
    /// Takes an answer, a row of `net_packet_dns_response`.
    pub fn learn(&mut self, event: &'static Event, args: &Args<'_>) {
        let Some((position, _)) = event.arg("dns_response") else { return };
        let texts = |member: &str| {
            let mut texts = Vec::new();
            show::find(event, position, &|at| args.get(at), member, &mut |leaf| {
                if let Leaf::Text(text) = leaf {
                    texts.push(String::from_utf8_lossy(text).into_owned());
                }
            });
            texts
        };
        let Some(name) = texts("query_data.query").into_iter().next() else { return };
        let name = name.trim_end_matches('.');
        // Aliases are answers too.
        let answers = texts("dns_answer.answer").into_iter();
        let addresses: Vec<IpAddr> = answers.filter_map(|answer| answer.parse().ok()).collect();
        addresses.iter().for_each(|address| self.insert(*address, name));
        if !addresses.is_empty() {
            self.answered(name, addresses);
        }
    }

    fn answered(&mut self, name: &str, mut addresses: Vec<IpAddr>) {
        let name: Box<str> = name.to_ascii_lowercase().into();
        if !self.by_name.contains_key(&name) {
            if self.by_name.len() >= MAX_ADDRESSES
                && let Some(oldest) = self.names.pop_front()
            {
                self.by_name.remove(&oldest);
            }
            self.names.push_back(name.clone());
        }
        addresses.truncate(MAX_ANSWERS);
        self.by_name.insert(name, addresses);
    }

    /// The addresses that the last answer gave for a name in text.
    pub fn addresses(&self, name: &[u8]) -> &[IpAddr] {
        let name = String::from_utf8_lossy(name).trim_end_matches('.').to_ascii_lowercase();
        self.by_name.get(name.as_str()).map_or(&[], Vec::as_slice)
    }

    fn insert(&mut self, address: IpAddr, name: &str) {
        if !self.by_address.contains_key(&address) {
            if self.by_address.len() >= MAX_ADDRESSES
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_address.remove(&oldest);
            }
            self.order.push_back(address);
        }
        let names = self.by_address.entry(address).or_default();
        names.retain(|known| **known != *name);
        names.insert(0, name.into());
        names.truncate(MAX_NAMES);
    }

    /// The names of an address in text, the last one first.
    pub fn of(&self, address: &[u8]) -> &[Box<str>] {
        let address = std::str::from_utf8(address).ok().and_then(|text| text.parse::<IpAddr>().ok());
        address.and_then(|address| self.by_address.get(&address)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_names_of_an_address_are_known() {
        let mut names = HostNames::default();
        let address: IpAddr = "10.0.0.9".parse().expect("an address");
        for name in ["a", "b", "c", "d", "a", "e"] {
            names.insert(address, name);
        }
        let known: Vec<&str> = names.of(b"10.0.0.9").iter().map(|name| &**name).collect();
        assert_eq!(known, ["e", "a", "d", "c"]);
        assert!(names.of(b"10.0.0.8").is_empty());
        names.answered("Web.example", vec![address]);
        assert_eq!(names.addresses(b"web.EXAMPLE."), [address]);
        assert!(names.addresses(b"example").is_empty());
    }
}
