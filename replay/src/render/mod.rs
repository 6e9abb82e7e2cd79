//! Events as people and programs read them.

mod acting;
pub mod columns;
mod fields;
mod json;
mod json_event;
pub mod json_text;
pub mod losses;
mod marks;
mod memo;
pub mod rows;
mod shown;
mod string_numbers;
mod table;
mod table_values;
pub mod template;
pub mod values;

use std::path::PathBuf;

use pipeline::{Output, Render};

pub use shown::Shown;
use views::Look;
pub use views::clock;
use views::clock::Clock;

/// How events are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    #[default]
    Table,
    TableVerbose,
    Json,
}

impl Format {
    pub const ALL: &'static [Format] = &[Format::Table, Format::TableVerbose, Format::Json];

    pub const fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::TableVerbose => "table-verbose",
            Format::Json => "json",
        }
    }

    pub fn by_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.name() == name)
    }
}

/// One `-o`: a format, and a file where it is not stdout.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Destination {
    pub format: Format,
    pub file: Option<PathBuf>,
}

impl std::str::FromStr for Destination {
    type Err = String;

    /// `json`, `format:json`, `json:out.json`, `format:json:out.json`.
    fn from_str(text: &str) -> Result<Destination, String> {
        let body = text.strip_prefix("format:").unwrap_or(text);
        let (name, file) = match body.split_once(':') {
            Some((name, file)) => (name, Some(file)),
            None => (body, None),
        };
        let Some(format) = Format::by_name(name) else {
            let known: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
            return Err(format!("no format {name:?}; known are {}", known.join(", ")));
        };
        match file {
            Some("") => Err(format!("{text:?} names no file after its last colon")),
            file => Ok(Destination { format, file: file.map(PathBuf::from) }),
        }
    }
}

/// What all formats ask.
#[derive(Clone, Debug, Default)]
pub struct Style {
    pub clock: Clock,
    /// Whether the capture has containers: tables then show their ids, and pairs of pids.
    pub containers: bool,
    /// Whether events are of several hosts: verbose tables then say which.
    pub hosts: bool,
    /// Whether tables show dates beside times: the answer spans days.
    pub dates: bool,
    /// Whether tables show the images of containers.
    pub images: bool,
    /// Numbers as names in JSON (`--parse-arguments`).
    pub parse_arguments: bool,
    /// Numbers as numbers in tables (`--raw-arguments`).
    pub raw_arguments: bool,
    /// The errno's name beside a negative result in tables (`--errno`).
    pub errno: bool,
    /// Names of the policies that scopes come from: (scope number, name).
    pub policies: Vec<(u8, String)>,
}

impl Style {
    /// The same for cells of chosen columns.
    pub fn look(&self, short_events: bool) -> Look {
        Look {
            clock: self.clock.clone(),
            dates: self.dates,
            pairs: self.containers,
            raw_arguments: self.raw_arguments,
            errno: self.errno,
            short_events,
        }
    }
}

/// One of the formats, with its style.
#[derive(Clone, Debug)]
pub struct Printer {
    pub format: Format,
    pub style: Style,
}

impl Printer {
    /// What stands above the first event; empty for JSON.
    pub fn header(&self) -> Vec<u8> {
        match self.format {
            Format::Table => table::header(&self.style, false),
            Format::TableVerbose => table::header(&self.style, true),
            Format::Json => Vec::new(),
        }
    }
}

impl Output for Printer {
    fn renderer(&self) -> Box<dyn Render + '_> {
        match self.format {
            Format::Table => Box::new(table::Table::new(&self.style, false)),
            Format::TableVerbose => Box::new(table::Table::new(&self.style, true)),
            Format::Json => Box::new(json::Json::new(&self.style)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_in_both_spellings() {
        let read = |text: &str| text.parse::<Destination>();
        let json = |file: Option<&str>| Destination { format: Format::Json, file: file.map(PathBuf::from) };
        assert_eq!(read("json"), Ok(json(None)));
        assert_eq!(read("format:json"), Ok(json(None)));
        assert_eq!(read("json:out.json"), Ok(json(Some("out.json"))));
        assert_eq!(read("format:json:a:b"), Ok(json(Some("a:b"))));
        assert_eq!(read("table-verbose").map(|it| it.format), Ok(Format::TableVerbose));
        assert!(read("gob").is_err_and(|error| error.contains("table-verbose")));
        assert!(read("json:").is_err());
    }
}
