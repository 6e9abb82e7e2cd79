//! The TIME column: local wall clock, UTC, or since the start of the capture.

use jiff::{Timestamp, tz::TimeZone};

use crate::digits;

/// Which clock tables show.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// Wall clock in a time zone: the local one or UTC.
    Zone(TimeZone),
    #[default]
    Utc,
    /// Since this wall-clock time, ns since the epoch.
    Since(i64),
}

impl Clock {
    pub fn local() -> Clock {
        Clock::Zone(local_zone())
    }
}

impl Clock {
    /// Whether two wall-clock times are of different days.
    pub fn parts_days(&self, from_ns: i64, to_ns: i64) -> bool {
        let mut hand = Hand::new(self, true);
        let mut day = |ns| {
            hand.write(ns, &mut Vec::new());
            hand.day
        };
        !matches!(self, Clock::Since(_)) && day(from_ns) != day(to_ns)
    }
}

/// The local time zone. Where the system says it by a link to the zone's file, that is read and nothing else: to look the zone up,
/// all of the system's zones would be listed, which takes longer than a small question.
pub fn local_zone() -> TimeZone {
    let is_named = std::env::var_os("TZ").is_some();
    let linked = if is_named { None } else { linked_zone("/etc/localtime") };
    linked.unwrap_or_else(TimeZone::system)
}

/// The zone that a link leads to: `/usr/share/zoneinfo/Europe/Berlin` is `Europe/Berlin`.
fn linked_zone(path: &str) -> Option<TimeZone> {
    let target = std::fs::read_link(path).ok()?;
    let (_, name) = target.to_str()?.rsplit_once("zoneinfo/")?;
    TimeZone::tzif(name, &std::fs::read(path).ok()?).ok()
}

/// Writes times of one clock, remembering what the last one was computed from.
#[derive(Debug)]
pub struct Hand<'a> {
    clock: &'a Clock,
    /// The quarter of an hour (of the epoch) whose offset is `offset_seconds`: zones change at no other times.
    quarter: i64,
    offset_seconds: i64,
    /// The second whose text is `text`.
    second: i64,
    text: [u8; 9],
    /// The day (of the epoch) whose text is `date`; `None` where dates are not shown.
    day: Option<i64>,
    date: [u8; DATE],
}

/// Characters that a date and the blank behind it take.
pub const DATE: usize = 11;

const SECOND: i64 = 1_000_000_000;

impl<'a> Hand<'a> {
    /// With `dates`, times of the wall clock have their date before them.
    pub fn new(clock: &'a Clock, dates: bool) -> Hand<'a> {
        Hand {
            clock,
            quarter: i64::MIN,
            offset_seconds: 0,
            second: i64::MIN,
            text: *b"00:00:00:",
            day: dates.then_some(i64::MIN),
            date: *b"1970-01-01 ",
        }
    }

    /// Whether times have their dates before them.
    pub fn shows_dates(&self) -> bool {
        self.day.is_some()
    }

    /// Appends `HH:MM:SS:micros` of a wall-clock time in ns since the epoch. A relative time before its start has a
    /// minus sign; hours of a relative time may pass 24.
    pub fn write(&mut self, wall_ns: i64, out: &mut Vec<u8>) {
        let shown = match self.clock {
            Clock::Since(start) => wall_ns.saturating_sub(*start),
            _ => wall_ns,
        };
        if let (Clock::Since(_), true) = (self.clock, shown < 0) {
            out.push(b'-');
            return self.relative(shown.saturating_neg(), out);
        }
        if matches!(self.clock, Clock::Since(_)) {
            return self.relative(shown, out);
        }
        let second = shown.div_euclid(SECOND);
        if second != self.second {
            let local = second.saturating_add(self.offset(second));
            self.spell(local.rem_euclid(86_400) / 3600, local.rem_euclid(3600));
            self.second = second;
            let day = local.div_euclid(86_400);
            if self.day.is_some_and(|known| known != day) {
                self.day = Some(day);
                self.spell_date(day);
            }
        }
        if self.day.is_some() {
            out.extend_from_slice(&self.date);
        }
        out.extend_from_slice(&self.text);
        digits::padded(shown.rem_euclid(SECOND) as u64 / 1000, 6, out);
    }

    fn spell_date(&mut self, day: i64) {
        // A year that no calendar has keeps the date before it: the time of day is not right either.
        let Ok(time) = Timestamp::from_second(day.saturating_mul(86_400)) else { return };
        let date = jiff::tz::Offset::UTC.to_datetime(time).date();
        let (century, year) = (i64::from(date.year()) / 100, i64::from(date.year()) % 100);
        let pairs = [(0, century), (2, year), (5, i64::from(date.month())), (8, i64::from(date.day()))];
        for (at, value) in pairs {
            self.date[at] = b'0' + (value / 10) as u8;
            self.date[at + 1] = b'0' + (value % 10) as u8;
        }
    }

    fn relative(&mut self, ns: i64, out: &mut Vec<u8>) {
        let second = ns / SECOND;
        let hours = second / 3600;
        if hours >= 100 {
            digits::unsigned(hours as u64, out);
        } else {
            digits::padded(hours as u64, 2, out);
        }
        self.spell(0, second % 3600);
        out.extend_from_slice(&self.text[2..]);
        digits::padded((ns % SECOND) as u64 / 1000, 6, out);
    }

    fn spell(&mut self, hours: i64, rest: i64) {
        for (at, value) in [(0, hours), (3, rest / 60), (6, rest % 60)] {
            self.text[at] = b'0' + (value / 10) as u8;
            self.text[at + 1] = b'0' + (value % 10) as u8;
        }
    }

    /// Seconds east of Greenwich at a second of the epoch.
    fn offset(&mut self, second: i64) -> i64 {
        let Clock::Zone(zone) = self.clock else { return 0 };
        let quarter = second.div_euclid(900);
        if quarter != self.quarter {
            self.offset_seconds = match Timestamp::from_second(second) {
                Ok(time) => i64::from(zone.to_offset(time).seconds()),
                // A year that no calendar has: shown as UTC rather than not at all.
                Err(_) => 0,
            };
            self.quarter = quarter;
        }
        self.offset_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(clock: &Clock, times: &[i64]) -> Vec<String> {
        let mut hand = Hand::new(clock, false);
        let show = |time: &i64| {
            let mut out = Vec::new();
            hand.write(*time, &mut out);
            String::from_utf8(out).expect("digits")
        };
        times.iter().map(show).collect()
    }

    #[test]
    fn wall_clock_has_microseconds_after_a_colon() {
        let times = [1_668_542_955_041_923_999, 1_668_542_955_041_924_000, 1_668_542_956_000_000_000];
        assert_eq!(shown(&Clock::Utc, &times), ["20:09:15:041923", "20:09:15:041924", "20:09:16:000000"]);
    }

    #[test]
    fn a_zone_moves_the_clock_and_its_summer_time_too() {
        let Ok(zone) = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3") else { panic!("a POSIX zone") };
        // The second before and the first of summer time 2026 (29 March, 01:00 UTC).
        let times = [1_774_746_000 * SECOND - 1, 1_774_746_000 * SECOND];
        assert_eq!(shown(&Clock::Zone(zone), &times), ["01:59:59:999999", "03:00:00:000000"]);
    }

    #[test]
    fn dates_stand_before_times_and_change_at_local_midnight() {
        let zone = Clock::Zone(TimeZone::fixed(jiff::tz::offset(1)));
        let mut hand = Hand::new(&zone, true);
        let mut out = Vec::new();
        for second in [1_782_860_399, 1_782_860_400, 1_782_860_400 + 86_400] {
            hand.write(second * SECOND, &mut out);
            out.push(b'|');
        }
        let told = "2026-06-30 23:59:59:000000|2026-07-01 00:00:00:000000|2026-07-02 00:00:00:000000|";
        assert_eq!(String::from_utf8_lossy(&out), told);
    }

    #[test]
    fn relative_time_counts_from_the_start_and_knows_what_came_before() {
        let clock = Clock::Since(5 * SECOND);
        let times = [5 * SECOND, 66 * SECOND + 1_000, 5 * SECOND - 2_000, i64::MAX];
        let shown = shown(&clock, &times);
        assert_eq!(shown[..3], ["00:00:00:000000", "00:01:01:000001", "-00:00:00:000002"]);
        assert!(shown[3].starts_with("2562047:"));
    }
}
