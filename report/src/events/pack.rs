//! The table of events as parts of a page's data.

use hashbrown::HashMap;
use serde_json::{Value, json};

use super::collect::MISSING;
use super::kept::Kind;
use super::table::{Events, Task};
use crate::packed::{Parts, deflated, numbers, zigzag};
use crate::spelled::spelled;

/// What the events may take, deflated: in base64 it is a third more. A page of a million events stays below 8 MB with it.
pub const MOST_BYTES: usize = 5_600_000;

/// Results beyond this are no numbers that the page's script can hold.
const MOST_RESULT: i64 = 1 << 52;
/// Exact texts of such results that are kept.
const MOST_HUGE: usize = 10_000;

/// What the page's script has to know of the events beside their columns.
#[derive(Debug)]
pub struct Packed {
    pub meta: Value,
    /// `mmap.flags`: what was left out, since the page would be too large.
    pub left_out: Vec<String>,
}

/// `process`: the number of a task's process in the page.
pub fn pack(
    table: &Events,
    process: &dyn Fn(&Task) -> Option<usize>,
    most: usize,
    parts: &mut Parts,
) -> Packed {
    let first = table.times.iter().copied().min().unwrap_or_default();
    let times: Vec<u64> = table.times.iter().map(|time| time.wrapping_sub(first) as u64).collect();
    let wide = |all: &[u32]| all.iter().map(|it| u64::from(*it)).collect::<Vec<u64>>();
    let rets: Vec<u64> =
        table.rets.iter().map(|ret| zigzag((*ret).clamp(-MOST_RESULT, MOST_RESULT))).collect();
    let mut taken = 0;
    let mut add = |name: &str, all: &[u64], parts: &mut Parts| {
        let mut bytes = Vec::new();
        numbers(all, &mut bytes);
        taken += deflated(&bytes, false).len();
        parts.add(name, &bytes);
    };
    add("time", &times, parts);
    add("task", &wide(&table.tasks_of), parts);
    add("event", &wide(&table.events_of), parts);
    add("ret", &rets, parts);
    let (tasks, names) = tasks(table, process);
    let columns = Columns::new(table);
    let kept = columns.fitting(table, most.saturating_sub(taken + tasks.len() / 3));
    parts.add("tasks", &tasks);
    let codes = columns.texts(table, &kept, parts);
    columns.add(table, &kept, &codes, parts);
    let huge: Vec<Value> = (0u32..)
        .zip(&table.rets)
        .filter(|(_, ret)| ret.unsigned_abs() > MOST_RESULT as u64)
        .take(MOST_HUGE)
        .map(|(row, ret)| json!([row, ret.to_string()]))
        .collect();
    let left_out = columns.names(table, &kept, false);
    let meta = json!({
        "first": first,
        "count": table.len(),
        "names": names.list,
        "containers": names.containers,
        "hosts": names.hosts,
        "events": columns.meta(table, &kept),
        "huge": huge,
    });
    Packed { meta, left_out }
}

/// Names of tasks, each once.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    by_name: HashMap<Vec<u8>, u64>,
    containers: Vec<[String; 3]>,
    hosts: Vec<String>,
}

impl Names {
    fn name(&mut self, bytes: &[u8]) -> u64 {
        if let Some(known) = self.by_name.get(bytes) {
            return *known;
        }
        self.list.push(spelled(bytes));
        self.by_name.insert(bytes.to_vec(), self.list.len() as u64 - 1);
        self.list.len() as u64 - 1
    }

    /// From 1: 0 is the host.
    fn container(&mut self, task: &Task) -> u64 {
        let Some(it) = &task.container else { return 0 };
        let shown = [&it.id, &it.name, &it.image].map(|text| spelled(text.as_bytes()));
        place(&mut self.containers, shown) + 1
    }
}

/// Where something stands in a short list that it is added to.
fn place<T: PartialEq>(list: &mut Vec<T>, it: T) -> u64 {
    match list.iter().position(|known| *known == it) {
        Some(at) => at as u64,
        None => {
            list.push(it);
            list.len() as u64 - 1
        }
    }
}

fn tasks(table: &Events, process: &dyn Fn(&Task) -> Option<usize>) -> (Vec<u8>, Names) {
    let mut names = Names::default();
    let mut columns: [Vec<u64>; 10] = Default::default();
    for task in &table.tasks {
        let exe = if task.has_unknown_exe { 0 } else { names.name(&task.exe) + 1 };
        let row = [
            task.pid.into(),
            task.tid.into(),
            task.ppid.into(),
            task.uid.into(),
            names.name(&task.comm),
            exe,
            process(task).map_or(0, |at| at as u64 + 1),
            place(&mut names.hosts, spelled(task.host.as_bytes())),
            names.container(task),
            task.boot as u64,
        ];
        columns.iter_mut().zip(row).for_each(|(column, it)| column.push(it));
    }
    let mut bytes = Vec::new();
    columns.iter().for_each(|column| numbers(column, &mut bytes));
    (bytes, names)
}

/// The columns of arguments, with what each takes.
struct Columns {
    all: Vec<Column>,
}

struct Column {
    event: usize,
    at: usize,
    /// Of what is said of whole rows there is none.
    kind: Option<Kind>,
    has_values: bool,
    /// Deflated, without its texts.
    bytes: usize,
}

impl Columns {
    fn new(table: &Events) -> Columns {
        let all = table.columns().map(|(event, at, kind, codes)| {
            let has_values = codes.iter().any(|code| *code != MISSING);
            let bytes = if has_values {
                deflated(&packed(codes, &|code| u64::from(code) + 1), false).len()
            } else {
                0
            };
            Column { event, at, kind, has_values, bytes }
        });
        Columns { all: all.collect() }
    }

    /// Which of them fit: those that say the least are left out first, and of these the largest.
    fn fitting(&self, table: &Events, most: usize) -> Vec<bool> {
        let mut kept: Vec<bool> = self.all.iter().map(|column| column.has_values).collect();
        let all_bytes: usize = table.texts.iter().map(|text| text.len() + 1).sum();
        let sample: Vec<u8> =
            table.texts.iter().take(100_000).flat_map(|text| [text.as_bytes(), b"\n"].concat()).collect();
        let ratio = deflated(&sample, false).len() as f64 / (sample.len().max(1)) as f64;
        let mut order: Vec<usize> = (0..self.all.len()).filter(|at| kept.get(*at) == Some(&true)).collect();
        let key = |at: &usize| {
            self.all
                .get(*at)
                .map(|it| (it.kind.map_or(0, Kind::is_dispensable), it.bytes, std::cmp::Reverse(*at)))
        };
        order.sort_by_key(|at| std::cmp::Reverse(key(at)));
        let mut texts = all_bytes;
        for at in order {
            let columns: usize =
                self.all.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(it, _)| it.bytes).sum();
            if columns + (texts as f64 * ratio) as usize <= most {
                break;
            }
            if let Some(kept) = kept.get_mut(at) {
                *kept = false;
            }
            texts = self
                .used(table, &kept)
                .iter()
                .zip(&table.texts)
                .filter(|(used, _)| **used)
                .map(|(_, text)| text.len() + 1)
                .sum();
        }
        kept
    }

    /// Which texts the columns that are kept name.
    fn used(&self, table: &Events, kept: &[bool]) -> Vec<bool> {
        let mut used = vec![false; table.texts.len()];
        for (_, (.., codes)) in kept.iter().zip(table.columns()).filter(|(kept, _)| **kept) {
            for code in codes {
                if let Some(used) = used.get_mut(*code as usize) {
                    *used = true;
                }
            }
        }
        used
    }

    /// Adds the texts that are used, and says by which number each is known from now on.
    fn texts(&self, table: &Events, kept: &[bool], parts: &mut Parts) -> Vec<u32> {
        let (mut codes, mut text, mut count) = (Vec::with_capacity(table.texts.len()), String::new(), 0);
        for (it, is_used) in table.texts.iter().zip(self.used(table, kept)) {
            codes.push(if is_used { count } else { MISSING });
            if is_used {
                count += 1;
                text.push_str(it);
                text.push('\n');
            }
        }
        parts.add("texts", text.as_bytes());
        codes
    }

    /// Adds the columns of each event as one part.
    fn add(&self, table: &Events, kept: &[bool], codes: &[u32], parts: &mut Parts) {
        for event in 0..table.events.len() {
            let mut bytes = Vec::new();
            let own = self
                .all
                .iter()
                .zip(kept)
                .zip(table.columns())
                .filter(|((it, kept), _)| it.event == event && **kept);
            for (_, (.., column)) in own {
                let known = |code: u32| codes.get(code as usize).map_or(0, |code| u64::from(*code) + 1);
                bytes.extend_from_slice(&packed(column, &known));
            }
            if !bytes.is_empty() {
                parts.add(format!("args:{event}"), &bytes);
            }
        }
    }

    /// By event: its name, whether it is a call, whether it is derived, and of each column that is kept its argument and kind.
    fn meta(&self, table: &Events, kept: &[bool]) -> Vec<Value> {
        let of_event = |(number, it): (usize, &super::table::OfEvent)| {
            let own = self.all.iter().zip(kept).filter(|(column, kept)| column.event == number && **kept);
            let columns: Vec<Value> = own
                .map(|(column, _)| json!([argument(it, column.at), column.kind.map_or("row", Kind::name)]))
                .collect();
            // What is there and cannot be asked is told from what there is not.
            let args: Vec<&str> = it.event.args.iter().map(|arg| arg.name).collect();
            json!({
                "name": it.event.name,
                "call": it.event.is_syscall(),
                "derived": !it.is_stored,
                "columns": columns,
                "args": args,
            })
        };
        table.events.iter().enumerate().map(of_event).collect()
    }

    fn names(&self, table: &Events, kept: &[bool], is_kept: bool) -> Vec<String> {
        let mut names: Vec<String> = self
            .all
            .iter()
            .zip(kept)
            .filter(|(column, kept)| column.has_values && **kept == is_kept)
            .filter_map(|(column, _)| {
                let it = table.events.get(column.event)?;
                Some(format!("{}.{}", it.event.name, argument(it, column.at)))
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

fn argument(it: &super::table::OfEvent, at: usize) -> &'static str {
    let column = it.columns.get(at).and_then(|(column, _)| *column);
    column.and_then(|column| it.event.args.get(column.position)).map_or("marks", |arg| arg.name)
}

/// 0 is what is missing.
fn packed(codes: &[u32], known: &dyn Fn(u32) -> u64) -> Vec<u8> {
    let codes: Vec<u64> = codes.iter().map(|code| if *code == MISSING { 0 } else { known(*code) }).collect();
    let mut bytes = Vec::new();
    numbers(&codes, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use events::catalogue;
    use pipeline::source::RowRef;

    use super::super::collect::{Piece, Row};
    use super::*;
    use crate::packed::unpacked;

    /// Opens of files whose names and modes have nothing in common.
    fn table(rows: u64) -> Events {
        let openat = catalogue::by_name("openat").expect("an event");
        let mut piece = Piece::default();
        let task = Task {
            boot: 0,
            host: "hb".into(),
            pid: 1,
            tid: 1,
            ppid: 0,
            uid: 0,
            start_ns: 0,
            comm: b"x".to_vec(),
            exe: Vec::new(),
            has_unknown_exe: false,
            container: None,
        };
        piece.tasks.push(task);
        for row in 0..rows {
            let odd = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            // dirfd, what it stands for, pathname, flags, mode, and what is said of the row.
            let values = [
                Some("AT_FDCWD".to_owned()),
                None,
                Some(format!("/tmp/{odd:x}")),
                None,
                Some(odd.to_string()),
                None,
            ];
            for value in &values {
                piece.lengths.push(value.as_ref().map_or(MISSING, |text| text.len() as u32));
                piece.texts.push_str(value.as_deref().unwrap_or_default());
            }
            let at = RowRef { row: row as u32, ..RowRef::default() };
            let columns = values.len() as u32;
            piece.rows.push(Row { at, wall_ns: row as i64 * 1000, event: openat, task: 0, ret: -2, columns });
        }
        let mut table = Events::default();
        table.add(piece);
        table
    }

    fn packed_with(most: usize) -> (Packed, Vec<(String, Vec<u8>)>) {
        let mut parts = Parts::default();
        let packed = pack(&table(20_000), &|_| None, most, &mut parts);
        (packed, parts.inflated())
    }

    #[test]
    fn what_says_the_least_is_left_out_first_and_named() {
        let (whole, parts) = packed_with(usize::MAX);
        assert_eq!(whole.left_out, [""; 0]);
        let texts = |parts: &[(String, Vec<u8>)]| {
            let texts = parts.iter().find(|(name, _)| name == "texts").expect("texts");
            String::from_utf8(texts.1.clone()).expect("UTF-8")
        };
        assert_eq!(texts(&parts).lines().count(), 40_001);
        let (less, parts) = packed_with(200_000);
        assert_eq!(less.left_out, ["openat.mode"]);
        // Its texts are gone, and the others are known by their new numbers.
        let texts = texts(&parts);
        let texts: Vec<&str> = texts.lines().collect();
        assert_eq!(texts.len(), 20_001);
        let columns = &less.meta["events"][0]["columns"];
        assert_eq!(columns.to_string(), r#"[["dirfd","fd"],["pathname","text"]]"#);
        let (_, args) = parts.iter().find(|(name, _)| name == "args:0").expect("arguments");
        let mut rest = args.as_slice();
        let (fds, paths) = (unpacked::numbers(&mut rest), unpacked::numbers(&mut rest));
        assert!(rest.is_empty());
        assert!(fds.iter().all(|code| texts[*code as usize - 1] == "AT_FDCWD"));
        for (row, code) in (0u64..).zip(paths) {
            let odd = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            assert_eq!(texts[code as usize - 1], format!("/tmp/{odd:x}"));
        }
        let (none, _) = packed_with(0);
        assert_eq!(none.left_out, ["openat.dirfd", "openat.mode", "openat.pathname"]);
    }
}
