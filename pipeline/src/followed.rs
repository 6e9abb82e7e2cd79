//! Which facts of processes a file tells the changes of.

use events::catalogue;
use format::facts::FactSet;
use scopes::select;

use crate::source::File;

impl File {
    /// The facts of processes of a host that can be followed from the beginning of this file on.
    pub fn followed(&self, host: u16) -> FactSet {
        let recording = self.capture.header().recording_of(host);
        FactSet::followed(recording, &|name| self.has_chosen(host, name))
    }

    /// Whether all of these events are in the recording of a host, whole.
    pub fn records(&self, host: u16, names: &[&str]) -> bool {
        let recording = self.capture.header().recording_of(host);
        let is_there = |name: &&str| {
            self.has_chosen(host, name) && recording.unavailable.iter().all(|it| it.event != **name)
        };
        !recording.only_matched && names.iter().all(is_there)
    }

    fn has_chosen(&self, host: u16, name: &str) -> bool {
        // Where names are of a later program's events, what they chose is not known here.
        let Ok(chosen) = select::select(&self.capture.header().recording_of(host).events) else {
            return false;
        };
        let Some(event) = catalogue::by_name(name) else { return false };
        let is_chosen = chosen.is_none_or(|chosen| chosen.contains(&event.id));
        is_chosen && self.capture.schema().events().any(|known| known.id == event.id)
    }
}
