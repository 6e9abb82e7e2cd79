//! Where the rule of a line holds, of each kind of happening that it may be about.

use std::collections::BTreeSet;

use events::catalogue;

use super::written::{
    Action, Check, Comparison as Compared, Field as Named, Op, Path, Perms, Value, Written,
};
use crate::class::Class;
use crate::form::{Atom, Case, Comparison, Expr, Field, FieldShape, FileFact, Pattern, ProcessFact, Test};

/// Calls that read, write and change what their paths lead to, beside those that a class has.
const READING: [&str; 6] = ["readlink", "readlinkat", "getxattr", "lgetxattr", "listxattr", "llistxattr"];
const WRITING: [&str; 10] =
    ["mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "truncate", "swapon", "swapoff", "acct"];
const CHANGING: [&str; 3] = ["removexattr", "lremovexattr", "fremovexattr"];
const OPENING: [&str; 3] = ["open", "openat", "openat2"];
const EXECUTING: [&str; 2] = ["execve", "execveat"];
/// An open for writing, or for reading and writing.
const FOR_WRITING: u64 = 3;
const WRITE_ONLY: u64 = 1;

/// A line's rule, ready to be asked of kinds of happenings.
#[derive(Debug)]
pub struct Lowered<'w> {
    pub written: &'w Written,
}

impl<'w> Lowered<'w> {
    pub fn new(written: &'w Written) -> Lowered<'w> {
        Lowered { written }
    }

    /// The kinds of happenings that it may be about.
    pub fn classes(&self) -> Vec<Class> {
        let written = self.written;
        if written.path.is_some() || written.perms.is_some() && written.calls.is_empty() {
            let perms = written.perms.unwrap_or(Perms::ALL);
            let mut classes = Vec::new();
            if perms.read || perms.write {
                classes.push(Class::Open);
                classes.push(Class::calls(OPENING));
            }
            if perms.write {
                classes.extend([Class::Remove, Class::Rename, Class::events(["security_inode_symlink"])]);
                classes.push(Class::calls(WRITING));
            }
            if perms.read {
                classes.push(Class::calls(READING));
            }
            if perms.attributes {
                classes.extend([Class::Attributes, Class::calls(CHANGING)]);
            }
            if perms.execute {
                classes.push(Class::Exec);
            }
            return classes;
        }
        let all =
            || catalogue::events().filter(|event| event.is_syscall()).map(|event| event.name.to_owned());
        let calls: BTreeSet<String> = match written.calls.is_empty() {
            true => all().collect(),
            false => written.calls.iter().cloned().collect(),
        };
        let mut classes = Vec::new();
        // An execution is asked of what it came to.
        if EXECUTING.iter().any(|name| calls.contains(*name)) && !self.asks_arguments() {
            classes.extend([Class::Exec, Class::ExecFailed]);
        }
        let is_other = |name: &String| self.asks_arguments() || !EXECUTING.contains(&name.as_str());
        let others: BTreeSet<String> = calls.into_iter().filter(is_other).collect();
        match self.asks_arguments() {
            true => classes.extend(single(Class::Calls(others))),
            false if others.is_empty() => {}
            false => classes.push(Class::Calls(others)),
        }
        classes
    }

    /// Whether it asks for a register.
    pub fn asks_arguments(&self) -> bool {
        self.written.checks.iter().any(|check| matches!(check.field, Named::Argument(_)))
    }

    pub fn notes(&self) -> Vec<String> {
        let is_relative = self.written.path.is_some();
        let note = "of calls that no hook stands beside, paths are compared as they were passed";
        is_relative.then(|| note.to_owned()).into_iter().collect()
    }

    /// Whether a row can be one of both.
    pub fn may_meet(&self, other: &Lowered<'_>) -> bool {
        let calls = (&self.written.calls, &other.written.calls);
        let is_any = calls.0.is_empty() || calls.1.is_empty();
        if !is_any && !calls.0.iter().any(|name| calls.1.contains(name)) {
            return false;
        }
        let (Some(own), Some(theirs)) = (&self.written.path, &other.written.path) else { return true };
        let within = |path: &Path, of: &Path| match of {
            Path::File(of) => path.text() == of,
            Path::Below(of) | Path::Watch(of) => is_below(path.text(), of),
        };
        within(own, theirs) || within(theirs, own)
    }

    /// Where it holds for a kind of happening; `None` where it never does.
    pub fn expr(&self, class: &Class) -> Option<Expr> {
        let written = self.written;
        let mut all = Vec::new();
        if written.path.is_some() || written.perms.is_some() {
            all.push(self.done(class)?);
        }
        if let Some(path) = &written.path {
            all.push(self.path(class, path));
        }
        all.push(self.called(class)?);
        for check in &written.checks {
            all.push(check.expr(class));
        }
        for Compared { one, other, is_equal, text } in &written.comparisons {
            // Audit knows both: where a capture does not, nothing is said of them.
            let exists = |fact: &ProcessFact| atom(Field::actor(*fact), Test::Exists, text);
            let same = Test::SameAs(Field::actor(*other), Case::Exact, FieldShape::Equals);
            let same = atom(Field::actor(*one), same, text);
            all.extend([exists(one), exists(other)]);
            all.push(if *is_equal { same } else { same.negated() });
        }
        Some(Expr::all(all)).filter(|expr| *expr != Expr::Const(false))
    }

    /// Whether a kind of happening is one of what is done with a file.
    fn done(&self, class: &Class) -> Option<Expr> {
        let perms = self.written.perms.unwrap_or(Perms::ALL);
        let flags = |bits| atom(Field::arg("flags"), Test::AnyBit(bits), "perm");
        let opened = || match (perms.read, perms.write) {
            (true, true) => Some(Expr::Const(true)),
            (true, false) => Some(flags(WRITE_ONLY).negated()),
            (false, true) => Some(flags(FOR_WRITING)),
            (false, false) => None,
        };
        let among = |names: &[&str]| match class {
            Class::Calls(calls) => calls.iter().all(|name| names.contains(&name.as_str())),
            _ => false,
        };
        match class {
            Class::Open => opened(),
            // Those that were not allowed; those that succeeded are there with their whole path.
            _ if among(&OPENING) => {
                let denied = [Pattern::Equals(b"-13".to_vec()), Pattern::Equals(b"-1".to_vec())];
                let denied = atom(Field::Ret, Test::Fits(Case::Exact, denied.to_vec()), "perm");
                Some(Expr::all([denied, opened()?]))
            }
            Class::Remove | Class::Rename | Class::Events(_) => perms.write.then_some(Expr::Const(true)),
            Class::Attributes => perms.attributes.then_some(Expr::Const(true)),
            Class::Exec | Class::ExecFailed => perms.execute.then_some(Expr::Const(true)),
            _ if among(&WRITING) => perms.write.then_some(Expr::Const(true)),
            _ if among(&READING) => perms.read.then_some(Expr::Const(true)),
            _ if among(&CHANGING) => perms.attributes.then_some(Expr::Const(true)),
            _ => None,
        }
    }

    fn path(&self, class: &Class, path: &Path) -> Expr {
        let text = path.text().as_bytes().to_vec();
        let patterns = match path {
            Path::File(_) => vec![Pattern::Equals(text)],
            Path::Below(at) | Path::Watch(at) if at == "/" => vec![Pattern::Prefix(text)],
            Path::Below(_) | Path::Watch(_) => {
                vec![Pattern::Prefix([&*text, b"/"].concat()), Pattern::Equals(text)]
            }
        };
        let written = match path {
            Path::File(path) => format!("path={path}"),
            Path::Below(path) => format!("dir={path}"),
            Path::Watch(path) => format!("-w {path}"),
        };
        let fields: &[Field] = match class {
            // A script's own path, and what it is run by.
            Class::Exec | Class::ExecFailed => {
                &[Field::File(FileFact::Path), Field::arg("cmdpath"), Field::arg("interp")]
            }
            _ => &[Field::File(FileFact::Path), Field::File(FileFact::OldPath)],
        };
        let test = Test::Fits(Case::Exact, patterns);
        let any = fields.iter().map(|field| atom(field.clone(), test.clone(), &written));
        Expr::any(any.collect::<Vec<_>>())
    }

    /// Whether the row is of one of its calls.
    fn called(&self, class: &Class) -> Option<Expr> {
        let calls = &self.written.calls;
        if calls.is_empty() {
            return Some(Expr::Const(true));
        }
        let has = |name: &str| calls.iter().any(|call| call == name);
        match class {
            Class::Exec | Class::ExecFailed => {
                EXECUTING.iter().any(|name| has(name)).then_some(Expr::Const(true))
            }
            Class::Calls(names) if names.iter().all(|name| has(name)) => Some(Expr::Const(true)),
            Class::Calls(names) if !names.iter().any(|name| has(name)) => None,
            _ => {
                let names = calls.iter().map(|name| Pattern::Equals(name.clone().into_bytes()));
                Some(atom(Field::Call, Test::Fits(Case::Exact, names.collect()), "-S"))
            }
        }
    }
}

/// Each call of a class by itself: what a register is called differs from call to call.
pub fn single(class: Class) -> Vec<Class> {
    match class {
        Class::Calls(calls) => calls.iter().map(|call| Class::calls([call.as_str()])).collect(),
        class => vec![class],
    }
}

/// Where the first of the lines that holds is no `never`. A list is halved rather than walked, so that the tree is no deeper than
/// lists of thousands of lines allow.
pub fn taken(lines: &[Lowered<'_>], class: &Class) -> Expr {
    let any = |lines: &[Lowered<'_>], action: Action| {
        let of_action = lines.iter().filter(|line| line.written.action == action);
        Expr::any(of_action.filter_map(|line| line.expr(class)).collect::<Vec<_>>())
    };
    let has = |action| lines.iter().any(|line| line.written.action == action);
    match (has(Action::Always), has(Action::Never)) {
        (false, _) => Expr::Const(false),
        (true, false) => any(lines, Action::Always),
        (true, true) => {
            let (first, rest) = lines.split_at(lines.len() / 2);
            let behind = Expr::all([any(first, Action::Never).negated(), taken(rest, class)]);
            Expr::any([taken(first, class), behind])
        }
    }
}

fn is_below(path: &str, of: &str) -> bool {
    of == "/" || path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn atom(field: Field, test: Test, written: &str) -> Expr {
    Expr::Atom(Atom { field, test, written: written.into() })
}

impl Check {
    fn expr(&self, class: &Class) -> Expr {
        let compared = self.compared(class);
        // Audit knows every login: where a capture does not, nothing is said of it.
        match self.field {
            Named::LoginUid => {
                Expr::all([atom(Field::actor(ProcessFact::LoginUid), Test::Exists, &self.text), compared])
            }
            Named::LoginSession => {
                Expr::all([atom(Field::actor(ProcessFact::AuditSession), Test::Exists, &self.text), compared])
            }
            _ => compared,
        }
    }

    fn compared(&self, class: &Class) -> Expr {
        let field = match self.field {
            Named::Pid => Field::actor(ProcessFact::Pid),
            Named::ParentPid => Field::parent(ProcessFact::Pid),
            Named::Uid if matches!(self.value, Value::Text(_)) => Field::actor(ProcessFact::UserName),
            Named::Uid => Field::actor(ProcessFact::Uid),
            Named::Gid => Field::actor(ProcessFact::Gid),
            Named::Credentials(fact) => Field::actor(fact),
            Named::LoginUid if matches!(self.value, Value::Text(_)) => Field::actor(ProcessFact::LoginName),
            Named::LoginUid => Field::actor(ProcessFact::LoginUid),
            Named::LoginSession => Field::actor(ProcessFact::AuditSession),
            Named::Exe => Field::actor(ProcessFact::Exe),
            Named::Exit => Field::Ret,
            Named::Success => {
                let failed = atom(Field::Ret, Test::Number(Comparison::Less, 0.0), &self.text);
                let failed = if *class == Class::ExecFailed { Expr::Const(true) } else { failed };
                let is_success = (self.value == Value::Number(1)) == (self.op == Op::Equal);
                return if is_success { failed.negated() } else { failed };
            }
            Named::Argument(n) => match argument(class, n) {
                Some(field) => field,
                None => return Expr::Const(false),
            },
        };
        let atom = |test| atom(field.clone(), test, &self.text);
        let number = match &self.value {
            Value::Text(text) => {
                let equal = atom(Test::Fits(Case::Exact, vec![Pattern::Equals(text.clone().into_bytes())]));
                return if self.op == Op::NotEqual { equal.negated() } else { equal };
            }
            Value::Number(number) => *number,
        };
        let compared = |comparison| atom(Test::Number(comparison, number as f64));
        match self.op {
            Op::Equal | Op::NotEqual => {
                let digits = Pattern::Equals(number.to_string().into_bytes());
                let equal = atom(Test::Fits(Case::Exact, vec![digits]));
                if self.op == Op::NotEqual { equal.negated() } else { equal }
            }
            Op::Less => compared(Comparison::Less),
            Op::LessOrEqual => compared(Comparison::LessOrEqual),
            Op::Greater => compared(Comparison::Greater),
            Op::GreaterOrEqual => compared(Comparison::GreaterOrEqual),
            Op::AnyBit => atom(Test::AnyBit(number as u64)),
            Op::AllBits => {
                let bits = (0..64).map(|bit| 1u64 << bit).filter(|bit| number as u64 & bit != 0);
                Expr::all(bits.map(|bit| atom(Test::AnyBit(bit))).collect::<Vec<_>>())
            }
        }
    }
}

/// The n-th argument of the one call of a class, where it is a number.
fn argument(class: &Class, n: u8) -> Option<Field> {
    let Class::Calls(names) = class else { return None };
    let name = names.first().filter(|_| names.len() == 1)?;
    let arg = catalogue::by_name(name)?.args.get(usize::from(n))?;
    let is_number = arg.kind.is_number() || arg.kind == events::ArgKind::Fd;
    is_number.then(|| Field::arg(arg.name))
}
