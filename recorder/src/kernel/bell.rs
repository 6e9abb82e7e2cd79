//! The bell that the programs ring when a buffer has filled to a quarter.
//!
//! A ring buffer's descriptor can be read as long as a byte is in the buffer, whether or not the program that put it there
//! wanted to wake anybody. So it is not asked whether it can be read: only that a program rang, which wakes those who wait,
//! is waited for.

use std::{
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{Timespec, epoll},
    io::Errno,
};

use super::Error;

/// What a program puts into the ring buffer to ring it: no record, and nothing is lost with it.
pub(super) const RING: [u8; 8] = [0; 8];

#[derive(Debug)]
pub(super) struct Bell {
    epoll: OwnedFd,
}

impl Bell {
    pub fn of(buffers: &[BorrowedFd<'_>]) -> Result<Bell, Error> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(broken)?;
        for (number, buffer) in (0..).zip(buffers) {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, buffer, epoll::EventData::new_u64(number), flags).map_err(broken)?;
        }
        Ok(Bell { epoll })
    }

    /// Sleeps until it is rung or the time is over.
    pub fn wait(&self, timeout: Duration) -> Result<(), Error> {
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        let mut rings = [const { MaybeUninit::uninit() }; 2];
        match epoll::wait(&self.epoll, &mut rings, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(broken(error)),
        }
    }
}

fn broken(error: Errno) -> Error {
    Error::Io { what: "cannot wait for the kernel's bell", source: error.into() }
}
