//! Objects of views as tables and JSON: `ps`, `lsof`, `file`, `conn` and their kin.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use pipeline::Source;
use replay::render::clock::{Clock, Hand};
use replay::render::columns::cut;
use replay::render::json_text;
use views::state::{Object, Since, Value};

use crate::output;
use crate::terminal;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// For people: ? is what is not known, - what is not there
    Table,
    /// One JSON object a line: null is what is not known
    Json,
}

/// Prints objects as they come.
pub struct Printer {
    pub out: BufWriter<File>,
    is_json: bool,
    clock: Clock,
    dates: bool,
    width: Option<usize>,
}

impl Printer {
    /// `inputs`: every file that is read.
    pub fn new(source: &Source, format: Format, utc: bool, inputs: &[&Path]) -> Result<Printer> {
        let clock = if utc { Clock::Utc } else { Clock::local() };
        let days = source.start_wall_ns().zip(source.end_wall_ns());
        let dates = days.is_some_and(|(from, to)| clock.parts_days(from, to));
        let out = BufWriter::new(output::stdout(inputs)?);
        Ok(Printer { out, is_json: format == Format::Json, clock, dates, width: terminal::width() })
    }

    /// With a sign and a kind: of objects that came or went.
    pub fn print(&mut self, objects: &[Object], change: Option<(&str, &str)>) -> io::Result<()> {
        if self.is_json {
            return objects.iter().try_for_each(|object| self.json(object, change));
        }
        if change.is_some() && objects.is_empty() {
            return Ok(());
        }
        self.table(objects, change)
    }

    fn table(&mut self, objects: &[Object], change: Option<(&str, &str)>) -> io::Result<()> {
        let Some(first) = objects.first() else {
            return Ok(());
        };
        let mut hand = Hand::new(&self.clock, self.dates);
        let headers: Vec<(&str, bool)> =
            first.fields.iter().filter_map(|it| Some((it.header?, it.is_right))).collect();
        let rows: Vec<Vec<String>> = objects
            .iter()
            .map(|object| {
                let shown = object.fields.iter().filter(|field| field.header.is_some());
                shown.map(|field| text(&field.value, &mut hand)).collect()
            })
            .collect();
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain(headers.get(at).map(|(header, _)| header.len())).max().unwrap_or_default()
        };
        // One long name must not push all others out of sight.
        const WIDEST: usize = 48;
        let last = headers.len().saturating_sub(1);
        let widths: Vec<usize> = (0..headers.len()).map(|at| width(at).min(WIDEST)).collect();
        let mut lines: Vec<Vec<String>> =
            vec![headers.iter().map(|(header, _)| (*header).to_owned()).collect()];
        lines.extend(rows);
        for (number, cells) in lines.iter().enumerate() {
            let mut line = String::new();
            if let Some((sign, kind)) = change {
                line.push_str(if number == 0 { " " } else { sign });
                line.push_str(&format!(" {kind:<10} "));
            }
            for (at, cell) in cells.iter().enumerate() {
                let is_right = headers.get(at).is_some_and(|(_, is_right)| *is_right);
                let width = widths.get(at).copied().unwrap_or_default();
                match (at == last, is_right) {
                    (true, _) => line.push_str(cell),
                    (false, true) => line.push_str(&format!("{cell:>width$}  ")),
                    (false, false) => line.push_str(&format!("{cell:<width$}  ")),
                }
            }
            let mut line = line.trim_end().as_bytes().to_vec();
            cut(&mut line, self.width);
            line.push(b'\n');
            self.out.write_all(&line)?;
        }
        Ok(())
    }

    fn json(&mut self, object: &Object, change: Option<(&str, &str)>) -> io::Result<()> {
        let mut line = b"{".to_vec();
        if let Some((sign, kind)) = change {
            let change = if sign == "+" { "came" } else { "went" };
            line.extend_from_slice(format!("\"change\":\"{change}\",\"kind\":\"{kind}\"").as_bytes());
        }
        for field in &object.fields {
            if line.len() > 1 {
                line.push(b',');
            }
            line.extend_from_slice(format!("\"{}\":", field.name).as_bytes());
            match &field.value {
                Value::Unknown => line.extend_from_slice(b"null"),
                Value::Nothing => line.extend_from_slice(b"\"\""),
                Value::Text(text) => json_text::quoted(text, &mut line),
                Value::Number(number) => line.extend_from_slice(number.to_string().as_bytes()),
                Value::Flag(flag) => line.extend_from_slice(flag.to_string().as_bytes()),
                Value::Time(ns) => line.extend_from_slice(ns.to_string().as_bytes()),
                Value::Since(since, _) => {
                    let (ns, known) = match since {
                        Since::Before => ("null".to_owned(), "before"),
                        Since::At(ns) => (ns.to_string(), "begun"),
                        Since::Seen(ns) => (ns.to_string(), "seen"),
                    };
                    line.extend_from_slice(format!("{ns},\"known\":\"{known}\"").as_bytes());
                }
                Value::Texts(texts) => {
                    line.push(b'[');
                    for (at, text) in texts.iter().enumerate() {
                        if at > 0 {
                            line.push(b',');
                        }
                        json_text::quoted(text, &mut line);
                    }
                    line.push(b']');
                }
            }
        }
        line.extend_from_slice(b"}\n");
        self.out.write_all(&line)
    }
}

/// A cell of a table.
fn text(value: &Value, hand: &mut Hand<'_>) -> String {
    let mut out = Vec::new();
    value.write(hand, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
