//! Compact JSON: an object a line, with the chosen columns and nothing else.

use pipeline::{EventView, Render};
use views::cell::Cells;
use views::{Cell, Column, Known, Look, digits};

use super::{json_text, values};

/// JSON objects of chosen columns.
#[derive(Debug)]
pub struct Fields<'a> {
    /// Columns, and each one's name as a key with what stands before it.
    columns: Vec<(&'a Column, Vec<u8>)>,
    look: &'a Look,
    known: &'a Known,
    cells: Cells<'a>,
    parse_arguments: bool,
    scratch: Vec<u8>,
}

impl<'a> Fields<'a> {
    pub fn new(columns: &'a [Column], look: &'a Look, known: &'a Known, parse_arguments: bool) -> Fields<'a> {
        let key = |(at, column): (usize, &'a Column)| {
            let mut key = if at == 0 { b"{".to_vec() } else { b",".to_vec() };
            json_text::quoted(column.name().as_bytes(), &mut key);
            key.push(b':');
            (column, key)
        };
        Fields {
            columns: columns.iter().enumerate().map(key).collect(),
            look,
            known,
            cells: Cells::new(look, known),
            parse_arguments,
            scratch: Vec::new(),
        }
    }
}

impl Render for Fields<'_> {
    fn block(&mut self) {}

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        for (column, key) in &self.columns {
            out.extend_from_slice(key);
            match column.cell(event, self.look, self.known) {
                Cell::Nothing => out.extend_from_slice(b"null"),
                // As `timestamp` has it: ns since the epoch.
                Cell::Time(number) | Cell::Signed(number) => digits::signed(number, out),
                Cell::Unsigned(number) | Cell::Mask(number) | Cell::Duration(number) => {
                    digits::unsigned(number, out)
                }
                Cell::Bytes(bytes) => json_text::quoted(bytes, out),
                Cell::Args => {
                    out.push(b'{');
                    for (position, arg) in event.event.listed_args().iter().enumerate() {
                        if position > 0 {
                            out.push(b',');
                        }
                        json_text::quoted(arg.name.as_bytes(), out);
                        out.push(b':');
                        argument(event, position, self.parse_arguments, out);
                    }
                    out.push(b'}');
                }
                Cell::Argument(position) => argument(event, position, self.parse_arguments, out),
                Cell::Path(..)
                | Cell::Pair(..)
                | Cell::Process(_)
                | Cell::Parent
                | Cell::Ancestors
                | Cell::Terminal(_)
                | Cell::Capabilities(_)
                | Cell::Marks => {
                    self.scratch.clear();
                    self.cells.write(column, event, &mut self.scratch);
                    json_text::quoted(&self.scratch, out);
                }
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

fn argument(event: &EventView<'_>, position: usize, is_parsed: bool, out: &mut Vec<u8>) {
    if is_parsed {
        values::parsed_json(event, position, out);
    } else if let Some(arg) = event.event.args.get(position) {
        values::json(event, position, arg.kind, out);
    }
}
