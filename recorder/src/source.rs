//! Where a session's records come from: the kernel, or a test.

use std::time::Duration;

use crate::{
    kernel::{Error, Kernel, Records},
    team::Team,
};

/// Something that records, drained from one thread.
pub trait Source {
    /// Drains with these from now on, if it can.
    fn employ(&mut self, team: Team) {
        drop(team);
    }
    /// Sleeps until there is much to drain, or the time is over.
    fn wait(&mut self, timeout: Duration) -> Result<(), Error>;
    /// Takes what there is, in time order; the number of records.
    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error>;
    /// How full the fullest buffer was when it was drained last, in thousandths.
    fn buffer_fill(&self) -> u64 {
        0
    }
    /// Stops recording and takes the rest.
    fn finish(self, records: &mut impl Records) -> Result<(), Error>;
}

impl Source for Kernel {
    fn employ(&mut self, team: Team) {
        Kernel::employ(self, team);
    }

    fn wait(&mut self, timeout: Duration) -> Result<(), Error> {
        Kernel::wait(self, timeout)
    }

    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error> {
        Kernel::drain(self, records)
    }

    fn buffer_fill(&self) -> u64 {
        Kernel::buffer_fill(self)
    }

    fn finish(self, records: &mut impl Records) -> Result<(), Error> {
        Kernel::finish(self, records)
    }
}
