//! What an event is. No allocation and no dependencies, so that the kernel programs can use it too.
//!
//! An event is declared once, in [`catalogue`]; the kernel programs, the decoder, the filter checker, the printers
//! and the capture file's schema all read that declaration.
#![no_std]

pub mod abi;
pub mod args;
pub mod capability;
pub mod capture;
pub mod catalogue;
pub mod consts;
pub mod context;
pub mod descriptor;
pub mod dirents;
pub mod event;
pub mod layout32;
pub mod mark_names;
pub mod marks;
pub mod origin;
pub mod sets;
pub mod show;
pub mod structs;
pub mod terminal;
pub mod threat;
pub mod tree;
pub mod value;
pub mod variants;
pub mod vectors;

pub use args::{Arg, ArgKind, Dir, Len};
pub use consts::Names;
pub use context::Context;
pub use event::{Event, EventId, Returns, Source, SyscallNumbers};
pub use marks::Marks;
pub use origin::Origin;
pub use sets::{Set, Sets};
pub use structs::StructKind;
pub use value::{Raw, Value};
