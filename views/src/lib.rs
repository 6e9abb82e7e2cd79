//! What people look at: columns and the texts of their cells, who descends from whom, groups and sums. No terminal and no
//! HTML: tables, `top`, `tree` and what comes after them show the same thing in the same words.

mod blocks;
pub mod cell;
pub mod changes;
pub mod clock;
pub mod column;
pub mod connections;
pub mod digits;
pub mod duration;
pub mod eight;
pub mod known;
pub mod marks;
mod sightings;
pub mod state;
pub mod story;
pub mod sums;
pub mod text;
pub mod tree;
pub mod uses;
pub mod values;

pub use cell::{Cell, Look};
pub use column::{Class, Column};
pub use known::Known;
