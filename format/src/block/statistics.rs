//! What a block's rows really amount to, which `verify` holds the index to.

use std::sync::Arc;

use events::{ArgKind, Context};

use crate::schema::{FIRST_FOREIGN_ID, FileEvent};
use crate::statistics::{EventCount, Numbers, Statistics, Texts};
use crate::trigrams::{Trigrams, TrigramsBuilder};
use crate::{Block, ColumnView, Result, columns, mark_counts};

impl Block {
    /// What is known of the rows once all of them are read, everything listed. An error when they contradict what the
    /// block says of itself.
    pub(crate) fn actual_statistics(&self) -> Result<Statistics> {
        let (times, codes, contexts) = (self.times()?, self.event_codes()?, self.contexts()?);
        if !times.is_sorted() {
            return Err(self.damaged("its rows are not in order of time"));
        }
        if times.len() != codes.len()
            || self.context_codes()?.len() != codes.len()
            || self.cpus()?.len() != codes.len()
        {
            return Err(self.damaged("its columns are not of one length"));
        }
        let (first_ns, last_ns) = (self.directory.first_ns, self.directory.last_ns);
        let ends = (times.first().copied(), times.last().copied());
        if !times.is_empty() && ends != (Some(first_ns), Some(last_ns)) {
            return Err(self.damaged("its first or last row is of another time than it says"));
        }
        let count = |rows: &dyn Fn(u16) -> u32| {
            let counts = (0u16..).zip(&self.event_list);
            let mut counts: Vec<EventCount> =
                counts.map(|(code, event)| EventCount { event: *event, rows: rows(code) }).collect();
            counts.sort_unstable_by_key(|count| count.event);
            counts
        };
        let events = count(&|code| self.rows_of(code) as u32);
        let mut of_code = vec![0u32; self.event_list.len()];
        for (code, ret) in codes.iter().zip(self.rets()?) {
            if let (true, Some(count)) = ((-4095..0).contains(ret), of_code.get_mut(usize::from(*code))) {
                *count += 1;
            }
        }
        let mut failed = count(&|code| of_code.get(usize::from(code)).copied().unwrap_or_default());
        failed.retain(|count| count.rows > 0);
        let marks = mark_counts::count(codes.iter().zip(self.marks()?), &self.event_list);
        // Nobody skips by these, but they are read.
        self.scopes()?;
        let numbers = |of: &dyn Fn(&Context<'_>) -> u64| {
            let mut all: Vec<u64> = contexts.iter().map(|context| of(&context)).collect();
            all.sort_unstable();
            all.dedup();
            Numbers::Exact(all)
        };
        let texts = |of: fn(&Context<'_>) -> Arc<[u8]>| {
            let mut all: Vec<Arc<[u8]>> = contexts.iter().map(|context| of(&context)).collect();
            all.sort_unstable();
            all.dedup();
            Texts::Exact(all)
        };
        Ok(Statistics {
            rows: codes.len() as u64,
            first_ns,
            last_ns,
            hosts: vec![self.host()],
            events,
            failed: Some(failed),
            has_returns_below_errors: Some(self.rets()?.iter().any(|ret| *ret < -4095)),
            wall_offset_ns: Some(self.clock().wall(0)),
            marks: Some(marks),
            comms: texts(|context| Arc::from(context.comm)),
            exes: texts(|context| Arc::from(context.exe)),
            utses: texts(|context| Arc::from(context.uts)),
            pids: numbers(&|context| context.pid.into()),
            tids: numbers(&|context| context.tid.into()),
            ppids: numbers(&|context| context.ppid.into()),
            uids: numbers(&|context| context.uid.into()),
            mnt_nss: numbers(&|context| context.mnt_ns.into()),
            pid_nss: numbers(&|context| context.pid_ns.into()),
            cgroups: numbers(&|context| context.cgroup_id),
            argument_texts: Some(self.argument_texts()?),
        })
    }

    /// Parts of the texts of arguments, as [`Statistics::argument_texts`] has them.
    fn argument_texts(&self) -> Result<Trigrams> {
        let mut trigrams = TrigramsBuilder::default();
        trigrams.clear();
        // Whoever wrote an event that the program does not know may not have known which of its arguments are texts.
        let known = |file: &FileEvent| file.event.id.0 < FIRST_FOREIGN_ID;
        for (code, file) in (0u16..).zip(&self.events).filter(|(_, file)| known(file)) {
            for (position, arg) in file.event.args.iter().enumerate() {
                let view = self.args(code).column(position)?;
                let skipped = match arg.kind {
                    ArgKind::Str => 0,
                    ArgKind::Fd => columns::DESCRIPTOR_NUMBER,
                    _ => continue,
                };
                if let ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } = view {
                    let texts = dictionary.iter().filter_map(|value| value.get(skipped..));
                    texts.for_each(|text| trigrams.text(text));
                }
            }
        }
        Ok(trigrams.whole())
    }
}
