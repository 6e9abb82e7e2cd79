//! One line of the audit log: `type=PATH msg=audit(1364481363.243:24287): item=0 name="/etc/passwd" ...`.

/// A record. Several of one time and serial are one event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// `SYSCALL`, `PATH`, `USER_LOGIN`.
    pub kind: String,
    pub fields: Vec<(String, Text)>,
}

/// The text of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Text {
    /// It stood in quotes: these bytes and no others.
    Quoted(Vec<u8>),
    /// It stood without: a number, a word, hex digits where the text had quotes, blanks or control characters, or `(null)`.
    Bare(Vec<u8>),
}

/// What makes records one event.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// ns since the epoch; the log has milliseconds.
    pub wall_ns: u64,
    pub serial: u64,
    /// Of a log that several hosts write into.
    pub node: Vec<u8>,
}

/// Fields of one record that are kept: an `execve` with more has its arguments cut.
const FIELDS: usize = 8192;
/// What stands before what the daemon has added in words: `ARCH=x86_64 SYSCALL=openat`.
const ENRICHED: u8 = 0x1d;

impl Record {
    /// Bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        self.fields.iter().map(|(name, text)| 64 + name.len() + text.raw().len()).sum::<usize>() + 64
    }

    pub fn field(&self, name: &str) -> Option<&Text> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, text)| text)
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.field(name)?.word()?.parse().ok()
    }

    /// A number that the log has in hex digits.
    pub fn hex(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.field(name)?.word()?, 16).ok()
    }

    /// The bytes of a field that may be written in hex; `None` where it says that there are none.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.field(name)?.decoded()
    }
}

impl Text {
    fn raw(&self) -> &[u8] {
        match self {
            Text::Quoted(bytes) | Text::Bare(bytes) => bytes,
        }
    }

    pub fn word(&self) -> Option<&str> {
        std::str::from_utf8(self.raw()).ok()
    }

    /// What the kernel was given: in quotes as it is, without them in hex.
    pub fn decoded(&self) -> Option<Vec<u8>> {
        match self {
            Text::Quoted(bytes) => Some(bytes.clone()),
            Text::Bare(word) if matches!(&word[..], b"(null)" | b"(none)" | b"?") => None,
            Text::Bare(word) => Some(from_hex(word).unwrap_or_else(|| word.clone())),
        }
    }

    /// As it stands there.
    pub fn as_written(&self) -> &[u8] {
        self.raw()
    }
}

/// Upper-case digits, two a byte: how the kernel writes what could be mistaken for the log's own form.
fn from_hex(word: &[u8]) -> Option<Vec<u8>> {
    if word.is_empty() || !word.len().is_multiple_of(2) {
        return None;
    }
    word.chunks(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok().filter(|_| !text.contains(['+', '-']))
        })
        .collect()
}

/// Reads a line; why it is none.
pub fn read(line: &[u8]) -> Result<(Stamp, Record), String> {
    let line = line.split(|byte| *byte == ENRICHED).next().unwrap_or_default().trim_ascii();
    let (node, rest) = match line.strip_prefix(b"node=") {
        Some(rest) => {
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            (rest[..end].to_vec(), rest[end..].trim_ascii_start())
        }
        None => (Vec::new(), line),
    };
    let rest = rest.strip_prefix(b"type=").ok_or("it does not begin with type=")?;
    let end = rest.iter().position(|byte| *byte == b' ').ok_or("nothing follows its type")?;
    let kind = std::str::from_utf8(&rest[..end]).map_err(|_| "a type that is no text")?;
    let rest = rest[end..].trim_ascii_start();
    let rest = rest
        .strip_prefix(b"msg=audit(")
        .or_else(|| rest.strip_prefix(b"audit("))
        .ok_or("no msg=audit(TIME:SERIAL) follows its type")?;
    let close = rest.iter().position(|byte| *byte == b')').ok_or("its audit(TIME:SERIAL) does not end")?;
    let stamp = stamp(&rest[..close], node)?;
    let body = rest.get(close + 1..).unwrap_or_default();
    let body = body.strip_prefix(b":").unwrap_or(body);
    let mut fields = Vec::new();
    each_field(body, true, &mut fields);
    Ok((stamp, Record { kind: kind.to_owned(), fields }))
}

/// `1364481363.243:24287`.
fn stamp(text: &[u8], node: Vec<u8>) -> Result<Stamp, String> {
    let text = String::from_utf8_lossy(text);
    let wrong = || format!("{text:?} is no time and serial, as in 1364481363.243:24287");
    let (time, serial) = text.split_once(':').ok_or_else(wrong)?;
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let seconds: u64 = seconds.parse().map_err(|_| wrong())?;
    if fraction.len() > 9 || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let nanoseconds: u64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    let wall_ns =
        seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanoseconds)).ok_or_else(wrong)?;
    Ok(Stamp { wall_ns, serial: serial.parse().map_err(|_| wrong())?, node })
}

/// `key=value` between blanks; what programs say stands once more so within `msg='...'`. Words between are left out.
fn each_field(mut text: &[u8], may_nest: bool, fields: &mut Vec<(String, Text)>) {
    while fields.len() < FIELDS {
        text = text.trim_ascii_start();
        let end = text.iter().position(|byte| matches!(byte, b'=' | b' ')).unwrap_or(text.len());
        if text.is_empty() {
            return;
        }
        let (name, rest) = text.split_at(end);
        let Some(value) = rest.strip_prefix(b"=") else {
            text = rest;
            continue;
        };
        let name = String::from_utf8_lossy(name).trim_start_matches('(').to_owned();
        text = match value.first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inner = &value[1..];
                // Of several quotes, as in a message that has some itself, the last ends it.
                let close = match quote {
                    b'\'' => inner.iter().rposition(|byte| byte == quote),
                    _ => inner.iter().position(|byte| byte == quote),
                };
                let close = close.unwrap_or(inner.len());
                let within = &inner[..close];
                if *quote == b'\'' && may_nest {
                    let before = fields.len();
                    each_field(within, false, fields);
                    if fields.len() == before {
                        fields.push((name, Text::Quoted(within.to_vec())));
                    }
                } else {
                    fields.push((name, Text::Quoted(within.to_vec())));
                }
                inner.get(close + 1..).unwrap_or_default()
            }
            _ => {
                let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
                let word = value[..end].strip_suffix(b",").unwrap_or(&value[..end]);
                fields.push((name, Text::Bare(word.to_vec())));
                &value[end..]
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_stamp_and_fields() {
        let line = b"node=web1 type=SYSCALL msg=audit(1364481363.043:24287): arch=c000003e exit=-13 comm=\"c at\" exe=2F612062 key=(null)\x1dARCH=x86_64";
        let (stamp, record) = read(line).expect("a record");
        assert_eq!(
            stamp,
            Stamp { wall_ns: 1_364_481_363_043_000_000, serial: 24287, node: b"web1".to_vec() }
        );
        assert_eq!(record.hex("arch"), Some(0xc000_003e));
        assert_eq!(record.number("exit"), Some(-13));
        assert_eq!(record.bytes("comm"), Some(b"c at".to_vec()));
        assert_eq!(record.bytes("exe"), Some(b"/a b".to_vec()));
        assert_eq!(record.bytes("key"), None);
        assert_eq!(record.field("ARCH"), None);
    }

    #[test]
    fn what_a_program_said_is_fields_too() {
        let line =
            b"type=USER_AUTH msg=audit(1.5:7): user pid=9 uid=0 msg='op=PAM:x acct=\"o'neil\" res=failed'";
        let (stamp, record) = read(line).expect("a record");
        assert_eq!(stamp.wall_ns, 1_500_000_000);
        let names: Vec<&str> = record.fields.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, ["pid", "uid", "op", "acct", "res"]);
        assert_eq!(record.bytes("acct"), Some(b"o'neil".to_vec()));
    }

    #[test]
    fn what_is_no_record_says_why() {
        for (line, reason) in [
            (&b"hello"[..], "type="),
            (b"type=PATH", "follows its type"),
            (b"type=PATH msg=audit(x:1): a=1", "no time and serial"),
            (b"type=PATH msg=audit(1.2:1 a=1", "does not end"),
            (b"type=PATH msg=audit(99999999999999.0:1): a=1", "no time and serial"),
        ] {
            let error = read(line).expect_err("no record");
            assert!(error.contains(reason), "{error}");
        }
    }
}
