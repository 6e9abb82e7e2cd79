//! Sizes and times as people write them: `100M`, `64K`, `10s`, `1h30m`.

use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    #[error("{text:?} is not a size: a number with K, M or G, such as 100M")]
    Size { text: String },
    #[error("{text:?} is not a time: a number with ms, s, m or h, such as 10s")]
    Time { text: String },
    #[error("{text:?} is neither a size (100M) nor a time (10m)")]
    Neither { text: String },
}

/// A stretch of a recording: as much as fits, or as long as it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stretch {
    Bytes(u64),
    Time(Duration),
}

/// Bytes: K, M and G are powers of 1,024; `KiB` and `KB` mean the same as `K`. Never 0.
pub fn size(text: &str) -> Result<u64, AmountError> {
    let fail = || AmountError::Size { text: text.to_owned() };
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(fail()),
    };
    let number: u64 = number.parse().map_err(|_| fail())?;
    number.checked_mul(factor).filter(|n| *n > 0).ok_or_else(fail)
}

/// A time; parts add up (`1h30m`), and a bare number is seconds. Never 0.
pub fn time(text: &str) -> Result<Duration, AmountError> {
    let fail = || AmountError::Time { text: text.to_owned() };
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split(rest);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let number: u64 = number.parse().map_err(|_| fail())?;
        let factor = match unit {
            "ms" => 1,
            "s" => 1_000,
            "" if rest == text => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(fail()),
        };
        let millis = number.checked_mul(factor).ok_or_else(fail)?;
        sum = sum.checked_add(Duration::from_millis(millis)).ok_or_else(fail)?;
        rest = next;
    }
    if sum.is_zero() { Err(fail()) } else { Ok(sum) }
}

/// A size or a time: `10m` is ten minutes, `10M` are ten mebibytes.
pub fn stretch(text: &str) -> Result<Stretch, AmountError> {
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    if let Some(time) = time(text).ok().filter(|_| has_unit) {
        return Ok(Stretch::Time(time));
    }
    size(text).map(Stretch::Bytes).map_err(|_| AmountError::Neither { text: text.to_owned() })
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in
            [("1", 1), ("64K", 65_536), ("100M", 104_857_600), ("2GiB", 1 << 31), ("5kb", 5120)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "0", "-1", "1.5M", "10X", "99999999999999999999", "99999999999G", "10 M"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_add_their_parts() {
        for (text, millis) in
            [("10", 10_000), ("10s", 10_000), ("250ms", 250), ("1h30m", 5_400_000), ("2d", 172_800_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0s", "s", "10M", "1h30", "-1s", "1.5s", "99999999999999999999s"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn case_tells_minutes_from_mebibytes() {
        assert_eq!(stretch("10m"), Ok(Stretch::Time(Duration::from_secs(600))));
        assert_eq!(stretch("10M"), Ok(Stretch::Bytes(10 << 20)));
        assert_eq!(stretch("60s"), Ok(Stretch::Time(Duration::from_secs(60))));
        assert_eq!(stretch("4096"), Ok(Stretch::Bytes(4096)));
        assert!(stretch("ten").unwrap_err().to_string().contains("neither"));
    }
}
