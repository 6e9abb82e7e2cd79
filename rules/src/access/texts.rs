//! Parts of texts: of paths, names of images, and lists of `NAME=value`.

use events::value::strings;

use super::Part;
use crate::form::Value;

/// An image without its tag and digest: `ghcr.io/x/web` of `ghcr.io/x/web:1.27@sha256:...`.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before the last slash is that of a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The value of a variable in a list of `NAME=value`.
pub fn variable(list: &[u8], name: &str, see: &mut dyn FnMut(Value<'_>)) {
    let value = |text: &[u8]| -> Option<usize> {
        let rest = text.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(text.len() - rest.len())
    };
    if let Some(text) = strings(list).find(|text| value(text).is_some()) {
        see(Value::Text(value(text).and_then(|at| text.get(at..)).unwrap_or_default()));
    }
}

/// The value behind `NAME=` in a text of such pairs: in quotes, or up to a blank or semicolon.
pub fn assigned<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut from = 0;
    let value = loop {
        let at = from + memchr::memmem::find(text.get(from..)?, name)?;
        let starts =
            at == 0 || !text.get(at - 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        from = at + name.len();
        if let Some(value) = text.get(from..)?.strip_prefix(b"=").filter(|_| starts) {
            break value;
        }
    };
    let quote = value.first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
    Some(match quote {
        Some(quote) => value.get(1..)?.split(|byte| *byte == quote).next()?,
        None => value.split(|byte| matches!(byte, b' ' | b';')).next()?,
    })
}

/// A part of a path; `None` where it has none.
pub fn path_part<'a>(path: &'a [u8], part: &Part) -> Option<&'a [u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    let name = slash.map_or(path, |at| path.get(at + 1..).unwrap_or_default());
    match part {
        Part::Directory => slash.map(|at| path.get(..at).unwrap_or_default()),
        Part::Extension => {
            let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0)?;
            name.get(dot + 1..)
        }
        _ => Some(name),
    }
}
