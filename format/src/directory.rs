//! A block's directory, checked: what it says fits the block and the limits.

use crate::archive::{ArchivedBlockV1, GroupV1, INLINE};
use crate::{Clock, limits};

/// Where the columns of a block are.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) rows: usize,
    pub(crate) host: u16,
    pub(crate) clock: Clock,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) contexts: usize,
    pub(crate) event_ids: Vec<u16>,
    pub(crate) event_rows: Vec<u32>,
    pub(crate) groups: Vec<GroupV1>,
    /// By key.
    pub(crate) columns: Vec<Place>,
    pub(crate) inline: Vec<u8>,
}

/// Where one column is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) key: u32,
    /// Or [`INLINE`].
    pub(crate) group: u16,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

impl Directory {
    /// Reads a directory of a block whose groups take `groups_bytes`; says what is wrong with it otherwise.
    pub(crate) fn read(block: &ArchivedBlockV1, groups_bytes: u64) -> Result<Directory, &'static str> {
        let rows = block.rows.to_native() as usize;
        let contexts = block.contexts.to_native() as usize;
        if rows > limits::BLOCK_ROWS || contexts > limits::BLOCK_ROWS {
            return Err("it says it has more rows than a block may have");
        }
        if block.groups.len() > limits::BLOCK_GROUPS || block.keys.len() > limits::BLOCK_COLUMNS {
            return Err("it says it has more columns than a block may have");
        }
        let of_events: u64 = block.event_rows.iter().map(|rows| u64::from(rows.to_native())).sum();
        if block.event_ids.len() != block.event_rows.len() || of_events != rows as u64 {
            return Err("its events are not as many as its rows");
        }
        let mut directory = Directory {
            rows,
            host: block.host.to_native(),
            clock: Clock {
                monotonic_ns: block.clock.monotonic_ns.to_native(),
                boot_ns: block.clock.boot_ns.to_native(),
                wall_ns: block.clock.wall_ns.to_native(),
            },
            first_ns: block.first_ns.to_native(),
            last_ns: block.last_ns.to_native(),
            contexts,
            event_ids: block.event_ids.iter().map(|id| id.to_native()).collect(),
            event_rows: block.event_rows.iter().map(|rows| rows.to_native()).collect(),
            groups: Vec::with_capacity(block.groups.len()),
            columns: Vec::with_capacity(block.keys.len()),
            inline: block.inline.to_vec(),
        };
        for group in block.groups.iter() {
            let group = GroupV1 {
                offset: group.offset.to_native(),
                stored: group.stored.to_native(),
                raw: group.raw.to_native(),
                crc: group.crc.to_native(),
                codec: group.codec,
            };
            if u64::from(group.offset) + u64::from(group.stored) > groups_bytes {
                return Err("a column group ends outside of the block");
            }
            if group.raw as usize > limits::BLOCK_MEMORY {
                return Err("a column group says it is larger than any may be");
            }
            directory.groups.push(group);
        }
        let columns = block.keys.iter().zip(block.in_group.iter());
        let columns = columns.zip(block.offsets.iter().zip(block.lengths.iter()));
        for ((key, group), (offset, length)) in columns {
            let place = Place {
                key: key.to_native(),
                group: group.to_native(),
                offset: offset.to_native(),
                length: length.to_native(),
            };
            let room = match place.group {
                INLINE => directory.inline.len() as u64,
                group => match directory.groups.get(group as usize) {
                    Some(group) => u64::from(group.raw),
                    None => return Err("a column is in a group that is not there"),
                },
            };
            if u64::from(place.offset) + u64::from(place.length) > room {
                return Err("a column ends outside of its group");
            }
            if directory.columns.last().is_some_and(|last| last.key >= place.key) {
                return Err("its columns are not in order");
            }
            directory.columns.push(place);
        }
        if directory.columns.len() != block.keys.len() {
            return Err("its columns are not as many as it says");
        }
        Ok(directory)
    }

    /// The place of a column in `columns`.
    pub(crate) fn find(&self, key: u32) -> Option<usize> {
        self.columns.binary_search_by_key(&key, |place| place.key).ok()
    }
}
