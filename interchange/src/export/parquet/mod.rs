//! Parquet: one wide table that DuckDB, pandas, Spark and Athena read. Threads turn events into rows ([`row`]), one writes row
//! groups of them ([`Table`]), or batches of Arrow's stream ([`Stream`]).

mod cells;
mod partitions;
mod row;
mod schema;
mod stream;
mod table;

use std::collections::HashMap;

use events::catalogue::{self, Arch};
use events::consts::errno;
use events::context::Credentials;
use events::descriptor::ends;
use events::terminal::DeviceName;
use events::{Context, Event, Marks, Raw};
use pipeline::EventView;
use replay::render::{json_text, values};
use views::marks;

use super::{Writes, facts};
pub use partitions::Partitions;
use row::Row;
pub use schema::projection;
pub use stream::{Batches, Stream, arrow_schema};
pub use table::{Error, Table};

/// The message type of the table.
pub fn schema() -> String {
    schema::message()
}

#[derive(Debug, Default)]
pub struct Parquet {
    /// Numbers of calls on x86-64, by event.
    numbers: HashMap<u16, Option<i64>>,
    wanted: schema::Wanted,
}

impl Writes for Parquet {
    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) -> bool {
        let context = event.context;
        let mut row = Row::begin(out, self.wanted);
        row.int(event.wall_ns);
        // The table counts them.
        row.int(0);
        row.text(event.host.name.as_bytes());
        row.text(event.event.name.as_bytes());
        row.some_int(self.number(event.event));
        let returned = (!event.marks.has(Marks::UNFINISHED)).then_some(event.ret);
        row.some_int(returned);
        let failed = returned.and_then(errno::of_result).filter(|_| event.event.is_syscall());
        row.some_text(failed.unwrap_or_default().as_bytes());
        for id in [
            context.ns_pid,
            context.ns_tid,
            context.ns_ppid,
            context.pid,
            context.tid,
            context.ppid,
            context.uid,
            context.gid,
        ] {
            row.int(id.into());
        }
        row.text(context.comm);
        row.some_text(context.exe);
        row.int(context.cgroup_id as i64);
        let none = Default::default();
        let container = event.container.unwrap_or(&none);
        for fact in
            [&container.id, &container.name, &container.image, &container.pod_name, &container.pod_namespace]
        {
            row.some_text(fact.as_bytes());
        }
        row.int(context.pid_ns.into());
        row.int(context.mnt_ns.into());
        row.int(event.cpu.into());
        entity(&mut row, context.pid, context.process_start_ns);
        entity(&mut row, context.ppid, context.parent_start_ns);
        if !row.passes(ARGUMENTS) {
            arguments(event, returned.filter(|_| failed.is_none()), &mut row);
        }
        row.some_text(caller(event));
        if !row.passes(2) {
            marked(event, &mut row);
        }
        row.scopes(event.recorded);
        row.scopes(event.scopes);
        row.text_by(|out| {
            out.push(b'{');
            for (position, arg) in event.event.listed_args().iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                json_text::quoted(arg.name.as_bytes(), out);
                out.push(b':');
                values::json(event, position, arg.kind, out);
            }
            out.push(b'}');
        });
        if !row.passes(ACTING) {
            acting(context, &mut row);
        }
        row.some_int(event.duration_ns.map(|ns| i64::try_from(ns).unwrap_or(i64::MAX)));
        let marks: Vec<&[u8]> =
            marks::told(event.event, event.marks).map(|mark| mark.name.as_bytes()).collect();
        texts(&marks, &mut row);
        row.end();
        true
    }
}

/// Columns of [`acting`].
const ACTING: usize = 13;
/// Columns of [`arguments`].
const ARGUMENTS: usize = 18;

/// Arguments that are cut, and those that could not be read.
fn marked(event: &EventView<'_>, row: &mut Row<'_>) {
    let marked = |is: &dyn Fn(usize) -> bool| -> Vec<&[u8]> {
        let args = event.event.listed_args().iter().enumerate();
        args.filter(|(at, _)| is(*at)).map(|(_, arg)| arg.name.as_bytes()).collect()
    };
    for names in [
        marked(&|at| event.event.is_cut(event.marks, at)),
        marked(&|at| event.event.is_unreadable(event.marks, at)),
    ] {
        texts(&names, row);
    }
}

/// Nothing where there are none.
fn texts(texts: &[&[u8]], row: &mut Row<'_>) {
    match texts {
        [] => row.nothing(),
        texts => row.texts(texts.iter().copied()),
    }
}

/// What the task acts with, and where its process stands, as far as it is known.
fn acting(context: &Context<'_>, row: &mut Row<'_>) {
    let of = |number: fn(&Credentials) -> i64| context.credentials.as_ref().map(number);
    for number in [
        of(|it| it.euid.into()),
        of(|it| it.egid.into()),
        of(|it| it.suid.into()),
        of(|it| it.sgid.into()),
        of(|it| it.fsuid.into()),
        of(|it| it.fsgid.into()),
        of(|it| it.effective as i64),
        of(|it| it.permitted as i64),
    ] {
        row.some_int(number);
    }
    let it = &context.standing;
    row.some_text(it.cwd.unwrap_or_default());
    row.some_int(it.session.map(i64::from));
    row.some_int(it.group.map(i64::from));
    let terminal = it.terminal.map(|it| DeviceName(it).to_string());
    row.some_text(terminal.as_deref().unwrap_or_default().as_bytes());
    row.some_int(it.login_uid.map(i64::from));
}

impl Parquet {
    fn number(&mut self, event: &'static Event) -> Option<i64> {
        let find = || {
            event.is_syscall().then(|| catalogue::number(Arch::X86_64, event.name).map(i64::from)).flatten()
        };
        *self.numbers.entry(event.id.0).or_insert_with(find)
    }
}

/// `700@12000000`: a process number is given again, the moment at which it began is not.
fn entity(row: &mut Row<'_>, pid: u32, start_ns: u64) {
    match pid {
        0 => row.nothing(),
        pid => row.text(format!("{pid}@{start_ns}").as_bytes()),
    }
}

/// The columns of the arguments that are asked most, from `pathname` to `sha256`. `succeeded`: what a call returned that did not
/// fail.
fn arguments(event: &EventView<'_>, succeeded: Option<i64>, row: &mut Row<'_>) {
    let text = |names: &[&str]| facts::text(event, names);
    let number = |names: &[&str]| facts::number(event, names);
    row.some_text(facts::path(event));
    row.some_text(facts::second_path(event));
    let descriptor = facts::descriptor(event);
    row.some_int(descriptor.map(|(number, _)| i64::from(number as i32)));
    let stands_for = descriptor.map(|(_, text)| text).unwrap_or_default();
    row.some_text(stands_for);
    row.some_int(number(facts::FLAGS));
    row.some_int(number(facts::MODE));
    for name in [&["argv"][..], &["env", "envp"]] {
        match facts::strings(event, name) {
            Some(strings) => row.texts(strings),
            None => row.nothing(),
        }
    }
    let (local, remote) = facts::addresses(event);
    for address in [remote, local] {
        row.some_text(address.as_ref().map(|it| it.address.as_bytes()).unwrap_or_default());
        row.some_int(address.and_then(|it| it.port));
    }
    row.some_text(ends(stands_for).map(|ends| ends.word).unwrap_or_default());
    let moves = event.event.is_syscall() && views::sums::moves_bytes(event.event.name);
    row.some_int(succeeded.filter(|_| moves));
    let is_kill = matches!(event.event.name, "kill" | "tkill" | "tgkill" | "pidfd_send_signal");
    let target = if is_kill || event.event.name == "ptrace" { number(&["tgid", "pid", "tid"]) } else { None };
    row.some_int(target);
    row.some_int(number(&["sig", "signal", "signal_code"]));
    row.some_text(text(facts::DOMAIN));
    row.some_text(text(facts::SHA256));
}

/// The call that a hook or tracepoint happened in.
fn caller<'a>(event: &EventView<'a>) -> &'a [u8] {
    match event.event.arg(Event::CALLER).map(|(at, _)| event.args.get(at)) {
        Some(Raw::Bytes(call)) => call,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    /// A row whose cells are all there, with a list of `lists` texts.
    fn row(time: i64, lists: usize, out: &mut Vec<u8>) {
        let mut row = Row::begin(out, schema::Wanted::ALL);
        for column in schema::COLUMNS {
            match column.kind {
                schema::Kind::Time => row.int(time),
                schema::Kind::Int => row.int(7),
                schema::Kind::Text if column.is_required => row.text(b"r\xffq"),
                schema::Kind::Text => row.some_text(&[][..]),
                schema::Kind::Texts if lists == 0 => row.nothing(),
                schema::Kind::Texts => row.texts((1..lists).map(|_| &b"x"[..])),
                schema::Kind::Ints => row.scopes(0b101),
            }
        }
        row.end();
    }

    #[test]
    fn rows_come_back_from_the_file_as_they_were() {
        let mut rows = Vec::new();
        for at in 0..5 {
            row(at, at as usize, &mut rows);
        }
        let mut table = Table::new(Vec::new(), &[("tracer.version".into(), "1".into())]).expect("a table");
        // Pieces end anywhere.
        for piece in rows.chunks(11) {
            table.rows(piece).expect("rows");
        }
        let file = table.finish().expect("a file");
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).expect("it reads");
        let facts = reader.metadata().file_metadata().key_value_metadata().expect("facts");
        assert!(facts.iter().any(|fact| fact.key == "tracer.version"), "{facts:?}");
        let read: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
        assert_eq!(read.len(), 5);
        for (at, row) in read.into_iter().enumerate() {
            let cells: HashMap<String, Field> = row.into_columns().into_iter().collect();
            assert_eq!(cells["seq"], Field::Long(at as i64 + 1));
            assert_eq!(cells["host"], Field::Str("r\u{10ffff}q".into()));
            assert_eq!(cells["comm"], Field::Null);
            let texts = match &cells["argv"] {
                Field::Null => 0,
                Field::ListInternal(list) => list.elements().len() + 1,
                other => panic!("{other:?}"),
            };
            assert_eq!(texts, at);
            let Field::ListInternal(scopes) = &cells["scopes"] else { panic!("scopes are a list") };
            assert_eq!(scopes.elements(), [Field::Int(1), Field::Int(3)]);
        }
    }

    #[test]
    fn a_row_that_ends_early_is_an_error_and_not_a_short_table() {
        let mut rows = Vec::new();
        row(1, 1, &mut rows);
        let mut table = Table::new(Vec::new(), &[]).expect("a table");
        table.rows(&rows[..rows.len() - 1]).expect("so far it is good");
        assert!(matches!(table.finish(), Err(Error::Row)));
    }

    #[test]
    fn tables_are_by_host_and_day_and_few_are_open() {
        let (ended, files) = (Arc::new(std::sync::Mutex::new(0)), std::cell::RefCell::new(Vec::new()));
        let begin = |folder: &str, part: u32| {
            files.borrow_mut().push(format!("{folder}/{part}"));
            Ok(Vec::new())
        };
        let end = |file: Vec<u8>| {
            assert!(file.ends_with(b"PAR1"));
            *ended.lock().expect("a count") += 1;
            Ok(())
        };
        let mut tables = Partitions::new(Vec::new(), begin, end);
        let mut rows = Vec::new();
        for day in [0, 1, 2, 3, 4, 4, 0] {
            row(day * 86_400_000_000_000, 0, &mut rows);
        }
        tables.rows(&rows).expect("rows");
        tables.finish().expect("tables");
        let files = files.into_inner();
        // The first day was ended for the fifth, and begins again as its second part.
        assert_eq!(files.len(), 6, "{files:?}");
        assert!(files[5].ends_with("date=1970-01-01/1"), "{files:?}");
        assert_eq!(*ended.lock().expect("a count"), 6);
    }
}
