//! One line: who, when, and what was said.

/// What stands before the call.
#[derive(Debug)]
pub struct Head<'a> {
    pub tid: Option<u32>,
    /// As `-Y` puts it behind the number.
    pub comm: Option<&'a [u8]>,
    pub wall_ns: i64,
    pub rest: &'a [u8],
}

/// The rest of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    Call {
        name: &'a [u8],
        arguments: &'a [u8],
        result: &'a [u8],
    },
    /// `read(3, <unfinished ...>`: up to the mark.
    Unfinished(&'a [u8]),
    /// `<... read resumed>"x", 1) = 1`: what is behind the mark.
    Resumed {
        name: &'a [u8],
        rest: &'a [u8],
    },
    Exited(i64),
    Killed {
        signal: &'a str,
        dumped: bool,
    },
    /// A signal was delivered, or the process stopped.
    Signal,
}

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;

/// Times of a log. Those of `-tt` have no date: the first is of the day that was given, and a day has passed where they go
/// back by more than half of one.
#[derive(Debug)]
pub struct Clock {
    midnight_ns: i64,
    last_ns: i64,
}

impl Clock {
    pub fn new(midnight: i64) -> Clock {
        Clock { midnight_ns: midnight.saturating_mul(SECOND_NS), last_ns: 0 }
    }

    /// Reads who and when.
    pub fn head<'a>(&mut self, text: &'a [u8]) -> Result<Head<'a>, String> {
        let mut rest = text;
        let (mut tid, mut comm) = (None, None);
        // `[pid 123] ` on a terminal, `123 ` in a file, `123<bash> ` with -Y.
        if let Some(inner) = rest.strip_prefix(b"[pid") {
            let (inside, after) = split_once(inner, b"]").ok_or("[pid without ]")?;
            (tid, comm) = who(inside.trim_ascii())?;
            rest = after.trim_ascii_start();
        } else if let Some((first, after)) = split_once(rest, b" ")
            && !first.contains(&b'.')
            && !first.contains(&b':')
            && !first.contains(&b'(')
            && first.first().is_some_and(u8::is_ascii_digit)
        {
            (tid, comm) = who(first)?;
            rest = after.trim_ascii_start();
        }
        let (time, after) = split_once(rest, b" ").ok_or("a line without a call")?;
        let wall_ns = self.time(time).ok_or("no time: strace writes them with -f -tt or -ttt")?;
        Ok(Head { tid, comm, wall_ns, rest: after.trim_ascii_start() })
    }

    fn time(&mut self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let ns = match fraction.len() {
            0 => 0,
            digits @ 1..=9 => fraction.parse::<i64>().ok()?.checked_mul(10i64.pow(9 - digits as u32))?,
            _ => return None,
        };
        let parts: Vec<i64> = whole.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let wall_ns = match parts[..] {
            [epoch] if !fraction.is_empty() || epoch > 86_400 => {
                epoch.checked_mul(SECOND_NS)?.checked_add(ns)?
            }
            [hour @ 0..24, minute @ 0..60, second @ 0..61] => {
                let of_day = ((hour * 60 + minute) * 60 + second) * SECOND_NS + ns;
                let mut wall_ns = self.midnight_ns.checked_add(of_day)?;
                if wall_ns < self.last_ns.saturating_sub(DAY_NS / 2) {
                    self.midnight_ns = self.midnight_ns.checked_add(DAY_NS)?;
                    wall_ns = wall_ns.checked_add(DAY_NS)?;
                }
                wall_ns
            }
            _ => return None,
        };
        self.last_ns = wall_ns;
        Some(wall_ns)
    }
}

/// A number and a name.
type Who<'a> = (Option<u32>, Option<&'a [u8]>);

/// `123` or `123<bash>`.
fn who(text: &[u8]) -> Result<Who<'_>, String> {
    let (number, comm) = match split_once(text, b"<") {
        Some((number, comm)) => (number, comm.strip_suffix(b">")),
        None => (text, None),
    };
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    match number {
        Some(number) => Ok((Some(number), comm)),
        None => Err(format!("{:?} is no process", String::from_utf8_lossy(text))),
    }
}

/// Takes apart what stands behind the time.
pub fn said(rest: &[u8]) -> Result<Said<'_>, String> {
    if let Some(ended) = rest.strip_prefix(b"+++ ") {
        return ending(ended);
    }
    if rest.starts_with(b"--- ") {
        return Ok(Said::Signal);
    }
    if let Some(resumed) = rest.strip_prefix(b"<... ") {
        let (name, rest) = split_once(resumed, b" resumed>").ok_or("<... without resumed>")?;
        return Ok(Said::Resumed { name, rest });
    }
    // `<unfinished ...>` at the end; a killed process leaves `<unfinished ...>) = ?`.
    if let Some(begun) = rest.strip_suffix(b"<unfinished ...>") {
        return Ok(Said::Unfinished(begun.trim_ascii_end()));
    }
    let open = rest.iter().position(|byte| *byte == b'(').ok_or("no call: there is no (")?;
    let (name, behind) = rest.split_at(open);
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Err(format!("no call: {:?}", String::from_utf8_lossy(name)));
    }
    // Texts may hold what looks like an end, so the last one is it; strace pads with blanks before the sign.
    let end = (0..behind.len())
        .rev()
        .find(|at| {
            behind[*at] == b')'
                && behind[at + 1..].trim_ascii_start().starts_with(b"= ")
                && behind.get(at + 1) == Some(&b' ')
        })
        .ok_or("a call without its result")?;
    let arguments = behind.get(1..end).unwrap_or_default();
    let result = behind[end + 1..].trim_ascii_start().strip_prefix(b"= ").unwrap_or_default();
    let arguments = arguments.trim_ascii_end();
    let arguments = arguments.strip_suffix(b"<unfinished ...>").unwrap_or(arguments);
    Ok(Said::Call { name, arguments, result: result.trim_ascii() })
}

/// `exited with 0 +++`, `killed by SIGKILL (core dumped) +++`, `superseded by execve in pid 5 +++`.
fn ending(text: &[u8]) -> Result<Said<'_>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "an end that is no text")?;
    let text = text.trim_end().trim_end_matches('+').trim_end();
    if let Some(code) = text.strip_prefix("exited with ") {
        return code.parse().map(Said::Exited).map_err(|_| format!("{code:?} is no exit code"));
    }
    if let Some(signal) = text.strip_prefix("killed by ") {
        let dumped = signal.ends_with("(core dumped)");
        let signal = signal.trim_end_matches("(core dumped)").trim_end();
        return Ok(Said::Killed { signal, dumped });
    }
    if text.starts_with("superseded by execve") {
        return Ok(Said::Signal);
    }
    Err(format!("an end that is not known: {text:?}"))
}

fn split_once<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = text.windows(at.len()).position(|window| window == at)?;
    Some((text.get(..start)?, text.get(start + at.len()..)?))
}
