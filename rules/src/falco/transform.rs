//! Functions around fields whose results are values of their own: `len(proc.cmdline)`, `join("-", proc.name, fd.name)`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::form::{Function, Owned};

/// Functions that are known, for messages.
pub const KNOWN: [&str; 7] = ["tolower", "toupper", "basename", "b64", "len", "join", "concat"];

/// Bytes of a result; a longer one is cut off by no rule that is meant, and has no value.
const MAX_BYTES: usize = 1 << 20;

/// A part of what is put together.
#[derive(Clone, Debug)]
pub enum Part {
    /// The values of this input.
    Input(usize),
    Text(Vec<u8>),
}

/// What is made of the inputs.
#[derive(Debug)]
pub struct Transform {
    /// Outermost first.
    pub functions: Vec<String>,
    pub parts: Vec<Part>,
    /// What stands between the parts; `None` where there is one field only.
    pub separator: Option<Vec<u8>>,
    /// The field is a list: its length is the number of its elements.
    pub is_list: bool,
}

impl Function for Transform {
    fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned> {
        let of = |part: &Part| match part {
            Part::Input(at) => inputs.get(*at).cloned().unwrap_or_default(),
            Part::Text(text) => vec![Owned::text(text.as_slice())],
        };
        let mut values = match (&self.separator, self.parts.as_slice()) {
            (None, [one]) => of(one),
            (separator, parts) => {
                // What has a part without a value has none.
                let texts: Option<Vec<Vec<u8>>> = parts
                    .iter()
                    .map(|part| of(part).first().map(|it| it.value().text().into_owned()))
                    .collect();
                let separator = separator.as_deref().unwrap_or_default();
                texts.map(|texts| Owned::text(texts.join(separator))).into_iter().collect()
            }
        };
        let mut is_list = self.is_list;
        for function in self.functions.iter().rev() {
            if function == "len" && is_list {
                values = if values.is_empty() { values } else { vec![Owned::Number(values.len() as i128)] };
            } else {
                values = values.iter().filter_map(|value| apply(function, value)).collect();
            }
            is_list &= function != "len";
        }
        values.retain(|value| value.bytes() <= MAX_BYTES);
        values
    }
}

fn apply(function: &str, value: &Owned) -> Option<Owned> {
    let value = value.value();
    let text = value.text();
    Some(match function {
        "tolower" => Owned::text(text.to_ascii_lowercase()),
        "toupper" => Owned::text(text.to_ascii_uppercase()),
        "basename" => Owned::text(text.rsplit(|byte| *byte == b'/').next().unwrap_or_default()),
        "len" => Owned::Number(text.len() as i128),
        "b64" => {
            let decoded = STANDARD.decode(&*text).or_else(|_| STANDARD_NO_PAD.decode(&*text));
            Owned::text(decoded.ok()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(
        functions: &[&str],
        separator: Option<&str>,
        parts: Vec<Part>,
        inputs: &[&[&str]],
    ) -> Vec<String> {
        let transform = Transform {
            functions: functions.iter().map(|it| (*it).to_owned()).collect(),
            parts,
            separator: separator.map(|it| it.as_bytes().to_vec()),
            is_list: inputs.first().is_some_and(|values| values.len() > 1),
        };
        let inputs: Vec<Vec<Owned>> = inputs
            .iter()
            .map(|values| values.iter().map(|it| Owned::text(it.as_bytes())).collect())
            .collect();
        let made = transform.values(&inputs);
        made.iter().map(|it| String::from_utf8_lossy(&it.value().text()).into_owned()).collect()
    }

    #[test]
    fn functions_are_applied_from_within() {
        let one = || vec![Part::Input(0)];
        assert_eq!(values(&["toupper", "basename"], None, one(), &[&["/a/b"]]), ["B"]);
        assert_eq!(values(&["len", "b64"], None, one(), &[&["aGVsbG8="]]), ["5"]);
        assert_eq!(values(&["b64"], None, one(), &[&["?"]]), [""; 0]);
        assert_eq!(values(&["len"], None, one(), &[&["a", "bc", "d"]]), ["3"]);
        assert_eq!(values(&["len"], None, one(), &[&[]]), [""; 0]);
    }

    #[test]
    fn what_is_put_together_wants_a_value_of_each_part() {
        let parts = || vec![Part::Input(0), Part::Text(b"x".to_vec()), Part::Input(1)];
        assert_eq!(values(&[], Some("-"), parts(), &[&["a"], &["b"]]), ["a-x-b"]);
        assert_eq!(values(&["len"], Some(""), parts(), &[&["a"], &["b"]]), ["3"]);
        assert_eq!(values(&[], Some("-"), parts(), &[&["a"], &[]]), [""; 0]);
    }
}
