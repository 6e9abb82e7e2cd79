//! Addresses of sockets: as the kernel lays them out, as descriptors show them, and as the format has them.

use std::net::{IpAddr, SocketAddr};

use events::descriptor::ends;

pub const UNIX: u8 = 1;
pub const INET: u8 = 2;
pub const INET6: u8 = 10;

/// One address of a kernel's `struct sockaddr`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    Inet(SocketAddr),
    /// A path, or `@` and an abstract name.
    Unix(Vec<u8>),
}

impl Address {
    /// Of the kernel's bytes; `None` for families that the format does not keep.
    pub fn of_kernel(bytes: &[u8]) -> Option<Address> {
        let (family, rest) = bytes.split_first_chunk::<2>()?;
        let port = rest.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
        match u16::from_le_bytes(*family) {
            1 => Some(Address::Unix(match rest {
                [0, name @ ..] => [b"@", name].concat(),
                path => path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            })),
            2 => {
                let ip: [u8; 4] = *rest.get(2..6)?.first_chunk()?;
                Some(Address::Inet(SocketAddr::new(ip.into(), port?)))
            }
            10 => {
                let ip: [u8; 16] = *rest.get(6..22)?.first_chunk()?;
                Some(Address::Inet(SocketAddr::new(ip.into(), port?)))
            }
            _ => None,
        }
    }

    /// Appends it as a parameter.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Address::Inet(address) => {
                out.push(family(address));
                end(Some(address), family(address), out);
            }
            Address::Unix(name) => {
                out.push(UNIX);
                out.extend(name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }));
                out.push(0);
            }
        }
    }

    /// Of a parameter.
    pub fn read(bytes: &[u8]) -> Option<Address> {
        let (family, rest) = bytes.split_first()?;
        Some(match *family {
            UNIX => Address::Unix(rest.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
            INET | INET6 => Address::Inet(read_end(*family, &mut { rest })?),
            _ => return None,
        })
    }
}

fn family(address: &SocketAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

/// Address and port, of the family's length; zeros where they are not known.
fn end(address: Option<&SocketAddr>, family: u8, out: &mut Vec<u8>) {
    let ip = address.map(SocketAddr::ip);
    match (family, ip) {
        (INET, Some(IpAddr::V4(ip))) => out.extend(ip.octets()),
        (INET, _) => out.extend([0; 4]),
        (_, Some(IpAddr::V6(ip))) => out.extend(ip.octets()),
        (_, Some(IpAddr::V4(ip))) => out.extend(ip.to_ipv6_mapped().octets()),
        (_, None) => out.extend([0; 16]),
    }
    out.extend(address.map_or(0, SocketAddr::port).to_le_bytes());
}

fn read_end(family: u8, bytes: &mut &[u8]) -> Option<SocketAddr> {
    let ip: IpAddr = match family {
        INET => {
            let (ip, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            (*ip).into()
        }
        _ => {
            let (ip, rest) = bytes.split_first_chunk::<16>()?;
            *bytes = rest;
            (*ip).into()
        }
    };
    let (port, rest) = bytes.split_first_chunk::<2>()?;
    *bytes = rest;
    Some(SocketAddr::new(ip, u16::from_le_bytes(*port)))
}

/// Both ends of a connection, where they are known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tuple {
    pub source: Option<Address>,
    pub destination: Option<Address>,
}

impl Tuple {
    pub fn swapped(self) -> Tuple {
        Tuple { source: self.destination, destination: self.source }
    }

    /// The local end and the remote one of what a descriptor stands for.
    pub fn of_descriptor(stands_for: &[u8]) -> Tuple {
        let Some(ends) = ends(stands_for) else { return Tuple::default() };
        let one = |text: &[u8]| match ends.word {
            b"unix" if text.is_empty() || text.starts_with(b"[") => None,
            b"unix" => Some(Address::Unix(text.to_vec())),
            _ => std::str::from_utf8(text).ok()?.parse().ok().map(Address::Inet),
        };
        Tuple { source: one(ends.local), destination: ends.remote.and_then(one) }
    }

    /// Appends it as a parameter: nothing where nothing is known.
    pub fn write(&self, out: &mut Vec<u8>) {
        let ends = [self.source.as_ref(), self.destination.as_ref()];
        let inet = ends.map(|end| match end {
            Some(Address::Inet(address)) => Some(address),
            _ => None,
        });
        if let Some(longest) = inet.into_iter().flatten().max_by_key(|address| address.is_ipv6()) {
            let family = family(longest);
            out.push(family);
            inet.into_iter().for_each(|address| end(address, family, out));
            return;
        }
        let name = ends.into_iter().flatten().find_map(|end| match end {
            Address::Unix(name) => Some(name),
            Address::Inet(_) => None,
        });
        if let Some(name) = name {
            out.push(UNIX);
            // The addresses of both sockets in the kernel.
            out.extend([0; 16]);
            out.extend(name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }));
            out.push(0);
        }
    }

    /// Of a parameter. Ends that are all zeros are not known.
    pub fn read(bytes: &[u8]) -> Option<Tuple> {
        let (family, rest) = bytes.split_first()?;
        Some(match *family {
            UNIX => {
                let name = rest.get(16..)?.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = (!name.is_empty()).then(|| Address::Unix(name.to_vec()));
                Tuple { source: None, destination: name }
            }
            INET | INET6 => {
                let mut rest = rest;
                let mut known = || {
                    let end = read_end(*family, &mut rest)?;
                    Some((!end.ip().is_unspecified() || end.port() != 0).then_some(Address::Inet(end)))
                };
                Tuple { source: known()?, destination: known()? }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_were_written() {
        let kernel: [&[u8]; 4] = [
            &[2, 0, 1, 187, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0],
            &[10, 0, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
            b"\x01\0/run/x.sock\0",
            b"\x01\0\0name",
        ];
        for bytes in kernel {
            let address = Address::of_kernel(bytes).expect("an address");
            let mut written = Vec::new();
            address.write(&mut written);
            assert_eq!(Address::read(&written), Some(address));
        }
        for text in ["tcp 10.0.0.1:4242->10.0.0.2:443", "udp [::1]:53->[::1]:5000", "unix ->/run/x.sock"] {
            let tuple = Tuple::of_descriptor(text.as_bytes());
            let mut written = Vec::new();
            tuple.write(&mut written);
            assert_eq!(Tuple::read(&written), Some(tuple), "{text}");
        }
        let mut written = Vec::new();
        Tuple::of_descriptor(b"tcp 10.0.0.1:4242->10.0.0.2:443").write(&mut written);
        assert_eq!(written, [2, 10, 0, 0, 1, 0x92, 0x10, 10, 0, 0, 2, 0xbb, 1]);
        assert_eq!(Tuple::read(&[2, 1]), None);
    }
}
