//! Uses of descriptors that were told a moment ago. Programs read and write the same descriptor over and over, and what it stands
//! for is known after the first time.

use events::{Event, EventId};
use pipeline::stage::Told;

use super::deeds;

/// Uses that are remembered: of a copy there are two, and a few programs run at one time.
const MOST: usize = 16;
/// Descriptors of one call; of more nothing is remembered.
const MOST_DESCRIPTORS: usize = 2;

/// A use: whose, of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Use {
    event: EventId,
    boot: usize,
    /// Block and context.
    context: (usize, u16),
    /// Number of each descriptor, and where in the block the text of what it stands for is.
    descriptors: [(u64, usize, usize); MOST_DESCRIPTORS],
}

#[derive(Debug, Default)]
pub(crate) struct RecentUses {
    uses: Vec<Use>,
    oldest: usize,
}

impl RecentUses {
    /// Whether the same use was told since something else was; it is remembered.
    pub fn has_seen(&mut self, row: &Told<'_>, event: &Event) -> bool {
        let Some(new) = of(row, event) else { return false };
        if self.uses.contains(&new) {
            return true;
        }
        if self.uses.len() < MOST {
            self.uses.push(new);
        } else if let Some(slot) = self.uses.get_mut(self.oldest) {
            *slot = new;
            self.oldest = (self.oldest + 1) % MOST;
        }
        false
    }

    /// Something happened that may change what descriptors stand for.
    pub fn forget(&mut self) {
        self.uses.clear();
        self.oldest = 0;
    }
}

fn of(row: &Told<'_>, event: &Event) -> Option<Use> {
    let mut descriptors = [(0, 0, 0); MOST_DESCRIPTORS];
    let mut slots = descriptors.iter_mut();
    for at in deeds::descriptors(event) {
        // Texts of a block stay where they are while it is told, and equal ones of a column are one.
        let (number, text) = row.arg(at).descriptor().unwrap_or((u64::MAX, &[]));
        *slots.next()? = (number, text.as_ptr() as usize, text.len());
    }
    Some(Use { event: row.event, boot: row.boot(), context: row.context_name()?, descriptors })
}
