//! One stream in order of time from blocks whose times may overlap: hosts of a merged capture, files side by side, rows
//! that came late.

use std::collections::VecDeque;

/// Bytes that there is room for before an event is written, of most events.
const LEAST_ROOM: usize = 64 << 10;

/// What one block became: the bytes of its events for each output, in order of its rows.
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
        for bytes in &mut self.bytes {
            self.ends.push(bytes.len());
            // By an eighth: what doubles may take twice as much as it holds, and these are large.
            if bytes.capacity() - bytes.len() < LEAST_ROOM {
                bytes.reserve_exact((bytes.len() / 8).max(LEAST_ROOM * 4));
            }
        }
    }

    /// Bytes that it holds on to.
    pub fn capacity(&self) -> usize {
        self.bytes.iter().map(Vec::capacity).sum::<usize>() + self.times.capacity() * 16
    }

    /// The events from this one on, as a part of their own.
    fn tail(&self, from: usize) -> Part {
        let outputs = self.bytes.len();
        let mut tail = Part::new(outputs);
        let first = from * outputs;
        for (output, bytes) in tail.bytes.iter_mut().enumerate() {
            bytes.extend_from_slice(self.slice(output, from, self.times.len()));
        }
        tail.times.extend_from_slice(self.times.get(from..).unwrap_or_default());
        let before =
            |output: usize| from.checked_sub(1).and_then(|_| self.ends.get(first - outputs + output));
        let ends = self.ends.get(first..).unwrap_or_default().iter().enumerate();
        tail.ends.extend(ends.map(|(at, end)| end - before(at % outputs.max(1)).copied().unwrap_or(0)));
        tail
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

/// Takes parts in order of their first row and hands events on in order of time; among equals, the earlier part first.
#[derive(Debug)]
pub struct Order {
    waiting: VecDeque<Waiting>,
    size: usize,
    left: u64,
    /// Parts that were handed on, for their memory.
    spare: Vec<Part>,
}

#[derive(Debug)]
struct Waiting {
    part: Part,
    /// Events that were handed on.
    done: usize,
}

/// Bytes that may wait for blocks that overlap them; beyond this the oldest are handed on whatever comes.
const MAX_WAITING_BYTES: usize = 64 << 20;

impl Order {
    /// Hands on no more than `limit` events.
    pub fn new(limit: Option<u64>) -> Order {
        Order { waiting: VecDeque::new(), size: 0, left: limit.unwrap_or(u64::MAX), spare: Vec::new() }
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

    /// Takes the next part. `next`: the first time of the block after it, `None` for the last one.
    pub fn push<E>(
        &mut self,
        part: Part,
        next: Option<u64>,
        deliver: &mut impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !part.times.is_empty() {
            self.size += part.size();
            self.waiting.push_back(Waiting { part, done: 0 });
        }
        self.release(next, deliver)
    }

    fn release<E>(
        &mut self,
        next: Option<u64>,
        deliver: &mut impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.hand_on(next, deliver)?;
        // Of a part that is mostly gone, the rest takes little: its memory is for the next one.
        for waiting in &mut self.waiting {
            let events = waiting.part.times.len();
            if waiting.done > events / 4 * 3 && waiting.part.size() > LEAST_ROOM {
                let tail = waiting.part.tail(waiting.done);
                self.size = self.size + tail.size() - waiting.part.size();
                self.spare.push(std::mem::replace(&mut waiting.part, tail));
                waiting.done = 0;
            }
        }
        Ok(())
    }

    fn hand_on<E>(
        &mut self,
        next: Option<u64>,
        deliver: &mut impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.left > 0 {
            // The part with the earliest event, and the earliest event of the others: up to there it goes in one piece.
            let Some((at, time)) = self.earliest(None) else { break };
            let may_go = next.is_none_or(|next| time <= next) || self.size > MAX_WAITING_BYTES;
            if !may_go {
                break;
            }
            let rival = self.earliest(Some(at));
            let Some(waiting) = self.waiting.get_mut(at) else { break };
            let times = waiting.part.times.get(waiting.done..).unwrap_or(&[]);
            let goes = |time: u64| {
                let before_rival = match rival {
                    Some((other, first)) => time < first || (time == first && at < other),
                    None => true,
                };
                before_rival && next.is_none_or(|next| time <= next)
            };
            let run = times.iter().take_while(|time| goes(**time)).count().max(1);
            let run = run.min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let to = waiting.done + run;
            for output in 0..waiting.part.bytes.len() {
                deliver(output, waiting.part.slice(output, waiting.done, to))?;
            }
            waiting.done = to;
            self.left -= run as u64;
            if to >= waiting.part.times.len() {
                self.size -= waiting.part.size();
                self.spare.extend(self.waiting.remove(at).map(|waiting| waiting.part));
            }
        }
        Ok(())
    }

    /// The part whose next event is the earliest, and that event's time.
    fn earliest(&self, except: Option<usize>) -> Option<(usize, u64)> {
        let parts = self.waiting.iter().enumerate().filter(|(at, _)| Some(*at) != except);
        parts
            .filter_map(|(at, waiting)| Some((at, *waiting.part.times.get(waiting.done)?)))
            .min_by_key(|(at, time)| (*time, *at))
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
        for (part, next) in parts {
            let pushed: Result<(), Infallible> = order.push(part, next, &mut |_, bytes| {
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
        let mut push = |part, next| {
            out.clear();
            let _: Result<(), Infallible> = order.push(part, next, &mut |_, bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            });
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(push(part("a", &[1, 2, 3]), Some(2)), "a1 a2 ");
        assert_eq!(push(part("b", &[2]), Some(7)), "b2 a3 ");
        assert_eq!(push(part("", &[]), None), "");
    }

    #[test]
    fn what_is_left_of_a_large_part_waits_by_itself() {
        let mut order = Order::new(None);
        let mut out = Vec::new();
        let mut large = Part::new(2);
        for time in 0..1000_u64 {
            large.bytes[0].extend(std::iter::repeat_n(time as u8, 200));
            large.bytes[1].push(time as u8);
            large.event(time);
        }
        let mut deliver = |output: usize, bytes: &[u8]| {
            out.extend(bytes.iter().map(|byte| (output, *byte)));
            Ok::<(), Infallible>(())
        };
        assert_eq!(order.push(large, Some(990), &mut deliver), Ok(()));
        assert!(order.size < LEAST_ROOM, "{}", order.size);
        assert_eq!(order.spare().count(), 1);
        let mut last = Part::new(2);
        for (output, bytes) in last.bytes.iter_mut().enumerate() {
            bytes.push(output as u8);
        }
        last.event(995);
        assert_eq!(order.push(last, None, &mut deliver), Ok(()));
        let of = |output: usize| out.iter().filter(|it| it.0 == output).map(|it| it.1).collect::<Vec<_>>();
        let mut expected: Vec<u8> = (0..1000_u64).map(|time| time as u8).collect();
        expected.insert(996, 1);
        assert_eq!(of(1), expected);
        assert_eq!(of(0).len(), 1000 * 200 + 1);
        assert_eq!(of(0)[996 * 200], 0);
    }

    #[test]
    fn a_limit_cuts_across_parts() {
        let parts = vec![(part("a", &[1, 3]), Some(2)), (part("b", &[2, 4]), None)];
        assert_eq!(ordered(Some(3), parts), "a1 b2 a3 ");
    }
}
