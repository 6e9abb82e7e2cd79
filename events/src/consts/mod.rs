//! Names of numbers: flags, modes, signals, errno, families, requests.

/// How a number is named.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Names {
    /// It is only a number.
    None,
}
