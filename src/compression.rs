//! How hard to compress, as an option of whatever writes captures.

use clap::ValueEnum;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Compression {
    Fast,
    #[default]
    Default,
    Max,
}

impl From<Compression> for format::Compression {
    fn from(level: Compression) -> format::Compression {
        match level {
            Compression::Fast => format::Compression::Fast,
            Compression::Default => format::Compression::Default,
            Compression::Max => format::Compression::Max,
        }
    }
}
