//! Which arguments stay.

use anyhow::{Result, bail};
use events::Event;
use format::Schema;
use scopes::pattern::Pattern;

#[derive(Debug)]
pub struct Columns {
    keep: Vec<Column>,
    drop: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    event: Pattern,
    argument: Pattern,
}

impl Columns {
    /// Reads `openat.pathname`, `*.fd`. A column that no event of the capture has is misspelt.
    pub fn parse(keep: &[String], drop: &[String], schema: &Schema) -> Result<Columns> {
        let column = |text: &String| {
            let Some((event, argument)) = text.split_once('.') else {
                bail!("`{text}` is no column: columns are EVENT.ARGUMENT, such as openat.pathname or *.buf")
            };
            let column = Column { event: Pattern::parse(event), argument: Pattern::parse(argument) };
            let has = |event: &Event| event.args.iter().any(|arg| column.is(event.name, arg.name));
            if !schema.events().any(has) {
                bail!("`{text}`: no event of this capture has such an argument (tracer events lists them)");
            }
            Ok(column)
        };
        Ok(Columns {
            keep: keep.iter().map(column).collect::<Result<_>>()?,
            drop: drop.iter().map(column).collect::<Result<_>>()?,
        })
    }

    /// Whether all arguments stay.
    pub fn keeps_all(&self) -> bool {
        self.keep.is_empty() && self.drop.is_empty()
    }

    pub fn keeps(&self, event: &str, argument: &str) -> bool {
        let any = |columns: &[Column]| columns.iter().any(|column| column.is(event, argument));
        (self.keep.is_empty() || any(&self.keep)) && !any(&self.drop)
    }
}

impl Column {
    fn is(&self, event: &str, argument: &str) -> bool {
        self.event.matches(event.as_bytes()) && self.argument.matches(argument.as_bytes())
    }
}
