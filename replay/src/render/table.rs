//! Tables as Tracee prints them: the widths are its, a longer value pushes the rest to the right.

use events::{Marks, consts::errno};
use pipeline::{EventView, Render};
use views::clock::Hand;
use views::{clock, digits, duration, marks, text};

use super::{Style, memo::Memo};
use crate::render::table_values::Values;

/// Names of columns and their widths in the header. ARGS ends the line.
type Columns = &'static [(&'static str, usize)];

const PLAIN: Columns =
    &[("TIME", 16), ("UID", 6), ("COMM", 16), ("PID", 7), ("TID", 7), ("RET", 16), ("EVENT", 25)];
const PLAIN_CONTAINERS: Columns = &[
    ("TIME", 16),
    ("CONTAINER_ID", 13),
    ("UID", 6),
    ("COMM", 16),
    ("PID/host", 15),
    ("TID/host", 15),
    ("RET", 16),
    ("EVENT", 25),
];
const VERBOSE: Columns = &[
    ("TIME", 16),
    ("SCOPES", 17),
    ("UTS_NAME", 17),
    ("CONTAINER_ID", 13),
    ("MNT_NS", 12),
    ("PID_NS", 12),
    ("UID", 6),
    ("COMM", 16),
    ("PID", 7),
    ("TID", 7),
    ("PPID", 7),
    ("RET", 16),
    ("EVENT", 25),
];
const VERBOSE_CONTAINERS: Columns = &[
    ("TIME", 16),
    ("SCOPES", 17),
    ("UTS_NAME", 17),
    ("CONTAINER_ID", 13),
    ("MNT_NS", 12),
    ("PID_NS", 12),
    ("UID", 6),
    ("COMM", 16),
    ("PID/host", 15),
    ("TID/host", 15),
    ("PPID/host", 15),
    ("RET", 16),
    ("EVENT", 25),
];

const TIME: usize = 16;
const HOST: usize = 16;
const SCOPES: usize = 17;
const RET: usize = 16;
const EVENT: usize = 25;

/// Of the first column.
fn time_width(style: &Style) -> usize {
    if style.dates { TIME + clock::DATE } else { TIME }
}

/// The line above the rows.
pub fn header(style: &Style, verbose: bool) -> Vec<u8> {
    let columns = match (verbose, style.containers) {
        (false, false) => PLAIN,
        (false, true) => PLAIN_CONTAINERS,
        (true, false) => VERBOSE,
        (true, true) => VERBOSE_CONTAINERS,
    };
    let mut line = Vec::new();
    for (name, width) in columns {
        if *name == "UTS_NAME" && style.hosts {
            cell(HOST, &mut line, |out| out.extend_from_slice(b"HOST"));
        }
        let width = if *name == "TIME" { time_width(style) } else { *width };
        cell(width, &mut line, |out| out.extend_from_slice(name.as_bytes()));
        if *name == "CONTAINER_ID" && style.containers && style.images {
            cell(16, &mut line, |out| out.extend_from_slice(b"IMAGE"));
        }
    }
    line.extend_from_slice(b"ARGS\n");
    line
}

/// Rows of a table.
#[derive(Debug)]
pub struct Table<'a> {
    style: &'a Style,
    verbose: bool,
    hand: Hand<'a>,
    /// The columns of a context, from after SCOPES to before RET.
    contexts: Memo,
    values: Values,
}

impl<'a> Table<'a> {
    pub fn new(style: &'a Style, verbose: bool) -> Table<'a> {
        let hand = Hand::new(&style.clock, style.dates);
        Table { style, verbose, hand, contexts: Memo::default(), values: Values::default() }
    }
}

impl Render for Table<'_> {
    fn block(&mut self) {
        self.contexts.clear();
    }

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        ascii(time_width(self.style), out, |out| self.hand.write(event.wall_ns, out));
        if self.verbose {
            cell(SCOPES, out, |out| digits::hex16(event.scopes, out));
        }
        let (style, verbose) = (self.style, self.verbose);
        self.contexts.append(event.context_index, out, |out| context(style, verbose, event, out));
        ascii(RET, out, |out| {
            if event.marks.has(Marks::UNFINISHED) {
                return out.push(b'?');
            }
            digits::signed(event.ret, out);
            let name =
                if self.style.errno && event.event.is_syscall() { errno::of_result(event.ret) } else { None };
            if let Some(name) = name {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
            }
        });
        let known = self.values.of(event.event, |out| {
            cell(EVENT, out, |out| {
                let name = event.event.name.as_bytes();
                match name.get(..22) {
                    Some(start) if !verbose && name.len() > 25 => {
                        text::shown(start, out);
                        out.extend_from_slice(b"...");
                    }
                    _ => text::shown(name, out),
                }
            });
        });
        out.extend_from_slice(&known.name);
        for position in 0..known.labels.len() {
            self.values.label(event.event, position, out);
            self.values.append(event, position, !self.style.raw_arguments, out);
            marks::of_argument(event, position, out);
        }
        marks::of_row(event, out);
        duration::of_row(event, out);
        out.push(b'\n');
    }
}

/// The columns that depend on the context only.
fn context(style: &Style, verbose: bool, event: &EventView<'_>, out: &mut Vec<u8>) {
    let context = event.context;
    if verbose && style.hosts {
        cell(HOST, out, |out| text::shown(event.host.name.as_bytes(), out));
    }
    if verbose {
        cell(16, out, |out| text::shown(context.uts, out));
    }
    if verbose || style.containers {
        let id = event.container.map_or("", |container| &container.id);
        let short = id.char_indices().nth(12).map_or(id, |(end, _)| &id[..end]);
        cell(13, out, |out| text::shown(short.as_bytes(), out));
    }
    if style.containers && style.images {
        let image = event.container.map_or("", |container| &container.image);
        cell(16, out, |out| text::shown(image.as_bytes(), out));
    }
    if verbose {
        number(12, context.mnt_ns, out);
        number(12, context.pid_ns, out);
    }
    number(6, context.uid, out);
    cell(16, out, |out| text::shown(context.comm, out));
    let mut ids = |inside: u32, host: u32| {
        if style.containers {
            cell(7, out, |out| digits::unsigned(u64::from(inside), out));
            // A pair is one column: the blank that ends its first half becomes the bar.
            if let Some(last) = out.last_mut() {
                *last = b'/';
            }
            number(7, host, out);
        } else {
            number(7, inside, out);
        }
    };
    ids(context.ns_pid, context.pid);
    ids(context.ns_tid, context.tid);
    if verbose {
        ids(context.ns_ppid, context.ppid);
    }
}

fn number(width: usize, number: u32, out: &mut Vec<u8>) {
    ascii(width, out, |out| digits::unsigned(u64::from(number), out));
}

/// A cell of numbers and words of ours: each byte is a character. The blanks are a copy of a known length, cut to what the
/// cell needs.
fn ascii(width: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const BLANKS: [u8; 32] = [b' '; 32];
    let start = out.len();
    write(out);
    let end = (start + width).max(out.len()) + 1;
    while out.len() < end {
        out.extend_from_slice(&BLANKS);
    }
    out.truncate(end);
}

/// A value, blanks up to the width in characters, and the blank between columns.
fn cell(width: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    // Bytes that continue a character take no place.
    let shown = out[start..].iter().filter(|byte| (**byte & 0xc0) != 0x80).count();
    let blanks = width.saturating_sub(shown) + 1;
    out.resize(out.len() + blanks, b' ');
}
