//! HTTP/1: heads, and as much of the bodies as is needed to know where the next head begins.

use super::{Message, Protocol};

/// A longer head is told as cut: servers refuse such.
const HEAD: usize = 64 << 10;

/// The heads of one direction.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    /// A head begins here, or nothing that is read.
    #[default]
    Between,
    Head(Vec<u8>),
    /// A body, or a chunk of one, of which so many bytes are to come.
    Body {
        left: u64,
        kind: Body,
    },
    /// Between the chunks of a body: the bytes of the line with the size of the next.
    Chunk(Vec<u8>),
    /// Behind the last chunk: the bytes of the line.
    Trailer(Vec<u8>),
    /// Where the next head begins is not known: a segment of its own may be it.
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    /// Nothing of it came yet.
    Announced,
    Begun,
    /// Another size follows.
    Chunk,
}

impl Body {
    fn behind(self) -> State {
        if self == Body::Chunk { State::Chunk(Vec::new()) } else { State::Between }
    }
}

/// The longest line with a chunk's size or a trailer that is read.
const LINE: usize = 4096;

const METHODS: [&[u8]; 14] = [
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"REPORT ",
    b"SEARCH ",
];

/// Whether a head may begin with these bytes.
pub fn may_begin(bytes: &[u8]) -> bool {
    let begins = |known: &&[u8]| !bytes.is_empty() && known.starts_with(bytes);
    begins_head(bytes) || METHODS.iter().chain([&&b"HTTP/1."[..]]).any(begins)
}

/// Whether these bytes begin a head.
pub fn begins_head(bytes: &[u8]) -> bool {
    if METHODS.iter().chain([&&b"HTTP/1."[..]]).any(|known| bytes.starts_with(known)) {
        return true;
    }
    // Methods of later days: capitals, a blank, and a path or a whole address.
    let method = bytes.iter().take(20).take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    method >= 3
        && bytes.get(method) == Some(&b' ')
        && bytes.get(method + 1).is_some_and(|byte| matches!(byte, b'/' | b'*' | b'h'))
}

impl Heads {
    pub fn held(&self) -> usize {
        match &self.state {
            State::Head(bytes) | State::Chunk(bytes) | State::Trailer(bytes) => bytes.len(),
            _ => 0,
        }
    }

    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Between)
    }

    /// Where the next head begins is not known.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Reads what follows: bytes, and then so many that were not kept. `fresh`: the bytes begin a segment.
    pub fn read(&mut self, mut bytes: &[u8], fresh: bool, hole: u32, found: &mut Vec<Message>) {
        let mut fresh = fresh;
        while !bytes.is_empty() {
            // A body was announced that does not come: what answers HEAD has none.
            let restarts = matches!(self.state, State::Lost | State::Body { kind: Body::Announced, .. });
            if fresh && restarts && bytes.starts_with(b"HTTP/1.")
                || fresh && matches!(self.state, State::Lost) && may_begin(bytes)
            {
                self.state = State::Between;
            }
            fresh = false;
            bytes = match &mut self.state {
                State::Lost => break,
                State::Between => match bytes {
                    // Empty lines between messages.
                    [b'\r' | b'\n', rest @ ..] => rest,
                    _ if may_begin(bytes) => {
                        self.state = State::Head(Vec::new());
                        bytes
                    }
                    _ => {
                        self.state = State::Lost;
                        break;
                    }
                },
                State::Head(head) => {
                    // The empty line may begin in what was there.
                    let from = head.len().saturating_sub(3);
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    match end_of_head(head, from) {
                        Some(end) => {
                            head.truncate(end);
                            let head = std::mem::take(head);
                            self.state = after(&head);
                            found.push(Message { protocol: Protocol::Http, bytes: head, is_cut: false });
                            bytes.get(end - before.min(end)..).unwrap_or_default()
                        }
                        None if head.len() > HEAD => {
                            self.end(found);
                            self.state = State::Lost;
                            break;
                        }
                        None => &[],
                    }
                }
                State::Body { left, kind } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    self.state = go_on(*left - here as u64, *kind);
                    bytes.get(here..).unwrap_or_default()
                }
                State::Chunk(line) => match take_line(line, bytes) {
                    Line::Whole(rest) => {
                        self.state = after_size(line);
                        rest
                    }
                    Line::Part => &[],
                    Line::TooLong => {
                        self.state = State::Lost;
                        break;
                    }
                },
                State::Trailer(line) => match take_line(line, bytes) {
                    Line::Whole(rest) => {
                        let is_last = line.is_empty();
                        self.state = if is_last { State::Between } else { State::Trailer(Vec::new()) };
                        rest
                    }
                    Line::Part => &[],
                    Line::TooLong => {
                        self.state = State::Lost;
                        break;
                    }
                },
            };
        }
        self.miss(hole.into(), found);
    }

    fn miss(&mut self, hole: u64, found: &mut Vec<Message>) {
        if hole == 0 {
            return;
        }
        match self.state {
            State::Body { left, kind } if left >= hole => self.state = go_on(left - hole, kind),
            _ => {
                self.end(found);
                self.state = State::Lost;
            }
        }
    }

    /// Nothing follows: a head that was begun is told.
    pub fn end(&mut self, found: &mut Vec<Message>) {
        if let State::Head(bytes) = std::mem::take(&mut self.state)
            && begins_head(&bytes)
        {
            found.push(Message { protocol: Protocol::Http, bytes, is_cut: true });
        }
    }
}

/// A body of which so many bytes are left, some having come.
fn go_on(left: u64, kind: Body) -> State {
    match kind {
        kind if left == 0 => kind.behind(),
        Body::Announced => State::Body { left, kind: Body::Begun },
        kind => State::Body { left, kind },
    }
}

/// Where the empty line ends that ends a head; looked for from `from` on.
fn end_of_head(head: &[u8], from: usize) -> Option<usize> {
    let rest = head.get(from..)?;
    rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').find_map(|(at, _)| {
        let behind = rest.get(at + 1..)?;
        let end = if behind.starts_with(b"\r\n") {
            2
        } else if behind.starts_with(b"\n") {
            1
        } else {
            return None;
        };
        Some(from + at + 1 + end)
    })
}

/// What follows a whole head.
fn after(head: &[u8]) -> State {
    let value = |name: &[u8]| {
        let mut lines = head.split(|byte| *byte == b'\n').skip(1);
        lines.find_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (found, value) = line.split_at(colon);
            found.eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
        })
    };
    let is_response = head.starts_with(b"HTTP/1.");
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
    let has_none = is_response && (status.starts_with('1') || matches!(status, "204" | "304"));
    if has_none {
        return State::Between;
    }
    let is_chunked = value(b"transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().windows(7).any(|part| part == b"chunked"));
    if is_chunked {
        return State::Chunk(Vec::new());
    }
    let length = value(b"content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    match length {
        Some(0) => State::Between,
        Some(left) => State::Body { left, kind: Body::Announced },
        // Up to the end of the connection.
        None if is_response => State::Lost,
        None => State::Between,
    }
}

fn after_size(line: &[u8]) -> State {
    let digits: &[u8] = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match size {
        // The line break behind a chunk's bytes is read as an empty line before the next size.
        _ if digits.is_empty() => State::Chunk(Vec::new()),
        Some(0) => State::Trailer(Vec::new()),
        Some(left) => State::Body { left, kind: Body::Chunk },
        None => State::Lost,
    }
}

enum Line<'a> {
    /// And what follows it.
    Whole(&'a [u8]),
    Part,
    TooLong,
}

/// Appends bytes up to the end of the line to `line`, which then has no line break.
fn take_line<'a>(line: &mut Vec<u8>, bytes: &'a [u8]) -> Line<'a> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    line.extend_from_slice(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default());
    if line.len() > LINE {
        return Line::TooLong;
    }
    match end {
        Some(end) => {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Line::Whole(bytes.get(end + 1..).unwrap_or_default())
        }
        None => Line::Part,
    }
}
