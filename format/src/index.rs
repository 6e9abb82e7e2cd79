//! What is known of each block without reading it.

use events::EventId;

/// One block, as the index tells of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BlockInfo {
    /// Of its frame in the file.
    pub offset: u64,
    /// Of its frame, header included.
    pub bytes: u64,
    pub rows: u32,
    /// Boot clock, ns; rows of a block are in time order.
    pub first_ns: u64,
    pub last_ns: u64,
    /// Index of the host that the rows are of: 0 unless the capture was merged.
    pub host: u16,
    /// By event id, each once.
    pub events: Vec<EventCount>,
    /// Indices into [`crate::Capture::strings`] of all distinct command names, sorted. `None`: not known.
    pub comms: Option<Vec<u32>>,
    /// The same for paths of executables.
    pub exes: Option<Vec<u32>>,
    /// The same for node names of uts namespaces.
    pub utses: Option<Vec<u32>>,
    pub pids: Numbers,
    pub tids: Numbers,
    pub ppids: Numbers,
    pub uids: Numbers,
    pub mnt_nss: Numbers,
    pub pid_nss: Numbers,
    pub cgroups: Numbers,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventCount {
    pub event: EventId,
    pub rows: u32,
}

/// The distinct numbers of a column of a block's contexts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Numbers {
    /// Nothing is known: any number may be there.
    #[default]
    Unknown,
    /// All of them, sorted.
    Exact(Vec<u64>),
    /// Too many to list: all lie in this range.
    Range { min: u64, max: u64 },
}

impl Numbers {
    /// Whether the block may have this number; `false` is certain.
    pub fn may_contain(&self, number: u64) -> bool {
        match self {
            Numbers::Unknown => true,
            Numbers::Exact(all) => all.binary_search(&number).is_ok(),
            Numbers::Range { min, max } => (*min..=*max).contains(&number),
        }
    }

    /// Whether the block may have a number of this inclusive range.
    pub fn may_overlap(&self, low: u64, high: u64) -> bool {
        match self {
            Numbers::Unknown => true,
            Numbers::Exact(all) => {
                let at = all.partition_point(|n| *n < low);
                all.get(at).is_some_and(|n| *n <= high)
            }
            Numbers::Range { min, max } => low <= *max && high >= *min,
        }
    }
}

impl BlockInfo {
    /// How many rows are of this event.
    pub fn rows_of(&self, event: EventId) -> u32 {
        match self.events.binary_search_by_key(&event, |e| e.event) {
            Ok(at) => self.events.get(at).map_or(0, |e| e.rows),
            Err(_) => 0,
        }
    }
}
