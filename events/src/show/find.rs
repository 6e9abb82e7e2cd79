//! Members of values, for filters.

use super::{Leaf, Parts, Shape, argument};
use crate::event::Event;
use crate::value::Raw;

/// Tells `found` every part of the argument at `position` that the path names: `sin_addr` of a socket address,
/// `it_value.tv_sec` of a timer. Elements of lists have no name: the path goes through them. An empty path names all.
pub fn find<'a>(
    event: &Event,
    position: usize,
    arg: &dyn Fn(usize) -> Raw<'a>,
    path: &str,
    found: &mut dyn FnMut(Leaf<'_>),
) {
    let wanted = if path.is_empty() { 0 } else { path.split('.').count() };
    argument(event, position, arg, &mut Finder { path, wanted, matched: 0, level: 0, found });
}

struct Finder<'p, 'f> {
    path: &'p str,
    /// Names in the path.
    wanted: usize,
    /// Names of the path that the members on the way here have.
    matched: usize,
    /// Open values whose parts have names.
    level: usize,
    found: &'f mut dyn FnMut(Leaf<'_>),
}

impl Parts for Finder<'_, '_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        if self.matched == self.wanted {
            (self.found)(leaf);
        }
    }

    fn open(&mut self, shape: Shape) {
        if shape != Shape::List {
            self.level += 1;
        }
    }

    fn member(&mut self, name: &str) {
        let above = self.level.saturating_sub(1);
        if self.matched >= above && above < self.wanted {
            let same = self.path.split('.').nth(above) == Some(name);
            self.matched = above + usize::from(same);
        }
    }

    fn close(&mut self, shape: Shape) {
        if shape != Shape::List {
            self.level = self.level.saturating_sub(1);
            self.matched = self.matched.min(self.level);
        }
    }
}
