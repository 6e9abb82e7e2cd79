//! All keys of a context: the process keys of the scopes, or those of one event alone.

use std::collections::BTreeMap;

use events::context::ContextFlags;

use crate::filter::{Namespace, Value};
use crate::key::{Class, Field};
use crate::pattern::Pattern;
use crate::predicate::acting::{self, MembersKey};
use crate::predicate::container::{self, ContainerKey};
use crate::predicate::id::Ids;
use crate::predicate::number::Numbers;
use crate::predicate::text::{TextKey, Texts, word};
use crate::predicate::{Asked, gate};
use crate::subject::{LineageBits, Subject};
use crate::syntax::Op;
use crate::words::{Gate, Words};

/// One key, ready to be asked.
#[derive(Debug)]
pub(crate) enum Key {
    Text(Field, TextKey),
    Number(Field, Numbers),
    /// Working directories and terminals.
    Standing(Field, TextKey),
    /// Capabilities.
    Members(Field, MembersKey),
    /// `host`, `podSandbox`.
    Flag(Field, FlagKey),
    Id(Ids),
    Binary(BinaryKey),
    Container(ContainerKey),
    Tree(Gate),
    /// The name of the system call that an event is; the same for all its rows, so it was answered when compiling.
    Fixed(u64),
}

#[derive(Debug, Default)]
pub(crate) struct ContextKeys {
    pub keys: Vec<Key>,
}

impl ContextKeys {
    /// Keys by field. `syscall` is the event's own name, where it is a system call.
    pub fn new(fields: &BTreeMap<Field, Vec<Asked<'_>>>, syscall: Option<&str>) -> ContextKeys {
        let keys = fields.iter().filter(|(field, _)| !field.is_of_row()).map(|(field, asked)| {
            let field = *field;
            match field.class() {
                Class::Text if field == Field::Syscall => {
                    Key::Fixed(TextKey::new(asked).mask(syscall.map(str::as_bytes)))
                }
                Class::Text => Key::Text(field, TextKey::new(asked)),
                Class::Path => Key::Binary(BinaryKey::new(asked)),
                Class::Number { .. } | Class::User | Class::Login | Class::Duration => {
                    Key::Number(field, Numbers::new(asked))
                }
                Class::Directory | Class::Terminal => Key::Standing(field, TextKey::new(asked)),
                Class::Capability => Key::Members(field, MembersKey::new(asked)),
                Class::Id { .. } => Key::Id(Ids::new(field, asked)),
                Class::Tree => Key::Tree(gate(asked)),
                Class::Container => Key::Container(ContainerKey::new(asked)),
                Class::Flag => Key::Flag(field, FlagKey::new(asked)),
            }
        });
        ContextKeys { keys: keys.collect() }
    }

    pub fn mask(&self, subject: &Subject<'_>) -> u64 {
        self.keys.iter().fold(u64::MAX, |mask, key| if mask == 0 { 0 } else { mask & key.mask(subject) })
    }

    pub fn asks(&self, what: impl Fn(&Key) -> bool) -> bool {
        self.keys.iter().any(what)
    }
}

impl Key {
    pub fn mask(&self, subject: &Subject<'_>) -> u64 {
        let context = subject.context;
        match self {
            Key::Text(Field::ContainerId, key) => container::id_mask(key, subject),
            Key::Text(field, key) => key.mask(text(*field, subject)),
            Key::Number(field, key) => {
                let number: u64 = match field {
                    Field::Uid => context.uid.into(),
                    Field::NsPid => context.ns_pid.into(),
                    Field::NsTid => context.ns_tid.into(),
                    Field::NsPpid => context.ns_ppid.into(),
                    Field::MntNs => context.mnt_ns.into(),
                    Field::PidNs => context.pid_ns.into(),
                    Field::CgroupId => context.cgroup_id,
                    _ => return key.mask(acting::number(*field, context).map(i128::from)),
                };
                key.mask(Some(number.into()))
            }
            Key::Standing(field, key) => acting::text(*field, context, |text| key.mask(text)),
            Key::Members(field, key) => key.mask(acting::capabilities(*field, context)),
            Key::Flag(Field::PodSandbox, key) => {
                key.mask(subject.container.map(|container| container.pod_sandbox))
            }
            Key::Flag(_, key) => key.mask(Some(subject.container.is_none())),
            Key::Id(key) => key.mask(subject),
            Key::Binary(key) => key.mask(subject),
            Key::Container(key) => key.mask(subject),
            Key::Tree(gate) => tree_mask(*gate, subject.lineage),
            Key::Fixed(mask) => *mask,
        }
    }
}

/// The value of a text field; `None` where there is none.
pub(crate) fn text<'a>(field: Field, subject: &Subject<'a>) -> Option<&'a [u8]> {
    let known = |text: &'a str| if text.is_empty() { None } else { Some(text.as_bytes()) };
    match field {
        Field::Comm => Some(subject.context.comm),
        Field::Uts => Some(subject.context.uts),
        Field::HostName => known(subject.host),
        Field::ContainerId => subject.container.and_then(|c| known(c.id)),
        Field::ContainerImage => subject.container.and_then(|c| known(c.image)),
        Field::ContainerName => subject.container.and_then(|c| known(c.name)),
        Field::PodName => subject.container.and_then(|c| known(c.pod_name)),
        Field::PodNamespace => subject.container.and_then(|c| known(c.pod_namespace)),
        Field::PodUid => subject.container.and_then(|c| known(c.pod_uid)),
        _ => None,
    }
}

pub(crate) fn tree_mask(gate: Gate, lineage: LineageBits) -> u64 {
    (lineage.tree | (gate.default & !lineage.named)) | !gate.used
}

/// A fact that is or is not.
#[derive(Debug)]
pub(crate) struct FlagKey {
    gate: Gate,
    is: Words,
    is_not: Words,
}

impl FlagKey {
    pub fn new(asked: &[Asked<'_>]) -> FlagKey {
        let (mut is, mut is_not) = (Words::default(), Words::default());
        let mut gate = gate(asked);
        for Asked { bit, filters } in asked {
            for filter in filters {
                match (filter.op, filter.values.as_slice()) {
                    (Op::Is, _) => is.equal |= bit,
                    (Op::IsNot, _) => {
                        is.not |= bit;
                        is_not.equal |= bit;
                        gate.default &= !bit;
                    }
                    (_, values) => {
                        for value in values {
                            match value {
                                Value::Flag(true) => is.add(word(*bit, filter.is_positive())),
                                Value::Flag(false) => is_not.add(word(*bit, filter.is_positive())),
                                _ => {}
                            }
                        }
                    }
                }
            }
        }
        FlagKey { gate, is, is_not }
    }

    pub fn mask(&self, value: Option<bool>) -> u64 {
        match value {
            Some(true) => self.gate.close(self.is),
            Some(false) => self.gate.close(self.is_not),
            None => !self.gate.used,
        }
    }
}

/// Paths of executables, by the mount namespace that they are asked in.
#[derive(Debug)]
pub(crate) struct BinaryKey {
    pub gate: Gate,
    pub anywhere: Texts,
    host: Texts,
    inside: Vec<(u32, Texts)>,
}

impl BinaryKey {
    fn new(asked: &[Asked<'_>]) -> BinaryKey {
        let (mut anywhere, mut host) = (Vec::new(), Vec::new());
        let mut inside: BTreeMap<u32, Vec<(&Pattern, Words)>> = BTreeMap::new();
        for Asked { bit, filters } in asked {
            for filter in filters {
                let word = word(*bit, filter.is_positive());
                for value in &filter.values {
                    let Value::Path(namespace, pattern) = value else { continue };
                    match namespace {
                        Namespace::Any => anywhere.push((pattern, word)),
                        Namespace::Host => host.push((pattern, word)),
                        Namespace::Is(number) => inside.entry(*number).or_default().push((pattern, word)),
                    }
                }
            }
        }
        BinaryKey {
            gate: gate(asked),
            anywhere: Texts::of(anywhere),
            host: Texts::of(host),
            inside: inside.into_iter().map(|(number, texts)| (number, Texts::of(texts))).collect(),
        }
    }

    fn mask(&self, subject: &Subject<'_>) -> u64 {
        let context = subject.context;
        // What could not be read is no path, and so neither this one nor another: it passes no filter.
        if context.exe.is_empty() && context.flags.has(ContextFlags::EXE_UNKNOWN) {
            return !self.gate.used;
        }
        let mut words = self.anywhere.words(context.exe);
        if subject.recording.host_mnt_ns == Some(context.mnt_ns) {
            words.add(self.host.words(context.exe));
        }
        for (number, texts) in &self.inside {
            if *number == context.mnt_ns {
                words.add(texts.words(context.exe));
            }
        }
        self.gate.close(words)
    }

    /// What is asked in certain mount namespaces only.
    pub fn in_namespaces(&self) -> impl Iterator<Item = &Texts> {
        std::iter::once(&self.host).chain(self.inside.iter().map(|(_, texts)| texts))
    }

    /// Whether every path is asked for in any namespace.
    pub fn is_plain(&self) -> bool {
        self.host.is_empty() && self.inside.is_empty()
    }
}
