//! Behaviours that rule files tell of single events: `anti_debugging`, `stdio_over_socket` and their like.
//!
//! What the rules are is not known here: whoever builds a program on this crate gives the [`Detector`] that asks them, once.

use std::sync::OnceLock;

use events::{Event, Source, catalogue, threat};

use super::{Base, Derived};
use crate::event::EventView;

static DETECTOR: OnceLock<&'static dyn Detector> = OnceLock::new();

/// Says which behaviours an event is.
pub trait Detector: Sync {
    /// Calls `found` with each behaviour that an event is, of those that are wanted.
    fn detect(
        &self,
        base: &EventView<'_>,
        is_wanted: &dyn Fn(&'static Event) -> bool,
        found: &mut dyn FnMut(&'static Event),
    );
}

/// Gives the detector that all questions of this program ask. The first one stays.
pub fn install(detector: &'static dyn Detector) {
    let _ = DETECTOR.set(detector);
}

/// Events of the catalogue that are behaviours.
pub(super) fn all() -> impl Iterator<Item = &'static Event> {
    let known = threat::THREATS.iter().filter_map(|threat| catalogue::by_id(threat.event));
    known.filter(|event| event.is_derived())
}

/// The events that show a behaviour.
pub(super) fn bases(event: &'static Event) -> impl Iterator<Item = &'static Event> {
    let from = match event.source {
        Source::Derived { from } => from,
        _ => &[],
    };
    from.iter().filter_map(|name| catalogue::by_name(name))
}

/// A behaviour has the arguments of its base that it declares.
pub(super) fn derive(base: &Base<'_>, view: &EventView<'_>, derived: &mut Derived) {
    let Some(detector) = DETECTOR.get() else {
        debug_assert!(false, "no detector was installed");
        return;
    };
    let mut found: Vec<&'static Event> = Vec::new();
    detector.detect(view, &|event| derived.is_wanted(event), &mut |event| found.push(event));
    for event in found {
        if derived.begin(event.name) {
            for arg in event.args {
                derived.raw(arg.name, base.arg(arg.name));
            }
        }
    }
}
