//! The catalogue of a folder of captures: one row each, made of the statistics of their segments, in a Parquet file beside
//! them.
//!
//! ```text
//! FOLDER/catalog.parquet      path  bytes  modified_ns | host  start  end  events  comms ... | statistics
//!                             which file, as it was    | for people and their engines        | for ours
//! ```
//! A row is of a file as it was: one whose size or time of modification is another now says nothing. A capture without
//! statistics in its row (it is not finished, it is encrypted, it was made from others) is opened, whatever is asked.

mod choosing;
mod columns;
pub mod folder;
mod reading;
mod row;
pub mod signature;
mod unwound;
mod writing;

pub use choosing::{Captures, Chosen, MadeOf, Told, boots_of};
pub use reading::{Catalog, Columns, Rows, read};
pub use row::{Row, racy_until_ns};
pub use writing::{Writer, write};

/// The name of the file in its folder.
pub const FILE: &str = "catalog.parquet";

/// The name of its signature's file, where somebody has signed it.
pub const SIGNATURE: &str = "catalog.sig";

/// Of the layout: another one is read as no catalogue.
pub const VERSION: &str = "3";

/// Keys of the file's own metadata: the layout's version; and names of events by their ids in the statistics.
pub(crate) const VERSION_KEY: &str = "tracer.catalog";
pub(crate) const EVENTS_KEY: &str = "tracer.events";

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the catalogue is no Parquet file that reads: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error(
        "the catalogue is of another layout ({found}, and this program knows {VERSION}): make it anew with `tracer catalog`"
    )]
    Version { found: String },
    #[error("the catalogue says nothing sound in {what}: make it anew with `tracer catalog`")]
    Torn { what: &'static str },
    #[error("the catalogue is not asked: {what}")]
    Signature { what: &'static str },
    #[error("reading the folder {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("{}: there is no capture in this folder ({others} other files)", folder.display())]
    NoCapture { folder: PathBuf, others: usize },
    #[error("{}: {source}", path.display())]
    Capture { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
