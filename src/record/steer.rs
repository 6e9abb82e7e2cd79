//! When a recording ends: signals, the command, the clock.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use recorder::{host::command::Command, host::signals::Signal, session::Step};

/// How long a command has to end by itself once the recorder was told to.
const GRACE: Duration = Duration::from_secs(2);

/// Decides, each time it is asked, whether to go on.
///
/// A terminal's Ctrl-C reaches the command too: with a command the first one is left to it, and the recording ends when
/// it does. A second one, or SIGTERM, asks the command to end and waits a little for it, so that its end is recorded.
#[derive(Debug)]
pub struct Steer {
    signals: Receiver<Signal>,
    command: Option<Command>,
    ends: Option<Instant>,
    interrupts: u32,
    /// The command was asked to end, and is waited for until then.
    grace: Option<Instant>,
    is_over: bool,
    /// How often somebody asked for the recording's end.
    asked: u32,
}

impl Steer {
    pub fn new(signals: Receiver<Signal>, command: Option<Command>, duration: Option<Duration>) -> Steer {
        let ends = duration.and_then(|duration| Instant::now().checked_add(duration));
        Steer { signals, command, ends, interrupts: 0, grace: None, is_over: false, asked: 0 }
    }

    pub fn step(&mut self) -> Step {
        let mut triggered = false;
        while let Ok(signal) = self.signals.try_recv() {
            match signal {
                Signal::Trigger => triggered = true,
                Signal::Interrupt | Signal::Terminate if self.command.is_none() || self.is_over => {
                    self.asked += 1;
                    self.is_over = true;
                }
                Signal::Interrupt => {
                    self.interrupts += 1;
                    if self.interrupts > 1 {
                        self.ask_to_end();
                    }
                }
                Signal::Terminate => self.ask_to_end(),
            }
        }
        let has_ended = self.command.as_mut().is_some_and(|command| command.outcome().is_some());
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        self.is_over |= has_ended || is_past(self.ends) || is_past(self.grace);
        match (self.is_over, self.asked) {
            (true, 0) => Step::Stop,
            (true, 1) => Step::Hurry,
            (true, _) => Step::Abandon,
            (false, _) if triggered => Step::Trigger,
            (false, _) if self.command.is_some() => Step::Watch,
            (false, _) => Step::Go,
        }
    }

    /// How often somebody asked for the end.
    pub fn asked(&self) -> u32 {
        self.asked
    }

    fn ask_to_end(&mut self) {
        if let (Some(command), None) = (&self.command, self.grace) {
            command.terminate();
            self.asked += 1;
            self.grace = Some(Instant::now() + GRACE);
        }
    }

    /// The command's exit code, once the file is finished. A command that goes on after the recording is waited for,
    /// unless it was asked to end and did not.
    pub fn exit_code(mut self) -> Option<u8> {
        let gave_up = self.grace.is_some();
        let command = self.command.as_mut()?;
        match command.outcome() {
            Some(outcome) => Some(outcome.code),
            None if gave_up => None,
            None => Some(command.wait().code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for_stop(steer: &mut Steer) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !matches!(steer.step(), Step::Stop | Step::Hurry) {
            assert!(Instant::now() < deadline, "still going");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn without_a_command_ctrl_c_sigterm_and_the_clock_end_it() {
        for signal in [Signal::Interrupt, Signal::Terminate] {
            let (tell, signals) = crossbeam_channel::bounded(4);
            let mut steer = Steer::new(signals, None, None);
            assert_eq!(steer.step(), Step::Go);
            tell.send(Signal::Trigger).unwrap();
            assert_eq!(steer.step(), Step::Trigger);
            tell.send(signal).unwrap();
            assert_eq!((steer.step(), steer.step()), (Step::Hurry, Step::Hurry));
            tell.send(signal).unwrap();
            assert_eq!(steer.step(), Step::Abandon);
            assert_eq!(steer.exit_code(), None);
        }
        let (_tell, signals) = crossbeam_channel::bounded(4);
        assert_eq!(Steer::new(signals, None, Some(Duration::ZERO)).step(), Step::Stop);
    }

    #[test]
    fn a_command_ends_it_and_gives_the_exit_code() {
        let (_tell, signals) = crossbeam_channel::bounded(4);
        let command = Command::start(&["sh".into(), "-c".into(), "exit 7".into()], false).unwrap();
        let mut steer = Steer::new(signals, Some(command), None);
        wait_for_stop(&mut steer);
        assert_eq!(steer.exit_code(), Some(7));
    }

    #[test]
    fn the_first_ctrl_c_is_the_commands_and_the_second_ends_it() {
        let (tell, signals) = crossbeam_channel::bounded(4);
        let command = Command::start(&["sleep".into(), "60".into()], false).unwrap();
        let mut steer = Steer::new(signals, Some(command), None);
        tell.send(Signal::Interrupt).unwrap();
        assert_eq!(steer.step(), Step::Watch);
        tell.send(Signal::Interrupt).unwrap();
        wait_for_stop(&mut steer);
        assert_eq!(steer.exit_code(), Some(143));
    }
}
