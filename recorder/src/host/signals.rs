//! Signals that steer a recording, as messages.
//!
//! The handlers stay installed for the life of the process: a second Ctrl-C while the file is being finished is just one
//! more message that nobody reads, and the file is finished all the same.

use std::{io, thread};

use crossbeam_channel::{Receiver, Sender};
use tokio::signal::unix::{SignalKind, signal};

use crate::host::privileges::{self, Part};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Ctrl-C. A terminal sends it to the recorded command as well.
    Interrupt,
    /// SIGTERM or SIGHUP: end now.
    Terminate,
    /// SIGUSR1: write out what the flight recorder holds.
    Trigger,
}

/// Starts to listen. Messages that nobody takes are dropped.
pub fn listen() -> io::Result<Receiver<Signal>> {
    let (tell, signals) = crossbeam_channel::bounded(16);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered here and not on the thread, so that signals count from the moment this returns.
    let kinds = {
        let _context = runtime.enter();
        [
            (signal(SignalKind::interrupt())?, Signal::Interrupt),
            (signal(SignalKind::terminate())?, Signal::Terminate),
            (signal(SignalKind::hangup())?, Signal::Terminate),
            (signal(SignalKind::user_defined1())?, Signal::Trigger),
        ]
    };
    thread::Builder::new().name("tracer-signals".into()).spawn(move || {
        // It only waits; what it cannot give up it does not use.
        let _ = privileges::confine(Part::Other);
        runtime.block_on(forward(kinds, tell));
    })?;
    Ok(signals)
}

async fn forward(kinds: [(tokio::signal::unix::Signal, Signal); 4], tell: Sender<Signal>) {
    let [mut interrupt, mut terminate, mut hangup, mut trigger] = kinds;
    loop {
        let (received, signal) = tokio::select! {
            received = interrupt.0.recv() => (received, interrupt.1),
            received = terminate.0.recv() => (received, terminate.1),
            received = hangup.0.recv() => (received, hangup.1),
            received = trigger.0.recv() => (received, trigger.1),
        };
        if received.is_none() {
            return;
        }
        let _ = tell.try_send(signal);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_signal_becomes_a_message_and_does_not_end_the_process() {
        let signals = listen().unwrap();
        let me = rustix::process::getpid();
        for (number, expected) in [
            (rustix::process::Signal::USR1, Signal::Trigger),
            (rustix::process::Signal::HUP, Signal::Terminate),
            (rustix::process::Signal::USR1, Signal::Trigger),
        ] {
            rustix::process::kill_process(me, number).unwrap();
            assert_eq!(signals.recv_timeout(Duration::from_secs(10)), Ok(expected));
        }
    }
}
