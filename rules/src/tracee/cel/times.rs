//! The time of the event: its parts in UTC, and whether it is before or after another.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::operand::{Missing, Operand, Shape};
use super::term::{Kind, Read, Term};
use crate::form::{Comparison, Computed, Field, Function, Owned};

/// A part of a time, by the name that CEL gives it.
#[derive(Clone, Copy, Debug)]
struct Part(fn(DateTime) -> i64);

const PARTS: &[(&str, Part)] = &[
    ("getFullYear", Part(|time| time.year().into())),
    // Months and days of the year are counted from 0.
    ("getMonth", Part(|time| i64::from(time.month()) - 1)),
    ("getDate", Part(|time| time.day().into())),
    ("getDayOfMonth", Part(|time| i64::from(time.day()) - 1)),
    ("getDayOfYear", Part(|time| i64::from(time.day_of_year()) - 1)),
    ("getDayOfWeek", Part(|time| time.weekday().to_sunday_zero_offset().into())),
    ("getHours", Part(|time| time.hour().into())),
    ("getMinutes", Part(|time| time.minute().into())),
    ("getSeconds", Part(|time| time.second().into())),
    ("getMilliseconds", Part(|time| time.millisecond().into())),
];

impl Function for Part {
    fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned> {
        let time = moment(inputs).map(|time| Offset::UTC.to_datetime(time));
        time.map(|time| Owned::Number((self.0)(time).into())).into_iter().collect()
    }
}

struct Compared(Comparison, Timestamp);

impl Function for Compared {
    fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned> {
        moment(inputs).map(|time| Owned::text(self.0.holds(&time, &self.1).to_string())).into_iter().collect()
    }
}

fn moment(inputs: &[Vec<Owned>]) -> Option<Timestamp> {
    match inputs.first()?.first()? {
        Owned::Number(ns) => Timestamp::from_nanosecond(*ns).ok(),
        Owned::Text(_) => None,
    }
}

fn is_time(term: &Term) -> bool {
    match &term.kind {
        Kind::Name(name) => name == "timestamp",
        Kind::Member(of, name) => name == "timestamp" && of.kind == Kind::Name("event".into()),
        _ => false,
    }
}

/// `timestamp.getHours()`
pub fn part(term: &Term) -> Read<Option<Operand>> {
    let Kind::Call { of: Some(of), name, args } = &term.kind else { return Ok(None) };
    let Some((name, part)) = PARTS.iter().find(|(known, _)| is_time(of) && known == name) else {
        return Ok(None);
    };
    match args.as_slice() {
        [] => {}
        [zone] if zone.text() == Some("UTC") => {}
        _ => return Err(term.wrong("parts of a time are those of UTC: leave the zone out")),
    }
    let field =
        Field::Computed(Computed::new(*name, format!("timestamp.{name}()"), vec![Field::Time], *part));
    Ok(Some(Operand { field, shape: Shape::Number, missing: Missing::Default }))
}

/// `timestamp < timestamp("2026-11-29T12:00:00Z")`, as a field that is true or false.
pub fn compared(comparison: Comparison, left: &Term, right: &Term) -> Read<Option<Field>> {
    let (bound, comparison) = match (is_time(left), is_time(right)) {
        (true, false) => (right, comparison),
        (false, true) => (left, super::lower::flipped(comparison)),
        _ => return Ok(None),
    };
    let Some([text]) = bound.call("timestamp") else { return Ok(None) };
    let Some(written) = text.text() else { return Ok(None) };
    let Ok(time) = written.parse::<Timestamp>() else {
        return Err(text.wrong("this is no time: 2026-11-29T12:00:00Z is one"));
    };
    let sign = comparison.sign();
    let (key, written) = (format!("timestamp {sign} {time}"), format!("timestamp {sign} {time}"));
    Ok(Some(Field::Computed(Computed::new(key, written, vec![Field::Time], Compared(comparison, time)))))
}

#[cfg(test)]
mod tests {
    use super::super::term::parse;
    use super::*;

    /// 2026-11-29T21:45:07.123456789Z, a Sunday.
    const NOW: i128 = 1_795_988_707_123_456_789;

    fn value(field: &Field) -> String {
        let Field::Computed(computed) = field else { panic!("{field:?}") };
        let values = computed.values(vec![vec![Owned::Number(NOW)]]);
        values.iter().map(|value| String::from_utf8_lossy(&value.value().text()).into_owned()).collect()
    }

    #[test]
    fn parts_are_counted_as_cel_counts_them() {
        for (name, expected) in [
            ("getFullYear()", "2026"),
            ("getMonth()", "10"),
            ("getDate()", "29"),
            ("getDayOfMonth(\"UTC\")", "28"),
            ("getDayOfYear()", "332"),
            ("getDayOfWeek()", "0"),
            ("getHours()", "21"),
            ("getMinutes()", "45"),
            ("getSeconds()", "7"),
            ("getMilliseconds()", "123"),
        ] {
            let term = parse(&format!("timestamp.{name}")).expect(name);
            let operand = part(&term).expect(name).expect(name);
            assert_eq!(value(&operand.field), expected, "{name}");
        }
        let term = parse("timestamp.getHours(\"Europe/Berlin\")").expect("a term");
        assert!(part(&term).is_err());
    }

    #[test]
    fn times_are_compared_to_the_nanosecond() {
        let holds = |comparison, left: &str, right: &str| {
            let (left, right) = (parse(left).expect(left), parse(right).expect(right));
            value(&compared(comparison, &left, &right).expect("a time").expect("a comparison"))
        };
        let bound = "timestamp(\"2026-11-29T21:45:07.123456788Z\")";
        assert_eq!(holds(Comparison::Greater, "timestamp", bound), "true");
        assert_eq!(holds(Comparison::Greater, bound, "event.timestamp"), "false");
        let (name, wrong) = (parse("timestamp").expect("a term"), parse("timestamp(\"x\")").expect("a term"));
        assert!(compared(Comparison::Less, &name, &wrong).is_err());
    }
}
