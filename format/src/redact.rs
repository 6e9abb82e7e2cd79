//! Taking out of a capture what must not leave the house, so that it can still be asked.
//!
//! A value is dropped, or replaced by a hash under a key: the same value gets the same hash everywhere in the capture, so
//! that filters on equality and shared directories keep their meaning, and nobody without the key can try values.
//!
//! What a rule is about stands in more places than one: an address also in messages and packets, a host's name in what
//! `uname` returned. [`bearing`] decides for every kind of value what it may say of every subject, and what is not known
//! may say anything. Where a value stands inside something that cannot be rewritten part by part, the whole is dropped.
//!
//! A capture is gone through twice. The first time says how many values each rule changes, and remembers what is taken
//! out. The second time writes, and looks whether any of that still stands in what is written. What was written is then read
//! back and searched too: see [`Redactor::search_capture`].

mod address;
mod artifacts;
mod bearing;
mod descriptor;
mod forms;
mod header;
mod host_names;
mod leftover;
mod repeated;
mod rule;
mod scan;

use std::cell::{Cell, RefCell};

use events::{ArgKind, Raw, vectors::Message};

use crate::rewrite::{Change, Copied, Edit, Text};
use crate::{Artifact, Content, Result, Schema, Sha256};
use address::Packet;
use bearing::{Bearing, Form, StringsAre, TextIs, bearing};
use host_names::HostNames;
pub use leftover::Leftovers;
use leftover::Removed;
use repeated::{Repeated, Value};
use rule::What;
pub use rule::{Glob, ReadGlob, Rule, Subject, Treatment};

/// Applies rules; the first that fits a value decides.
#[derive(Debug)]
pub struct Redactor {
    rules: Vec<Rule>,
    key: [u8; 32],
    /// Names of hosts that are redacted, in small letters: nothing that holds one may stay.
    host_names: HostNames,
    /// By rule: how many values it changed.
    changed: Vec<Cell<u64>>,
    removed: RefCell<Removed>,
    /// The second time.
    is_checking: bool,
    leftovers: RefCell<Leftovers>,
    /// Kinds of artifacts whose bytes stay.
    kept_artifacts: Vec<String>,
    repeated: Repeated,
}

/// Which rule decides about a value; `None`: it has the name of a redacted host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Judged {
    rule: Option<usize>,
    treatment: Treatment,
}

/// Event and argument that a value is of, for rules that name them.
type Named<'a> = Option<(&'a str, &'a str)>;

impl Redactor {
    /// Captures that are redacted with the same secret get the same hashes.
    pub fn new(rules: Vec<Rule>, secret: &[u8]) -> Redactor {
        let changed = rules.iter().map(|_| Cell::new(0)).collect();
        Redactor {
            rules,
            key: blake3::derive_key("tracer capture redaction 2", secret),
            host_names: HostNames::default(),
            changed,
            removed: RefCell::default(),
            is_checking: false,
            leftovers: RefCell::default(),
            kept_artifacts: Vec::new(),
            repeated: Repeated::default(),
        }
    }

    /// Refuses rules for arguments that no event of the capture has.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        self.rules.iter().try_for_each(|rule| rule.check(schema))
    }

    /// Each rule as it was given, and how many values it has changed.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.rules.iter().zip(&self.changed).map(|(rule, count)| (rule.text.as_str(), count.get()))
    }

    /// From now on, what is written is searched for what was taken out.
    pub fn begin_checking(&mut self) {
        self.is_checking = true;
        self.removed.get_mut().seal();
    }

    /// Where something that was taken out elsewhere still stands.
    pub fn leftovers(&self) -> Leftovers {
        self.leftovers.borrow().clone()
    }

    /// More values were taken out than are remembered, so that not all of them were searched for.
    pub fn is_search_partial(&self) -> bool {
        self.removed.borrow().is_full
    }

    fn judge(&self, named: Named<'_>, form: Form, value: &[u8]) -> Option<Judged> {
        let (mut whole, mut inside) = (None, None);
        let found = self.rules.iter().position(|rule| {
            let bears =
                match (&rule.what, named) {
                    (What::Subject(subject), _) => bearing(form, *subject),
                    (What::Argument { .. }, Some((event, name))) if rule.names(event, name) => {
                        if is_text(form) { Bearing::Is } else { Bearing::Holds }
                    }
                    (What::Argument { .. }, _) => Bearing::Never,
                };
            match (bears, &rule.glob) {
                (Bearing::Never, _) => false,
                (Bearing::Hides, _) | (_, None) => true,
                (Bearing::Is | Bearing::Holds, Some(glob)) => {
                    let is = bears == Bearing::Is
                        && whole.get_or_insert_with(|| forms::whole(value)).iter().any(|it| glob.fits(it));
                    let mut holds = || {
                        inside.get_or_insert_with(|| forms::inside(value)).iter().any(|it| glob.is_inside(it))
                    };
                    // A text of an event that nobody knows may be text of any kind.
                    is || ((bears == Bearing::Holds || is_foreign(form)) && holds())
                }
            }
        });
        match found.and_then(|at| Some((at, self.rules.get(at)?.treatment))) {
            Some((at, treatment)) => Some(Judged { rule: Some(at), treatment }),
            None if self.names_a_host(value) => Some(Judged { rule: None, treatment: Treatment::Hash }),
            None => None,
        }
    }

    /// The same for a text beside the events.
    fn judge_text(&self, is: TextIs, text: &[u8]) -> Option<Judged> {
        self.judge(None, Form::Text(is), text)
    }

    /// Counts a value that is taken out. `texts`: what is looked for in what is written.
    fn count(&self, judged: Judged, texts: &[&[u8]]) {
        if self.is_checking {
            return;
        }
        if let Some(count) = judged.rule.and_then(|at| self.changed.get(at)) {
            count.set(count.get() + 1);
        }
        let mut removed = self.removed.borrow_mut();
        texts.iter().for_each(|text| removed.add(&forms::small(text)));
    }

    /// Notes a value that is written though it holds something that was taken out elsewhere.
    fn search(&self, place: impl FnOnce() -> String, is_text: bool, written: &[u8]) {
        if self.is_leftover(is_text, written) {
            self.leftover(place());
        }
    }

    fn leftover(&self, place: String) {
        *self.leftovers.borrow_mut().entry(place).or_default() += 1;
    }

    fn is_leftover(&self, is_text: bool, written: &[u8]) -> bool {
        if !self.is_checking {
            return false;
        }
        let removed = self.removed.borrow();
        match is_text {
            true => removed.is_in(&forms::small(written)),
            false => forms::inside(written).iter().any(|form| removed.is_in(form)),
        }
    }

    /// The rule for everything whose glob is still inside of a value.
    fn still_holds(&self, written: &[u8]) -> Option<Judged> {
        let mut inside = None;
        let found = self.rules.iter().position(|rule| {
            let is_about = matches!(rule.what, What::Subject(Subject::Any));
            let Some(glob) = rule.glob.as_ref().filter(|_| is_about) else { return false };
            let glob_is_in = |form: &Vec<u8>| glob.is_inside(form);
            !glob.fits(b"") && inside.get_or_insert_with(|| forms::inside(written)).iter().any(glob_is_in)
        })?;
        Some(Judged { rule: Some(found), treatment: Treatment::Drop })
    }

    fn names_a_host(&self, value: &[u8]) -> bool {
        !self.host_names.is_empty() && self.host_names.are_in(&forms::inside(value))
    }

    /// What takes the place of a text.
    fn treated(&self, judged: Judged, value: &[u8]) -> Vec<u8> {
        self.count(judged, &[value]);
        match judged.treatment {
            Treatment::Drop => Vec::new(),
            Treatment::Hash => self.hash_text(value),
        }
    }

    /// Sixteen hex digits, 64 bits, for each part between slashes.
    fn hash_text(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for (at, part) in text.split(|b| *b == b'/').enumerate() {
            if at > 0 {
                out.push(b'/');
            }
            if matches!(part, b"" | b"." | b"..") {
                out.extend_from_slice(part);
            } else {
                out.extend_from_slice(&self.digits(part));
            }
        }
        out
    }

    fn digits(&self, part: &[u8]) -> [u8; 16] {
        let hex = blake3::keyed_hash(&self.key, part).to_hex();
        hex.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    fn strings(&self, named: Named<'_>, are: StringsAre, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for string in events::value::strings(bytes) {
            match self.judge(named, Form::Strings(are), string) {
                Some(judged) => out.extend_from_slice(&self.treated(judged, string)),
                None => out.extend_from_slice(string),
            }
            out.push(0);
        }
        (out != bytes).then_some(out)
    }

    fn number(&self, named: (&str, &str), number: u64) -> Change {
        let text = number.to_string();
        let rule = self.rules.iter().position(|rule| {
            rule.names(named.0, named.1) && rule.glob.as_ref().is_none_or(|glob| glob.fits(text.as_bytes()))
        });
        let Some((at, rule)) = rule.and_then(|at| Some((at, self.rules.get(at)?))) else {
            return Change::Keep;
        };
        self.count(Judged { rule: Some(at), treatment: rule.treatment }, &[]);
        match rule.treatment {
            Treatment::Drop => Change::Missing,
            Treatment::Hash => {
                let hash = blake3::keyed_hash(&self.key, &number.to_le_bytes());
                Change::Number(hash.as_bytes().first_chunk().map_or(0, |b| u64::from_le_bytes(*b)))
            }
        }
    }

    /// What becomes of bytes of a form.
    fn bytes(&self, named: (&str, &str), form: Form, bytes: &[u8]) -> Change {
        let some = Some(named);
        let judged = match form {
            // What looks like strings may be a text of two bytes a letter.
            Form::Strings(StringsAre::Foreign)
                if let Some(judged) =
                    self.judge(some, Form::Text(TextIs::Foreign), bytes).filter(|it| self.is_glob(*it)) =>
            {
                Some(judged)
            }
            Form::Strings(are) => return self.strings(some, are, bytes).map_or(Change::Keep, Change::bytes),
            Form::Sockaddr => return self.sockaddr(some, bytes),
            Form::Packet => self.judge(some, form, bytes).or_else(|| {
                let is_named = |end: &String| self.judge(some, Form::Text(TextIs::Address), end.as_bytes());
                Packet::ends(bytes).iter().find_map(is_named)
            }),
            Form::Messages => self.messages(some, bytes),
            Form::Tree { .. } => self.tree(some, form, bytes),
            Form::Numbers
            | Form::Descriptor
            | Form::Text(_)
            | Form::Buffer
            | Form::Listing
            | Form::NodeNames
            | Form::Request
            | Form::Unknown => self.judge(some, form, bytes),
        };
        let Some(judged) = judged else { return Change::Keep };
        match (judged.treatment, form) {
            (Treatment::Hash, Form::Text(_)) => Change::bytes(self.treated(judged, bytes)),
            (Treatment::Hash, Form::Buffer) => {
                self.count(judged, &[]);
                Change::bytes(self.digits(bytes).to_vec())
            }
            (Treatment::Drop, Form::Text(_)) => {
                self.count(judged, &[bytes]);
                Change::Missing
            }
            // Their insides cannot be hashed one by one.
            _ => {
                self.count(judged, &[]);
                Change::Missing
            }
        }
    }

    /// A message is dropped for its address, its data or its control data.
    fn messages(&self, named: Named<'_>, bytes: &[u8]) -> Option<Judged> {
        // The addresses are judged by what they are; the whole by what it holds.
        let of_address = |message: Message<'_>| {
            let (is, texts) = address::texts(message.name)?;
            texts.iter().find_map(|text| self.judge(named, Form::Text(is), text))
        };
        let whole = |form| self.judge(named, form, bytes);
        let by_address = Message::all(bytes).filter(|message| !message.name.is_empty()).find_map(|message| {
            let unknown = address::texts(message.name).is_none();
            if unknown { self.judge(named, Form::Request, message.name) } else { of_address(message) }
        });
        by_address
            .or_else(|| whole(Form::Buffer))
            .or_else(|| whole(Form::NodeNames).filter(|it| self.is_glob(*it)))
    }

    /// Whether a rule decided by a glob, or a host's name did.
    fn is_glob(&self, judged: Judged) -> bool {
        judged.rule.is_none_or(|at| self.rules.get(at).is_some_and(|rule| rule.glob.is_some()))
    }

    /// A tree is dropped when one of its texts is to be, or all of it may be.
    fn tree(&self, named: Named<'_>, form: Form, bytes: &[u8]) -> Option<Judged> {
        let of_text = |text: &Vec<u8>| {
            let found = self.rules.iter().position(|rule| {
                let is_about = match &rule.what {
                    What::Subject(subject) => bearing(form, *subject) != Bearing::Never,
                    What::Argument { .. } => named.is_some_and(|(event, name)| rule.names(event, name)),
                };
                is_about
                    && rule
                        .glob
                        .as_ref()
                        .is_some_and(|glob| forms::whole(text).iter().any(|it| glob.fits(it)))
            })?;
            let treatment = self.rules.get(found)?.treatment;
            Some(Judged { rule: Some(found), treatment })
        };
        address::leaves(bytes).iter().find_map(of_text).or_else(|| self.judge(named, form, bytes))
    }

    /// How a value is taken apart: of a variant, from which byte on.
    fn form(row: &Copied<'_>, position: usize) -> (Form, usize) {
        let number = |at: usize| match (row.event.args.get(at).map(|arg| arg.kind), row.args.get(at)) {
            (_, Some(Raw::Number(number))) => *number,
            (Some(ArgKind::Fd), Some(stored)) => stored.descriptor().map_or(0, |(number, _)| number),
            _ => 0,
        };
        let (form, start) = bearing::form(row.event, position, &number);
        // What is stored otherwise than its kind is may be anything.
        let is_number = row.event.args.get(position).is_some_and(|arg| arg.kind.is_number());
        (if is_number && form != Form::Descriptor { Form::Unknown } else { form }, start)
    }

    fn decide(&self, named: (&str, &str), (form, start): (Form, usize), value: Raw<'_>) -> Change {
        let bytes = match value {
            Raw::Missing => return Change::Keep,
            Raw::Number(number) => return self.number(named, number),
            Raw::Bytes(bytes) => bytes,
        };
        // Logs that were imported have members and lists, with texts in them, where recordings have structures.
        let is_structure = matches!(form, Form::Numbers | Form::NodeNames | Form::Request | Form::Messages);
        if is_structure
            && address::is_tree(bytes)
            && let Some(judged) = self.tree(Some(named), Form::Tree { foreign: false }, bytes)
        {
            self.count(judged, &[]);
            return Change::Missing;
        }
        match (form, start) {
            (Form::Descriptor, _) => self.descriptor(Some(named), value),
            (form, 0) => self.bytes(named, form, bytes),
            // A variant keeps its number; only what that points to is taken out.
            (form, start) => {
                let (head, pointed) = bytes.split_at(start.min(bytes.len()));
                if pointed.is_empty() {
                    let number = head.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
                    return match self.number(named, number) {
                        Change::Number(number) => Change::bytes(number.to_le_bytes().to_vec()),
                        change => change,
                    };
                }
                match self.bytes(named, form, pointed) {
                    Change::Bytes(pointed) => Change::bytes([head, &pointed].concat()),
                    Change::Missing => Change::bytes(head.to_vec()),
                    change => change,
                }
            }
        }
    }
}

/// Whether nobody knows what a text is of.
fn is_foreign(form: Form) -> bool {
    matches!(form, Form::Text(TextIs::Foreign) | Form::Strings(StringsAre::Foreign))
}

/// Whether a glob is held against the whole value.
fn is_text(form: Form) -> bool {
    matches!(form, Form::Text(_) | Form::Strings(_) | Form::Descriptor | Form::Sockaddr)
}

impl Edit for Redactor {
    fn block(&mut self) {
        self.repeated.clear();
    }

    fn argument(&mut self, row: &Copied<'_>, position: usize, value: Raw<'_>) -> Change {
        let Some(arg) = row.event.args.get(position) else { return Change::Missing };
        let (named, form) = ((row.event.name, arg.name), Redactor::form(row, position));
        let long = match value {
            Raw::Bytes(bytes) => Value::of(row.event.id, position, bytes, form),
            _ => None,
        };
        let is_text = matches!(arg.kind, ArgKind::Str | ArgKind::Text(_) | ArgKind::StrArray | ArgKind::Fd);
        let place = || format!("{}.{}", row.event.name, arg.name);
        self.once(long, place, |own| {
            let change = own.decide(named, form, value);
            let written = match (&change, value) {
                (Change::Keep, Raw::Bytes(bytes)) => bytes,
                (Change::Bytes(bytes), _) => &**bytes,
                _ => return (change, false),
            };
            // Whatever a value was taken for, what a glob of `any` is inside of does not stay.
            if let Some(judged) = own.still_holds(written) {
                own.count(judged, &[]);
                return (Change::Missing, false);
            }
            let is_leftover = own.is_leftover(is_text, written);
            (change, is_leftover)
        })
    }

    fn text(&mut self, what: Text, text: &[u8]) -> Option<Vec<u8>> {
        if text.is_empty() {
            return None;
        }
        let changed = match what {
            Text::Argv => self.strings(None, StringsAre::Argv, text),
            Text::Descriptor => self.stands_for(None, text),
            _ => {
                let is = match what {
                    Text::Comm => TextIs::Comm,
                    Text::Path if descriptor::is_kind(text) => TextIs::Kind,
                    Text::Cgroup => TextIs::Cgroup,
                    Text::Host => TextIs::Host,
                    Text::User => TextIs::User,
                    Text::Container => TextIs::Container,
                    Text::Path | Text::Directory | Text::Argv | Text::Descriptor => TextIs::Path,
                };
                self.judge_text(is, text).map(|judged| self.treated(judged, text))
            }
        };
        let written = changed.as_deref().unwrap_or(text);
        if let Some(judged) = self.still_holds(written) {
            self.count(judged, &[]);
            return Some(Vec::new());
        }
        self.search(|| what.name().to_owned(), true, written);
        changed
    }

    fn artifact(&mut self, artifact: Artifact) -> Option<Artifact> {
        Some(self.redacted_artifact(artifact))
    }

    fn keeps_content(&mut self, _: &Sha256) -> bool {
        false
    }

    fn content(&mut self, content: &Content) -> Result<()> {
        self.search_content(content)
    }
}

#[cfg(test)]
mod tests;
