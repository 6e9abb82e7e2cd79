//! One stream in order of time from blocks whose times may overlap: hosts of a merged capture, files side by side, rows
//! that came late.

use std::collections::VecDeque;

/// What a piece of a block became: the bytes of its events for each output, in order of its rows.
#[derive(Debug, Default)]
pub struct Part {
    /// By output.
    pub bytes: Vec<Vec<u8>>,
    /// Of each event: its time on the ordering clock.
    pub times: Vec<u64>,
    /// Of each event, for each output in turn: where its bytes end.
    pub ends: Vec<usize>,
}

impl Part {
    pub fn new(outputs: usize) -> Part {
        Part { bytes: vec![Vec::new(); outputs], times: Vec::new(), ends: Vec::new() }
    }

    /// Says that the bytes of the outputs now hold one more event.
    pub fn event(&mut self, time: u64) {
        self.times.push(time);
        for bytes in &self.bytes {
            self.ends.push(bytes.len());
        }
    }

    /// Bytes that it holds on to.
    pub fn capacity(&self) -> usize {
        self.bytes.iter().map(Vec::capacity).sum::<usize>() + self.times.capacity() * 16
    }

    /// Empties it and keeps its memory.
    fn clear(&mut self) {
        self.bytes.iter_mut().for_each(Vec::clear);
        self.times.clear();
        self.ends.clear();
    }

    /// Bytes that it takes, nearly.
    pub fn size(&self) -> usize {
        self.bytes.iter().map(Vec::len).sum::<usize>() + self.times.len() * 16
    }

    /// The bytes of events `from..to` for an output.
    fn slice(&self, output: usize, from: usize, to: usize) -> &[u8] {
        let outputs = self.bytes.len();
        let end = |event: usize| match event.checked_sub(1) {
            Some(last) => self.ends.get(last * outputs + output).copied().unwrap_or(0),
            None => 0,
        };
        self.bytes.get(output).and_then(|bytes| bytes.get(end(from)..end(to))).unwrap_or(&[])
    }
}

/// Takes parts in order of their blocks' first rows and hands events on in order of time; among equals, the earlier block
/// first.
#[derive(Debug)]
pub struct Order {
    /// Blocks with events that were not handed on.
    waiting: VecDeque<Waiting>,
    size: usize,
    /// Bytes that may wait.
    most: usize,
    left: u64,
    /// The time of the latest event that was handed on though earlier ones may have been to come, and how many of those
    /// came.
    latest: u64,
    late: u64,
    /// Parts that were handed on, for their memory.
    spare: Vec<Part>,
}

#[derive(Debug)]
struct Waiting {
    block: usize,
    /// In order, none of them empty.
    parts: VecDeque<Part>,
    /// Events of the first part that were handed on.
    done: usize,
}

impl Waiting {
    /// The time of the next event.
    fn next(&self) -> Option<u64> {
        self.parts.front()?.times.get(self.done).copied()
    }
}

/// Bytes that may wait for blocks that overlap them; beyond this the oldest are handed on whatever comes, and what comes
/// late is counted. A block's JSON is about 80 MB: two hosts' blocks fit.
const MAX_WAITING_BYTES: usize = 192 << 20;

impl Order {
    /// Hands on no more than `limit` events.
    pub fn new(limit: Option<u64>) -> Order {
        Order {
            waiting: VecDeque::new(),
            size: 0,
            most: MAX_WAITING_BYTES,
            left: limit.unwrap_or(u64::MAX),
            latest: 0,
            late: 0,
            spare: Vec::new(),
        }
    }

    /// Events that were handed on after later ones, since so many bytes could not wait.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Whether all is handed on that may be.
    pub fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Emptied parts that were handed on since the last call.
    pub fn spare(&mut self) -> impl Iterator<Item = Part> + '_ {
        self.spare.drain(..).map(|mut part| {
            part.clear();
            part
        })
    }

    /// Takes the next part, of the same block as the last one or of a later one. `next`: the first time of what comes after
    /// it, `None` for the last one.
    pub fn push<E>(
        &mut self,
        block: usize,
        part: Part,
        next: Option<u64>,
        deliver: &mut impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if part.times.is_empty() {
            self.spare.push(part);
        } else {
            self.size += part.size();
            match self.waiting.back_mut().filter(|waiting| waiting.block == block) {
                Some(waiting) => waiting.parts.push_back(part),
                None => self.waiting.push_back(Waiting { block, parts: VecDeque::from([part]), done: 0 }),
            }
        }
        while self.left > 0 {
            // The block with the earliest event, and the earliest event of the others: up to there it goes in one piece.
            let Some((at, time)) = self.earliest(None) else { break };
            let is_due = next.is_none_or(|next| time <= next);
            if !is_due && self.size <= self.most {
                break;
            }
            let rival = self.earliest(Some(at));
            let goes = |time: u64| {
                let before_rival = match rival {
                    Some((other, first)) => time < first || (time == first && at < other),
                    None => true,
                };
                before_rival && next.is_none_or(|next| time <= next)
            };
            let Some(waiting) = self.waiting.get_mut(at) else { break };
            let Some(part) = waiting.parts.front() else { break };
            let times = part.times.get(waiting.done..).unwrap_or(&[]);
            let run = times.iter().take_while(|time| goes(**time)).count().max(1);
            let run = run.min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let to = waiting.done + run;
            for time in times.iter().take(run) {
                self.late += u64::from(*time < self.latest);
                if !is_due {
                    self.latest = self.latest.max(*time);
                }
            }
            for output in 0..part.bytes.len() {
                deliver(output, part.slice(output, waiting.done, to))?;
            }
            waiting.done = to;
            self.left -= run as u64;
            if to >= part.times.len() {
                self.size -= part.size();
                self.spare.extend(waiting.parts.pop_front());
                waiting.done = 0;
                if waiting.parts.is_empty() {
                    self.waiting.remove(at);
                }
            }
        }
        Ok(())
    }

    /// The block whose next event is the earliest, and that event's time.
    fn earliest(&self, except: Option<usize>) -> Option<(usize, u64)> {
        let others = self.waiting.iter().enumerate().filter(|(at, _)| Some(*at) != except);
        others.filter_map(|(at, waiting)| Some((at, waiting.next()?))).min_by_key(|(at, time)| (*time, *at))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn part(name: &str, times: &[u64]) -> Part {
        let mut part = Part::new(1);
        for time in times {
            part.bytes[0].extend_from_slice(format!("{name}{time} ").as_bytes());
            part.event(*time);
        }
        part
    }

    fn ordered(limit: Option<u64>, parts: Vec<(Part, Option<u64>)>) -> String {
        let mut order = Order::new(limit);
        let mut out = Vec::new();
        for (block, (part, next)) in parts.into_iter().enumerate() {
            let pushed: Result<(), Infallible> = order.push(block, part, next, &mut |_, bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            });
            assert_eq!(pushed, Ok(()));
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn parts_that_overlap_are_woven_by_time() {
        let parts = vec![
            (part("a", &[1, 4, 9]), Some(2)),
            (part("b", &[2, 4, 5]), Some(3)),
            (part("c", &[3, 20]), None),
        ];
        assert_eq!(ordered(None, parts), "a1 b2 c3 a4 b4 b5 a9 c20 ");
    }

    #[test]
    fn an_event_waits_only_for_what_may_come_before_it() {
        let mut order = Order::new(None);
        let mut out = Vec::new();
        let mut push = |block, part, next| {
            out.clear();
            let _: Result<(), Infallible> = order.push(block, part, next, &mut |_, bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            });
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(push(0, part("a", &[1, 2, 3]), Some(2)), "a1 a2 ");
        assert_eq!(push(1, part("b", &[2]), Some(7)), "b2 a3 ");
        assert_eq!(push(2, part("", &[]), None), "");
    }

    #[test]
    fn pieces_of_a_block_follow_each_other_among_other_blocks() {
        let mut order = Order::new(None);
        let mut out = Vec::new();
        for (block, part, next) in [
            (0, part("a", &[1, 4]), Some(3)),
            (0, part("b", &[4, 9]), Some(3)),
            (1, part("c", &[3, 4]), Some(4)),
            (1, part("d", &[4, 20]), Some(8)),
            (2, part("e", &[8, 30]), None),
        ] {
            let pushed: Result<(), Infallible> = order.push(block, part, next, &mut |_, bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            });
            assert_eq!(pushed, Ok(()));
        }
        assert_eq!(String::from_utf8_lossy(&out), "a1 c3 a4 b4 c4 d4 e8 b9 d20 e30 ");
        assert_eq!((order.size, order.spare().count()), (0, 5));
    }

    #[test]
    fn what_cannot_wait_goes_and_what_comes_late_for_it_is_counted() {
        let mut order = Order { most: 0, ..Order::new(None) };
        let mut out = Vec::new();
        for (block, part, next) in [
            (0, part("a", &[1, 4, 9]), Some(2)),
            (1, part("b", &[2, 5, 9]), Some(12)),
            // The clock went back, and nothing was late for want of room.
            (2, part("c", &[11]), None),
            (3, part("d", &[10]), None),
        ] {
            let pushed: Result<(), Infallible> = order.push(block, part, next, &mut |_, bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            });
            assert_eq!(pushed, Ok(()));
        }
        assert_eq!(String::from_utf8_lossy(&out), "a1 a4 a9 b2 b5 b9 c11 d10 ");
        assert_eq!(order.late(), 2);
    }

    #[test]
    fn a_limit_cuts_across_parts() {
        let parts = vec![(part("a", &[1, 3]), Some(2)), (part("b", &[2, 4]), None)];
        assert_eq!(ordered(Some(3), parts), "a1 b2 a3 ");
    }
}
