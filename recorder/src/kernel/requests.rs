//! What was submitted to io_urings and has not come to an end: names and addresses are the task's when it asks, and the
//! result is known when it is done.
//!
//! ```text
//! io_uring_submit_req  request ffff8881..., IORING_OP_UNLINKAT, pathname x  -- kept by the request's address
//! io_uring_complete    request ffff8881..., result 0                       -- takes it: unlinked, pathname x
//! ```

use std::collections::VecDeque;

use events::{Event, EventId, Raw, catalogue::kernel};
use hashbrown::HashMap;

use super::decode::MAX_ARGS;

/// Requests that are under way, at most; of the others the end is told without names.
const MOST: usize = 4096;
/// Bytes of the names and addresses of all of them.
pub const MOST_BYTES: usize = 4 << 20;

/// Arguments that a completion takes over from its submission.
const TAKEN: [&str; 7] = ["fd", "pathname", "new_dirfd", "new_pathname", "op_flags", "mode", "addr"];

/// Operations that open, of `include/uapi/linux/io_uring.h`, and others that have flags or a mode.
const OPENS: [u64; 2] = [18, 28];
const STATX: u64 = 21;
const RENAMES_UNLINKS: [u64; 2] = [35, 36];
const MKDIR: u64 = 37;
const LINKS: [u64; 2] = [38, 39];

#[derive(Debug, Default)]
pub struct Requests {
    by_address: HashMap<u64, Submitted>,
    /// Addresses in the order of submission, with the number of the submission: an address is used again.
    order: VecDeque<(u64, u64)>,
    bytes: usize,
    submissions: u64,
}

/// A submission as long as it is under way.
#[derive(Debug)]
pub struct Submitted {
    number: u64,
    opcode: u64,
    values: Vec<Value>,
    /// Where relative names begin.
    pub directory: Vec<u8>,
}

#[derive(Debug)]
enum Value {
    Missing,
    Number(u64),
    Bytes(Box<[u8]>),
}

impl Value {
    fn of(raw: Raw<'_>) -> Value {
        match raw {
            Raw::Missing => Value::Missing,
            Raw::Number(number) => Value::Number(number),
            Raw::Bytes(bytes) => Value::Bytes(bytes.into()),
        }
    }

    fn raw(&self) -> Raw<'_> {
        match self {
            Value::Missing => Raw::Missing,
            Value::Number(number) => Raw::Number(*number),
            Value::Bytes(bytes) => Raw::Bytes(bytes),
        }
    }
}

impl Submitted {
    fn bytes(&self) -> usize {
        let values = self.values.iter().map(|value| match value {
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        });
        values.sum::<usize>() + self.directory.len()
    }
}

/// Whether records of an event are joined here.
pub fn is_submission(event: EventId) -> bool {
    event == kernel::IO_URING_SUBMIT_REQ
}

pub fn is_completion(event: EventId) -> bool {
    event == kernel::IO_URING_COMPLETE
}

fn argument<'a>(event: &Event, args: &[Raw<'a>], name: &str) -> Raw<'a> {
    event.arg(name).and_then(|(position, _)| args.get(position)).copied().unwrap_or(Raw::Missing)
}

fn number(event: &Event, args: &[Raw<'_>], name: &str) -> Option<u64> {
    match argument(event, args, name) {
        Raw::Number(number) => Some(number),
        _ => None,
    }
}

impl Requests {
    /// Keeps a submission, and takes away what its operation does not have: the record has zeroes there.
    pub fn submitted<'a>(
        &mut self,
        event: &Event,
        args: &[Raw<'a>],
        directory: &[u8],
        own: &mut [Raw<'a>; MAX_ARGS],
    ) {
        for (place, arg) in own.iter_mut().zip(args) {
            *place = *arg;
        }
        let Some(opcode) = number(event, args, "opcode") else { return };
        for (name, is_there) in [
            ("new_dirfd", RENAMES_UNLINKS[0] == opcode || LINKS.contains(&opcode)),
            (
                "op_flags",
                OPENS.contains(&opcode)
                    || opcode == STATX
                    || RENAMES_UNLINKS.contains(&opcode)
                    || LINKS.contains(&opcode),
            ),
            ("mode", OPENS.contains(&opcode) || opcode == MKDIR),
        ] {
            if let Some(place) = event.arg(name).and_then(|(position, _)| own.get_mut(position))
                && !is_there
            {
                *place = Raw::Missing;
            }
        }
        let Some(address) = number(event, args, "request").filter(|address| *address != 0) else { return };
        let values = TAKEN.iter().map(|name| Value::of(argument(event, own.as_slice(), name))).collect();
        self.submissions += 1;
        let number = self.submissions;
        let submitted = Submitted { number, opcode, values, directory: directory.to_vec() };
        self.bytes += submitted.bytes();
        if let Some(old) = self.by_address.insert(address, submitted) {
            self.bytes -= old.bytes();
        }
        self.order.push_back((address, number));
        while self.by_address.len() > MOST || self.bytes > MOST_BYTES || self.order.len() > 2 * MOST {
            let Some((address, number)) = self.order.pop_front() else { return };
            if self.by_address.get(&address).is_some_and(|known| known.number == number)
                && let Some(old) = self.by_address.remove(&address)
            {
                self.bytes -= old.bytes();
            }
        }
    }

    /// The submission that a completion is of, if it was seen.
    pub fn completed(&mut self, event: &Event, args: &[Raw<'_>]) -> Option<Submitted> {
        let address = number(event, args, "request")?;
        let submitted = self.by_address.remove(&address)?;
        self.bytes -= submitted.bytes();
        Some(submitted).filter(|submitted| number(event, args, "opcode") == Some(submitted.opcode))
    }
}

impl Submitted {
    /// The completion's arguments, with those of the submission.
    pub fn fill<'a>(&'a self, event: &Event, args: &[Raw<'a>], own: &mut [Raw<'a>; MAX_ARGS]) {
        for (place, arg) in own.iter_mut().zip(args) {
            *place = *arg;
        }
        for (name, value) in TAKEN.iter().zip(&self.values) {
            if let Some(place) = event.arg(name).and_then(|(position, _)| own.get_mut(position)) {
                *place = value.raw();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use events::catalogue;

    use super::*;

    fn args<'a>(event: &Event, known: &[(&str, Raw<'a>)]) -> Vec<Raw<'a>> {
        let value =
            |name| known.iter().find(|(known, _)| *known == name).map_or(Raw::Missing, |(_, raw)| *raw);
        event.args.iter().map(|arg| value(arg.name)).collect()
    }

    fn submit(requests: &mut Requests, address: u64, name: &'static [u8]) {
        let event = catalogue::by_id(kernel::IO_URING_SUBMIT_REQ).unwrap();
        let known = [
            ("opcode", Raw::Number(36)),
            ("fd", Raw::Number(-100_i64 as u64)),
            ("pathname", Raw::Bytes(name)),
            ("new_dirfd", Raw::Number(-1_i64 as u64)),
            ("mode", Raw::Number(0)),
            ("request", Raw::Number(address)),
        ];
        requests.submitted(event, &args(event, &known), b"/home/u", &mut [Raw::Missing; MAX_ARGS]);
    }

    fn complete(requests: &mut Requests, address: u64) -> Option<String> {
        let event = catalogue::by_id(kernel::IO_URING_COMPLETE).unwrap();
        let known = [("opcode", Raw::Number(36)), ("request", Raw::Number(address))];
        let args = args(event, &known);
        let submitted = requests.completed(event, &args)?;
        let mut own = [Raw::Missing; MAX_ARGS];
        submitted.fill(event, &args, &mut own);
        let name = argument(event, &own, "pathname");
        let rest =
            (argument(event, &own, "fd"), argument(event, &own, "mode"), argument(event, &own, "new_dirfd"));
        assert_eq!(rest, (Raw::Number(-100_i64 as u64), Raw::Missing, Raw::Missing));
        let Raw::Bytes(name) = name else { return None };
        Some(String::from_utf8_lossy(name).into_owned())
    }

    #[test]
    fn a_completion_has_the_names_of_its_submission_once() {
        let mut requests = Requests::default();
        submit(&mut requests, 0x1000, b"a");
        submit(&mut requests, 0x2000, b"b");
        assert_eq!(complete(&mut requests, 0x2000).as_deref(), Some("b"));
        // The address is used again.
        submit(&mut requests, 0x2000, b"c");
        assert_eq!(complete(&mut requests, 0x2000).as_deref(), Some("c"));
        assert_eq!(complete(&mut requests, 0x2000), None);
        assert_eq!(complete(&mut requests, 0x1000).as_deref(), Some("a"));
        assert_eq!(requests.bytes, 0);
    }

    #[test]
    fn what_never_completes_is_bounded() {
        let mut requests = Requests::default();
        for address in 1..=3 * MOST as u64 {
            submit(&mut requests, address, b"never");
            submit(&mut requests, 0x1_0000_0000, b"again");
        }
        assert!(requests.by_address.len() <= MOST && requests.order.len() <= 2 * MOST);
        assert_eq!(complete(&mut requests, 3 * MOST as u64).as_deref(), Some("never"));
        assert_eq!(complete(&mut requests, 1), None);
    }
}
