//! Arguments that are a number or a pointer to something, as another argument says: `ioctl`, `fcntl`, `prctl`.
//!
//! Stored as the register's 8 bytes, then what it points to. The kernel programs find the capture in a map keyed by
//! [`VariantKey`]; printing finds the kind by [`kind`].

use crate::args::{ArgKind, Dir};
use crate::capture::Capture;
use crate::event::EventId;

/// What one argument is when the selecting argument has one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variant {
    pub event: EventId,
    /// The argument that is meant.
    pub position: u8,
    /// The selecting argument's value (low 32 bits).
    pub value: u32,
    pub kind: ArgKind,
    pub dir: Dir,
}

/// The key of the kernel's map of variants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct VariantKey {
    pub event: u16,
    pub position: u16,
    pub value: u32,
}

impl Variant {
    pub const fn key(&self) -> VariantKey {
        VariantKey { event: self.event.0, position: self.position as u16, value: self.value }
    }

    pub const fn capture(&self) -> Capture {
        Capture::of_kind(self.kind, self.dir)
    }
}

/// What the argument at `position` of `event` is, when its selecting argument is `value`.
pub fn kind(event: EventId, position: usize, value: u32) -> Option<ArgKind> {
    VARIANTS
        .iter()
        .find(|v| v.event == event && v.position as usize == position && v.value == value)
        .map(|v| v.kind)
}

/// All variants.
pub const VARIANTS: &[Variant] = &[];
