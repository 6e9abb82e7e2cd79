//! What is derived from the rows of a slice while the slice waits: encoded as a block is, with the base's place in place of
//! the time.

use std::sync::Arc;

use events::{Context, Marks, Raw};
use format::{Block, BlockBuilder, BlockHead, Encoder, Row, Schema, Scratch};

use super::Refused;
use crate::derive::DerivedRows;
use crate::spill::{Kept, Spill};
use crate::{Error, Result};

#[derive(Debug, Default)]
pub(super) struct KeptDerived {
    /// None where nothing is derived; more than one where one has no room for all.
    blocks: Vec<(BlockHead, Kept)>,
    schema: Schema,
}

impl KeptDerived {
    pub fn encode(
        derived: &DerivedRows,
        builder: &mut BlockBuilder,
        encoder: &mut Encoder,
        spill: &Arc<Spill>,
    ) -> Result<KeptDerived, Refused> {
        let schema = Schema::declaring(derived.events());
        let mut kept = KeptDerived { blocks: Vec::new(), schema };
        let mut values: Vec<Raw<'_>> = Vec::new();
        for row in (0..derived.len()).filter_map(|at| derived.get(at)) {
            if builder.is_full() {
                kept.flush(builder, encoder, spill)?;
            }
            values.clear();
            values.extend((0..row.event.args.len()).map(|position| row.args.get(position)));
            let context = builder.intern(&Context::default());
            builder.push(&Row {
                time_ns: row.base as u64,
                event: row.event.id,
                cpu: 0,
                context,
                ret: 0,
                scopes: row.scopes,
                marks: row.marks,
                duration_ns: None,
                args: &values,
            })?;
        }
        kept.flush(builder, encoder, spill)?;
        Ok(kept)
    }

    fn flush(
        &mut self,
        builder: &mut BlockBuilder,
        encoder: &mut Encoder,
        spill: &Arc<Spill>,
    ) -> Result<(), Refused> {
        if builder.is_empty() {
            return Ok(());
        }
        let (bytes, head) = encoder.encode(builder)?.into_parts();
        let kept = spill.keep(bytes).map_err(|source| Refused::Error(Error::Spill { source }))?;
        self.blocks.push((head, kept));
        Ok(())
    }

    /// `file`: for errors.
    pub fn decode(self, file: &str, scratch: &mut Scratch) -> Result<DerivedRows> {
        let mut rows = DerivedRows::default();
        for (head, kept) in self.blocks {
            let bytes = kept.read().map_err(|source| Error::Spill { source })?;
            let block = Block::from_bytes(bytes, head, &self.schema, scratch);
            block
                .and_then(|block| add(&mut rows, &block, &self.schema))
                .map_err(|source| Error::Capture { file: file.to_owned(), source })?;
        }
        Ok(rows)
    }
}

fn add(rows: &mut DerivedRows, block: &Block, schema: &Schema) -> format::Result<()> {
    let (times, scopes, marks) = (block.times()?, block.scopes()?, block.marks()?);
    let mut ordinals = vec![0; block.event_list().len()];
    let all = block.event_codes()?.iter().zip(times).zip(scopes).zip(marks);
    for (((code, base), scopes), marks) in all {
        let (at, table) = (usize::from(*code), block.args(*code));
        let event = block.event_list().get(at).and_then(|id| schema.event(*id));
        let (Some(event), Some(ordinal)) = (event, ordinals.get_mut(at)) else { continue };
        let values: Vec<Raw<'_>> = (0..event.args.len())
            .map(|position| table.get(*ordinal, position))
            .collect::<format::Result<_>>()?;
        rows.push_values(*base as usize, event, *scopes, Marks(*marks), &values);
        *ordinal += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use events::catalogue;
    use format::{Compression, Options};

    use super::*;

    #[test]
    fn what_was_derived_is_read_back_as_it_was() {
        let event = |name| catalogue::by_name(name).expect("an event");
        let (tcp, request) = (event("net_packet_tcp"), event("net_packet_http_request"));
        let mut rows = DerivedRows::default();
        for at in 0..20_000usize {
            let event = if at % 3 == 0 { request } else { tcp };
            let text = vec![b'a'; at % 97];
            let values: Vec<Raw<'_>> = (0..event.args.len())
                .map(|position| match (at + position) % 3 {
                    0 => Raw::Missing,
                    _ if matches!(event.args[position].kind, events::ArgKind::U16) => Raw::Number(at as u64),
                    _ => Raw::Bytes(&text),
                })
                .collect();
            rows.push_values(at / 2, event, 1 << (at % 64), Marks(at as u32 % 5), &values);
        }
        let mut encoder = Encoder::new(Options::new(Compression::Fast));
        let kept =
            KeptDerived::encode(&rows, &mut BlockBuilder::new(), &mut encoder, &Arc::new(Spill::default()));
        let Ok(kept) = kept else { panic!("it has room") };
        let back = kept.decode("", &mut Scratch::new()).expect("what was kept");
        let told = |rows: &DerivedRows| -> Vec<String> {
            let row = |at| {
                let row = rows.get(at).expect("a row");
                let values: Vec<Raw<'_>> =
                    (0..row.event.args.len()).map(|position| row.args.get(position)).collect();
                format!("{} {} {} {} {values:?}", row.base, row.event.name, row.scopes, row.marks.0)
            };
            (0..rows.len()).map(row).collect()
        };
        assert_eq!(told(&back), told(&rows));
    }
}
