//! The columns of the table: one wide row an event, typed columns for what is asked most, the rest as JSON text.

use pipeline::Projection;

/// How a column is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// ns since the epoch, UTC.
    Time,
    /// 64 bits with a sign: engines differ in what they make of others.
    Int,
    Text,
    /// Texts, in order.
    Texts,
    /// Small numbers, in order.
    Ints,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Every row has it.
    pub is_required: bool,
    /// Row groups get a Bloom filter of it.
    pub has_bloom: bool,
}

const fn required(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_required: true, has_bloom: false }
}

const fn optional(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_required: false, has_bloom: false }
}

const fn with_bloom(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, is_required: false, has_bloom: true }
}

/// In the order in which rows have them: [`super::row`] writes them so.
pub const COLUMNS: [Column; 67] = [
    required("time", Kind::Time),
    required("seq", Kind::Int),
    required("host", Kind::Text),
    required("event", Kind::Text),
    optional("syscall_nr", Kind::Int),
    optional("retval", Kind::Int),
    optional("errno", Kind::Text),
    required("pid", Kind::Int),
    required("tid", Kind::Int),
    required("ppid", Kind::Int),
    required("host_pid", Kind::Int),
    required("host_tid", Kind::Int),
    required("host_ppid", Kind::Int),
    required("uid", Kind::Int),
    required("gid", Kind::Int),
    with_bloom("comm", Kind::Text),
    with_bloom("exe", Kind::Text),
    required("cgroup_id", Kind::Int),
    with_bloom("container_id", Kind::Text),
    optional("container_name", Kind::Text),
    optional("image", Kind::Text),
    optional("pod", Kind::Text),
    optional("namespace", Kind::Text),
    required("pid_ns", Kind::Int),
    required("mnt_ns", Kind::Int),
    required("cpu", Kind::Int),
    with_bloom("entity", Kind::Text),
    optional("parent_entity", Kind::Text),
    with_bloom("pathname", Kind::Text),
    optional("path2", Kind::Text),
    optional("fd", Kind::Int),
    optional("fd_path", Kind::Text),
    optional("flags", Kind::Int),
    optional("mode", Kind::Int),
    optional("argv", Kind::Texts),
    optional("env", Kind::Texts),
    with_bloom("remote_addr", Kind::Text),
    optional("remote_port", Kind::Int),
    optional("local_addr", Kind::Text),
    optional("local_port", Kind::Int),
    optional("protocol", Kind::Text),
    optional("bytes", Kind::Int),
    optional("target_pid", Kind::Int),
    optional("signal", Kind::Int),
    optional("domain", Kind::Text),
    optional("sha256", Kind::Text),
    optional("syscall", Kind::Text),
    optional("cut", Kind::Texts),
    optional("unreadable", Kind::Texts),
    required("recorded_scopes", Kind::Ints),
    required("scopes", Kind::Ints),
    required("args", Kind::Text),
    optional("euid", Kind::Int),
    optional("egid", Kind::Int),
    optional("suid", Kind::Int),
    optional("sgid", Kind::Int),
    optional("fsuid", Kind::Int),
    optional("fsgid", Kind::Int),
    optional("cap_effective", Kind::Int),
    optional("cap_permitted", Kind::Int),
    optional("cwd", Kind::Text),
    optional("session", Kind::Int),
    optional("pgid", Kind::Int),
    optional("tty", Kind::Text),
    optional("loginuid", Kind::Int),
    optional("duration_ns", Kind::Int),
    optional("marks", Kind::Texts),
];

/// Columns that somebody reads, by their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted(u128);

impl Wanted {
    pub const ALL: Wanted = Wanted(u128::MAX);

    pub fn of(columns: &[usize]) -> Wanted {
        Wanted(columns.iter().fold(0, |bits, column| bits | 1u128.checked_shl(*column as u32).unwrap_or(0)))
    }

    pub fn has(self, column: usize) -> bool {
        self.0.checked_shr(column as u32).unwrap_or(0) & 1 == 1
    }
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted::ALL
    }
}

// A bit each.
const _: () = assert!(COLUMNS.len() <= 128);

/// What of an event a column is made of.
pub fn projection(columns: &[usize]) -> Projection {
    let mut projection = Projection::NONE;
    for column in columns.iter().filter_map(|column| COLUMNS.get(*column)) {
        match column.name {
            "time" | "seq" | "host" | "event" | "syscall_nr" | "scopes" => {}
            // A call that had not returned has none.
            "retval" | "errno" | "bytes" => {
                (projection.rets, projection.marks) = (true, true);
            }
            "cpu" => projection.cpus = true,
            "recorded_scopes" => projection.recorded = true,
            "cut" | "unreadable" | "marks" => projection.marks = true,
            "duration_ns" => projection.durations = true,
            "pathname" | "path2" | "fd" | "fd_path" | "flags" | "mode" | "argv" | "env" | "remote_addr"
            | "remote_port" | "local_addr" | "local_port" | "protocol" | "target_pid" | "signal"
            | "domain" | "sha256" | "syscall" => projection.arguments = true,
            "args" => {
                projection = Projection { arguments: true, marks: true, rets: true, ..projection };
            }
            // Of the task and its container.
            _ => projection.contexts = true,
        }
    }
    projection
}

/// The message type, as the format's own text has it.
pub fn message() -> String {
    let mut text = String::from("message event {\n");
    for column in COLUMNS {
        let repetition = if column.is_required { "REQUIRED" } else { "OPTIONAL" };
        let name = column.name;
        text += &match column.kind {
            Kind::Time => format!("  {repetition} INT64 {name} (TIMESTAMP(NANOS,true));\n"),
            Kind::Int => format!("  {repetition} INT64 {name};\n"),
            Kind::Text => format!("  {repetition} BYTE_ARRAY {name} (STRING);\n"),
            Kind::Texts => format!(
                "  {repetition} GROUP {name} (LIST) {{\n    REPEATED GROUP list {{\n      REQUIRED BYTE_ARRAY element (STRING);\n    }}\n  }}\n"
            ),
            Kind::Ints => format!(
                "  {repetition} GROUP {name} (LIST) {{\n    REPEATED GROUP list {{\n      REQUIRED INT32 element;\n    }}\n  }}\n"
            ),
        };
    }
    text + "}\n"
}

/// The name by which a column's leaf is known.
pub fn leaf(column: &Column) -> Vec<String> {
    match column.kind {
        Kind::Texts | Kind::Ints => [column.name, "list", "element"].map(str::to_owned).to_vec(),
        _ => vec![column.name.to_owned()],
    }
}
