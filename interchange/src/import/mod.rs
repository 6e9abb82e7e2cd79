//! Readers of other programs' logs, into the form that `replay::import` writes captures from.

pub mod auditd;
mod falco;
mod kunai;
pub mod objects;
mod row;
pub mod scap;
pub mod strace;
pub mod sysmon;
mod tetragon;

pub use auditd::Auditd;
pub use objects::{Dialect, Objects};
pub(crate) use row::text_of;
pub use scap::Scap;
pub use strace::Strace;
pub use sysmon::Sysmon;
