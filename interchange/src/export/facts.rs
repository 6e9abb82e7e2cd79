//! What events of many kinds say alike: which file, which descriptor, which addresses.

use events::descriptor::ends;
use events::{ArgKind, Raw};
use pipeline::EventView;

fn value<'a>(event: &EventView<'a>, names: &[&str]) -> Option<(ArgKind, Raw<'a>)> {
    let (at, arg) = names.iter().find_map(|name| event.event.arg(name))?;
    Some((arg.kind, event.args.get(at)))
}

/// The text of the first of these arguments that the event has; nothing where that is no text.
pub fn text<'a>(event: &EventView<'a>, names: &[&str]) -> &'a [u8] {
    match value(event, names) {
        Some((ArgKind::Str | ArgKind::Text(_), Raw::Bytes(text))) => text,
        _ => &[],
    }
}

pub fn number(event: &EventView<'_>, names: &[&str]) -> Option<i64> {
    match value(event, names) {
        Some((kind, Raw::Number(number))) if kind.is_number() => Some(number as i64),
        _ => None,
    }
}

/// Whether an open made its file; `None` of other events, and where the capture does not say it.
pub fn created(event: &EventView<'_>) -> Option<bool> {
    number(event, &["created"]).map(|created| created != 0)
}

pub fn strings<'a>(event: &EventView<'a>, names: &[&str]) -> Option<impl Iterator<Item = &'a [u8]>> {
    match value(event, names) {
        Some((ArgKind::StrArray, Raw::Bytes(list))) => Some(events::value::strings(list)),
        _ => None,
    }
}

/// Arguments by their names, of which an event has the first that there is: the file that it is about; of two, the one that was
/// there before.
pub const PATH: &[&str] = &["pathname", "path", "filename", "oldpath", "old_path", "file_path", "linkpath"];
/// The other file: what a rename or link leads to.
pub const SECOND_PATH: &[&str] = &["newpath", "new_path", "target"];
pub const FLAGS: &[&str] = &["flags"];
pub const MODE: &[&str] = &["mode"];
pub const DOMAIN: &[&str] = &["domain", "query", "hostname"];
pub const SHA256: &[&str] = &["sha256"];

pub fn path<'a>(event: &EventView<'a>) -> &'a [u8] {
    text(event, PATH)
}

pub fn second_path<'a>(event: &EventView<'a>) -> &'a [u8] {
    text(event, SECOND_PATH)
}

/// The first descriptor, and what it stands for where that is known.
pub fn descriptor<'a>(event: &EventView<'a>) -> Option<(u64, &'a [u8])> {
    let at = event.event.listed_args().iter().position(|arg| arg.kind == ArgKind::Fd)?;
    event.args.get(at).descriptor()
}

/// An end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// An IP address, or the name of a unix socket.
    pub address: String,
    pub port: Option<i64>,
}

/// Both ends, the local one first: of the descriptor, and, for a call that gives an address, the one that it gives.
pub fn addresses(event: &EventView<'_>) -> (Option<Address>, Option<Address>) {
    let ends = descriptor(event).and_then(|(_, stands_for)| ends(stands_for));
    let mut local = ends.and_then(|ends| of_text(ends.local));
    let mut remote = ends.and_then(|ends| ends.remote).and_then(of_text);
    let is_own = matches!(event.event.name, "bind" | "security_socket_bind" | "getsockname");
    let given = event.event.listed_args().iter().enumerate();
    for (at, arg) in given.filter(|(_, arg)| matches!(arg.kind, ArgKind::Sockaddr(_))) {
        let Raw::Bytes(address) = event.args.get(at) else { continue };
        let end = if is_own || arg.name == "local_addr" { &mut local } else { &mut remote };
        *end = of_bytes(address).or(end.take());
    }
    (local, remote)
}

/// `10.0.0.1:443`, `[::1]:80`, `/run/x.sock`.
fn of_text(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty())?;
    Some(match text.parse::<std::net::SocketAddr>() {
        Ok(address) => Address { address: address.ip().to_string(), port: Some(address.port().into()) },
        Err(_) => Address { address: text.to_owned(), port: None },
    })
}

/// A socket address as the kernel lays it out.
fn of_bytes(bytes: &[u8]) -> Option<Address> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let port = rest.first_chunk::<2>().map(|port| i64::from(u16::from_be_bytes(*port)));
    match u16::from_le_bytes(*family) {
        1 => {
            let path = match rest {
                [0, name @ ..] => [b"@", name].concat(),
                path => path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            };
            Some(Address { address: String::from_utf8_lossy(&path).into_owned(), port: None })
        }
        2 => {
            let ip = std::net::Ipv4Addr::from(*rest.get(2..6)?.first_chunk::<4>()?);
            Some(Address { address: ip.to_string(), port })
        }
        10 => {
            let ip = std::net::Ipv6Addr::from(*rest.get(6..22)?.first_chunk::<16>()?);
            Some(Address { address: ip.to_string(), port })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_text_and_as_the_kernel_has_them() {
        let is = |address: &str, port| Some(Address { address: address.to_owned(), port });
        assert_eq!(of_text(b"[::1]:80"), is("::1", Some(80)));
        assert_eq!(of_text(b"/run/x.sock"), is("/run/x.sock", None));
        assert_eq!(of_bytes(&[2, 0, 1, 187, 10, 0, 0, 9]), is("10.0.0.9", Some(443)));
        assert_eq!(of_bytes(b"\x01\0\0name"), is("@name", None));
        assert_eq!(of_bytes(&[2, 0, 1]), None);
    }
}
