//! A terminal that is written to while something goes on: rows, sums of what there are too many rows of, and a last line
//! that is always there. It is written every so often, however many rows there are, and without escape sequences.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use replay::render::columns::cut;

use super::rows::{Kind, Second};
use crate::amounts::grouped;

/// How often it is written.
pub const EVERY: Duration = Duration::from_millis(50);
/// Kinds of events of a second that get a line of their own.
const LINES: usize = 3;
/// Rows of a second may come so much later.
const LATE: Duration = Duration::from_millis(500);
/// What is not written yet is not more than this.
const PENDING_BYTES: usize = 1 << 20;

/// The lower end of a terminal.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    width: usize,
    /// Rows of a second that are shown.
    rate: usize,
    pending: Vec<u8>,
    /// The last line as it is to be, and how many characters of it stand there.
    footer: String,
    drawn: usize,
    is_drawn_anew: bool,
    second: Current,
}

/// The second that is being told.
#[derive(Debug, Default)]
struct Current {
    number: i64,
    rows: usize,
    sums: BTreeMap<Kind, u64>,
}

impl<W: Write> Screen<W> {
    pub fn new(out: W, width: usize, rate: usize) -> Screen<W> {
        Screen {
            out,
            width,
            rate,
            pending: Vec::new(),
            footer: String::new(),
            drawn: 0,
            is_drawn_anew: false,
            second: Current::default(),
        }
    }

    /// Text that is shown in any case.
    pub fn text(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > PENDING_BYTES { self.write() } else { Ok(()) }
    }

    /// What happened in some seconds.
    pub fn seconds(&mut self, seconds: &[Second]) -> io::Result<()> {
        for second in seconds {
            if second.number > self.second.number {
                self.close_second();
                self.second.number = second.number;
            }
            for (row, kind) in second.each() {
                if self.second.rows < self.rate {
                    self.second.rows += 1;
                    self.pending.extend_from_slice(row);
                } else {
                    *self.second.sums.entry(kind.clone()).or_default() += 1;
                }
            }
            for (kind, count) in &second.sums {
                *self.second.sums.entry(kind.clone()).or_default() += count;
            }
        }
        if self.pending.len() > PENDING_BYTES { self.write() } else { Ok(()) }
    }

    /// What the last line is to say.
    pub fn set_footer(&mut self, text: String) {
        let mut line = text.into_bytes();
        // A line that is as wide as the terminal would begin another one.
        cut(&mut line, Some(self.width.saturating_sub(1)));
        let text = String::from_utf8_lossy(&line).into_owned();
        self.is_drawn_anew |= text != self.footer;
        self.footer = text;
    }

    /// To be called every so often: shows what there is to show.
    pub fn tick(&mut self, width: usize) -> io::Result<()> {
        self.width = width;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if now > Duration::from_secs(self.second.number.unsigned_abs() + 1) + LATE {
            self.close_second();
        }
        if self.pending.is_empty() && !self.is_drawn_anew { Ok(()) } else { self.write() }
    }

    /// Shows the rest, and takes the last line away.
    pub fn finish(&mut self) -> io::Result<()> {
        self.close_second();
        self.footer.clear();
        self.write()
    }

    fn close_second(&mut self) {
        let mut sums: Vec<(Kind, u64)> = std::mem::take(&mut self.second.sums).into_iter().collect();
        sums.sort_by_key(|(_, count)| Reverse(*count));
        let more = sums.split_off(sums.len().min(LINES));
        for ((event, comm), count) in sums {
            let comm = scopes::spelled_out(&String::from_utf8_lossy(&comm));
            self.line(&format!("... {} {event} by {comm} in 1 s", grouped(count)));
        }
        if !more.is_empty() {
            let count: u64 = more.iter().map(|(_, count)| count).sum();
            self.line(&format!("... {} more of {} kinds", grouped(count), more.len()));
        }
        self.second.rows = 0;
    }

    fn line(&mut self, text: &str) {
        let mut line = text.as_bytes().to_vec();
        cut(&mut line, Some(self.width));
        self.pending.extend_from_slice(&line);
        self.pending.push(b'\n');
    }

    /// Rows go where the last line was, which comes after them again.
    fn write(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.pending.len() + 3 * self.width);
        if self.drawn > 0 {
            bytes.push(b'\r');
            bytes.resize(bytes.len() + self.drawn, b' ');
            bytes.push(b'\r');
        }
        bytes.append(&mut self.pending);
        bytes.extend_from_slice(self.footer.as_bytes());
        self.drawn = self.footer.chars().count();
        self.is_drawn_anew = false;
        self.out.write_all(&bytes)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: i64, rows: &[&str], sums: &[(&'static str, u64)]) -> Second {
        let mut second = Second { number, ..Second::default() };
        for row in rows {
            second.text.extend_from_slice(row.as_bytes());
            second.text.push(b'\n');
            second.rows.push((second.text.len(), ("openat", Box::from(&b"cat"[..]))));
        }
        for (event, count) in sums {
            second.sums.insert((event, Box::from(&b"dpkg"[..])), *count);
        }
        second
    }

    fn shown(act: impl FnOnce(&mut Screen<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, 40, 2);
        act(&mut screen);
        screen.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_above_the_rate_is_summed_when_its_second_is_over() {
        let text = shown(|screen| {
            screen.seconds(&[second(5, &["a", "b", "c"], &[("openat", 12_431)])]).unwrap();
            screen.seconds(&[second(5, &["d"], &[])]).unwrap();
            screen.seconds(&[second(6, &["e"], &[])]).unwrap();
        });
        assert_eq!(text, "a\nb\n... 12,431 openat by dpkg in 1 s\n... 2 openat by cat in 1 s\ne\n");
    }

    #[test]
    fn only_the_largest_sums_have_lines_of_their_own() {
        let sums: Vec<(&'static str, u64)> =
            vec![("read", 9), ("write", 8), ("close", 7), ("mmap", 2), ("brk", 1)];
        let text = shown(|screen| screen.seconds(&[second(5, &["a"], &sums)]).unwrap());
        assert_eq!(
            text,
            "a\n... 9 read by dpkg in 1 s\n... 8 write by dpkg in 1 s\n... 7 close by dpkg in 1 s\n... 3 more of 2 kinds\n"
        );
    }

    #[test]
    fn the_last_line_stands_below_all_rows_and_is_gone_at_the_end() {
        let text = shown(|screen| {
            screen.set_footer("0 lost".to_owned());
            screen.tick(40).unwrap();
            screen.text(b"row\n").unwrap();
            screen.tick(40).unwrap();
            screen.tick(40).unwrap();
        });
        assert_eq!(text, "0 lost\r      \rrow\n0 lost\r      \r");
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn no_line_of_its_own_is_wider_than_the_terminal() {
        let text = shown(|screen| {
            screen.set_footer("x".repeat(100));
            screen.tick(40).unwrap();
        });
        assert!(text.split(['\r', '\n']).all(|line| line.chars().count() < 40), "{text:?}");
    }
}
