//! From a block's bytes to its columns: groups are decompressed once, and memory is counted before it is taken.

use std::sync::atomic::Ordering;

use super::scratch::{Buffers, keep, lock};
use super::{Block, get_or_try};
use crate::archive::INLINE;
use crate::integers::{self, Integer};
use crate::{ColumnView, Error, Result, limits};

impl Block {
    /// Puts what every event's table has back into the order of the block's rows.
    pub(super) fn gather<T: Integer>(
        &self,
        position: u32,
        pool: fn(&mut Buffers) -> &mut Vec<Vec<T>>,
    ) -> Result<Vec<T>> {
        let rows = self.rows();
        self.take(rows * size_of::<T>())?;
        let mut out = pool(&mut lock(&self.buffers)).pop().unwrap_or_default();
        out.clear();
        let mut views = Vec::with_capacity(self.event_list.len());
        for code in 0..self.event_list.len() {
            views.push(self.event_column(code as u16, position)?);
        }
        let constant = |view: &ColumnView<'_>| match view {
            ColumnView::Constant { number, .. } => Some(*number),
            _ => None,
        };
        let first = views.first().and_then(constant);
        if let Some(number) = first.filter(|_| views.iter().all(|view| constant(view) == first)) {
            out.resize(rows, T::from_word(number));
            return Ok(out);
        }
        let mut next: Vec<(&[u64], T)> = views
            .iter()
            .map(|view| match view {
                ColumnView::Numbers { values, .. } => (*values, T::default()),
                view => (&[][..], T::from_word(constant(view).unwrap_or_default())),
            })
            .collect();
        out.extend(self.event_codes()?.iter().map(|code| match next.get_mut(*code as usize) {
            Some((values, constant)) => match values.split_first() {
                Some((value, rest)) => {
                    *values = rest;
                    T::from_word(*value)
                }
                None => *constant,
            },
            None => T::default(),
        }));
        Ok(out)
    }

    /// A column of the whole block.
    pub(super) fn fixed<T: Integer>(
        &self,
        wanted: u32,
        pool: fn(&mut Buffers) -> &mut Vec<Vec<T>>,
    ) -> Result<Vec<T>> {
        self.take(self.rows() * size_of::<T>())?;
        let bytes = self.column_bytes(wanted)?.ok_or(self.damaged("a column of all rows is not there"))?;
        let mut out = pool(&mut lock(&self.buffers)).pop().unwrap_or_default();
        match integers::decode(bytes, self.rows(), &mut out) {
            Ok([]) => Ok(out),
            _ => Err(self.damaged("a column of all rows is torn")),
        }
    }

    pub(super) fn column_bytes(&self, wanted: u32) -> Result<Option<&[u8]>> {
        self.directory.find(wanted).map(|at| self.bytes_at(at)).transpose()
    }

    /// The bytes of the column at a place of the directory, decompressed.
    pub(super) fn bytes_at(&self, at: usize) -> Result<&[u8]> {
        let torn = || self.damaged("its directory contradicts itself");
        let column = self.directory.columns.get(at).ok_or_else(torn)?;
        let whole = match column.group {
            INLINE => self.directory.inline.as_slice(),
            group => self.group(group as usize)?,
        };
        let start = column.offset as usize;
        whole.get(start..start + column.length as usize).ok_or_else(torn)
    }

    pub(super) fn group(&self, at: usize) -> Result<&[u8]> {
        let cell = self.groups.get(at).ok_or(self.damaged("a column is in a group that is not there"))?;
        get_or_try(cell, || {
            let group = self.directory.groups.get(at).copied().unwrap_or_default();
            self.take(group.raw as usize)?;
            let mut buffers = lock(&self.buffers);
            let mut read = buffers.bytes.pop().unwrap_or_default();
            let mut out = buffers.bytes.pop().unwrap_or_default();
            let (start, length) = (self.groups_at + u64::from(group.offset), group.stored as usize);
            let stored = self.stored.read(start, length, &mut read)?;
            let stored = stored.ok_or(self.damaged("a column group ends outside of the block"))?;
            if crc32fast::hash(stored) != group.crc {
                return Err(self.damaged("a column group does not fit its checksum"));
            }
            buffers
                .decompressor
                .read(group.codec, stored, group.raw as usize, &mut out)
                .ok_or(self.damaged("a column group cannot be decompressed"))?;
            self.decompressed.fetch_add(u64::from(group.raw), Ordering::Relaxed);
            keep(&mut buffers.bytes, read);
            Ok(out)
        })
        .map(Vec::as_slice)
    }

    pub(super) fn damaged(&self, what: &'static str) -> Error {
        Error::Block { block: self.number, what }
    }

    /// Counts memory before it is taken.
    pub(super) fn take(&self, bytes: usize) -> Result<()> {
        if bytes > self.memory_left() {
            return Err(self.damaged("it needs more memory than a block may take"));
        }
        self.memory.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn memory_left(&self) -> usize {
        limits::BLOCK_MEMORY.saturating_sub(self.memory.load(Ordering::Relaxed))
    }
}
