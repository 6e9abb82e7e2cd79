//! The events of a page in memory: about 40 bytes each, and each text once.

use std::hash::BuildHasher;

use events::{Event, EventId};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use super::collect::{MISSING, Piece};
use super::kept::{Column, Kind, columns};

/// Bytes of texts that are kept. A capture whose texts are all different and long has less of them in the page.
const MOST_TEXT_BYTES: usize = 128 << 20;
/// What stands in place of a text that there was no room for.
const NO_ROOM: &str = "(left out)";

/// What a row's context says, as far as the page shows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Task {
    pub boot: usize,
    pub host: String,
    pub pid: u32,
    pub tid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub start_ns: u64,
    pub comm: Vec<u8>,
    pub exe: Vec<u8>,
    pub has_unknown_exe: bool,
    pub container: Option<ContainerOf>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ContainerOf {
    pub id: String,
    pub name: String,
    pub image: String,
}

/// A row of a source: its file, block and row in that.
pub type Place = (u32, u32, u32);

/// An event of the page and its columns.
#[derive(Debug)]
pub(super) struct OfEvent {
    pub event: &'static Event,
    /// Rows of it are in a file, and not derived from others.
    pub is_stored: bool,
    /// The last one is what is said of whole rows.
    pub columns: Vec<(Option<Column>, Vec<u32>)>,
}

impl OfEvent {
    fn new(event: &'static Event) -> OfEvent {
        let columns = columns(event).into_iter().map(Some).chain([None]);
        OfEvent { event, is_stored: false, columns: columns.map(|column| (column, Vec::new())).collect() }
    }
}

#[derive(Debug, Default)]
pub struct Events {
    /// µs since the epoch.
    pub times: Vec<i64>,
    pub(super) tasks_of: Vec<u32>,
    pub(super) events_of: Vec<u32>,
    pub(super) rets: Vec<i64>,
    pub(super) tasks: Vec<Task>,
    pub(super) events: Vec<OfEvent>,
    pub(super) texts: Vec<Box<str>>,
    text_bytes: usize,
    /// Values whose texts there was no room for.
    pub texts_left_out: u64,
    by_text: HashTable<u32>,
    hasher: DefaultHashBuilder,
    by_task: HashMap<Task, u32>,
    by_event: HashMap<EventId, u32>,
    wanted: HashSet<Place>,
    /// By row of the source: events and where they stand in the page.
    found: HashMap<Place, Vec<(&'static str, u32)>>,
}

impl Events {
    /// `wanted`: rows that something leads to.
    pub fn new(wanted: HashSet<Place>) -> Events {
        Events { wanted, ..Events::default() }
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Where an event of a wanted row stands in the page.
    pub fn place(&self, at: Place, event: &str) -> Option<u32> {
        self.found.get(&at)?.iter().find(|(name, _)| *name == event).map(|(_, row)| *row)
    }

    pub(super) fn add(&mut self, piece: Piece) {
        let tasks: Vec<u32> = piece.tasks.into_iter().map(|task| self.task(task)).collect();
        let (mut lengths, mut rest) = (piece.lengths.as_slice(), piece.texts.as_str());
        for row in piece.rows {
            let number = self.times.len() as u32;
            let place = (row.at.file, row.at.block, row.at.row);
            if self.wanted.contains(&place) {
                let rows = self.found.entry(place).or_default();
                if !rows.iter().any(|(name, _)| *name == row.event.name) {
                    rows.push((row.event.name, number));
                }
            }
            self.times.push(row.wall_ns.div_euclid(1000));
            self.tasks_of.push(tasks.get(row.task as usize).copied().unwrap_or_default());
            self.rets.push(row.ret);
            let event = self.event(row.event);
            self.events_of.push(event);
            if let Some(of_event) = self.events.get_mut(event as usize) {
                of_event.is_stored |= row.at.derived == 0;
            }
            let Some((own, behind)) = lengths.split_at_checked(row.columns as usize) else { return };
            lengths = behind;
            for (at, length) in own.iter().enumerate() {
                let code = match *length {
                    MISSING => MISSING,
                    length => {
                        let Some((text, behind)) = rest.split_at_checked(length as usize) else { return };
                        rest = behind;
                        self.text(text)
                    }
                };
                let of_event = self.events.get_mut(event as usize);
                if let Some((_, codes)) = of_event.and_then(|it| it.columns.get_mut(at)) {
                    codes.push(code);
                }
            }
        }
    }

    fn task(&mut self, task: Task) -> u32 {
        if let Some(known) = self.by_task.get(&task) {
            return *known;
        }
        let number = self.tasks.len() as u32;
        self.tasks.push(task.clone());
        self.by_task.insert(task, number);
        number
    }

    fn event(&mut self, event: &'static Event) -> u32 {
        *self.by_event.entry(event.id).or_insert_with(|| {
            self.events.push(OfEvent::new(event));
            self.events.len() as u32 - 1
        })
    }

    fn text(&mut self, text: &str) -> u32 {
        let text = if self.text_bytes < MOST_TEXT_BYTES { text } else { NO_ROOM };
        self.texts_left_out += u64::from(text == NO_ROOM);
        let hash = self.hasher.hash_one(text);
        let is_it = |at: &u32| self.texts.get(*at as usize).is_some_and(|known| **known == *text);
        if let Some(known) = self.by_text.find(hash, is_it) {
            return *known;
        }
        let number = self.texts.len() as u32;
        self.text_bytes += text.len();
        self.texts.push(text.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        let rehash = |at: &u32| texts.get(*at as usize).map_or(0, |text| hasher.hash_one(&**text));
        self.by_text.insert_unique(hash, number, rehash);
        number
    }

    /// Columns that are there, by event and place, with how many rows have a value.
    pub(super) fn columns(&self) -> impl Iterator<Item = (usize, usize, Option<Kind>, &[u32])> {
        self.events.iter().enumerate().flat_map(|(event, it)| {
            let columns = it.columns.iter().enumerate();
            columns.map(move |(at, (column, codes))| (event, at, column.map(|it| it.kind), codes.as_slice()))
        })
    }
}
