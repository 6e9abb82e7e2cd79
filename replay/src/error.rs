//! What can go wrong between a question of scopes and its answer.

use scopes::Diagnostic;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Filters that do not fit this capture.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Filters(Vec<Diagnostic>),
    #[error(transparent)]
    Capture(#[from] pipeline::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
