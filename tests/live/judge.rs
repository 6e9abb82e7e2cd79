//! What filters mean, once more and from the outside: over the rows of a whole capture as JSON, with nothing of the
//! program's own. Slow and plain; `tracer replay` is held against it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A capture's rows, and what must be known of the processes in it.
pub struct World {
    /// Each row with raw arguments, and the same with arguments as names.
    pub rows: Vec<(Value, Value)>,
    pub host_mnt_ns: u64,
    /// When the workload began, ns since boot: what is younger is younger than the recording.
    began: u64,
    /// By pid: the row of its fork.
    forks: BTreeMap<u64, usize>,
    /// By pid: its parent.
    parents: BTreeMap<u64, u64>,
    /// Containers whose cgroup was made in the capture.
    new_containers: BTreeSet<String>,
}

pub fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

pub fn number(row: &Value, key: &str) -> i128 {
    row[key].as_i64().map_or_else(|| row[key].as_u64().unwrap_or_default().into(), i128::from)
}

pub fn arg<'a>(row: &'a Value, name: &str) -> Option<&'a Value> {
    let found = row["args"].as_array()?.iter().find(|arg| arg["name"] == name)?;
    Some(&found["value"]).filter(|value| !value.is_null())
}

impl World {
    pub fn new(rows: Vec<(Value, Value)>, host_mnt_ns: u64) -> World {
        let (mut forks, mut parents, mut new_containers) =
            (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for (at, (row, _)) in rows.iter().enumerate() {
            let pid = number(row, "hostProcessId") as u64;
            parents.entry(pid).or_insert(number(row, "hostParentProcessId") as u64);
            let made = |name: &str| arg(row, name).and_then(Value::as_u64);
            if let (true, Some(child)) = (row["eventName"] == "sched_process_fork", made("child_pid"))
                && child != pid
            {
                forks.insert(child, at);
                parents.insert(child, pid);
            }
            if row["eventName"] == "container_create" {
                new_containers.extend(arg(row, "container_id").and_then(Value::as_str).map(str::to_owned));
            }
        }
        let shell = rows.iter().find(|(row, _)| row["processName"] == "judged-shell");
        let shell = shell.and_then(|(row, _)| text(row, "parentEntityId").split_once('@')?.1.parse().ok());
        let began = shell.unwrap_or(u64::MAX);
        World { rows, host_mnt_ns, began, forks, parents, new_containers }
    }

    /// Whether one scope's filters let a row pass. `None`: the rows do not say enough to know.
    pub fn passes(&self, filters: &[Filter], at: usize) -> Option<bool> {
        let (row, _) = self.rows.get(at)?;
        let event = text(row, "eventName");
        let choosers = || filters.iter().filter(|filter| filter.key == "event");
        let named = |filter: &Filter| filter.event().is_some_and(|name| name == event);
        let positive =
            choosers().any(|filter| filter.op == "=") || filters.iter().any(|it| it.event().is_some());
        let is = |filter: &Filter| filter.values.iter().any(|value| like(value, event));
        let chosen = !positive || choosers().any(|it| it.op == "=" && is(it)) || filters.iter().any(named);
        if !chosen || choosers().any(|it| it.op == "!=" && is(it)) {
            return Some(false);
        }
        let (process, single): (Vec<&Filter>, Vec<&Filter>) = filters
            .iter()
            .filter(|filter| !["event", "follow"].contains(&filter.key.as_str()))
            .partition(|filter| filter.event().is_none());
        let mut inside = self.keys(&process, at)?;
        if !inside && filters.iter().any(|filter| filter.key == "follow") {
            inside = self.follows(&process, at)?;
        }
        let single: Vec<&Filter> = single.into_iter().filter(|filter| named(filter)).collect();
        Some(inside && self.keys(&single, at)?)
    }

    /// Whether an ancestor passed when it forked what became this process.
    fn follows(&self, process: &[&Filter], at: usize) -> Option<bool> {
        let mut pid = number(&self.rows.get(at)?.0, "hostProcessId") as u64;
        for _ in 0..1000 {
            let Some(fork) = self.forks.get(&pid) else { return Some(false) };
            if self.keys(process, *fork)? {
                return Some(true);
            }
            pid = *self.parents.get(&pid)?;
        }
        None
    }

    fn keys(&self, filters: &[&Filter], at: usize) -> Option<bool> {
        let keys: BTreeSet<&str> = filters.iter().map(|filter| filter.key.as_str()).collect();
        for key in keys {
            let mine: Vec<&&Filter> = filters.iter().filter(|filter| filter.key == key).collect();
            if !self.key(key, &mine, at)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn key(&self, key: &str, filters: &[&&Filter], at: usize) -> Option<bool> {
        if key == "tree" {
            return Some(self.tree(filters, at));
        }
        let mut answers = Vec::new();
        let (mut equalities, mut equal, mut bounded, mut within) = (false, false, false, true);
        for filter in filters {
            for value in &filter.values {
                let Some(answer) = self.value(key, filter.op, value, at)? else { return Some(false) };
                match filter.op {
                    "=" => (equalities, equal) = (true, equal || answer),
                    "!=" => answers.push(!answer),
                    _ => (bounded, within) = (true, within && answer),
                }
            }
            if filter.values.is_empty() {
                let inside = !text(&self.rows.get(at)?.0, "containerId").is_empty();
                answers.push(inside == (filter.op == "is"));
            }
        }
        let included = match (equalities, bounded) {
            (false, false) => true,
            (true, false) => equal,
            (false, true) => within,
            (true, true) => equal || within,
        };
        Some(included && answers.into_iter().all(|answer| answer))
    }

    /// The nearest named ancestor decides.
    fn tree(&self, filters: &[&&Filter], at: usize) -> bool {
        let names = |op: &str, pid: u64| {
            filters.iter().any(|filter| filter.op == op && filter.values.contains(&pid.to_string()))
        };
        let mut pid = self.rows.get(at).map_or(0, |(row, _)| number(row, "hostProcessId") as u64);
        for _ in 0..1000 {
            match (names("=", pid), names("!=", pid)) {
                (_, true) => return false,
                (true, _) => return true,
                _ => {}
            }
            match self.parents.get(&pid) {
                Some(parent) if *parent != pid => pid = *parent,
                _ => break,
            }
        }
        !filters.iter().any(|filter| filter.op == "=")
    }

    /// Outer `None`: not known. Inner: there is no such value, and no filter on it passes.
    #[allow(clippy::option_option)]
    fn value(&self, key: &str, op: &str, value: &str, at: usize) -> Option<Option<bool>> {
        let (row, named) = self.rows.get(at)?;
        let compare = |found: i128| match (op, value.parse::<i128>()) {
            ("<", Ok(value)) => found < value,
            ("<=", Ok(value)) => found <= value,
            (">", Ok(value)) => found > value,
            (">=", Ok(value)) => found >= value,
            (_, Ok(value)) => found == value,
            (_, Err(_)) => false,
        };
        let field = key.split_once(".context.").map_or(key, |(_, field)| field);
        let in_container = !text(row, "containerId").is_empty();
        let of_container = |name: &str| {
            let found = text(row, name);
            (!found.is_empty()).then(|| like(value, found))
        };
        Some(match (key.contains(".context."), field) {
            (_, "comm" | "processName") => Some(like(value, text(row, "processName"))),
            (_, "uts" | "hostName") => Some(like(value, text(row, "hostName"))),
            (false, "binary") => {
                let exe = row["executable"]["path"].as_str().unwrap_or_default();
                let mnt_ns = number(row, "mountNamespace");
                Some(match value.split_once(':') {
                    Some(("host", path)) => mnt_ns == i128::from(self.host_mnt_ns) && like(path, exe),
                    Some((ns, path)) => mnt_ns.to_string() == ns && like(path, exe),
                    None => like(value, exe),
                })
            }
            (false, "pid") if value == "new" => {
                let start = start_of(row)?;
                // Some begin just when the recording does.
                if start >= self.began {
                    Some(true)
                } else if start + A_MINUTE_NS < self.began {
                    Some(false)
                } else {
                    return None;
                }
            }
            (false, "pid") => {
                let entity = text(row, "processEntityId");
                Some(match (op, value.contains('@')) {
                    (_, true) => entity == value,
                    ("=" | "!=", _) => {
                        compare(number(row, "hostProcessId")) || compare(number(row, "hostThreadId"))
                    }
                    _ => compare(number(row, "hostProcessId")),
                })
            }
            (false, "tid") | (true, "hostTid") => Some(compare(number(row, "hostThreadId"))),
            (false, "ppid") | (true, "hostPpid") => Some(compare(number(row, "hostParentProcessId"))),
            (true, "hostPid") => Some(compare(number(row, "hostProcessId"))),
            (false, "nsPid") | (true, "pid") => Some(compare(number(row, "processId"))),
            (false, "nsTid") | (true, "tid") => Some(compare(number(row, "threadId"))),
            (false, "nsPpid") | (true, "ppid") => Some(compare(number(row, "parentProcessId"))),
            (_, "uid") => Some(compare(number(row, "userId"))),
            (_, "mntns") => Some(compare(number(row, "mountNamespace"))),
            (_, "pidns") => Some(compare(number(row, "pidNamespace"))),
            (true, "cgroupId") => Some(compare(number(row, "cgroupId"))),
            (true, "timestamp") => Some(compare(number(row, "timestamp"))),
            (true, "processorId") => Some(compare(number(row, "processorId"))),
            (true, "syscall") => Some(like(value, text(row, "syscall"))),
            (true, "host") => Some((value == "true") != in_container),
            (true, "containerId") => {
                in_container.then(|| text(row, "containerId").starts_with(value.trim_end_matches('*')))
            }
            (true, "containerImage" | "containerName" | "podName") => of_container(field),
            (_, "container") => match (value, op) {
                ("new" | "started", "!=") if !in_container => None,
                ("new", _) => Some(self.new_containers.contains(text(row, "containerId"))),
                ("started", _) => Some(row["contextFlags"]["containerStarted"] == true),
                _ => Some(
                    in_container
                        && (text(row, "containerId").starts_with(value)
                            || like(value, text(row, "containerName"))),
                ),
            },
            _ if key.ends_with(".retval") => {
                let result = number(row, "returnValue");
                Some(match errno(value) {
                    Some(errno) => result == -errno,
                    None => compare(result),
                })
            }
            _ => {
                let path = key.split_once('.')?.1;
                let path = path.strip_prefix("args.").or(path.strip_prefix("data.")).unwrap_or(path);
                let (name, member) =
                    path.split_once('.').map_or((path, None), |(name, member)| (name, Some(member)));
                let (raw, named) = (arg(row, name), arg(named, name));
                let (Some(raw), Some(named)) = (raw, named) else { return Some(None) };
                match member {
                    None => Some(argument(op, value, raw, named)),
                    Some(member) => match raw.get(member) {
                        None | Some(Value::Null) => None,
                        Some(found) => Some(argument(op, value, found, found)),
                    },
                }
            }
        })
    }
}

/// The recording began no longer than this before the workload.
const A_MINUTE_NS: u64 = 60_000_000_000;

/// When a row's process began, ns since boot.
fn start_of(row: &Value) -> Option<u64> {
    text(row, "processEntityId").split_once('@').and_then(|(_, start)| start.parse().ok())
}

/// Arguments compare as they are printed, flags as a set, lists by any of their elements, numbers also as numbers.
fn argument(op: &str, value: &str, raw: &Value, named: &Value) -> bool {
    if let Some(elements) = raw.as_array() {
        return elements.iter().any(|element| argument(op, value, element, element));
    }
    let as_number = |value: &Value| {
        value
            .as_i64()
            .map(i128::from)
            .or_else(|| value.as_u64().map(i128::from))
            .or_else(|| value.as_str()?.parse().ok())
    };
    let asked =
        value.strip_prefix("0x").map_or_else(|| value.parse().ok(), |hex| i128::from_str_radix(hex, 16).ok());
    if let (Some(asked), Some(found)) = (asked, as_number(raw)) {
        return match op {
            "<" => found < asked,
            "<=" => found <= asked,
            ">" => found > asked,
            ">=" => found >= asked,
            _ => found == asked,
        };
    }
    let printed = named.as_str().map_or_else(|| named.to_string(), str::to_owned);
    let set = |text: &str| text.split('|').map(str::to_owned).collect::<BTreeSet<_>>();
    like(value, &printed) || (!value.contains('*') && value.contains('|') && set(value) == set(&printed))
}

fn errno(name: &str) -> Option<i128> {
    Some(match name {
        "ENOENT" => 2,
        "EACCES" => 13,
        "ECONNREFUSED" => 111,
        _ => return None,
    })
}

/// `*` stands for any text; a backslash makes it ordinary.
pub fn like(pattern: &str, text: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = chars.as_str();
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| like(rest, &text[at..]))
        }
        Some('\\') if chars.as_str().starts_with(['*', '\\', ',', '=']) => {
            let escaped = chars.next().unwrap_or_default();
            text.strip_prefix(escaped).is_some_and(|text| like(chars.as_str(), text))
        }
        Some(letter) => text.strip_prefix(letter).is_some_and(|text| like(chars.as_str(), text)),
    }
}

/// One filter, taken apart.
pub struct Filter {
    pub key: String,
    pub op: &'static str,
    pub values: Vec<String>,
}

impl Filter {
    /// Reads `KEY OP VALUE,...` without a scope's number; short forms are given as what they stand for.
    pub fn read(written: &str) -> Filter {
        let at = written.find(['=', '<', '>']).unwrap_or(written.len());
        let (mut key, rest) = written.split_at(at);
        let op = match rest.as_bytes() {
            [] => "is",
            [b'<', b'=', ..] => "<=",
            [b'>', b'=', ..] => ">=",
            [b'<', ..] => "<",
            [b'>', ..] => ">",
            _ if key.ends_with('!') => "!=",
            _ => "=",
        };
        let mut values = Vec::new();
        if op == "is" {
            if let Some(denied) = key.strip_prefix('!').or(key.strip_prefix("not-")) {
                return Filter { key: denied.to_owned(), op: "is not", values };
            }
        } else {
            key = key.trim_end_matches('!');
            let list = &rest[if op.len() == 2 && op != "!=" { 2 } else { 1 }..];
            let mut value = String::new();
            let mut letters = list.chars();
            while let Some(letter) = letters.next() {
                match letter {
                    ',' => values.push(std::mem::take(&mut value)),
                    '\\' => {
                        value.push('\\');
                        value.extend(letters.next());
                    }
                    letter => value.push(letter),
                }
            }
            values.push(value);
        }
        Filter { key: full(key).replace(".scope.", ".context."), op, values }
    }

    /// The event that the filter is about, when it is about one.
    fn event(&self) -> Option<&str> {
        self.key.split_once('.').map(|(event, _)| event)
    }
}

/// What a short form stands for.
fn full(key: &str) -> &str {
    match key {
        "e" | "ev" => "event",
        "p" | "hostPid" => "pid",
        "t" | "hostTid" => "tid",
        "hostPpid" => "ppid",
        "u" | "ui" => "uid",
        "c" | "contain" => "container",
        "bin" | "exec" | "executable" => "binary",
        "f" | "foll" => "follow",
        key => key,
    }
}
