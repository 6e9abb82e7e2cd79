//! Marks of arguments that are cut or could not be read, by their position in the record as [`Hook::args`] has it.
//!
//! [`Hook::args`]: events::abi::hooks::Hook

use events::abi::bits;

use crate::path::Outcome;

/// Marks of an argument by how its path came out.
#[inline(always)]
pub fn marks_of(position: u32, outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Whole => 0,
        Outcome::Cut => bits::PARTIAL | cut(position),
        Outcome::Lost => lost(position),
    }
}

/// By the position in the record, as [`Hook::args`] has it.
#[inline(always)]
pub fn cut(position: u32) -> u32 {
    bits::TRUNCATED | 1 << (bits::CUT_ARG_SHIFT + (position & 7))
}

#[inline(always)]
pub fn lost(position: u32) -> u32 {
    bits::FAULT | 1 << (bits::LOST_ARG_SHIFT + (position & 7))
}
