//! The events that a file declares, and which of the program's they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::dirents::Layout;
use events::{Arg, ArgKind, Event, EventId, Returns, Set, Sets, Source, SyscallNumbers, catalogue};

use crate::{Error, Result, kinds, limits};

/// One event as the header declares it.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct EventSchema {
    /// In this file.
    pub id: u16,
    pub name: String,
    pub sets: Vec<String>,
    pub args: Vec<ArgSchema>,
    /// A system call, with a return value.
    pub syscall: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ArgSchema {
    pub name: String,
    /// The C type as people see it, such as `const char*`.
    pub ctype: String,
    /// How the stored value reads, such as `str` or `struct:Stat`: see `docs/format.md`.
    pub kind: String,
}

/// The program's own events, for a new file's header.
pub fn current_schema() -> Vec<EventSchema> {
    catalogue::events().filter(|event| !event.is_derived()).map(declaration).collect()
}

fn declaration(event: &Event) -> EventSchema {
    EventSchema {
        id: event.id.0,
        name: event.name.to_owned(),
        sets: event.sets.iter().map(|set| set.name().to_owned()).collect(),
        args: event
            .args
            .iter()
            .map(|arg| ArgSchema {
                name: arg.name.to_owned(),
                ctype: arg.ctype.to_owned(),
                kind: kinds::word(arg.kind),
            })
            .collect(),
        syscall: event.is_syscall(),
    }
}

/// A file's events as the program's.
#[derive(Debug, Default)]
pub struct Schema {
    by_file_id: BTreeMap<u16, Arc<FileEvent>>,
    /// Events and arguments whose values the file stores in a form that the program does not read.
    unread: Vec<(&'static str, &'static str)>,
}

/// One event of a file.
#[derive(Debug)]
pub(crate) struct FileEvent {
    pub(crate) event: &'static Event,
    /// By the program's position of an argument: its position in the file.
    pub(crate) positions: Vec<Option<u8>>,
    /// By the program's position of an argument: it is a text or a descriptor, and the file declares it as such.
    texts: Vec<bool>,
    /// The file's argument that is entries of a directory as the kernel laid them out.
    pub(crate) kernel_entries: Option<(u8, Layout)>,
    /// The file numbers the event, and stores its arguments, as the program does now.
    pub(crate) is_current: bool,
}

impl Schema {
    /// The program's own: of blocks that it builds itself.
    pub fn current() -> Schema {
        Schema::declaring(catalogue::events().filter(|event| !event.is_derived()))
    }

    /// These events under the ids that they have in the program, for blocks that it builds of rows that it has read.
    pub fn declaring(events: impl Iterator<Item = &'static Event>) -> Schema {
        let own = |event: &'static Event| {
            let positions = (0..event.args.len()).map(|at| Some(at as u8)).collect();
            let texts = event.args.iter().map(|arg| matches!(arg.kind, ArgKind::Str | ArgKind::Fd)).collect();
            (
                event.id.0,
                Arc::new(FileEvent { event, positions, texts, kernel_entries: None, is_current: true }),
            )
        };
        Schema { unread: Vec::new(), by_file_id: events.map(own).collect() }
    }

    /// Finds the program's event for each of the file's, by name, and their arguments by name as well.
    pub(crate) fn of(declared: &[EventSchema]) -> Result<Schema> {
        let limit = |what, value: usize, limit: usize| match value <= limit {
            true => Ok(()),
            false => Err(Error::TooLarge { what, value: value as u64, limit: limit as u64 }),
        };
        limit("the number of events in the schema", declared.len(), limits::SCHEMA_EVENTS)?;
        let (mut by_file_id, mut unread) = (BTreeMap::new(), Vec::new());
        for file in declared {
            limit("the number of an event's arguments", file.args.len(), limits::EVENT_ARGS)?;
            let event = match catalogue::by_name(&file.name) {
                Some(event) => event,
                None => foreign(file)?,
            };
            let declared = |arg: &Arg| file.args.iter().find(|a| a.name == arg.name);
            let is_foreign = event.id.0 >= FIRST_FOREIGN_ID;
            let is_read =
                |arg: &Arg| is_foreign || declared(arg).is_none_or(|a| kinds::reads(&a.kind, arg.kind));
            unread.extend(event.args.iter().filter(|arg| !is_read(arg)).map(|arg| (event.name, arg.name)));
            let place = |arg: &Arg| file.args.iter().position(|a| a.name == arg.name).map(|at| at as u8);
            let position = |arg: &Arg| place(arg).filter(|_| is_read(arg));
            let positions = event.args.iter().map(position).collect();
            let is_lifted = |arg: &&Arg| {
                matches!(arg.kind, ArgKind::Dirents(_))
                    && file.args.iter().any(|a| a.name == arg.name && a.kind == "bytes")
            };
            let lifted = event.args.iter().find(is_lifted).and_then(position);
            let kernel_entries = lifted.zip(Layout::of(event.name, false));
            // Whoever wrote an event that the program does not know may not have known its kinds either: an imported log's
            // texts are in no statistics.
            let is_text = |arg: &Arg| match arg.kind {
                ArgKind::Str | ArgKind::Fd if !is_foreign => {
                    let word = if arg.kind == ArgKind::Fd { "fd" } else { "str" };
                    file.args.iter().any(|a| a.name == arg.name && a.kind == word)
                }
                _ => false,
            };
            let texts: Vec<bool> = event.args.iter().map(is_text).collect();
            let positions: Vec<Option<u8>> = positions;
            let is_current = !is_foreign
                && file.id == event.id.0
                && file.args.len() == event.args.len()
                && (0u8..).zip(&positions).all(|(at, position)| *position == Some(at))
                && lifted.is_none()
                && event
                    .args
                    .iter()
                    .zip(&texts)
                    .all(|(arg, is)| *is || !matches!(arg.kind, ArgKind::Str | ArgKind::Fd));
            let file_event = FileEvent { event, positions, texts, kernel_entries, is_current };
            by_file_id.insert(file.id, Arc::new(file_event));
        }
        Ok(Schema { by_file_id, unread })
    }

    pub(crate) fn by_file_id(&self, id: u16) -> Option<&Arc<FileEvent>> {
        self.by_file_id.get(&id)
    }

    /// The event with this id. Events that the program does not know have ids of their own, above its catalogue's, and a
    /// declaration made from the file's.
    pub fn event(&self, id: EventId) -> Option<&'static Event> {
        catalogue::by_id(id).or_else(|| self.events().find(|event| event.id == id))
    }

    /// Whether this argument of an event is a text or a descriptor for the program and in the file: then the statistics of
    /// blocks have its texts.
    pub fn has_texts(&self, id: EventId, position: usize) -> bool {
        let of = |file: &&Arc<FileEvent>| file.event.id == id;
        let direct = self.by_file_id.get(&id.0).filter(of);
        let file = direct.or_else(|| self.by_file_id.values().find(of));
        file.and_then(|file| file.texts.get(position)).copied().unwrap_or(false)
    }

    /// Events and arguments whose values the file stores in a form that the program does not read: they are missing.
    pub fn unread(&self) -> &[(&'static str, &'static str)] {
        &self.unread
    }

    /// All events that the file declares, by the file's order of ids.
    pub fn events(&self) -> impl Iterator<Item = &'static Event> {
        self.by_file_id.values().map(|file| file.event)
    }

    /// The declarations for a file that is made from this one: its rows keep the ids that the program gives them.
    pub fn declarations(&self) -> Vec<EventSchema> {
        self.events().map(declaration).collect()
    }
}

/// Ids of events that the program does not know.
pub(crate) const FIRST_FOREIGN_ID: u16 = 0x8000;

/// Declarations of events that the program does not know; an event's place here is its id above the first.
fn foreign_events() -> MutexGuard<'static, Vec<(EventSchema, &'static Event)>> {
    static DECLARED: Mutex<Vec<(EventSchema, &'static Event)>> = Mutex::new(Vec::new());
    DECLARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The event that has this id in this program: one of its catalogue, or one that some file declared.
pub(crate) fn declared(id: EventId) -> Option<&'static Event> {
    let foreign = || {
        let at = usize::from(id.0.checked_sub(FIRST_FOREIGN_ID)?);
        foreign_events().get(at).map(|(_, event)| *event)
    };
    catalogue::by_id(id).or_else(foreign)
}

/// A declaration, for the rest of the program's life, of an event that it does not know. The same declaration of several
/// files is one event.
fn foreign(file: &EventSchema) -> Result<&'static Event> {
    let file = EventSchema { id: 0, ..file.clone() };
    let mut declared = foreign_events();
    if let Some((_, event)) = declared.iter().find(|(known, _)| *known == file) {
        return Ok(event);
    }
    if declared.len() >= limits::FOREIGN_EVENTS {
        return Err(Error::TooLarge {
            what: "the number of unknown events in all files",
            value: declared.len() as u64 + 1,
            limit: limits::FOREIGN_EVENTS as u64,
        });
    }
    let args: Vec<Arg> = file
        .args
        .iter()
        .map(|arg| Arg::new(leak(&arg.name), leak(&arg.ctype), kinds::kind(&arg.kind)))
        .collect();
    let sets: Vec<Set> = file.sets.iter().filter_map(|set| Set::by_name(set)).collect();
    let unnumbered = SyscallNumbers { x86_64: None, i386: None, aarch64: None };
    let event: &'static Event = Box::leak(Box::new(Event {
        id: EventId(FIRST_FOREIGN_ID + declared.len() as u16),
        name: leak(&file.name),
        source: if file.syscall { Source::Syscall(unnumbered) } else { Source::Recorder },
        sets: Sets::of(&sets),
        args: Box::leak(args.into_boxed_slice()),
        returns: if file.syscall { Returns::Number } else { Returns::Nothing },
    }));
    declared.push((file, event));
    Ok(event)
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}
