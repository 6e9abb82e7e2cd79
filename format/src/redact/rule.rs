//! Rules: what of a capture is to be hashed or left out.

use std::fmt;

use events::Event;

use crate::{Error, Result, Schema};

/// What kind of value a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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
}

impl Subject {
    pub const ALL: [Subject; 10] = [
        Subject::Any,
        Subject::Argv,
        Subject::Env,
        Subject::Paths,
        Subject::Addresses,
        Subject::Hosts,
        Subject::Comm,
        Subject::Data,
        Subject::Users,
        Subject::Containers,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Subject::Any => "any",
            Subject::Argv => "argv",
            Subject::Env => "env",
            Subject::Paths => "paths",
            Subject::Addresses => "addresses",
            Subject::Hosts => "hosts",
            Subject::Comm => "comm",
            Subject::Data => "data",
            Subject::Users => "users",
            Subject::Containers => "containers",
        }
    }
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    Drop,
    Hash,
}

/// A text with wildcards, as filters read it. Values come in small letters.
pub trait Glob: fmt::Debug + Send + Sync {
    /// Whether the whole value fits.
    fn fits(&self, value: &[u8]) -> bool;
    /// Whether any stretch of the value fits.
    fn is_inside(&self, value: &[u8]) -> bool;
}

/// Reads a glob; the text is in small letters.
pub type ReadGlob<'a> = &'a dyn Fn(&str) -> Box<dyn Glob>;

/// What a rule is about.
#[derive(Debug)]
pub(super) enum What {
    Subject(Subject),
    /// One argument, such as `openat.pathname`.
    Argument {
        event: Box<dyn Glob>,
        name: Box<dyn Glob>,
    },
}

/// A rule: values of a kind, and when a glob is given, only those that it fits.
#[derive(Debug)]
pub struct Rule {
    pub(super) what: What,
    pub(super) treatment: Treatment,
    pub(super) glob: Option<Box<dyn Glob>>,
    /// As the user gave it.
    pub text: String,
}

impl Rule {
    /// Reads `WHAT` or `WHAT=GLOB`, as in `paths=/home/*`.
    pub fn parse(text: &str, treatment: Treatment, glob: ReadGlob<'_>) -> Result<Rule> {
        let (what, value) = match text.split_once('=') {
            Some((what, value)) => (what, Some(value)),
            None => (text, None),
        };
        let refused = |what: String| Error::Key { what };
        let subject = Subject::ALL.into_iter().find(|subject| subject.name() == what);
        let read = |text: &str| glob(&text.to_lowercase());
        let what = match (subject, what.split_once('.')) {
            (Some(subject), _) => What::Subject(subject),
            (None, Some((event, name))) => What::Argument { event: read(event), name: read(name) },
            (None, None) => {
                let known = Subject::ALL.map(Subject::name).join(", ");
                return Err(refused(format!("`{what}` cannot be redacted: {known} and EVENT.ARGUMENT can")));
            }
        };
        if value == Some("") {
            return Err(refused(format!("`{text}` names no value after its =")));
        }
        Ok(Rule { what, treatment, glob: value.map(read), text: text.to_owned() })
    }

    /// Whether the rule is about one argument, by its name.
    pub(super) fn names(&self, event: &str, name: &str) -> bool {
        match &self.what {
            What::Argument { event: of, name: called } => {
                of.fits(event.to_lowercase().as_bytes()) && called.fits(name.to_lowercase().as_bytes())
            }
            What::Subject(_) => false,
        }
    }

    /// Refuses a rule for an argument that no event of the capture has.
    pub(super) fn check(&self, schema: &Schema) -> Result<()> {
        let What::Argument { .. } = &self.what else { return Ok(()) };
        let has = |event: &Event| event.args.iter().any(|arg| self.names(event.name, arg.name));
        match schema.events().any(has) {
            true => Ok(()),
            false => Err(Error::Key {
                what: format!(
                    "`{}`: no event of this capture has such an argument (tracer events lists them)",
                    self.text
                ),
            }),
        }
    }
}
