//! How events are shown, as an option group that every subcommand which prints events flattens.

use anyhow::{Result, bail};
use clap::Args;
use events::Event;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pipeline::Source;
use replay::Asked;
use replay::render::clock::{Clock, local_zone};
use replay::render::columns::{self, Layout};
use replay::render::template::Template;
use replay::render::{Destination, Format, Printer, Shown, Style};
use views::{Column, Known, column};

use crate::terminal::{self, Color};

#[derive(Args, Debug, Default)]
pub struct LookOptions {
    /// Columns of tables: time,host,comm,event,args; or what to add to and take from the usual ones: +exe,-uid (`tracer help
    /// columns` lists them)
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    columns: Option<String>,
    /// JSON objects with these columns only: time,comm,openat.pathname
    #[arg(long, value_name = "LIST", conflicts_with = "columns")]
    fields: Option<String>,
    /// A line for each event: '{time} {comm} {openat.pathname}'; {{ is a brace, \t a tab
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["columns", "fields"])]
    template: Option<String>,
    /// Lines as long as they are, also on a terminal
    #[arg(long)]
    wide: bool,
    /// Colours by kind of event, failed calls and losses
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Times in UTC instead of local time
    #[arg(long, conflicts_with = "relative")]
    pub utc: bool,
    /// Times since the first event
    #[arg(long)]
    relative: bool,
    /// Names of flags and constants in JSON too
    #[arg(long)]
    parse_arguments: bool,
    /// Numbers instead of names in tables
    #[arg(long)]
    raw_arguments: bool,
    /// The errno's name beside a negative result in tables
    #[arg(long)]
    errno: bool,
    /// A column with the images of containers in tables
    #[arg(long)]
    images: bool,
    /// Numbers above 2^53 in JSON as strings, for readers that keep numbers as doubles
    #[arg(long)]
    string_numbers: bool,
}

/// What was chosen, once captures are open: their events have arguments that columns may name.
pub struct Look {
    style: Style,
    columns: Option<String>,
    fields: Option<Vec<Column>>,
    template: Option<Template>,
    declared: Vec<&'static Event>,
    width: Option<usize>,
    is_coloured: bool,
    string_numbers: bool,
    known: Known,
}

/// What `tracer help columns` prints.
pub fn columns_help() -> String {
    let mut text = String::new();
    for (_, shape) in Column::all() {
        text.push_str(&format!("{:<16} {}\n", shape.name, shape.what));
    }
    text.push_str("EVENT.ARGUMENT   an argument of one event, such as openat.pathname\n");
    text.push_str("args.ARGUMENT    an argument of whichever event has one of this name\n");
    text
}

impl LookOptions {
    /// The zone of times that are given without one.
    pub fn zone(&self) -> TimeZone {
        if self.utc { TimeZone::UTC } else { local_zone() }
    }

    /// Where answers go, when nothing else is said.
    pub fn default_format(&self) -> Format {
        if self.fields.is_some() { Format::Json } else { Format::Table }
    }

    /// Whether columns may tell names of processes that other rows say: then all rows are looked at.
    pub fn names_processes(&self) -> bool {
        let texts = [&self.columns, &self.fields, &self.template].into_iter().flatten();
        texts.into_iter().any(|text| text.contains("parent") || text.contains("ancestors"))
    }

    pub fn is_relative(&self) -> bool {
        self.relative
    }

    pub fn look(&self, source: &Source, asked: &Asked) -> Result<Look> {
        let mut declared: Vec<&'static Event> = Vec::new();
        for event in source.files().iter().flat_map(|file| file.capture.schema().events()) {
            if !declared.iter().any(|known| known.name == event.name) {
                declared.push(event);
            }
        }
        let style = self.style(source, asked);
        let fields = self.fields.as_deref().map(|list| column::parse(list, &[], &declared)).transpose()?;
        let template = match &self.template {
            Some(text) => match Template::parse(text, &declared) {
                Ok(template) => Some(template),
                Err(error) => bail!("--template: {error}"),
            },
            None => None,
        };
        // Wrong columns are told now, and not after a pager is up.
        let columns = self
            .columns
            .as_deref()
            .map(|list| column::parse(list, &columns::default(&style, true), &declared));
        let columns = columns.transpose()?;
        let all = [&columns, &fields].into_iter().flatten().flatten();
        let all: Vec<&Column> = all.chain(template.iter().flat_map(Template::columns)).collect();
        let processes = all.iter().any(|column| matches!(column, Column::Parent | Column::Ancestors));
        let known = if all.is_empty() { Known::default() } else { Known::of(source, processes)? };
        Ok(Look {
            style,
            columns: self.columns.clone(),
            fields,
            template,
            declared,
            width: if self.wide { None } else { terminal::width() },
            is_coloured: self.color.is_on(),
            string_numbers: self.string_numbers,
            known,
        })
    }

    fn style(&self, source: &Source, asked: &Asked) -> Style {
        let clock = if self.utc {
            Clock::Utc
        } else if self.relative {
            Clock::Since(source.start_wall_ns().unwrap_or(0))
        } else {
            Clock::local()
        };
        let days = source.start_wall_ns().zip(source.end_wall_ns());
        Style {
            dates: days.is_some_and(|(from, to)| clock.parts_days(from, to)),
            clock,
            containers: source.has_containers(),
            hosts: source.has_hosts(),
            images: self.images,
            parse_arguments: self.parse_arguments,
            raw_arguments: self.raw_arguments,
            errno: self.errno,
            policies: asked.names(),
        }
    }
}

impl Look {
    /// What a destination gets.
    pub fn shown(&self, destination: &Destination) -> Result<Shown<'_>> {
        let known = &self.known;
        let format = destination.format;
        let printer = Printer { format, style: self.style.clone() };
        if format == Format::Json {
            let string_numbers = self.string_numbers;
            return Ok(match &self.fields {
                Some(columns) => Shown::Fields {
                    columns: columns.clone(),
                    look: replay_look(&self.style, false),
                    known,
                    parse_arguments: self.style.parse_arguments,
                    string_numbers,
                },
                None => Shown::Whole { printer, string_numbers },
            });
        }
        let look = self.style.look(format == Format::Table);
        if let Some(template) = &self.template {
            let look = views::Look { pairs: false, short_events: false, ..look };
            return Ok(Shown::Template { template: template.clone(), look, known });
        }
        // Only standard output has a width and colours.
        let is_file = destination.file.is_some();
        let width = if is_file { None } else { self.width };
        let is_coloured = self.is_coloured && !is_file;
        if self.columns.is_none() && width.is_none() && !is_coloured {
            return Ok(Shown::Whole { printer, string_numbers: false });
        }
        let default = columns::default(&self.style, format == Format::TableVerbose);
        let columns = match &self.columns {
            Some(list) => column::parse(list, &default, &self.declared)?,
            None => default,
        };
        Ok(Shown::Columns { layout: Layout { columns, width, is_coloured }, look, known })
    }

    /// Which zone times are of, in a sentence; `None` where it is said already or there is none.
    pub fn zone(&self, source: &Source) -> Option<String> {
        let Clock::Zone(zone) = &self.style.clock else { return None };
        let start = Timestamp::from_nanosecond(source.start_wall_ns()?.into()).ok()?;
        let offset = zone.to_offset(start);
        Some(match zone.iana_name() {
            Some(name) => format!("times are of {name} (UTC{offset})"),
            None => format!("times are of UTC{offset}"),
        })
    }
}

/// JSON has one number for a pid, the task's own.
fn replay_look(style: &Style, short_events: bool) -> views::Look {
    views::Look { pairs: false, ..style.look(short_events) }
}
