//! What one destination gets: one of the formats as it stands, chosen columns of it, or lines after a template.

use pipeline::{Output, Render};
use views::{Class, Column, Known, Look};

use super::columns::{self, Columns, Layout};
use super::fields::Fields;
use super::losses::{self, Loss};
use super::string_numbers::{self, StringNumbers};
use super::template::{Lines, Template};
use super::{Format, Printer};

/// How a destination shows events.
#[derive(Clone, Debug)]
pub enum Shown<'a> {
    /// A format as programs know it.
    Whole {
        printer: Printer,
        string_numbers: bool,
    },
    Columns {
        layout: Layout,
        look: Look,
        known: &'a Known,
    },
    Template {
        template: Template,
        look: Look,
        known: &'a Known,
    },
    Fields {
        columns: Vec<Column>,
        look: Look,
        known: &'a Known,
        parse_arguments: bool,
        string_numbers: bool,
    },
}

impl Shown<'_> {
    /// What stands above the first event.
    pub fn header(&self) -> Vec<u8> {
        match self {
            Shown::Whole { printer, .. } => printer.header(),
            Shown::Columns { layout, look, .. } => columns::header(layout, look),
            Shown::Template { .. } | Shown::Fields { .. } => Vec::new(),
        }
    }

    /// A stretch in which events were lost.
    pub fn loss(&self, loss: &Loss) -> Vec<u8> {
        let json = |string_numbers: bool| {
            let (mut json, mut line) = (Vec::new(), Vec::new());
            losses::json(loss, &mut json);
            if !string_numbers {
                return json;
            }
            string_numbers::quote(&json, &mut line);
            line
        };
        self.aside(Class::Loss, &|look, line| losses::text(loss, look, line), &json)
    }

    /// A line between events that is none of them: in words, or as an object of JSON with its line feed, which is asked for with
    /// whether large numbers are to be strings.
    pub fn aside(
        &self,
        class: Class,
        words: &dyn Fn(&Look, &mut Vec<u8>),
        json: &dyn Fn(bool) -> Vec<u8>,
    ) -> Vec<u8> {
        let text = |look: &Look| {
            let mut line = Vec::new();
            words(look, &mut line);
            line.push(b'\n');
            line
        };
        match self {
            Shown::Columns { layout, look, .. } => columns::aside(class, layout, |line| words(look, line)),
            Shown::Template { look, .. } => text(look),
            Shown::Whole { printer, .. } if printer.format != Format::Json => {
                text(&printer.style.look(false))
            }
            Shown::Whole { string_numbers, .. } | Shown::Fields { string_numbers, .. } => {
                json(*string_numbers)
            }
        }
    }
}

impl Output for Shown<'_> {
    fn renderer(&self) -> Box<dyn Render + '_> {
        match self {
            Shown::Whole { printer, string_numbers } => quoted(printer.renderer(), *string_numbers),
            Shown::Columns { layout, look, known } => Box::new(Columns::new(layout, look, known)),
            Shown::Template { template, look, known } => Box::new(Lines::new(template, look, known)),
            Shown::Fields { columns, look, known, parse_arguments, string_numbers } => {
                quoted(Box::new(Fields::new(columns, look, known, *parse_arguments)), *string_numbers)
            }
        }
    }
}

fn quoted<'a>(inner: Box<dyn Render + 'a>, is_quoted: bool) -> Box<dyn Render + 'a> {
    if is_quoted { Box::new(StringNumbers::new(inner)) } else { inner }
}
