//! `--sample`: one in so many of a system call's events, where all of them would cost too much.

use std::collections::BTreeMap;

use events::{Event, EventId, Source};

use crate::select::{self, SelectError};

/// More than one in this many is no sample any more.
pub const RAREST: u32 = 1_000_000;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    #[error("--sample {text}: expected EVENTS=N, such as read,write=100 for one in a hundred")]
    Form { text: String },
    #[error("--sample {text}: {number:?} is not a number from 1 to {RAREST}")]
    Number { text: String, number: String },
    #[error("--sample {text}: {}", select::without_option(.source))]
    Name { text: String, source: SelectError },
    #[error("--sample {text}: {event} cannot be sampled: {why}")]
    NotSampled { text: String, event: &'static str, why: &'static str },
}

/// What each text such as `read,write=100` asks for. The last one that names an event stands; of sets and globs, those
/// that cannot be sampled are passed over.
pub fn samples(texts: &[String]) -> Result<BTreeMap<EventId, u32>, SampleError> {
    let mut samples = BTreeMap::new();
    for text in texts {
        let form = || SampleError::Form { text: text.clone() };
        let (names, number) = text.rsplit_once('=').ok_or_else(form)?;
        let every = number
            .parse()
            .ok()
            .filter(|every| (1..=RAREST).contains(every))
            .ok_or_else(|| SampleError::Number { text: text.clone(), number: number.to_owned() })?;
        for name in names.split(',').map(str::trim) {
            if name.is_empty() {
                return Err(form());
            }
            let found =
                select::named(name).map_err(|source| SampleError::Name { text: text.clone(), source })?;
            if let [event] = found.as_slice()
                && event.name == name
                && !can_be_sampled(event)
            {
                let why = if is_exec(event) { "scopes follow every exec" } else { "only system calls can" };
                return Err(SampleError::NotSampled { text: text.clone(), event: event.name, why });
            }
            samples.extend(
                found.into_iter().filter(|event| can_be_sampled(event)).map(|event| (event.id, every)),
            );
        }
    }
    samples.retain(|_, every| *every > 1);
    Ok(samples)
}

/// What a capture says of an event of which one in `every` is in it.
pub fn reason(every: u32) -> String {
    format!("only one in {every} was recorded (--sample)")
}

fn is_exec(event: &Event) -> bool {
    matches!(event.name, "execve" | "execveat")
}

fn can_be_sampled(event: &Event) -> bool {
    // Exits of tasks are told elsewhere, and descriptors of system calls are as good without the calls before.
    matches!(event.source, Source::Syscall(_)) && !is_exec(event)
}

#[cfg(test)]
mod tests {
    use events::catalogue;

    use super::*;

    fn asked(texts: &[&str]) -> Result<Vec<(&'static str, u32)>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let samples = samples(&texts).map_err(|error| error.to_string())?;
        let name = |id: &EventId| catalogue::by_id(*id).map_or("", |event| event.name);
        let mut named: Vec<_> = samples.iter().map(|(id, every)| (name(id), *every)).collect();
        named.sort_unstable();
        Ok(named)
    }

    #[test]
    fn names_take_the_last_number_said() {
        assert_eq!(asked(&[]), Ok(vec![]));
        assert_eq!(asked(&["read,write=100"]), Ok(vec![("read", 100), ("write", 100)]));
        assert_eq!(asked(&["read,write=100", "read=1"]), Ok(vec![("write", 100)]));
        assert_eq!(asked(&["*readv=7"]), Ok(vec![("preadv", 7), ("process_vm_readv", 7), ("readv", 7)]));
    }

    #[test]
    fn what_scopes_stand_on_is_never_sampled() {
        let processes = asked(&["proc=5"]).unwrap();
        assert!(!processes.is_empty());
        let never = ["execve", "execveat", "sched_process_fork", "sched_process_exec", "sched_process_exit"];
        assert!(processes.iter().all(|(name, _)| !never.contains(name)), "{processes:?}");
        assert_eq!(
            asked(&["execve=5"]).unwrap_err(),
            "--sample execve=5: execve cannot be sampled: scopes follow every exec"
        );
        assert_eq!(
            asked(&["sched_process_exit=5"]).unwrap_err(),
            "--sample sched_process_exit=5: sched_process_exit cannot be sampled: only system calls can"
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            asked(&["read"]).unwrap_err(),
            "--sample read: expected EVENTS=N, such as read,write=100 for one in a hundred"
        );
        assert_eq!(
            asked(&["read=0"]).unwrap_err(),
            "--sample read=0: \"0\" is not a number from 1 to 1000000"
        );
        assert_eq!(
            asked(&["raed=2"]).unwrap_err(),
            "--sample raed=2: there is no event or set \"raed\"; did you mean \"read\"?"
        );
        assert!(asked(&["read,=2"]).unwrap_err().contains("expected EVENTS=N"));
    }
}
