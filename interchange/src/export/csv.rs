//! CSV by RFC 4180: a header, a row an event, lines that end in CR LF. Reports end in spreadsheets, which take a cell that
//! begins with `=`, `+`, `-` or `@` for a formula: such texts get an apostrophe before them.

use events::consts::errno;
use pipeline::EventView;
use replay::render::values;

use super::{Writes, wall::Wall};

const COLUMNS: &[&str] = &[
    "time",
    "host",
    "event",
    "result",
    "errno",
    "pid",
    "tid",
    "ppid",
    "uid",
    "gid",
    "comm",
    "exe",
    "container_id",
    "container_name",
    "image",
    "pod",
    "namespace",
    "cpu",
    "scopes",
    "args",
];

pub fn header() -> Vec<u8> {
    let mut line = COLUMNS.join(",").into_bytes();
    line.extend_from_slice(b"\r\n");
    line
}

#[derive(Debug, Default)]
pub struct Csv {
    wall: Wall,
    cell: Vec<u8>,
}

impl Writes for Csv {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let context = event.context;
        self.wall.iso(event.wall_ns, out);
        text(event.host.name.as_bytes(), out);
        text(event.event.name.as_bytes(), out);
        number(event.ret, out);
        let name = if event.event.is_syscall() { errno::of_result(event.ret) } else { None };
        text(name.unwrap_or_default().as_bytes(), out);
        for id in [context.pid, context.tid, context.ppid, context.uid, context.gid] {
            number(id.into(), out);
        }
        text(context.comm, out);
        text(context.exe, out);
        let none = Default::default();
        let container = event.container.unwrap_or(&none);
        let facts =
            [&container.id, &container.name, &container.image, &container.pod_name, &container.pod_namespace];
        for fact in facts {
            text(fact.as_bytes(), out);
        }
        number(event.cpu.into(), out);
        let scopes: Vec<String> = (1..=64)
            .filter(|scope| event.scopes >> (scope - 1) & 1 == 1)
            .map(|scope| scope.to_string())
            .collect();
        text(scopes.join(" ").as_bytes(), out);
        self.cell.clear();
        for (position, arg) in event.event.listed_args().iter().enumerate() {
            if position > 0 {
                self.cell.extend_from_slice(b", ");
            }
            self.cell.extend_from_slice(arg.name.as_bytes());
            self.cell.extend_from_slice(b": ");
            values::text(event, position, true, &mut self.cell);
        }
        text(&self.cell, out);
        out.extend_from_slice(b"\r\n");
        true
    }
}

fn number(number: i64, out: &mut Vec<u8>) {
    out.push(b',');
    out.extend_from_slice(number.to_string().as_bytes());
}

/// A cell of text, in quotes where it must be. Bytes that are no UTF-8 become what stands for them everywhere, U+FFFD.
fn text(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b',');
    let text = String::from_utf8_lossy(bytes);
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !text.contains([',', '"', '\n', '\r']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    if formula {
        out.push(b'\'');
    }
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        text(bytes, &mut out);
        String::from_utf8_lossy(&out[1..]).into_owned()
    }

    #[test]
    fn cells_are_quoted_where_they_must_be_and_never_formulas() {
        assert_eq!(cell(b"ls"), "ls");
        assert_eq!(cell(b""), "");
        assert_eq!(cell(b"a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(cell(b"=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        assert_eq!(cell(b"@SUM"), "\"'@SUM\"");
    }
}
