//! The functions that Tracee gives to expressions, beside those that CEL has.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelInt, CelList, CelString, LIST_TYPE, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError, add_overload};
use events::{EventId, catalogue};

/// Regular expressions that are kept compiled, by each thread.
const MAX_REGEXES: usize = 64;
const MAX_REGEX_BYTES: usize = 1 << 20;

/// What expressions are evaluated in.
pub fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::default().with_optional_support(false).with_stdlib();
        // Names that are taken would be taken in every build: the tests call each of them.
        let _ = declare(&mut env);
        Arc::new(env)
    });
    Arc::clone(&ENVIRONMENT)
}

/// What reads them, with macros.
pub fn macros() -> Env {
    Env::stdlib().with_optional_support(false)
}

#[expect(elided_lifetimes_in_paths, reason = "the macro gives the types lifetimes of its own")]
fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    add_overload!(env, fn split: (CelString, CelString) -> CelList)?;
    env.add_overload("join", "join(list,string)", vec![LIST_TYPE, STRING_TYPE], join)?;
    add_overload!(env, fn trim: (CelString) -> CelString)?;
    add_overload!(env, fn replace: (CelString, CelString, CelString) -> CelString)?;
    add_overload!(env, fn upper: (CelString) -> CelString)?;
    add_overload!(env, fn lower: (CelString) -> CelString)?;
    add_overload!(env, fn basename: (CelString) -> CelString)?;
    add_overload!(env, fn dirname: (CelString) -> CelString)?;
    add_overload!(env, fn call_name: (CelInt) -> CelString, name = "syscall.getName")?;
    add_overload!(env, fn call_id: (CelString) -> CelInt, name = "syscall.getId")?;
    env.add_member_overload("matches", "string.matches(string)", STRING_TYPE, vec![STRING_TYPE], matches)
}

fn split(text: &CelString<'_>, separator: &CelString<'_>) -> CelList<'static> {
    let text = text.inner();
    let parts: Vec<String> = match separator.inner() {
        "" => text.chars().map(String::from).collect(),
        separator => text.split(separator).map(str::to_owned).collect(),
    };
    let parts = parts.into_iter().map(|part| Box::new(CelString::from(part)) as Box<dyn Val>);
    CelList::from(parts.collect::<Vec<_>>())
}

fn join<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let wrong = || ExecutionError::function_error("join", "it takes a list of texts and a text");
    let [list, separator] = args.as_slice() else { return Err(wrong()) };
    let separator = separator.downcast_ref::<CelString<'_>>().ok_or_else(wrong)?;
    let mut items = list.as_iterable().ok_or_else(wrong)?.iter();
    let mut joined = String::new();
    let mut is_first = true;
    while let Some(item) = items.next() {
        if !std::mem::take(&mut is_first) {
            joined.push_str(separator.inner());
        }
        joined.push_str(item.downcast_ref::<CelString<'_>>().ok_or_else(wrong)?.inner());
    }
    Ok(CowVal::owned(CelString::from(joined)))
}

fn trim(text: &CelString<'_>) -> CelString<'static> {
    text.inner().trim().to_owned().into()
}

fn replace(text: &CelString<'_>, old: &CelString<'_>, new: &CelString<'_>) -> CelString<'static> {
    text.inner().replace(old.inner(), new.inner()).into()
}

fn upper(text: &CelString<'_>) -> CelString<'static> {
    text.inner().to_uppercase().into()
}

fn lower(text: &CelString<'_>) -> CelString<'static> {
    text.inner().to_lowercase().into()
}

/// The last part of a path; `.` of none, and `/` of the root.
fn basename(path: &CelString<'_>) -> CelString<'static> {
    let path = path.inner();
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
    .to_owned()
    .into()
}

/// What stands before the last part of a path, without parts that lead nowhere.
fn dirname(path: &CelString<'_>) -> CelString<'static> {
    let path = path.inner();
    let directory = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default();
    clean(directory).into()
}

/// A path without `.`, `..` and slashes that say nothing.
fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, parts) => format!("/{parts}"),
        (false, parts) if parts.is_empty() => ".".to_owned(),
        (false, parts) => parts,
    }
}

/// The name of a call by its number; empty where there is none.
fn call_name(number: &CelInt) -> CelString<'static> {
    let id = u16::try_from(*number.inner()).ok().map(EventId);
    let event = id.and_then(catalogue::by_id).filter(|event| event.is_syscall());
    event.map_or("", |event| event.name).to_owned().into()
}

fn call_id(name: &CelString<'_>) -> CelInt {
    id_of_call(name.inner()).into()
}

/// The number of a call by its name; -1 where there is none.
pub fn id_of_call(name: &str) -> i64 {
    let event = catalogue::by_name(name).filter(|event| event.is_syscall());
    event.map_or(-1, |event| i64::from(event.id.0))
}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    thread_local! {
        static REGEXES: RefCell<Vec<(String, Option<regex::Regex>)>> = const { RefCell::new(Vec::new()) };
    }
    let wrong = |why: &str| ExecutionError::function_error("matches", why);
    let [text, pattern] = args.as_slice() else { return Err(wrong("it takes one pattern")) };
    let (Some(text), Some(pattern)) =
        (text.downcast_ref::<CelString<'_>>(), pattern.downcast_ref::<CelString<'_>>())
    else {
        return Err(wrong("it takes texts"));
    };
    let is_match = REGEXES.with_borrow_mut(|known| {
        if !known.iter().any(|(it, _)| it == pattern.inner()) {
            if known.len() >= MAX_REGEXES {
                known.remove(0);
            }
            let built = regex::RegexBuilder::new(pattern.inner()).size_limit(MAX_REGEX_BYTES).build();
            known.push((pattern.inner().to_owned(), built.ok()));
        }
        let regex = known.iter().find(|(it, _)| it == pattern.inner());
        regex.and_then(|(_, regex)| regex.as_ref()).map(|regex| regex.is_match(text.inner()))
    });
    let is_match = is_match.ok_or_else(|| wrong("this is no regular expression"))?;
    Ok(CowVal::owned(CelBool::from(is_match)))
}

#[cfg(test)]
mod tests {
    use cel::{Context, Value};

    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        let expr = macros().parser().parse(text).map_err(|error| error.to_string())?;
        let context = Context::with_env(environment());
        Value::resolve(&expr, &context).map_err(|error| error.to_string())
    }

    #[test]
    fn functions_give_what_their_namesakes_give() {
        for (text, expected) in [
            ("join(split('a,b,,c', ','), '+')", "a+b++c"),
            ("join(split('ab', ''), '.')", "a.b"),
            ("trim('\\t x \\n')", "x"),
            ("replace('foo bar bar', 'bar', 'z')", "foo z z"),
            ("upper('a\u{e9}') + lower('B')", "A\u{c9}b"),
            ("basename('/a/b.txt')", "b.txt"),
            ("basename('/a/b/')", "b"),
            ("basename('')", "."),
            ("basename('//')", "/"),
            ("dirname('/a/b.txt')", "/a"),
            ("dirname('/a//../b/c')", "/b"),
            ("dirname('b')", "."),
            ("dirname('/b')", "/"),
            ("dirname('a/b/')", "a/b"),
            ("syscall.getName(59)", "execve"),
            ("syscall.getName(-7)", ""),
            ("string(syscall.getId('execve'))", "59"),
            ("string(syscall.getId('nothing'))", "-1"),
            ("'/tmp/x'.matches('^/tmp/.$') ? 'yes' : 'no'", "yes"),
        ] {
            assert_eq!(value(text), Ok(Value::String(expected.to_owned().into())), "{text}");
        }
        assert!(value("'x'.matches('(')").is_err());
        assert!(value("join([1], '')").is_err());
    }
}
