//! Taking out of a capture what must not leave the house, so that it can still be asked.
//!
//! A value is dropped, or replaced by a hash under a key: the same value gets the same hash everywhere in the capture, so
//! that filters on equality and shared directories keep their meaning, and nobody without the key can try values.
//!
//! What a rule is about stands in more places than one: an address also in messages and packets, a host's name in what
//! `uname` returned. Where a value stands inside something that cannot be rewritten part by part, the whole is dropped.

use events::{ArgKind, Event, Raw, Source, StructKind, value};

use crate::redact_address::{self, Packet};
use crate::rewrite::{Change, Copied, Edit, Text};
use crate::{Error, Result};

/// What kind of value a rule is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Every text and buffer, whatever it is.
    Any,
    /// Arguments of commands, also those in the header.
    Argv,
    /// Environments.
    Env,
    /// Every string that an event has as an argument, executables, cgroups, what descriptors stand for, and directories'
    /// listings.
    Paths,
    /// Socket addresses. Packets are dropped.
    Addresses,
    /// Node names, and the host's name and boot id in the header.
    Hosts,
    Comm,
    /// Buffers of reads, writes, messages and requests.
    Data,
    Users,
    /// Names and images of containers and pods.
    Containers,
    /// One argument, such as `openat.pathname`; either part may be `*`.
    Argument {
        event: String,
        name: String,
    },
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    Drop,
    Hash,
}

/// A rule: values of a kind, and when `glob` is given, only those that it fits (`*` stands for any bytes).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub subject: Subject,
    pub treatment: Treatment,
    pub glob: Option<String>,
}

impl Rule {
    /// Reads `WHAT` or `WHAT=GLOB`, as in `paths=/home/*`.
    pub fn parse(text: &str, treatment: Treatment) -> Result<Rule> {
        let (what, glob) = match text.split_once('=') {
            Some((what, glob)) => (what, Some(glob.to_owned())),
            None => (text, None),
        };
        let subject = match what {
            "any" => Subject::Any,
            "argv" => Subject::Argv,
            "env" => Subject::Env,
            "paths" => Subject::Paths,
            "addresses" => Subject::Addresses,
            "hosts" => Subject::Hosts,
            "comm" => Subject::Comm,
            "data" => Subject::Data,
            "users" => Subject::Users,
            "containers" => Subject::Containers,
            _ => match what.split_once('.') {
                Some((event, name)) => Subject::Argument { event: event.to_owned(), name: name.to_owned() },
                None => {
                    return Err(Error::Key {
                        what: format!(
                            "`{what}` cannot be redacted: argv, env, paths, addresses, hosts, comm, data, users, containers, any or EVENT.ARGUMENT can"
                        ),
                    });
                }
            },
        };
        Ok(Rule { subject, treatment, glob })
    }

    fn is_about(&self, subject: &Subject) -> bool {
        self.subject == *subject || self.subject == Subject::Any
    }

    pub(crate) fn fits(&self, value: &[u8]) -> bool {
        self.glob.as_ref().is_none_or(|glob| fits(glob.as_bytes(), value))
    }
}

/// Applies rules; the first that fits a value decides.
#[derive(Debug)]
pub struct Redactor {
    pub(crate) rules: Vec<Rule>,
    pub(crate) key: [u8; 32],
    /// Names of hosts that are redacted: nothing that holds one may stay.
    pub(crate) host_names: Vec<Vec<u8>>,
}

impl Redactor {
    /// Captures that are redacted with the same secret get the same hashes.
    pub fn new(rules: Vec<Rule>, secret: &[u8]) -> Redactor {
        let key = blake3::derive_key("tracer capture redaction 1", secret);
        Redactor { rules, key, host_names: Vec::new() }
    }

    pub(crate) fn treatment(&self, subject: &Subject, value: &[u8]) -> Option<Treatment> {
        let rule = self.rules.iter().find(|rule| rule.is_about(subject) && rule.fits(value));
        rule.map(|rule| rule.treatment).or_else(|| self.names_a_host(value).then_some(Treatment::Hash))
    }

    /// What the rules that are about one of these subjects make of a value that cannot be rewritten.
    fn opaque(&self, subjects: &[Subject], value: &[u8]) -> Change {
        match subjects.iter().any(|subject| self.treatment(subject, value).is_some()) {
            true => Change::Missing,
            false => Change::Keep,
        }
    }

    pub(crate) fn names_a_host(&self, value: &[u8]) -> bool {
        self.host_names.iter().any(|name| value.windows(name.len()).any(|part| part == name.as_slice()))
    }

    pub(crate) fn treated(&self, treatment: Treatment, value: &[u8]) -> Vec<u8> {
        match treatment {
            Treatment::Drop => Vec::new(),
            Treatment::Hash => self.hash_text(value),
        }
    }

    /// Eight hex digits for each part between slashes.
    pub(crate) fn hash_text(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for (at, part) in text.split(|b| *b == b'/').enumerate() {
            if at > 0 {
                out.push(b'/');
            }
            if matches!(part, b"" | b"." | b"..") {
                out.extend_from_slice(part);
            } else {
                let hash = blake3::keyed_hash(&self.key, part).to_hex();
                out.extend_from_slice(hash.as_bytes().get(..8).unwrap_or_default());
            }
        }
        out
    }

    fn strings(&self, subject: &Subject, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for string in value::strings(bytes) {
            match self.treatment(subject, string) {
                Some(treatment) => out.extend_from_slice(&self.treated(treatment, string)),
                None => out.extend_from_slice(string),
            }
            out.push(0);
        }
        (out != bytes).then_some(out)
    }

    /// What a rule for one argument by its name makes of a value.
    pub(crate) fn named(&self, event: &str, name: &str, value: &[u8]) -> Option<Treatment> {
        let fits = |rule: &&Rule| {
            let Subject::Argument { event: of, name: called } = &rule.subject else { return false };
            fits(of.as_bytes(), event.as_bytes())
                && fits(called.as_bytes(), name.as_bytes())
                && rule.fits(value)
        };
        self.rules.iter().find(fits).map(|rule| rule.treatment)
    }
}

/// What a text argument is, by its name.
pub(crate) fn subject_of_text(event: &str, name: &str) -> Subject {
    match name {
        "old_name" | "new_name" if event == "task_rename" => Subject::Comm,
        "name" if matches!(event, "sethostname" | "setdomainname") => Subject::Hosts,
        "src" | "dst" if event.starts_with("net_") => Subject::Addresses,
        _ if name == "comm" || name.ends_with("_comm") => Subject::Comm,
        _ => Subject::Paths,
    }
}

impl Edit for Redactor {
    fn argument(&mut self, row: &Copied<'_>, position: usize, value: Raw<'_>) -> Change {
        let Some(arg) = row.event.args.get(position) else { return Change::Keep };
        let bytes = match value {
            Raw::Missing => return Change::Keep,
            Raw::Number(number) => {
                return match self.named(row.event.name, arg.name, number.to_string().as_bytes()) {
                    Some(Treatment::Drop) => Change::Missing,
                    Some(Treatment::Hash) => {
                        let hash = blake3::keyed_hash(&self.key, &number.to_le_bytes());
                        Change::Number(hash.as_bytes().first_chunk().map_or(0, |b| u64::from_le_bytes(*b)))
                    }
                    None => Change::Keep,
                };
            }
            Raw::Bytes(bytes) => bytes,
        };
        if arg.kind == ArgKind::Fd {
            return self.descriptor(row.event, arg.name, value);
        }
        match self.named(row.event.name, arg.name, bytes) {
            Some(treatment) => self.change(treatment, arg.kind, bytes),
            None => self.by_kind(row.event, arg.name, arg.kind, bytes),
        }
    }

    fn text(&mut self, what: Text, text: &[u8]) -> Option<Vec<u8>> {
        let subject = match what {
            Text::Comm => Subject::Comm,
            // `socket:[4026]` and its like say what kind a descriptor is of, and nothing else.
            Text::Path if !text.contains(&b'/') => Subject::Any,
            Text::Path => Subject::Paths,
            Text::Host => Subject::Hosts,
            Text::User => Subject::Users,
            Text::Container => Subject::Containers,
            Text::Argv => return self.strings(&Subject::Argv, text),
        };
        if text.is_empty() {
            return None;
        }
        self.treatment(&subject, text).map(|treatment| self.treated(treatment, text))
    }
}

impl Redactor {
    /// A listing of a directory or of mounts: it holds names, one after the other.
    fn listing(&self, bytes: &[u8]) -> Change {
        let about_paths = self.rules.iter().any(|rule| rule.is_about(&Subject::Paths));
        if about_paths { Change::Missing } else { self.opaque(&[Subject::Data], bytes) }
    }

    fn by_kind(&self, event: &Event, name: &str, kind: ArgKind, bytes: &[u8]) -> Change {
        match kind {
            ArgKind::StrArray | ArgKind::StrList(_) => {
                let subject = match name {
                    "envp" | "env" => Subject::Env,
                    "src_dns" | "dst_dns" => Subject::Hosts,
                    _ => Subject::Argv,
                };
                self.strings(&subject, bytes).map_or(Change::Keep, Change::Bytes)
            }
            ArgKind::Str | ArgKind::Text(_) => {
                let treatment = self.treatment(&subject_of_text(event.name, name), bytes);
                treatment.map_or(Change::Keep, |treatment| self.change(treatment, kind, bytes))
            }
            ArgKind::Sockaddr(_) => {
                let treatment = redact_address::text(bytes)
                    .and_then(|text| self.treatment(&Subject::Addresses, text.as_bytes()))
                    .or_else(|| self.treatment(&Subject::Addresses, bytes));
                treatment.map_or(Change::Keep, |treatment| self.change(treatment, kind, bytes))
            }
            ArgKind::Bytes(_) if matches!(event.source, Source::Packet) => {
                let ends = Packet::ends(bytes);
                let is_named =
                    ends.iter().any(|end| self.treatment(&Subject::Addresses, end.as_bytes()).is_some());
                if is_named {
                    Change::Missing
                } else {
                    self.opaque(&[Subject::Addresses, Subject::Data], bytes)
                }
            }
            ArgKind::Dirents(_) => self.listing(bytes),
            ArgKind::Bytes(_) if event.name == "statmount" => self.listing(bytes),
            ArgKind::Bytes(_) | ArgKind::Iovec(_) => match self.treatment(&Subject::Data, bytes) {
                Some(treatment) => self.change(treatment, kind, bytes),
                None => Change::Keep,
            },
            ArgKind::Msghdr | ArgKind::Mmsghdr(_) => {
                let is_named = redact_address::of_messages(bytes)
                    .any(|address| self.treatment(&Subject::Addresses, address.as_bytes()).is_some());
                if is_named { Change::Missing } else { self.opaque(&[Subject::Data], bytes) }
            }
            // Requests with more than a number: addresses, names of interfaces, routes.
            ArgKind::Any(_) if bytes.len() > 16 => {
                let is_name = event.name == "prctl";
                let subjects: &[Subject] = if is_name {
                    &[Subject::Comm, Subject::Data]
                } else {
                    &[Subject::Data, Subject::Addresses]
                };
                self.opaque(subjects, bytes)
            }
            ArgKind::Struct(StructKind::Utsname) | ArgKind::Sized(StructKind::Utsname, _) => {
                self.opaque(&[Subject::Hosts], bytes)
            }
            ArgKind::Tree => {
                let texts = redact_address::texts(bytes);
                let subjects = [Subject::Addresses, Subject::Hosts, Subject::Data];
                let is_named = texts.iter().any(|text| self.opaque(&subjects, text) == Change::Missing);
                if is_named { Change::Missing } else { self.opaque(&[Subject::Data], bytes) }
            }
            _ => self.opaque(&[Subject::Any], bytes),
        }
    }

    fn change(&self, treatment: Treatment, kind: ArgKind, bytes: &[u8]) -> Change {
        match (treatment, kind) {
            (Treatment::Drop, _) => Change::Missing,
            (Treatment::Hash, ArgKind::Str | ArgKind::Text(_)) => Change::Bytes(self.hash_text(bytes)),
            (Treatment::Hash, ArgKind::Sockaddr(_)) => Change::Bytes(self.address(bytes)),
            (Treatment::Hash, ArgKind::StrArray | ArgKind::StrList(_)) => {
                let strings = value::strings(bytes).map(|s| [self.hash_text(s).as_slice(), b"\0"].concat());
                Change::Bytes(strings.collect::<Vec<_>>().concat())
            }
            (Treatment::Hash, ArgKind::Bytes(_)) => Change::Bytes(
                self.hash_text(b"data")
                    .into_iter()
                    .chain(blake3::keyed_hash(&self.key, bytes).to_hex().bytes().take(8))
                    .collect(),
            ),
            // Their insides cannot be hashed one by one.
            (Treatment::Hash, _) => Change::Missing,
        }
    }
}

/// Whether a text fits a pattern in which `*` stands for any bytes.
pub fn fits(glob: &[u8], text: &[u8]) -> bool {
    let mut parts = glob.split(|b| *b == b'*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let found = (0..=rest.len()).find(|at| rest.get(*at..).is_some_and(|rest| rest.starts_with(part)));
        match found.and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(rules: &[(&str, Treatment)]) -> Redactor {
        let rules = rules.iter().map(|(text, treatment)| Rule::parse(text, *treatment).unwrap()).collect();
        Redactor::new(rules, b"secret")
    }

    #[test]
    fn paths_keep_their_shape_and_equal_parts_stay_equal() {
        let mut redactor = redactor(&[("paths=/home/*", Treatment::Hash)]);
        assert_eq!(redactor.text(Text::Path, b"/etc/passwd"), None);
        let one = redactor.text(Text::Path, b"/home/alice/notes.txt").unwrap();
        let two = redactor.text(Text::Path, b"/home/alice/../alice").unwrap();
        assert_eq!(one.len(), 3 * 9);
        assert_eq!(one[..19], two[..19]);
        assert_eq!(two[19..21], *b"..");
        assert!(!one.windows(5).any(|w| w == b"alice"));
    }

    #[test]
    fn addresses_keep_family_and_port() {
        let redactor = redactor(&[]);
        let address = [2, 0, 0, 53, 8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        let changed = redactor.address(&address);
        assert_eq!((&changed[..5], &changed[8..]), (&[2, 0, 0, 53, 10][..], &address[8..]));
        assert_ne!(changed[5..8], address[5..8]);
        assert_eq!(redactor.address(&address), changed);
        for end in 0..address.len() {
            assert!(redactor.address(&address[..end]).len() <= end);
        }
    }

    fn changed(redactor: &mut Redactor, stands_for: &[u8]) -> Change {
        let event = events::catalogue::by_name("read").unwrap();
        let context = events::Context::default();
        let row = Copied { event, context: &context, row: 0, ordinal: 0, time_ns: 0 };
        let stored = [&7_u64.to_le_bytes()[..], stands_for].concat();
        redactor.argument(&row, 0, Raw::Bytes(&stored))
    }

    #[test]
    fn what_a_descriptor_stands_for_is_treated_as_the_path_or_address_that_it_is() {
        let mut redactor = redactor(&[("paths=/home/*", Treatment::Hash), ("addresses", Treatment::Hash)]);
        assert_eq!(changed(&mut redactor, b"/etc/passwd"), Change::Keep);
        let Change::Bytes(path) = changed(&mut redactor, b"/home/alice/notes") else { panic!() };
        assert_eq!(path[..8], 7_u64.to_le_bytes());
        assert_eq!(path[8..], *redactor.text(Text::Path, b"/home/alice/notes").unwrap());
        let Change::Bytes(tcp) = changed(&mut redactor, b"tcp 8.8.8.8:53->[2001:db8::1]:443") else {
            panic!()
        };
        let tcp = String::from_utf8(tcp[8..].to_vec()).unwrap();
        assert!(tcp.starts_with("tcp 10.") && tcp.contains(":53->[fd") && tcp.ends_with(":443"), "{tcp}");
        assert!(!tcp.contains("8.8.8.8") && !tcp.contains("2001"), "{tcp}");
        let Change::Bytes(unix) = changed(&mut redactor, b"unix ->/run/alice.sock") else { panic!() };
        assert!(!unix.windows(5).any(|word| word == b"alice"), "{unix:?}");
        let mut one =
            Redactor::new(vec![Rule::parse("addresses=8.8.*", Treatment::Hash).unwrap()], b"secret");
        assert_eq!(changed(&mut one, b"tcp 9.9.9.9:53->1.1.1.1:443"), Change::Keep);
        let Change::Bytes(tcp) = changed(&mut one, b"tcp 9.9.9.9:53->8.8.8.8:443") else { panic!() };
        assert!(tcp[8..].starts_with(b"tcp 9.9.9.9:53->10."), "{tcp:?}");
        let mut dropping = Redactor::new(vec![Rule::parse("paths", Treatment::Drop).unwrap()], b"secret");
        assert_eq!(changed(&mut dropping, b"memfd:x"), Change::Number(7));
    }

    #[test]
    fn arguments_are_treated_one_by_one() {
        let mut redactor = redactor(&[("argv=--password*", Treatment::Drop), ("argv=*@*", Treatment::Hash)]);
        let changed = redactor.text(Text::Argv, b"mail\0--password=x\0a@b\0").unwrap();
        assert!(changed.starts_with(b"mail\0\0"), "{changed:?}");
        assert_eq!(changed.len(), 5 + 1 + 9);
        assert_eq!(redactor.text(Text::Argv, b"ls\0-l\0"), None);
    }

    #[test]
    fn globs_fit_as_in_shells() {
        for (glob, text, yes) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "a__b__c", true),
            ("a*a", "a", false),
            ("abc", "abcd", false),
            ("*b*", "abc", true),
            ("*x*", "abc", false),
        ] {
            assert_eq!(fits(glob.as_bytes(), text.as_bytes()), yes, "{glob} {text}");
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_with_what_there_is() {
        let error = Rule::parse("everything", Treatment::Drop).unwrap_err().to_string();
        assert!(error.contains("argv, env, paths"), "{error}");
    }
}
