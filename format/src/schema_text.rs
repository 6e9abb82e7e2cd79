//! The schema as a header holds it since version 4: one text, which takes half of the room that an archive of as many
//! strings does, and is most of a small capture.
//!
//! Fields, each followed by a NUL: for each event its id, its name, `call` or nothing, the number of its sets, the sets, the
//! number of its arguments, and for each of those name, C type and kind.

use crate::limits;
use crate::schema::{ArgSchema, EventSchema};
use crate::{Error, Result};

const CALL: &str = "call";

/// Strings of a hostile file may have NULs in them: those are left out.
pub(crate) fn write(schema: &[EventSchema]) -> String {
    let mut text = String::new();
    let mut field = |field: &str| {
        text.extend(field.chars().filter(|character| *character != '\0'));
        text.push('\0');
    };
    for event in schema {
        field(&event.id.to_string());
        field(&event.name);
        field(if event.syscall { CALL } else { "" });
        field(&event.sets.len().to_string());
        event.sets.iter().for_each(|set| field(set));
        field(&event.args.len().to_string());
        for arg in &event.args {
            [&arg.name, &arg.ctype, &arg.kind].into_iter().for_each(|part| field(part));
        }
    }
    text
}

/// `offset` is where the header came from, for the error.
pub(crate) fn read(text: &str, offset: u64) -> Result<Vec<EventSchema>> {
    let damaged = || Error::Damaged { offset, what: "the schema cannot be read" };
    let too_many = |what, value: usize, limit: usize| match value <= limit {
        true => Ok(value),
        false => Err(Error::TooLarge { what, value: value as u64, limit: limit as u64 }),
    };
    let mut fields = Fields(text);
    let mut schema = Vec::new();
    while !fields.0.is_empty() {
        too_many("the number of events in the schema", schema.len() + 1, limits::SCHEMA_EVENTS)?;
        let mut event = EventSchema {
            id: fields.number().ok_or_else(damaged)?,
            name: fields.owned().ok_or_else(damaged)?,
            syscall: fields.next().ok_or_else(damaged)? == CALL,
            ..EventSchema::default()
        };
        let sets = too_many(
            "the number of an event's sets",
            fields.number().ok_or_else(damaged)?,
            limits::EVENT_SETS,
        )?;
        for _ in 0..sets {
            event.sets.push(fields.owned().ok_or_else(damaged)?);
        }
        let args = fields.number().ok_or_else(damaged)?;
        for _ in 0..too_many("the number of an event's arguments", args, limits::EVENT_ARGS)? {
            let mut part = || fields.owned().ok_or_else(damaged);
            event.args.push(ArgSchema { name: part()?, ctype: part()?, kind: part()? });
        }
        schema.push(event);
    }
    Ok(schema)
}

/// The fields that are left.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (field, rest) = self.0.split_once('\0')?;
        self.0 = rest;
        Some(field)
    }

    fn owned(&mut self) -> Option<String> {
        self.next().map(str::to_owned)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_schema_reads_back_and_no_cut_of_it_does() {
        let schema = crate::current_schema();
        let text = write(&schema);
        assert_eq!(read(&text, 0).unwrap(), schema);
        let few: Vec<EventSchema> =
            schema.into_iter().filter(|event| event.args.len() == 2).take(1).collect();
        let text = write(&few);
        for cut in 1..text.len() {
            assert!(read(&text[..cut], 0).is_err(), "{cut}");
        }
    }

    #[test]
    fn absurd_counts_are_refused_and_names_cannot_end_fields() {
        let text = |fields: &[&str]| fields.iter().map(|field| format!("{field}\0")).collect::<String>();
        let error = |fields: &[&str]| read(&text(fields), 0).unwrap_err().to_string();
        assert!(error(&["1", "openat", "call", "4000000000"]).contains("an event's sets"));
        assert!(error(&["1", "openat", "call", "0", "65"]).contains("an event's arguments"));
        assert!(error(&["70000", "openat"]).contains("the schema cannot be read"));
        let many: Vec<&str> =
            std::iter::repeat_n(["1", "x", "", "0", "0"], limits::SCHEMA_EVENTS + 1).flatten().collect();
        assert!(error(&many).contains("events in the schema"));
        let hostile = EventSchema { name: "open\0at".into(), ..EventSchema::default() };
        assert_eq!(read(&write(&[hostile]), 0).unwrap()[0].name, "openat");
    }
}
