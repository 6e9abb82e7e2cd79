//! Parts of expressions that are a value of the row by themselves: what they are here, and what they are when it is missing.

use events::{ArgKind, Event};
use scopes::nearest;

use super::term::{Kind, Literal, Read, Term};
use super::times;
use crate::form::{ContainerFact, Field, ProcessFact, Who};

/// Processes of one ancestry that are looked at.
pub const MAX_ANCESTRY: u8 = 16;

/// A value of the row.
#[derive(Clone, PartialEq, Debug)]
pub struct Operand {
    pub field: Field,
    pub shape: Shape,
    pub missing: Missing,
}

/// What type its values have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shape {
    Text,
    Number,
    Bool,
    /// A list of texts.
    Texts,
    /// A number that has names: it is either.
    Mixed,
    /// Members that have to be named.
    Structure,
}

/// What a value is that the row does not have.
#[derive(Clone, PartialEq, Debug)]
pub enum Missing {
    /// `null`: so it is with data of events.
    Null,
    /// An empty text, zero, or false: so it is with members of messages.
    Default,
    /// An error where this is missing too, otherwise as above: what is looked up may not be there.
    Error(Field),
}

/// What names mean where an expression stands.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    pub event: &'static Event,
    /// Variables of macros that stand for a process.
    pub processes: Vec<(String, Who, Style)>,
    pub lists: &'a dyn Lists,
}

/// Lists of texts by name.
pub trait Lists: std::fmt::Debug {
    fn values(&self, name: &str) -> Option<&[String]>;
    fn names(&self) -> Vec<&str>;
    /// What tells them apart from lists of other files with the same names.
    fn owner(&self) -> &str;
}

/// How a process's members are called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// `process.get(id).exe`
    Stored,
    /// `workload.process.executable.path`
    Workload,
}

/// A list of processes: the first is so far up from the one of the event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ancestry {
    pub first: u8,
    pub count: u8,
    pub style: Style,
}

impl Ancestry {
    pub fn who(self, index: u8) -> Who {
        match self.first + index {
            0 => Who::Actor,
            n => Who::Ancestor(n),
        }
    }
}

/// What an object is that was looked up.
#[derive(Clone, PartialEq, Debug)]
enum Object {
    Process(Who, Style),
    Container,
    System,
    /// What DNS answered for a name.
    Answer(Field),
}

impl Scope<'_> {
    /// The value that a part is; `None` when it is something else. An error says why something named cannot be asked.
    pub fn operand(&self, term: &Term) -> Read<Option<Operand>> {
        if let Some(name) = data(term) {
            return Ok(Some(self.data(name, "")));
        }
        if let Some(operand) = times::part(term)? {
            return Ok(Some(operand));
        }
        let Some((root, members)) = path(term) else { return Ok(None) };
        if let Some(name) = data(root) {
            return Ok(Some(self.data(name, &members.join("."))));
        }
        let members: Vec<&str> = match &root.kind {
            // All of it can be written below `event`.
            Kind::Name(name) if name == "event" => members,
            Kind::Name(name) => std::iter::once(name.as_str()).chain(members).collect(),
            _ => return self.of_object(term, root, &members),
        };
        match members.as_slice() {
            ["workload", rest @ ..] => workload(term, rest).map(Some),
            ["timestamp"] => {
                Err(term.wrong("of the time a part is asked, as timestamp.getHours(), or it is compared with timestamp(\"...\")"))
            }
            [variable, rest @ ..] => match self.processes.iter().rev().find(|(name, ..)| name == variable) {
                Some((_, who, style)) => of_process(term, *who, *style, rest).map(Some),
                None => Ok(None),
            },
            [] => Ok(None),
        }
    }

    fn of_object(&self, term: &Term, root: &Term, members: &[&str]) -> Read<Option<Operand>> {
        let Some(object) = self.object(root)? else { return Ok(None) };
        match (object, members) {
            (_, []) => Ok(None),
            (Object::Process(who, style), members) => of_process(term, who, style, members).map(Some),
            (Object::Container, members) => of_container(term, members).map(Some),
            (Object::Answer(name), ["query"]) => {
                let missing = Missing::Error(Field::Resolved(Box::new(name.clone())));
                Ok(Some(Operand { field: name, shape: Shape::Text, missing }))
            }
            (Object::Answer(name), ["ips"]) => {
                let field = Field::Resolved(Box::new(name));
                Ok(Some(Operand {
                    field: field.clone(),
                    shape: Shape::Texts,
                    missing: Missing::Error(field),
                }))
            }
            (Object::Answer(_), [name, ..]) => {
                Err(term.wrong(format!("{name} of an answer of DNS cannot be asked: it has query and ips")))
            }
            (Object::System, ["hostname"]) => {
                Ok(Some(Operand { field: Field::Host, shape: Shape::Text, missing: Missing::Default }))
            }
            (Object::System, [name, ..]) => Err(term.wrong(format!(
                "system.info().{name} cannot be asked: of its host a capture is asked for the name only"
            ))),
        }
    }

    /// What a call looks up.
    fn object(&self, term: &Term) -> Read<Option<Object>> {
        if let Some([list, index]) = term.call("_[_]")
            && let Some(ancestry) = self.ancestry(list)?
        {
            return match index.literal() {
                Some(Literal::Int(index)) if (0..i64::from(ancestry.count)).contains(index) => {
                    Ok(Some(Object::Process(ancestry.who(*index as u8), ancestry.style)))
                }
                Some(Literal::Int(_)) => Err(index.wrong("so many processes are not in the list")),
                _ => Ok(None),
            };
        }
        let Some((store, name, args)) = store(term) else { return Ok(None) };
        match (store, name) {
            ("process", "get") => match args {
                [id] if is_own_process(id) => Ok(Some(Object::Process(Who::Actor, Style::Stored))),
                _ => {
                    Err(term.wrong("only the process of the event is looked up: workload.process.unique_id"))
                }
            },
            ("container", "get") => match args {
                [id] if is_path(id, &["workload", "container", "id"]) => Ok(Some(Object::Container)),
                _ => Err(term.wrong("only the container of the event is looked up: workload.container.id")),
            },
            ("dns", "getResponse") => {
                let [name] = args else { return Err(term.wrong("dns.getResponse takes a name")) };
                if let Some(text) = name.text() {
                    return Ok(Some(Object::Answer(Field::Constant(text.into()))));
                }
                match self.operand(name)? {
                    Some(operand) => Ok(Some(Object::Answer(operand.field))),
                    None => Err(name.wrong("a name is a text, or a value of the event")),
                }
            }
            ("system", "info") if args.is_empty() => Ok(Some(Object::System)),
            _ => Ok(None),
        }
    }

    /// The presence that a looked up object has: `None` where the part is none, or is always there.
    pub fn looked_up(&self, term: &Term) -> Read<Option<Option<Field>>> {
        // `container.get(..).pod` is an object of its own.
        if let Kind::Member(of, name) = &term.kind
            && name == "pod"
            && self.object(of)? == Some(Object::Container)
        {
            return Ok(Some(Some(Field::Container(ContainerFact::PodName))));
        }
        Ok(self.object(term)?.map(|object| match object {
            Object::Container => Some(Field::Container(ContainerFact::Id)),
            Object::Answer(name) => Some(Field::Resolved(Box::new(name))),
            Object::Process(Who::Actor, _) | Object::System => None,
            Object::Process(who, _) => Some(Field::Process(who, ProcessFact::Pid)),
        }))
    }

    /// A list of processes.
    pub fn ancestry(&self, term: &Term) -> Read<Option<Ancestry>> {
        if is_path(term, &["workload", "process", "ancestors"]) {
            return Ok(Some(Ancestry { first: 1, count: MAX_ANCESTRY, style: Style::Workload }));
        }
        let Some(("process", "getAncestry", args)) = store(term) else { return Ok(None) };
        let [id, depth] = args else {
            return Err(term.wrong("process.getAncestry takes an id and how many"));
        };
        if !is_own_process(id) {
            return Err(
                id.wrong("only the ancestry of the event's process is looked up: workload.process.unique_id")
            );
        }
        match depth.literal() {
            Some(Literal::Int(depth)) => {
                let count = (*depth).clamp(0, i64::from(MAX_ANCESTRY)) as u8;
                Ok(Some(Ancestry { first: 0, count, style: Style::Stored }))
            }
            _ => Err(depth.wrong("how many ancestors are looked at is a number")),
        }
    }

    /// Data of the event by name; with a path, a member of it.
    fn data(&self, name: &str, member: &str) -> Operand {
        if !member.is_empty() {
            let field = Field::arg(&format!("{name}.{member}"));
            return Operand { field, shape: Shape::Mixed, missing: Missing::Null };
        }
        let Some((_, arg)) = self.event.arg(name) else {
            let (field, shape) = match name {
                "returnValue" | "ret" | "retval" if self.event.is_syscall() => (Field::Ret, Shape::Number),
                // What no event has is null for all of them.
                name => (Field::arg(name), Shape::Mixed),
            };
            return Operand { field, shape, missing: Missing::Null };
        };
        let shape = match arg.kind {
            ArgKind::Bool => Shape::Bool,
            ArgKind::Fd => Shape::Number,
            ArgKind::Str | ArgKind::Text(_) | ArgKind::Bytes(_) => Shape::Text,
            ArgKind::StrArray | ArgKind::StrList(_) => Shape::Texts,
            kind if kind.is_number() && arg.names != events::consts::Names::None => Shape::Mixed,
            kind if kind.is_number() => Shape::Number,
            ArgKind::Any(_) => Shape::Mixed,
            _ => Shape::Structure,
        };
        Operand { field: Field::arg(name), shape, missing: Missing::Null }
    }
}

/// `getEventData("name")`, or `getEventData(event, "name")`.
pub fn data(term: &Term) -> Option<&str> {
    named(term, "getEventData")
}

/// `hasData("name")` likewise.
pub fn has_data(term: &Term) -> Option<&str> {
    named(term, "hasData")
}

fn named<'t>(term: &'t Term, function: &str) -> Option<&'t str> {
    match term.call(function)? {
        [name] => name.text(),
        [event, name] if event.kind == Kind::Name("event".into()) => name.text(),
        _ => None,
    }
}

/// `process.get(id)`: the store, the function, and what it is given.
pub fn store(term: &Term) -> Option<(&str, &str, &[Term])> {
    match &term.kind {
        Kind::Call { of: Some(of), name, args } => match &of.kind {
            Kind::Name(store) => Some((store, name, args)),
            _ => None,
        },
        _ => None,
    }
}

/// What members are taken of, and their names.
fn path(term: &Term) -> Option<(&Term, Vec<&str>)> {
    let mut members = Vec::new();
    let mut term = term;
    while let Kind::Member(of, name) = &term.kind {
        members.push(name.as_str());
        term = of;
    }
    members.reverse();
    let is_root = matches!(term.kind, Kind::Name(_) | Kind::Call { .. });
    (is_root && (!members.is_empty() || matches!(term.kind, Kind::Name(_)))).then_some((term, members))
}

fn is_path(term: &Term, expected: &[&str]) -> bool {
    let Some((root, members)) = path(term) else { return false };
    let Kind::Name(root) = &root.kind else { return false };
    let all = std::iter::once(root.as_str()).chain(members);
    all.skip_while(|name| *name == "event").eq(expected.iter().copied())
}

fn is_own_process(id: &Term) -> bool {
    is_path(id, &["workload", "process", "unique_id"])
}

/// Members of `workload`, as the type has them and as its documentation calls them.
const WORKLOAD: [(&str, Field, Shape); 22] = {
    const fn process(fact: ProcessFact) -> Field {
        Field::actor(fact)
    }
    [
        ("process.executable.path", process(ProcessFact::Exe), Shape::Text),
        ("process.exe", process(ProcessFact::Exe), Shape::Text),
        ("process.name", process(ProcessFact::Comm), Shape::Text),
        ("process.thread.name", process(ProcessFact::Comm), Shape::Text),
        ("process.pid", process(ProcessFact::NsPid), Shape::Number),
        ("process.host_pid", process(ProcessFact::Pid), Shape::Number),
        ("process.uid", process(ProcessFact::Uid), Shape::Number),
        ("process.real_user.id", process(ProcessFact::Uid), Shape::Number),
        ("process.gid", process(ProcessFact::Gid), Shape::Number),
        ("process.thread.syscall", Field::Call, Shape::Text),
        ("container.id", Field::Container(ContainerFact::Id), Shape::Text),
        ("container.name", Field::Container(ContainerFact::Name), Shape::Text),
        ("container.image", Field::Container(ContainerFact::Image), Shape::Text),
        ("container.image.name", Field::Container(ContainerFact::Image), Shape::Text),
        ("container.started", Field::Container(ContainerFact::Started), Shape::Bool),
        ("k8s.pod.name", Field::Container(ContainerFact::PodName), Shape::Text),
        ("k8s.pod.uid", Field::Container(ContainerFact::PodUid), Shape::Text),
        ("k8s.namespace.name", Field::Container(ContainerFact::PodNamespace), Shape::Text),
        ("kubernetes.pod_name", Field::Container(ContainerFact::PodName), Shape::Text),
        ("kubernetes.pod_uid", Field::Container(ContainerFact::PodUid), Shape::Text),
        ("kubernetes.pod_namespace", Field::Container(ContainerFact::PodNamespace), Shape::Text),
        ("kubernetes.namespace", Field::Container(ContainerFact::PodNamespace), Shape::Text),
    ]
};

/// Members that the type has and captures do not, and why.
const REFUSED: [(&str, &str); 8] = [
    ("process.unique_id", "it only names the process that process.get and process.getAncestry look up"),
    ("process.thread.start_time", "times are not compared"),
    ("process.thread.unique_id", "ids of threads are those of one run of Tracee"),
    ("process.thread.host_tid", "ids of threads are not asked"),
    ("process.thread.tid", "ids of threads are not asked"),
    ("process.thread.compat", "which calls were made by 32-bit programs is not asked"),
    ("process.thread.user_stack_trace", "stacks are not recorded"),
    ("process.ancestors", "it is a list: ask with exists, all or an index"),
];

fn workload(term: &Term, members: &[&str]) -> Read<Operand> {
    let name = members.join(".");
    if let ["process", "ancestors", ..] = members {
        return Err(term.wrong(format!(
            "workload.{name} cannot be asked: it is a list: ask with exists, all or an index"
        )));
    }
    if let Some((_, field, shape)) = WORKLOAD.iter().find(|(known, ..)| *known == name) {
        return Ok(Operand { field: field.clone(), shape: *shape, missing: Missing::Default });
    }
    let refused = REFUSED.iter().find(|(known, _)| name.starts_with(known)).map(|(_, why)| *why);
    let refused = refused.or_else(|| {
        let is_kept = ["container.image.", "k8s.pod.labels", "kubernetes.labels"];
        is_kept.iter().any(|known| name.starts_with(known)).then_some("captures do not hold it")
    });
    Err(match refused {
        Some(why) => term.wrong(format!("workload.{name} cannot be asked: {why}")),
        None => {
            let close = nearest(&name, WORKLOAD.iter().map(|(known, ..)| *known));
            let close = close.map(|close| format!("; did you mean workload.{close}?")).unwrap_or_default();
            term.wrong(format!("there is no workload.{name}{close}"))
        }
    })
}

fn of_process(term: &Term, who: Who, style: Style, members: &[&str]) -> Read<Operand> {
    let name = members.join(".");
    let next = match who {
        Who::Actor => Who::PARENT,
        Who::Ancestor(n) => Who::Ancestor(n.saturating_add(1)),
        who @ (Who::AnyAncestor | Who::Leader(_) | Who::ParentsLeader(_)) => who,
    };
    let (who_of, fact, shape) = match (style, name.as_str()) {
        (_, "name") | (Style::Workload, "thread.name") => (who, ProcessFact::Comm, Shape::Text),
        (Style::Stored, "exe") | (Style::Workload, "executable.path") => (who, ProcessFact::Exe, Shape::Text),
        (_, "pid") => (who, ProcessFact::NsPid, Shape::Number),
        (Style::Workload, "host_pid") => (who, ProcessFact::Pid, Shape::Number),
        (Style::Stored, "ppid") => (next, ProcessFact::NsPid, Shape::Number),
        (Style::Stored, "uid") | (Style::Workload, "real_user.id") => (who, ProcessFact::Uid, Shape::Number),
        (Style::Stored, "gid") => (who, ProcessFact::Gid, Shape::Number),
        (_, "entity_id" | "unique_id") => {
            return Err(
                term.wrong(format!("{name} cannot be asked: it only names a process that is looked up"))
            );
        }
        (_, "start_time") => return Err(term.wrong("start_time cannot be asked: times are not compared")),
        _ => {
            let known = ["name", "exe", "pid", "ppid", "uid", "gid"];
            return Err(term.wrong(format!("a process has no {name}; it has {}", known.join(", "))));
        }
    };
    let missing = match who {
        Who::Actor => Missing::Default,
        who => Missing::Error(Field::Process(who, ProcessFact::Pid)),
    };
    Ok(Operand { field: Field::Process(who_of, fact), shape, missing })
}

fn of_container(term: &Term, members: &[&str]) -> Read<Operand> {
    let name = members.join(".");
    let (fact, presence) = match name.as_str() {
        "id" => (ContainerFact::Id, ContainerFact::Id),
        "name" => (ContainerFact::Name, ContainerFact::Id),
        "image" => (ContainerFact::Image, ContainerFact::Id),
        "runtime" => (ContainerFact::Runtime, ContainerFact::Id),
        "pod.name" => (ContainerFact::PodName, ContainerFact::PodName),
        "pod.uid" => (ContainerFact::PodUid, ContainerFact::PodName),
        "pod.namespace" => (ContainerFact::PodNamespace, ContainerFact::PodName),
        "image_digest" | "start_time" | "pod.sandbox" => {
            return Err(term.wrong(format!("{name} of a container cannot be asked: captures do not hold it")));
        }
        _ => {
            return Err(term.wrong(format!(
                "a container has no {name}; it has id, name, image, runtime, pod.name, pod.uid, pod.namespace"
            )));
        }
    };
    let missing = Missing::Error(Field::Container(presence));
    Ok(Operand { field: Field::Container(fact), shape: Shape::Text, missing })
}
