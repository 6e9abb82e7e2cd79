//! Heads of HTTP/1 messages, on whatever port.

use httparse::{EMPTY_HEADER, Header, Request, Response};

use super::{Derived, Packet, stream};
use crate::derive::tree::Members;

/// Headers of one message that are read; a message with more is read up to these.
const MAX_HEADERS: usize = 64;

/// `is_cut`: more was sent than is here.
pub fn derive(packet: &Packet<'_>, payload: &[u8], is_cut: bool, derived: &mut Derived) {
    // Most segments are the middle of something: told by their first bytes, before any parser runs.
    if payload.starts_with(b"HTTP/1.") {
        response(packet, payload, derived);
    } else if payload.iter().take(16).take_while(|byte| **byte != b' ').all(u8::is_ascii_uppercase) {
        request(packet, payload, is_cut, derived);
    }
}

fn request(packet: &Packet<'_>, payload: &[u8], ends_early: bool, derived: &mut Derived) {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    // A head that was cut is used as far as it goes.
    let is_cut = !matches!(request.parse(payload), Ok(status) if status.is_complete());
    let first = match (request.method, request.path, request.version) {
        (Some(method), Some(path), Some(minor)) => {
            Some((method.as_bytes(), path.as_bytes(), format!("HTTP/1.{minor}")))
        }
        _ if ends_early && stream::begins_head(payload) => cut_line(payload),
        _ => None,
    };
    let Some((method, path, protocol)) = first else { return };
    let headers = &*request.headers;
    let write = |members: &mut Members<'_>| {
        members
            .text("method", method)
            .text("protocol", &protocol)
            .text("host", value(headers, "host"))
            .text("uri_path", path);
    };
    if derived.begin("net_packet_http") {
        packet.common(derived);
        derived.members("proto_http", |members| {
            members.text("direction", "request");
            write(members);
            members.text("status", "").number("status_code", 0u8);
            rest(headers, members);
        });
        if is_cut {
            derived.cut("proto_http");
        }
    }
    if derived.begin("net_packet_http_request") {
        packet.common(derived);
        derived.members("http_request", |members| {
            write(members);
            rest(headers, members);
        });
        if is_cut {
            derived.cut("http_request");
        }
    }
}

/// Method and path of a request whose first line does not end.
fn cut_line(payload: &[u8]) -> Option<(&[u8], &[u8], String)> {
    let blank = payload.iter().position(|byte| *byte == b' ')?;
    let rest = payload.get(blank + 1..)?;
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(rest.len());
    Some((payload.get(..blank)?, rest.get(..end)?, String::new()))
}

fn response(packet: &Packet<'_>, payload: &[u8], derived: &mut Derived) {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let is_cut = !matches!(response.parse(payload), Ok(status) if status.is_complete());
    let (Some(code), Some(minor)) = (response.code, response.version) else { return };
    let protocol = format!("HTTP/1.{minor}");
    let status = format!("{code} {}", response.reason.unwrap_or("")).trim_end().to_owned();
    let headers = &*response.headers;
    if derived.begin("net_packet_http") {
        packet.common(derived);
        derived.members("proto_http", |members| {
            members
                .text("direction", "response")
                .text("method", "")
                .text("protocol", &protocol)
                .text("host", "")
                .text("uri_path", "")
                .text("status", &status)
                .number("status_code", code);
            rest(headers, members);
        });
        if is_cut {
            derived.cut("proto_http");
        }
    }
    if derived.begin("net_packet_http_response") {
        packet.common(derived);
        derived.members("http_response", |members| {
            members.text("status", &status).number("status_code", code).text("protocol", &protocol);
            rest(headers, members);
        });
        if is_cut {
            derived.cut("http_response");
        }
    }
}

fn rest(headers: &[Header<'_>], members: &mut Members<'_>) {
    // A name that comes again adds to the values of its first place, in whatever letters.
    let same = |a: &Header<'_>, b: &Header<'_>| a.name.eq_ignore_ascii_case(b.name);
    members.value("headers", |tree| {
        tree.members(|members| {
            for (place, header) in headers.iter().enumerate() {
                let earlier = headers.iter().take(place).any(|earlier| same(earlier, header));
                if header.name.is_empty() || earlier {
                    continue;
                }
                let values = headers.iter().filter(|other| same(other, header));
                members.value(header.name, |tree| tree.list(values, |header, tree| tree.text(header.value)));
            }
        });
    });
    let length =
        std::str::from_utf8(value(headers, "content-length")).ok().and_then(|text| text.trim().parse().ok());
    members.number("content_length", length.unwrap_or(0u64));
}

fn value<'a>(headers: &[Header<'a>], name: &str) -> &'a [u8] {
    let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    found.map_or(&[], |header| header.value)
}
