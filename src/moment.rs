//! Times as users write them: as tables show them, as logs do, or after the start.

use anyhow::{Context, Result, bail};
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pipeline::Source;

/// What is understood, for messages and help.
const ALLOWED: &str = "2026-11-23T20:09:15Z, 2026-11-23 20:09:15.041923, 20:09:15:041923 of the first event's day, ns since \
                       the epoch, +1.5s after the first event, or -10m before the last one";

/// Wall clock of the first and the last event, ns since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    pub start_ns: i64,
    pub end_ns: i64,
}

impl Extent {
    pub fn of(source: &Source) -> Extent {
        let start_ns = source.start_wall_ns().unwrap_or_default();
        Extent { start_ns, end_ns: source.end_wall_ns().unwrap_or(start_ns) }
    }
}

/// A time of the wall clock, ns since the epoch. `zone`: of times that name none.
pub fn wall_ns(text: &str, extent: Extent, zone: &TimeZone) -> Result<i64> {
    let Extent { start_ns, end_ns } = extent;
    if let Some(after) = text.strip_prefix('+') {
        let span: SignedDuration =
            after.parse().with_context(|| format!("{text} is no time after the start, such as +1.5s"))?;
        return Ok(start_ns.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)));
    }
    if let Ok(ns) = text.parse() {
        return Ok(ns);
    }
    if let Some(before) = text.strip_prefix('-') {
        let span: SignedDuration =
            before.parse().with_context(|| format!("{text} is no time before the end, such as -10m"))?;
        return Ok(end_ns.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)));
    }
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => match civil(text, start_ns, zone) {
            Some(civil) => {
                zone.to_timestamp(civil).with_context(|| format!("{text} is no time of this zone"))?
            }
            None => bail!("{text} is no time; allowed: {ALLOWED}"),
        },
    };
    i64::try_from(time.as_nanosecond()).with_context(|| format!("{text}: no capture is that far away"))
}

/// A date and time, or a time of the first event's day. The tables part seconds and microseconds by a colon.
fn civil(text: &str, start_ns: i64, zone: &TimeZone) -> Option<DateTime> {
    let table = match text.rsplit_once(':') {
        Some((before, micros)) if micros.len() == 6 && micros.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{before}.{micros}")
        }
        _ => text.to_owned(),
    };
    if let Ok(civil) = table.parse::<DateTime>() {
        return Some(civil);
    }
    let start = Timestamp::from_nanosecond(start_ns.into()).ok()?;
    let time: Time = table.parse().ok()?;
    Some(zone.to_datetime(start).date().to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2022-11-15 20:09:15.041923 UTC, and a minute.
    const EXTENT: Extent = Extent { start_ns: 1_668_542_955_041_923_000, end_ns: 1_668_543_015_041_923_000 };

    #[test]
    fn times_are_read_as_tables_and_logs_write_them() {
        for text in [
            "2022-11-15T20:09:16Z",
            "2022-11-15 20:09:16",
            "2022-11-15T21:09:16+01:00",
            "20:09:16:000000",
            "20:09:16.000",
            "20:09:16",
            "1668542956000000000",
            "+958077us",
            "-59s 41ms 923us",
        ] {
            assert_eq!(wall_ns(text, EXTENT, &TimeZone::UTC).ok(), Some(1_668_542_956_000_000_000), "{text}");
        }
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(wall_ns("21:09:16", EXTENT, &zone).ok(), Some(1_668_542_956_000_000_000));
    }

    #[test]
    fn what_is_no_time_is_told_what_is_one() {
        for text in ["yesterday", "25:00:00", "2022-13-01 00:00:00", ""] {
            let said = wall_ns(text, EXTENT, &TimeZone::UTC).expect_err("no time").to_string();
            assert!(said.contains("allowed: 2026-"), "{said}");
        }
        assert!(wall_ns("+x", EXTENT, &TimeZone::UTC).is_err());
    }
}
