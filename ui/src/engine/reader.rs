//! The thread that reads single rows: a screen of them and some more, and the detail of one. It opens a block or two for that.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use events::context::Entity;
use hashbrown::HashMap;
use pipeline::{Access, EventView, Matcher, Projection, Question, Result, RowRef};
use scopes::Plan;
use views::cell::Cells;

use super::{Query, Shared, State, Style, detail, rows};
use crate::answer::Anchor;
use crate::message::{Context, Message, Place, Read, Rows};
use crate::row::Row;

pub fn run(state: &Arc<State>, reads: &Receiver<Read>) {
    let mut next = reads.recv().ok();
    while let Some(read) = next.take() {
        // The question may have been put by now, or be put anew.
        let Some(query) = state.query() else {
            next = reads.recv().ok();
            continue;
        };
        next = of_query(state, &query, read, reads);
    }
}

/// Answers as long as it is about this question. Returns what is about another one.
fn of_query(state: &State, query: &Query, first: Read, reads: &Receiver<Read>) -> Option<Read> {
    let everything = Plan::everything();
    let shared = &query.shared;
    let question = Question { cancellation: Default::default(), range: None, ..query.question(1) };
    let mut reader = Reader {
        query,
        everything: &everything,
        access: Access::new(&question, Projection::ALL),
        threads: state.threads,
    };
    let mut read = first;
    loop {
        let version = match &read {
            Read::Rows { version, .. } | Read::Detail { version, .. } => *version,
        };
        // What was asked of an older question is of no use.
        if version == query.version {
            match reader.answer(&read) {
                Ok(message) => state.tell(message),
                Err(error) => state.tell(Message::Failed(error.to_string())),
            }
        }
        // Of rows only those that were asked for last are wanted.
        read = reads.recv().ok()?;
        while let Ok(newer) = reads.try_recv() {
            if let (Read::Rows { .. }, Read::Detail { .. }) = (&read, &newer)
                && let Ok(message) = reader.answer(&read)
            {
                state.tell(message);
            }
            read = newer;
        }
        let is_other = state.query().is_some_and(|now| now.version != query.version);
        if is_other || !Arc::ptr_eq(&state.shared(), shared) {
            return Some(read);
        }
    }
}

struct Reader<'q> {
    query: &'q Query,
    everything: &'q Plan,
    access: Access<'q>,
    threads: usize,
}

/// Blocks that are looked through for the rows beside one.
const MOST_BLOCKS: usize = 8;

/// A row to be shown.
#[derive(Clone, Copy)]
struct Wanted {
    at: RowRef,
    is_context: bool,
}

impl Reader<'_> {
    fn answer(&mut self, read: &Read) -> Result<Message> {
        match read {
            Read::Rows { version, ticket, place, shift, reach, context, style } => {
                let mut rows = self.rows(place, *shift, *reach, *context, style)?;
                (rows.version, rows.ticket) = (*version, *ticket);
                Ok(Message::Rows(rows))
            }
            Read::Detail { ticket, at, style, .. } => {
                let mut page = None;
                let known = &self.query.shared.known;
                self.see(&[Wanted { at: at.at, is_context: false }], false, &mut |event| {
                    page = Some(detail::page(event, style, known));
                })?;
                Ok(Message::Detail { ticket: *ticket, page: page.unwrap_or_default() })
            }
        }
    }

    /// The rows around a place.
    fn rows(
        &mut self,
        place: &Place,
        shift: i64,
        reach: usize,
        context: Context,
        style: &Style,
    ) -> Result<Rows> {
        let (anchor, number) = self.place(place)?;
        let (items, from, target) = {
            let answer = self.query.answer();
            let len = answer.len();
            let number = number.or_else(|| anchor.map(|anchor| answer.rank(anchor))).unwrap_or_default();
            let number = number.saturating_add_signed(shift).min(len.saturating_sub(1));
            let from = number.saturating_sub(reach as u64);
            let count = (number - from) as usize + reach + 1;
            (answer.rows(from, count), from, (number - from) as usize)
        };
        let numbers = from..from + items.len() as u64;
        // An event that does not match is not there; its neighbour in time is.
        let is_beside = anchor.is_some_and(|anchor| shift == 0 && items.get(target) != Some(&anchor.at));
        let wanted_row = items.get(target).copied();
        let wanted = self.with_context(&items, context)?;
        let mut made: HashMap<RowRef, Row> = HashMap::new();
        let shared = &self.query.shared;
        let mut cells = Cells::new(&style.look, &shared.known);
        let is_context: HashMap<RowRef, bool> = wanted.iter().map(|it| (it.at, it.is_context)).collect();
        let has_masks = style.columns.contains(&views::Column::Scopes);
        self.see(&wanted, has_masks, &mut |event| {
            let is_context = is_context.get(&event.at).copied().unwrap_or(false);
            if !(is_context && event.marks.has(events::Marks::STATE_ONLY)) {
                made.insert(event.at, rows::row(event, style, &mut cells, is_context));
            }
        })?;
        let mut shown = Rows { numbers, is_beside, ..Rows::default() };
        for it in &wanted {
            if Some(it.at) == wanted_row {
                shown.cursor = shown.rows.len();
            }
            shown.rows.extend(made.remove(&it.at));
        }
        shown.cursor = shown.cursor.min(shown.rows.len().saturating_sub(1));
        Ok(shown)
    }

    /// Where a place is: as a row, or by its number in the answer.
    fn place(&self, place: &Place) -> Result<(Option<Anchor>, Option<u64>)> {
        let shared: &Shared = &self.query.shared;
        let all = || -> Vec<Matcher<'_>> {
            let files = shared.source.files().iter();
            files.map(|file| Matcher::of_capture(self.everything, &file.capture)).collect()
        };
        let question = |range: Option<Range<i64>>| Question {
            range,
            threads: self.threads,
            ..Question::new(&shared.source, all())
        };
        let len = self.query.answer().len();
        Ok(match place {
            // Who found it in a block may not know its time.
            Place::Row(Anchor { at, key: 0 }) => (Some(self.anchor(*at)?), None),
            Place::Row(anchor) => (Some(*anchor), None),
            Place::Number(number) => (None, Some(*number)),
            Place::Last => (None, Some(len.saturating_sub(1))),
            Place::Part(part) => (None, Some((len as f64 * part.clamp(0.0, 1.0)) as u64)),
            Place::Time(wall_ns) => match question(Some(*wall_ns..i64::MAX)).nth(0)?.0 {
                Some(found) => (Some(self.anchor(found.at)?), None),
                None => (None, Some(len.saturating_sub(1))),
            },
            Place::Event(number) => match question(None).nth(number.saturating_sub(1))?.0 {
                Some(found) => (Some(self.anchor(found.at)?), None),
                None => (None, Some(len.saturating_sub(1))),
            },
        })
    }

    /// A row with its time.
    fn anchor(&self, at: RowRef) -> Result<Anchor> {
        let mut anchor = Anchor { at, key: 0 };
        let shared = &self.query.shared;
        if let Some(file) = shared.source.files().get(at.file as usize) {
            let mut scratch = format::Scratch::new();
            let damaged = |source| pipeline::Error::Capture { file: file.name.clone(), source };
            let block = file.capture.block(at.block as usize, &mut scratch).map_err(damaged)?;
            let time = block.times().map_err(damaged)?.get(at.row as usize).copied();
            anchor.key = file.key(block.host(), time.unwrap_or_default());
        }
        Ok(anchor)
    }

    /// Calls `see` with rows in this order; those that a whole stream was read for come last. With `has_masks` what matches is
    /// asked once more, for the scopes that it is in.
    fn see(&mut self, wanted: &[Wanted], has_masks: bool, see: &mut dyn FnMut(&EventView<'_>)) -> Result<()> {
        let is_asked = |it: &&Wanted| !has_masks || it.is_context;
        let asked: Vec<pipeline::Wanted> = wanted
            .iter()
            .filter(is_asked)
            .map(|it| pipeline::Wanted { at: it.at, scopes: if it.is_context { 0 } else { u64::MAX } })
            .collect();
        let mut seen: Vec<RowRef> = Vec::new();
        self.access.rows(&asked, &mut |event| {
            seen.push(event.at);
            see(event);
        })?;
        let missing: Vec<RowRef> = wanted
            .iter()
            .map(|it| it.at)
            .filter(|at| (has_masks || at.derived > 0) && !seen.contains(at))
            .collect();
        if !missing.is_empty() {
            self.of_streams(&missing, see)?;
        }
        Ok(())
    }

    /// What streams of packets give is found by asking once more for the time that it is of.
    fn of_streams(&self, missing: &[RowRef], see: &mut dyn FnMut(&EventView<'_>)) -> Result<()> {
        let shared = &self.query.shared;
        let walls =
            missing.iter().filter_map(|at| Some(shared.wall_of(shared.layout.place(at.file, at.block)?)));
        let (mut from, mut to) = (i64::MAX, i64::MIN);
        walls.for_each(|(first, last)| (from, to) = (from.min(first), to.max(last)));
        if from > to {
            return Ok(());
        }
        let question = Question {
            range: Some(from..to.saturating_add(1)),
            cancellation: Default::default(),
            ..self.query.question(self.threads)
        };
        question.each(&mut |_, event| {
            if missing.contains(&event.at) {
                see(event);
            }
        })?;
        Ok(())
    }

    /// Rows around those that match, also of the blocks before and behind.
    fn with_context(&mut self, items: &[RowRef], context: Context) -> Result<Vec<Wanted>> {
        let plain = items.iter().map(|at| Wanted { at: *at, is_context: false });
        if context.rows == 0 {
            return Ok(plain.collect());
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut add = |it: Wanted| match wanted.iter_mut().rev().take(400).find(|known| known.at == it.at) {
            Some(known) => known.is_context &= it.is_context,
            None => wanted.push(it),
        };
        for item in items {
            let (before, after) = self.around(*item, context)?;
            let beside = |at: RowRef| Wanted { at, is_context: true };
            before.into_iter().for_each(|at| add(beside(at)));
            add(Wanted { at: *item, is_context: false });
            after.into_iter().for_each(|at| add(beside(at)));
        }
        // What stands beside one match may itself be the next one.
        let mut is_match: HashMap<RowRef, ()> = items.iter().map(|at| (*at, ())).collect();
        for it in &mut wanted {
            if is_match.remove(&it.at).is_some() {
                it.is_context = false;
            }
        }
        let layout = &self.query.shared.layout;
        // What stands beside one match may be of a block before that of another match. Blocks that overlap stay as they came.
        wanted.sort_by_key(|it| match layout.place(it.at.file, it.at.block) {
            Some(place) if layout.overlaps(place) => (layout.group(place), RowRef::default()),
            Some(place) => (layout.group(place), it.at),
            None => (usize::MAX, it.at),
        });
        sort_by_block(&mut wanted);
        Ok(wanted)
    }

    /// So many rows before and after one. What is missing at an end of its block is taken from the next one of the same boot.
    fn around(&mut self, at: RowRef, context: Context) -> Result<(Vec<RowRef>, Vec<RowRef>)> {
        let wanted = context.rows as usize;
        let own = match context.same_process {
            true => Some(self.process_of(at)?),
            false => None,
        };
        let layout = Arc::clone(&self.query.shared.layout);
        let Some(place) = layout.place(at.file, at.block) else { return Ok(Default::default()) };
        let boot = layout.blocks().get(place).map(|block| block.boot);
        let mut sides = [Vec::new(), Vec::new()];
        for (is_after, side) in [false, true].into_iter().zip(&mut sides) {
            let others: Vec<usize> = match is_after {
                false => (0..=place).rev().collect(),
                true => (place..layout.blocks().len()).collect(),
            };
            for other in others.into_iter().take(MOST_BLOCKS) {
                let Some(block) = layout.blocks().get(other).filter(|it| Some(it.boot) == boot) else {
                    continue;
                };
                if side.len() >= wanted {
                    break;
                }
                let from = if other == place { Some(at.row) } else { None };
                let left = wanted - side.len();
                let rows = self.beside(block.file, block.block, from, is_after, own, left)?;
                let row =
                    |row| RowRef { file: block.file as u32, block: block.block as u32, row, derived: 0 };
                side.extend(rows.into_iter().map(row));
            }
        }
        let [mut before, after] = sides;
        before.reverse();
        Ok((before, after))
    }

    /// Up to so many rows of a block, the nearest first: before or after one of its rows, or from its end or its beginning on.
    fn beside(
        &mut self,
        file: usize,
        block: usize,
        from: Option<u32>,
        is_after: bool,
        process: Option<Entity>,
        wanted: usize,
    ) -> Result<Vec<u32>> {
        let damaged = self.damaged(file);
        let block = self.access.block(file, block)?;
        let rows = block.rows() as u32;
        let all: Box<dyn Iterator<Item = u32>> = match (is_after, from) {
            (true, from) => Box::new(from.map_or(0, |row| row + 1)..rows),
            (false, from) => Box::new((0..from.unwrap_or(rows)).rev()),
        };
        let Some(process) = process else { return Ok(all.take(wanted).collect()) };
        let codes = block.context_codes().map_err(&damaged)?;
        let contexts = block.contexts().map_err(&damaged)?;
        // Each context is looked at once.
        let is_its: Vec<bool> = (0..contexts.len())
            .map(|code| contexts.get(code as u16).is_some_and(|it| it.process() == process))
            .collect();
        let is_its = |row: &u32| {
            codes
                .get(*row as usize)
                .is_some_and(|code| is_its.get(usize::from(*code)).copied().unwrap_or(false))
        };
        Ok(all.filter(is_its).take(wanted).collect())
    }

    fn process_of(&mut self, at: RowRef) -> Result<Entity> {
        let damaged = self.damaged(at.file as usize);
        let block = self.access.block(at.file as usize, at.block as usize)?;
        let codes = block.context_codes().map_err(&damaged)?;
        let contexts = block.contexts().map_err(&damaged)?;
        let context = codes.get(at.row as usize).and_then(|code| contexts.get(*code));
        Ok(context.map_or(Entity { pid: 0, start_ns: 0 }, |it| it.process()))
    }

    fn damaged(&self, file: usize) -> impl Fn(format::Error) -> pipeline::Error + use<> {
        let name = self.query.shared.source.files().get(file).map(|it| it.name.clone()).unwrap_or_default();
        move |source| pipeline::Error::Capture { file: name.clone(), source }
    }
}

/// Rows of one block that follow each other in order; the order of blocks stays.
fn sort_by_block(wanted: &mut [Wanted]) {
    let mut from = 0;
    while let Some(first) = wanted.get(from) {
        let of = (first.at.file, first.at.block);
        let len = wanted.iter().skip(from).take_while(|it| (it.at.file, it.at.block) == of).count();
        if let Some(run) = wanted.get_mut(from..from + len) {
            run.sort_by_key(|it| it.at);
        }
        from += len.max(1);
    }
}
