//! Rows that change what is known of processes beside their contexts: directories, sessions, terminals, logins. A cut keeps
//! them unseen, so that what it says of a process at a moment is what the whole capture says.

use events::{Event, Raw};
use format::facts::FactChange;
use format::rewrite::Copied;
use format::{Block, BlockInfo};
use pipeline::stage::{Passing, Sieve};

/// Whether a row may change a fact.
pub fn may_change(row: &Copied<'_>) -> bool {
    let id = row.event.id;
    FactChange::may_be(id)
        && FactChange::sieve(id)
            .is_none_or(|(position, passes)| passes(row.args.get(position).copied().unwrap_or(Raw::Missing)))
}

/// Whether a value stays where the names and paths of a process do not: without it what is known would be wrong, and it names
/// nothing but a terminal.
pub fn is_needed(event: &Event, value: Raw<'_>) -> bool {
    if !FactChange::may_be(event.id) {
        return false;
    }
    match value {
        Raw::Number(_) => true,
        // A directory is not known any more where it is left out.
        Raw::Bytes(bytes) => event.name != "set_fs_pwd" && bytes.len() <= LONGEST && names_terminal(bytes),
        Raw::Missing => false,
    }
}

/// A terminal's or a login's file, a login, or flags: they are short.
const LONGEST: usize = 64;

fn names_terminal(bytes: &[u8]) -> bool {
    let text = Raw::Bytes(bytes).descriptor().map(|(_, text)| text).unwrap_or_default();
    let is_file = |path: &[u8]| {
        path == b"/dev/tty" || format::facts::named_device(path).is_some() || path.ends_with(b"/loginuid")
    };
    is_file(bytes)
        || is_file(text)
        || bytes.iter().all(|byte| byte.is_ascii_digit() || b"-\n\0".contains(byte))
}

/// Whether a block has such rows.
pub fn are_in(info: &BlockInfo, block: &Block) -> format::Result<bool> {
    for (code, event) in (0u16..).zip(block.event_list()) {
        if !FactChange::may_be(*event) || info.statistics.rows_of(*event) == 0 {
            continue;
        }
        let Some((position, passes)) = FactChange::sieve(*event) else { return Ok(true) };
        if !Passing::of(block, code, Sieve { position, passes })?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}
