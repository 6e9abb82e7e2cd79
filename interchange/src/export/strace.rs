//! Text as `strace -f -ttt -yy -T` writes it: `PID SECONDS.MICROS name(arguments) = result <duration>`. A line stands where its
//! call ended; the file is complete lines only, since each record tells of a whole call. The time is that at which the call
//! ended, and where it is known how long it took (`record --timing`), that at which it began, as strace has it.

use std::fmt::Write as _;

use events::show::{Leaf, Parts, Shape, argument};
use events::{ArgKind, Dir, Event, Marks, Raw, Returns, consts};
use pipeline::EventView;
use views::duration;

use super::{Writes, errno_text, wall};

#[derive(Debug)]
pub struct Strace;

impl Writes for Strace {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        if event.event.is_syscall() {
            let took_ns = event.duration_ns.map_or(0, |ns| i64::try_from(ns).unwrap_or(i64::MAX));
            start(event, event.wall_ns.saturating_sub(took_ns), out);
            call(event, out);
            return true;
        }
        if event.event.name == "sched_process_exit" {
            start(event, event.wall_ns, out);
            exit(event, out);
            return true;
        }
        false
    }
}

fn start(event: &EventView<'_>, wall_ns: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(event.context.tid.to_string().as_bytes());
    out.push(b' ');
    wall::epoch_micros(wall_ns, out);
    out.push(b' ');
}

fn call(event: &EventView<'_>, out: &mut Vec<u8>) {
    let declared = event.event;
    out.extend_from_slice(declared.name.as_bytes());
    out.push(b'(');
    for (position, arg) in declared.listed_args().iter().enumerate() {
        // strace shows what a call was given, not what the kernel says of it besides.
        let is_told = arg.kind.is_number() && arg.dir == Dir::Out;
        if is_told || (arg.name == "mode" && !makes_a_file(event)) {
            continue;
        }
        if position > 0 {
            out.extend_from_slice(b", ");
        }
        let cut = declared.is_cut(event.marks, position);
        // A pointer that was not followed is its address; where there was none, NULL.
        let mut value = Value { out, member: "", open: Vec::new(), follows: false, cut };
        match (arg.kind, event.args.get(position)) {
            (kind, Raw::Number(address)) if kind.is_bytes() && !matches!(kind, ArgKind::Any(_)) => {
                value.leaf(Leaf::Pointer(address));
            }
            _ => argument(declared, position, &|at| event.args.get(at), &mut value),
        }
    }
    if event.marks.has(Marks::UNFINISHED) {
        return out.extend_from_slice(b" <unfinished ...>\n");
    }
    out.extend_from_slice(b") = ");
    result(declared, event, out);
    duration::of_row(event, out);
    out.push(b'\n');
}

/// `open` has a mode only where it may make a file; elsewhere its register holds what was left there.
fn makes_a_file(event: &EventView<'_>) -> bool {
    const O_CREAT: u64 = 0o100;
    const TMPFILE: u64 = 0o20_000_000;
    if !matches!(event.event.name, "open" | "openat") {
        return true;
    }
    match event.event.arg("flags").map(|(at, _)| event.args.get(at)) {
        Some(Raw::Number(flags)) => flags & (O_CREAT | TMPFILE) != 0,
        _ => true,
    }
}

/// Results of calls that the kernel will make again, by number: user space never sees them.
const RESTARTS: [(i64, &str, &str); 4] = [
    (-512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"),
    (-513, "ERESTARTNOINTR", "To be restarted"),
    (-514, "ERESTARTNOHAND", "To be restarted if no handler"),
    (-516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"),
];

fn result(declared: &Event, event: &EventView<'_>, out: &mut Vec<u8>) {
    let ret = event.ret;
    if let Some((_, name, meaning)) = RESTARTS.iter().find(|(number, ..)| *number == ret) {
        out.extend_from_slice(format!("? {name} ({meaning})").as_bytes());
    } else if let Some(name) = consts::errno::of_result(ret) {
        out.extend_from_slice(format!("-1 {name}").as_bytes());
        if let Some(meaning) = errno_text::of(ret.unsigned_abs() as u32) {
            out.extend_from_slice(format!(" ({meaning})").as_bytes());
        }
    } else {
        let text = match declared.returns {
            Returns::Nothing => "?".to_owned(),
            // Recorded as the call began: what came of it was not seen.
            _ if event.marks.has(Marks::AT_ENTRY) => "?".to_owned(),
            Returns::Pointer => format!("{ret:#x}"),
            Returns::Mode => octal(ret as u64),
            Returns::Id => (ret as u32).to_string(),
            Returns::Number | Returns::Fd | Returns::Pid => ret.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// Rights of files as C writes them, `0644`.
fn octal(rights: u64) -> String {
    format!("0{rights:03o}")
}

/// `+++ exited with 0 +++`, `+++ killed by SIGKILL +++`.
fn exit(event: &EventView<'_>, out: &mut Vec<u8>) {
    let number = |name: &str| match event.event.arg(name).map(|(at, _)| event.args.get(at)) {
        Some(Raw::Number(number)) => number,
        _ => 0,
    };
    let text = match number("signal_code") {
        0 => format!("+++ exited with {} +++\n", number("exit_code") & 0xff),
        signal => {
            let core = if signal & 0x80 != 0 { " (core dumped)" } else { "" };
            format!("+++ killed by {}{core} +++\n", consts::Names::Signal.show(signal & 0x7f))
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// Writes the walk over a value as `strace` does.
struct Value<'a> {
    out: &'a mut Vec<u8>,
    /// Name of the member that is written, which says how strace writes it.
    member: &'static str,
    open: Vec<Shape>,
    follows: bool,
    cut: bool,
}

impl Value<'_> {
    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn quoted(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', *byte]),
                b'\n' => self.push("\\n"),
                b'\r' => self.push("\\r"),
                b'\t' => self.push("\\t"),
                0x0b => self.push("\\v"),
                0x0c => self.push("\\f"),
                b' '..=b'~' => self.out.push(*byte),
                // As short as it can be read back: a digit may follow.
                _ => {
                    let long = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
                    self.push(&if long { format!("\\{byte:03o}") } else { format!("\\{byte:o}") });
                }
            }
        }
        self.out.push(b'"');
        if self.cut {
            self.push("...");
        }
    }

    fn separate(&mut self) {
        if self.follows {
            self.push(", ");
        }
        self.follows = true;
    }
}

/// Members of socket addresses that strace writes by a function of C.
const PORTS: [&str; 2] = ["sin_port", "sin6_port"];

impl Parts for Value<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        if self.member.is_empty() {
            self.separate();
        }
        let member = std::mem::take(&mut self.member);
        match leaf {
            Leaf::Nothing | Leaf::Pointer(0) => self.push("NULL"),
            Leaf::Text(bytes) | Leaf::Bytes(bytes) => self.quoted(bytes),
            Leaf::Abstract(bytes) => {
                self.push("@");
                self.quoted(bytes);
            }
            Leaf::Descriptor(number, stands_for) => self.descriptor(number, stands_for),
            Leaf::Named(named) => self.named(named),
            Leaf::Unsigned(_) | Leaf::Signed(_) if PORTS.contains(&member) => {
                self.push(&format!("htons({leaf})"));
            }
            Leaf::Ipv4(_) if !self.open.is_empty() => self.push(&format!("inet_addr(\"{leaf}\")")),
            Leaf::Ipv6(_) if !self.open.is_empty() => {
                self.push(&format!("inet_pton(AF_INET6, \"{leaf}\", &sin6_addr)"));
            }
            leaf => self.push(&leaf.to_string()),
        }
        self.follows = true;
    }

    fn open(&mut self, shape: Shape) {
        if self.member.is_empty() {
            self.separate();
        }
        self.member = "";
        self.push(if shape == Shape::List { "[" } else { "{" });
        self.open.push(shape);
        self.follows = false;
    }

    fn member(&mut self, name: &str) {
        self.separate();
        let _ = write!(Text(self.out), "{name}=");
        self.member = PORTS.into_iter().find(|port| *port == name).unwrap_or("=");
    }

    fn close(&mut self, shape: Shape) {
        self.push(if shape == Shape::List { "]" } else { "}" });
        self.open.pop();
        self.follows = true;
    }
}

impl Value<'_> {
    /// `3</etc/passwd>`, `4<TCP:[10.0.0.1:4242->10.0.0.2:443]>`, `5<pipe:[4711]>`.
    fn descriptor(&mut self, number: i64, stands_for: &[u8]) {
        if number == -100 {
            self.push("AT_FDCWD");
        } else {
            self.push(&number.to_string());
        }
        if stands_for.is_empty() {
            return;
        }
        self.push("<");
        let socket =
            ["tcp", "udp", "unix", "netlink", "raw", "icmp", "packet"].into_iter().find_map(|kind| {
                let rest = stands_for.strip_prefix(kind.as_bytes())?;
                rest.strip_prefix(b" ").map(|rest| (kind, rest))
            });
        match socket {
            Some((kind, rest)) => {
                self.push(&format!("{}:[", kind.to_ascii_uppercase()));
                // Addresses have an arrow between them.
                self.escaped(rest, b"<");
                self.push("]");
            }
            None => self.escaped(stands_for, b"<>"),
        }
        self.push(">");
    }

    /// Between `<` and `>`: what would end it, and what is no character, is written by its number.
    fn escaped(&mut self, bytes: &[u8], reserved: &[u8]) {
        for byte in bytes {
            match byte {
                b'\\' => self.push("\\\\"),
                b' '..=b'~' if !reserved.contains(byte) => self.out.push(*byte),
                _ => self.push(&format!("\\{byte:03o}")),
            }
        }
    }

    /// Rights of files are octal, with their type by name: `S_IFREG|0644`.
    fn named(&mut self, named: consts::Named) {
        let text = named.to_string();
        if !text.contains("S_I") {
            return self.push(&text);
        }
        let kind = text.split('|').find(|word| word.starts_with("S_IF"));
        let rights = named.number & 0o7777;
        match kind {
            Some(kind) => self.push(&format!("{kind}|{}", octal(rights))),
            None => self.push(&octal(rights)),
        }
    }
}

/// Takes names of members, which may come out of a log.
struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend(text.bytes().map(|byte| if byte.is_ascii_graphic() { byte } else { b'?' }));
        Ok(())
    }
}
