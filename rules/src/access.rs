//! Where an event keeps what a field means.
//!
//! ```text
//! field of an event -> Access -> `row`: of a row by itself   -> `values`: of an argument, `texts`: of a text
//!                             -> of what is known of processes, which the judge has
//! ```

mod row;
mod texts;
mod values;

use events::Event;
use format::facts::FactSet;

use crate::account::AccountPart;
use crate::class::Class;
use crate::facts::credentials;
use crate::form::{
    Computed, ContainerFact, DescriptorFact, Execution, Field, FileFact, Kin, ProcessFact, SocketEnd,
    SocketFact, UriPart, Who,
};
use crate::login::LoginPart;
pub use row::{OfRow, context_value, each_computed, each_own_value};
pub use texts::{path_part, variable};
pub use values::each_value;

/// How the values of a field are had of a row of an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// The same for all rows.
    Fixed(Box<str>),
    /// Of an argument.
    Argument {
        position: usize,
        part: Part,
    },
    Ret,
    Outcome,
    Time,
    /// Of the context: the same for all rows that share it.
    Context(ContextPart),
    /// Of what is known of processes at that moment.
    Process(Who, ProcessFact),
    /// A variable of the process's environment, as its last exec got it.
    Variable(Box<str>),
    /// The names that DNS gave for an address, and the addresses for a name.
    HostName(Box<Access>),
    Resolved(Box<Access>),
    /// Of the first of these that has a value.
    First(Vec<Access>),
    /// Of each of these.
    Each(Vec<Access>),
    /// Made of these, each where the event has it.
    Computed(Computed, Vec<Option<Access>>),
    /// Of what processes executed before.
    Executed(Kin, Execution),
}

impl Access {
    /// The kinds of facts whose changes have to be followed.
    pub fn facts(&self) -> FactSet {
        match self {
            Access::Process(who, fact) => fact.kind().into_iter().chain(who.facts().iter()).collect(),
            Access::HostName(of) | Access::Resolved(of) => of.facts(),
            Access::First(all) | Access::Each(all) => all.iter().flat_map(|it| it.facts().iter()).collect(),
            Access::Computed(_, all) => all.iter().flatten().flat_map(|it| it.facts().iter()).collect(),
            Access::Executed(_, execution) => execution.facts(),
            _ => FactSet::NONE,
        }
    }

    /// Adds the executions that it asks for to a list.
    pub fn add_executions(&self, list: &mut Vec<Execution>) {
        match self {
            Access::HostName(of) | Access::Resolved(of) => of.add_executions(list),
            Access::First(all) | Access::Each(all) => all.iter().for_each(|it| it.add_executions(list)),
            Access::Computed(_, all) => all.iter().flatten().for_each(|it| it.add_executions(list)),
            Access::Executed(_, execution) => execution.add_to(list),
            _ => {}
        }
    }

    /// Whether names of addresses have to be known.
    pub fn asks_host_names(&self) -> bool {
        match self {
            Access::HostName(_) | Access::Resolved(_) => true,
            Access::First(all) | Access::Each(all) => all.iter().any(Access::asks_host_names),
            Access::Computed(_, all) => all.iter().flatten().any(Access::asks_host_names),
            _ => false,
        }
    }
}

/// What of an argument.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// All of it: a number with its name, a text, each of a list.
    Whole,
    /// Texts of a list, joined by one blank.
    Joined,
    At(u16),
    Count,
    /// The last part of a path, what stands before it, and what follows the name's last dot.
    Name,
    Directory,
    Extension,
    /// In hexadecimal, as audit writes registers.
    Hexadecimal,
    Address,
    Port,
    /// A member, by its path.
    Member(Box<str>),
    /// The value behind `NAME=` in a list of texts.
    Variable(Box<str>),
    /// The value behind `NAME=` in a text.
    Assigned(Box<str>),
    /// Of a login that a text tells of.
    Login(LoginPart),
    /// Of a change of users or groups that a text tells of.
    Account(AccountPart),
    Uri(UriPart),
    /// Of a descriptor.
    Descriptor(DescriptorFact),
    /// An end of the socket that a descriptor stands for.
    End {
        is_local: bool,
        fact: SocketFact,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ContextPart {
    Exe,
    ExeName,
    Comm,
    Uid,
    Gid,
    /// What credentials tell.
    Credentials(ProcessFact),
    UserName,
    Pid,
    NsPid,
    Entity,
    ParentPid,
    ParentEntity,
    Container(ContainerFact),
    Host,
}

/// Arguments that hold the path that an event is about, the best first.
const PATHS: &[&str] =
    &["new_path", "newpath", "linkpath", "pathname", "file_path", "path", "filename", "file_name", "fd"];
const OLD_PATHS: &[&str] = &["old_path", "oldpath"];
const PASSED: &[&str] = &["syscall_pathname", "newpath", "linkpath", "pathname", "path", "filename"];

/// `None`: the event does not have it.
pub fn access(event: &'static Event, class: &Class, field: &Field) -> Option<Access> {
    let argument = |name: &str, part: Part| Some(Access::Argument { position: event.arg(name)?.0, part });
    let first = |names: &[&str], part: Part| names.iter().find_map(|name| argument(name, part.clone()));
    match field {
        Field::Event => Some(Access::Fixed(event.name.into())),
        Field::Call if event.is_syscall() => Some(Access::Fixed(event.name.into())),
        Field::Call => event.caller().map(|position| Access::Argument { position, part: Part::Whole }),
        Field::Arg(name) if name.as_ref() == "audit.nametype" => {
            let removes = matches!(event.name, "security_inode_unlink" | "rmdir");
            let makes = ["mkdir", "mknod", "link", "symlink"].iter().any(|word| event.name.contains(word))
                && !event.name.contains("unlink");
            Some(Access::Fixed(
                if removes {
                    "DELETE"
                } else if makes {
                    "CREATE"
                } else {
                    "NORMAL"
                }
                .into(),
            ))
        }
        Field::Arg(name) => match name.split_once('.') {
            None => argument(name, Part::Whole),
            Some((name, member)) => argument(name, Part::Member(member.into())),
        },
        Field::Register(n) => {
            let is_call = event.is_syscall() && event.args.get(usize::from(*n))?.kind.is_number();
            is_call.then_some(Access::Argument { position: usize::from(*n), part: Part::Hexadecimal })
        }
        Field::Ret => Some(Access::Ret),
        Field::Outcome => Some(Access::Outcome),
        Field::Time => Some(Access::Time),
        Field::Process(Who::Actor, fact) => actor(event, *fact),
        Field::Process(Who::Ancestor(1), ProcessFact::Pid) => Some(Access::Context(ContextPart::ParentPid)),
        Field::Process(Who::Ancestor(1), ProcessFact::Entity) => {
            Some(Access::Context(ContextPart::ParentEntity))
        }
        Field::Process(who, fact) => Some(Access::Process(*who, *fact)),
        Field::File(fact) => match fact {
            FileFact::Path => first(PATHS, Part::Whole),
            FileFact::Name => first(PATHS, Part::Name),
            FileFact::Directory => first(PATHS, Part::Directory),
            FileFact::Extension => first(PATHS, Part::Extension),
            FileFact::OldPath => first(OLD_PATHS, Part::Whole),
            FileFact::OldName => first(OLD_PATHS, Part::Name),
            FileFact::Passed => first(PASSED, Part::Whole),
        },
        Field::Socket(end, fact) => socket(event, class, *end, *fact),
        Field::Descriptor(fact) => {
            Some(Access::Argument { position: descriptor(event)?, part: Part::Descriptor(*fact) })
        }
        Field::Variable(name) if event.name == "sched_process_exec" => {
            argument("env", Part::Variable(name.clone()))
        }
        Field::Variable(name) => Some(Access::Variable(name.clone())),
        Field::Container(fact) => Some(Access::Context(ContextPart::Container(*fact))),
        Field::Host => Some(Access::Context(ContextPart::Host)),
        Field::AnyText => {
            let texts = ["text", "http_request", "dns_questions", "dns_response"];
            argument("argv", Part::Joined).or_else(|| first(&texts, Part::Whole))
        }
        Field::Constant(text) => Some(Access::Fixed(text.clone())),
        Field::Assigned(name) => argument("text", Part::Assigned(name.clone())),
        Field::Login(part) => argument("text", Part::Login(*part)),
        Field::Account(part) => argument("text", Part::Account(*part)),
        Field::Uri(part) => argument("http_request", Part::Uri(*part)),
        Field::Header(name) => {
            let header =
                |name: &str| argument("http_request", Part::Member(format!("headers.{name}").into()));
            // In the letters of HTTP/1, or in those of libraries that write them small.
            Some(Access::First(vec![header(name)?, header(&name.to_ascii_lowercase())?]))
        }
        Field::Computed(computed) => {
            let inputs = computed.inputs().iter().map(|input| access(event, class, input));
            Some(Access::Computed(computed.clone(), inputs.collect()))
        }
        Field::Resolved(name) => Some(Access::Resolved(Box::new(access(event, class, name)?))),
        Field::Executed(kin, execution) => Some(Access::Executed(*kin, execution.clone())),
    }
}

fn actor(event: &'static Event, fact: ProcessFact) -> Option<Access> {
    if event.name == "sched_process_exec" {
        // The process as it is after it.
        let argument = |name: &str, part: Part| Some(Access::Argument { position: event.arg(name)?.0, part });
        match fact {
            ProcessFact::Exe => return argument("pathname", Part::Whole),
            ProcessFact::Name => return argument("pathname", Part::Name),
            ProcessFact::CommandLine => return argument("argv", Part::Joined),
            ProcessFact::Args => return argument("argv", Part::Whole),
            ProcessFact::ArgAt(n) => return argument("argv", Part::At(n)),
            ProcessFact::ArgCount => return argument("argv", Part::Count),
            ProcessFact::Env => return argument("env", Part::Whole),
            _ => {}
        }
    }
    Some(Access::Context(match fact {
        ProcessFact::Exe => ContextPart::Exe,
        ProcessFact::Name => ContextPart::ExeName,
        ProcessFact::Comm => ContextPart::Comm,
        ProcessFact::Uid => ContextPart::Uid,
        ProcessFact::Gid => ContextPart::Gid,
        ProcessFact::UserName => ContextPart::UserName,
        ProcessFact::Pid => ContextPart::Pid,
        ProcessFact::NsPid => ContextPart::NsPid,
        ProcessFact::Entity => ContextPart::Entity,
        fact if credentials::tell(fact) => ContextPart::Credentials(fact),
        fact => return Some(Access::Process(Who::Actor, fact)),
    }))
}

/// Arguments that are the descriptor that a call is about, the best first.
const DESCRIPTORS: &[&str] = &["sockfd", "fd", "oldfd", "out_fd", "epfd"];

/// The descriptor that an event is about.
fn descriptor(event: &'static Event) -> Option<usize> {
    DESCRIPTORS.iter().find_map(|name| event.arg(name)).map(|(position, _)| position)
}

fn socket(event: &'static Event, class: &Class, end: SocketEnd, fact: SocketFact) -> Option<Access> {
    let is_accept = *class == Class::Accept || matches!(event.name, "accept" | "accept4");
    match fact {
        SocketFact::Initiated => return Some(Access::Fixed(if is_accept { "false" } else { "true" }.into())),
        SocketFact::Protocol => {
            let argument = |position, part| Access::Argument { position, part };
            return match event.arg("protocol").filter(|_| !event.is_syscall()) {
                Some((position, _)) => Some(argument(position, Part::Whole)),
                None => {
                    descriptor(event).map(|position| argument(position, Part::End { is_local: true, fact }))
                }
            };
        }
        SocketFact::HostName => {
            let address = socket(event, class, end, SocketFact::Address)?;
            return Some(Access::HostName(Box::new(address)));
        }
        SocketFact::Address | SocketFact::Port => {}
    }
    let is_local = match end {
        SocketEnd::Local => true,
        SocketEnd::Remote => false,
        SocketEnd::Source | SocketEnd::Client => !is_accept,
        SocketEnd::Destination | SocketEnd::Server => is_accept,
        SocketEnd::Either => {
            let ends = [SocketEnd::Remote, SocketEnd::Local];
            let ends = ends.into_iter().filter_map(|end| socket(event, class, end, fact));
            return Some(Access::Each(ends.collect())).filter(|it| *it != Access::Each(Vec::new()));
        }
    };
    let names: &[&str] =
        if is_local { &["local_addr"] } else { &["remote_addr", "addr", "dest_addr", "dst"] };
    let part = if fact == SocketFact::Address { Part::Address } else { Part::Port };
    let given = names.iter().find_map(|name| event.arg(name));
    let given = given.map(|(position, _)| Access::Argument { position, part });
    let known =
        descriptor(event).map(|position| Access::Argument { position, part: Part::End { is_local, fact } });
    match (given, known) {
        (Some(given), Some(known)) if event.is_syscall() => Some(Access::First(vec![given, known])),
        (given, known) => given.or(known),
    }
}
