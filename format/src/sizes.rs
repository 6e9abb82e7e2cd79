//! Where a block's bytes go.

use events::EventId;

use crate::archive::{FIRST_ARG_KEY, INLINE, key};
use crate::{Block, EventCount};

/// What one column of a block takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ColumnSize {
    /// `None` for columns of all rows.
    pub event: Option<EventCount>,
    pub column: ColumnName,
    /// Before compression.
    pub raw: u64,
    /// Its share of the column group that it is in, compressed; 0 for what stands in the directory.
    pub stored: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnName {
    Events,
    ContextCodes,
    Times,
    Cpus,
    Contexts,
    /// Those that columns of arguments share.
    Texts,
    Returns,
    Scopes,
    Marks,
    Durations,
    /// By position in the file's declaration.
    Argument(u8),
}

impl Block {
    /// What each column takes.
    pub fn column_sizes(&self) -> Vec<ColumnSize> {
        let directory = self.directory();
        let size = |place: &crate::directory::Place| {
            let stored = match place.group {
                INLINE => 0.0,
                group => directory.groups.get(group as usize).map_or(0.0, |group| {
                    f64::from(group.stored) * f64::from(place.length) / f64::from(group.raw.max(1))
                }),
            };
            let column = match place.key {
                key::EVENTS => ColumnName::Events,
                key::CONTEXT_CODES => ColumnName::ContextCodes,
                key::TIMES => ColumnName::Times,
                key::CPUS => ColumnName::Cpus,
                key::TEXTS => ColumnName::Texts,
                key if key < FIRST_ARG_KEY => ColumnName::Contexts,
                key => match key & 0xff {
                    key::RET => ColumnName::Returns,
                    key::SCOPES => ColumnName::Scopes,
                    key::MARKS => ColumnName::Marks,
                    key::DURATIONS => ColumnName::Durations,
                    position => ColumnName::Argument(position as u8),
                },
            };
            let code = place.key.checked_sub(FIRST_ARG_KEY).map(|key| (key >> 8) as u16);
            let event = code.and_then(|code| {
                let event: EventId = *self.event_list().get(code as usize)?;
                Some(EventCount { event, rows: self.rows_of(code) as u32 })
            });
            ColumnSize { event, column, raw: u64::from(place.length), stored }
        };
        directory.columns.iter().map(size).collect()
    }

    /// Bytes of the block's directory as stored.
    pub fn directory_bytes(&self) -> u64 {
        self.head_bytes()
    }
}
