//! The events that values of `event` and `set` choose.

use events::{Event, EventId, Set};

use crate::check::{Checked, Site, events_named};
use crate::pattern::Pattern;
use crate::syntax::Piece;

/// The events of a name or glob.
pub(crate) fn events_like(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Vec<EventId>> {
    let pattern = Pattern::parse(piece.text);
    if pattern.is_exact() {
        let events = events_named(site, piece.text, piece.span.clone())?;
        return Ok(events.into_iter().map(|event| event.id).collect());
    }
    let matches = |event: &&Event| pattern.matches(event.name.as_bytes());
    let events: Vec<EventId> = site.vocabulary.events().filter(matches).map(|event| event.id).collect();
    if events.is_empty() {
        let message = format!("no event is like {:?}", piece.text);
        return site.error(
            piece.span.clone(),
            message,
            "an event's name, or a part of one with `*` (see `tracer events`)",
        );
    }
    Ok(events)
}

pub(crate) fn set_events(site: &Site<'_>, piece: &Piece<'_>) -> Checked<Vec<EventId>> {
    let Some(set) = Set::by_name(piece.text) else {
        if piece.text.contains('*') {
            return site.error(
                piece.span.clone(),
                "sets have no wildcards",
                "names of sets, separated by commas; event=NAME* for events by name",
            );
        }
        let names: Vec<&str> = Set::ALL.iter().map(|set| set.name()).collect();
        let message = format!("unknown event set {:?}", piece.text);
        return site.unknown(
            piece.span.clone(),
            message,
            piece.text,
            names.iter().copied(),
            names.join(", "),
        );
    };
    Ok(site.vocabulary.events().filter(|event| event.sets.has(set)).map(|event| event.id).collect())
}
