//! `comm=@FILE`: the values of a list, one a line.
//!
//! A line is a value as it stands behind an operator, wildcards and `\xNN` with it, but commas need no backslash. Blanks
//! around it, empty lines and lines that begin with `#` are left out.

use crate::check::{Checked, Site, Wrong};
use crate::diagnostic::Diagnostic;
use crate::pattern::ESCAPED;
use crate::syntax::Piece;
use crate::vocabulary::Lists;

/// Messages about one list; of a hundred thousand lines that are all wrong nobody reads more.
const MESSAGES: usize = 20;

const ALLOWED: &str =
    "@FILE, one value a line, # before comments; a value that begins with `@` is written `\\@`";

/// Calls `each` with every value of the list that a value `@NAME` names, and appends them to `spelled_out` as the values
/// of a filter are written.
pub(crate) fn read(
    site: &Site<'_>,
    piece: &Piece<'_>,
    lists: &dyn Lists,
    warnings: &mut Vec<Diagnostic>,
    spelled_out: &mut String,
    mut each: impl FnMut(&Site<'_>, &Piece<'_>, &mut Vec<Diagnostic>) -> Checked<()>,
) -> Result<(), Wrong> {
    let name = piece.text.strip_prefix('@').unwrap_or(piece.text);
    if name.is_empty() {
        return Ok(site.error(piece.span.clone(), "a list without a name", ALLOWED)?);
    }
    let bytes = match lists.read(name) {
        Ok(bytes) => bytes,
        Err(why) => {
            let message = format!("the list {name:?} cannot be read: {why}");
            return Ok(site.error(piece.span.clone(), message, ALLOWED)?);
        }
    };
    let text = text(&bytes);
    let (mut wrong, mut found, before) = (Wrong::new(), 0_usize, warnings.len());
    let mut left_out = 0_usize;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        found += 1;
        let flag = format!("{name}:{number}");
        let at = Site { flag: &flag, text: line, ..*site };
        let value = Piece { text: line, span: 0..line.len() };
        match each(&at, &value, warnings) {
            Ok(()) => spell(line, spelled_out),
            Err(_) if wrong.len() >= MESSAGES => left_out += 1,
            Err(error) => wrong.push(*error),
        }
        warnings.truncate(before + MESSAGES);
    }
    if left_out > 0
        && let Some(last) = wrong.last_mut()
    {
        last.allowed = Some(format!("(and {left_out} more lines of {name} are wrong)"));
    }
    if found == 0 {
        return Ok(site.error(piece.span.clone(), format!("the list {name:?} holds no value"), ALLOWED)?);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Bytes that are no UTF-8 as a filter names them.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Appends a line as a value among others: commas with a backslash, and so the `@` of a value that begins with one.
fn spell(line: &str, out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
    let mut chars = line.chars().peekable();
    if chars.next_if_eq(&'@').is_some() {
        out.push_str("\\@");
    }
    while let Some(c) = chars.next() {
        match c {
            ',' => out.push_str("\\,"),
            // At the end it would make the comma behind it ordinary.
            '\\' if chars.peek().is_none() => out.push_str("\\\\"),
            '\\' => {
                out.push(c);
                out.extend(chars.next_if(|next| ESCAPED.contains(*next)));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::syntax;

    #[test]
    fn a_line_is_the_same_value_among_others() {
        for line in ["a,b", r"a\,b", r"\\,b", "@x", "a*,b*", r"\@x", r"a\xff,", "a\\", r"\\", r"\\\", ","] {
            let mut spelled = String::new();
            spell(line, &mut spelled);
            let filter = format!("comm={spelled},next");
            let parts = syntax::split(&filter).unwrap();
            assert_eq!(parts.values.len(), 2, "{line}: {filter}");
            assert_eq!(Pattern::parse(parts.values[0].text), Pattern::parse(line), "{line}: {filter}");
        }
    }
}
