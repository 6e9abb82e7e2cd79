//! Where the running kernel keeps its fields: a reader of BTF, as small as that question.
//!
//! BTF is a header, a table of types, and a table of strings; the kernel shows its own at `/sys/kernel/btf/vmlinux`.
//! Type ids count from 1; 0 is `void`.

mod layout;
#[cfg(test)]
#[allow(clippy::print_stdout)]
mod tests;
mod types;

pub use layout::{Resolved, resolve};
pub use types::{Btf, Member};

/// Why BTF could not be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("it does not start with BTF's magic number")]
    Magic,
    #[error("it ends within a type or a string (byte {at})")]
    Torn { at: usize },
    #[error("type {id} has the unknown kind {kind}")]
    UnknownKind { id: u32, kind: u32 },
    #[error("it has no `struct {name}`")]
    NoStruct { name: &'static str },
    #[error("`struct {of}` has none of {paths:?}")]
    NoField { of: &'static str, paths: &'static [&'static str] },
    #[error("`{of}.{path}` is {found} bytes, not {wanted}")]
    Width { of: &'static str, path: &'static str, found: u32, wanted: u32 },
}
