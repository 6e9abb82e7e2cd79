//! `--threads`, the same for all subcommands that answer with several.

use clap::Args;

#[derive(Args, Debug, Default)]
pub struct Threads {
    /// Threads; all processors when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl Threads {
    pub fn count(&self) -> usize {
        match self.threads {
            Some(threads) => threads.into(),
            None => std::thread::available_parallelism().map_or(1, |threads| threads.get()),
        }
    }
}
