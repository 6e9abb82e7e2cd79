//! One event: its time, thread and number, and its parameters by name.

use crate::scap::block;
use crate::scap::events::{Param, Stored, pair};

use super::cursor::Cursor;

/// An event as it stands in its block.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    pub cpu: u16,
    pub wall_ns: u64,
    pub tid: u64,
    pub number: u16,
    /// Their lengths, of two bytes or of four.
    lengths: &'a [u8],
    width: usize,
    values: &'a [u8],
}

/// Parameters of an event; none has more.
const PARAMS: u32 = 64;

impl<'a> Raw<'a> {
    /// Reads the body of a block of events.
    pub fn read(kind: u32, body: &'a [u8]) -> Result<Raw<'a>, String> {
        let short = || "an event that is shorter than it says".to_owned();
        let mut cursor = Cursor(body);
        let cpu = cursor.u16().ok_or_else(short)?;
        if matches!(kind, block::EVENT_FLAGS | block::EVENT_FLAGS_V1 | block::EVENT_FLAGS_LARGE) {
            cursor.u32().ok_or_else(short)?;
        }
        let whole = cursor.0;
        let wall_ns = cursor.u64().ok_or_else(short)?;
        let tid = cursor.u64().ok_or_else(short)?;
        let length = cursor.u32().ok_or_else(short)?;
        let number = cursor.u16().ok_or_else(short)?;
        let rest = usize::try_from(length).ok().and_then(|length| length.checked_sub(22));
        let rest = rest.and_then(|rest| cursor.0.get(..rest)).ok_or_else(short)?;
        debug_assert!(rest.len() <= whole.len());
        let is_v1 = matches!(kind, block::EVENT_V1 | block::EVENT_FLAGS_V1);
        let width = if matches!(kind, block::EVENT_LARGE | block::EVENT_FLAGS_LARGE) { 4 } else { 2 };
        let (count, rest) = match is_v1 {
            true => (counted(number, rest).ok_or("an event whose parameters do not fill it")?, rest),
            false => {
                let mut rest = Cursor(rest);
                (rest.u32().filter(|count| *count <= PARAMS).ok_or_else(short)?, rest.0)
            }
        };
        let (lengths, values) = rest.split_at_checked(count as usize * width).ok_or_else(short)?;
        let raw = Raw { cpu, wall_ns, tid, number, lengths, width, values };
        match raw.sizes().try_fold(0usize, |all, size| all.checked_add(size)) {
            Some(all) if all <= values.len() => Ok(raw),
            _ => Err(short()),
        }
    }

    fn sizes(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.lengths
            .chunks_exact(self.width)
            .map(|size| size.iter().rev().fold(0usize, |all, byte| all << 8 | usize::from(*byte)))
    }

    pub fn is_exit(&self) -> bool {
        self.number & 1 == 1
    }

    /// The parameters that the event's number declares, as far as there are that many.
    pub fn params(&self) -> Params<'a> {
        let Some(pair) = pair(self.number) else { return Params(Vec::new()) };
        let declared = if self.is_exit() { &pair.exit } else { &pair.enter };
        let mut values = Cursor(self.values);
        let params = declared.iter().zip(self.sizes());
        Params(params.map_while(|(param, size)| Some((*param, values.take(size)?))).collect())
    }
}

/// How many parameters an event has that does not say so: as many as fill it.
fn counted(number: u16, rest: &[u8]) -> Option<u32> {
    let pair = pair(number)?;
    let most = if number & 1 == 1 { pair.exit.len() } else { pair.enter.len() };
    (0..=most).rev().find_map(|count| {
        let (lengths, values) = rest.split_at_checked(count * 2)?;
        let (lengths, _) = lengths.as_chunks::<2>();
        let all: usize = lengths.iter().map(|length| usize::from(u16::from_le_bytes(*length))).sum();
        (all == values.len()).then_some(count as u32)
    })
}

/// Parameters with what is declared of each.
#[derive(Clone, Debug)]
pub struct Params<'a>(pub Vec<(Param, &'a [u8])>);

impl<'a> Params<'a> {
    /// A parameter that has a value.
    pub fn get(&self, name: &str) -> Option<(Param, &'a [u8])> {
        self.0.iter().copied().find(|(param, bytes)| param.name == name && !bytes.is_empty())
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        let (param, bytes) = self.get(name)?;
        number(param.stored, bytes)
    }

    /// A text without its NUL; nothing where it could not be read.
    pub fn text(&self, name: &str) -> Option<&'a [u8]> {
        let (_, bytes) = self.get(name)?;
        let text = bytes.split(|byte| *byte == 0).next()?;
        (text != crate::scap::UNREADABLE && text != crate::scap::NULL).then_some(text)
    }

    pub fn bytes(&self, name: &str) -> &'a [u8] {
        self.get(name).map(|(_, bytes)| bytes).unwrap_or_default()
    }

    /// The first one: of an end, what came of it.
    pub fn result(&self) -> Option<i64> {
        let (param, bytes) = self.0.first()?;
        number(param.stored, bytes)
    }
}

/// A number as it is stored; `None` for what is no number.
pub fn number(stored: Stored, bytes: &[u8]) -> Option<i64> {
    let unsigned =
        |bytes: &[u8]| bytes.iter().rev().take(8).fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    match stored {
        Stored::Unsigned(width) if bytes.len() == usize::from(width) => Some(unsigned(bytes) as i64),
        Stored::Signed(width) if bytes.len() == usize::from(width) => {
            let unused = 64 - u32::from(width) * 8;
            Some((unsigned(bytes) as i64) << unused >> unused)
        }
        Stored::Fd if bytes.len() == 8 => Some(unsigned(bytes) as i64),
        // The form stands before the number; a signal is one byte of it.
        Stored::Variant => match bytes.split_first() {
            Some((_, value)) if matches!(value.len(), 1 | 2 | 4 | 8) => Some(unsigned(value) as i64),
            _ => None,
        },
        _ => None,
    }
}
