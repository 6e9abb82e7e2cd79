//! The columns of a catalogue: their names and types, and which field of a row each is.

use super::Row;

/// A column's cell in a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
    Texts(Vec<String>),
}

/// What kind of cells a column has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `INT64`, nullable or not, and with or without the annotation of a time.
    Int,
    Time,
    Bool,
    Text,
    Bytes,
    Texts,
}

/// Who reads a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// Questions, to know which captures there are.
    Always,
    /// Questions, where statistics have to be judged.
    Judging,
    /// Only people and their engines, and whoever makes the catalogue anew.
    Shown,
}

pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub asked: Asked,
    pub get: fn(&Row) -> Cell,
    pub set: fn(&mut Row, Cell),
}

/// An integer that is always there.
macro_rules! int {
    ($field:ident) => {
        column(
            stringify!($field),
            Kind::Int,
            |row| Cell::Int(Some(row.$field)),
            |row, cell| {
                if let Cell::Int(Some(it)) = cell {
                    row.$field = it
                }
            },
        )
    };
}
macro_rules! maybe {
    ($field:ident, $kind:ident, $cell:ident) => {
        column(
            stringify!($field),
            Kind::$kind,
            |row| Cell::$cell(row.$field),
            |row, cell| {
                if let Cell::$cell(it) = cell {
                    row.$field = it
                }
            },
        )
    };
}
macro_rules! text {
    ($field:ident) => {
        column(
            stringify!($field),
            Kind::Text,
            |row| Cell::Bytes(Some(row.$field.clone().into_bytes())),
            |row, cell| {
                if let Cell::Bytes(Some(it)) = cell {
                    row.$field = lossy(it)
                }
            },
        )
    };
}
macro_rules! maybe_text {
    ($field:ident) => {
        column(
            stringify!($field),
            Kind::Text,
            |row| Cell::Bytes(row.$field.clone().map(String::into_bytes)),
            |row, cell| {
                if let Cell::Bytes(it) = cell {
                    row.$field = it.map(lossy)
                }
            },
        )
    };
}
macro_rules! texts {
    ($field:ident) => {
        Column {
            asked: Asked::Shown,
            ..column(
                stringify!($field),
                Kind::Texts,
                |row| Cell::Texts(row.$field.clone()),
                |row, cell| {
                    if let Cell::Texts(it) = cell {
                        row.$field = it
                    }
                },
            )
        }
    };
}

const fn column(name: &'static str, kind: Kind, get: fn(&Row) -> Cell, set: fn(&mut Row, Cell)) -> Column {
    Column { name, kind, asked: Asked::Always, get, set }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

pub(super) const COLUMNS: &[Column] = &[
    text!(path),
    int!(bytes),
    int!(modified_ns),
    maybe_text!(tag),
    int!(cataloged_ns),
    text!(state),
    text!(host),
    text!(boot_id),
    maybe!(start_ns, Time, Int),
    maybe!(end_ns, Time, Int),
    int!(first_ns),
    int!(events),
    int!(blocks),
    int!(lost),
    texts!(event_names),
    texts!(comms),
    texts!(exes),
    text!(labels),
    Column { asked: Asked::Shown, ..maybe_text!(head) },
    Column { asked: Asked::Shown, ..maybe_text!(signer) },
    text!(alike),
    text!(users),
    int!(recording_start_ns),
    int!(part),
    maybe!(oldest_part, Int, Int),
    maybe!(is_last_part, Bool, Bool),
    text!(removed),
    maybe!(host_mnt_ns, Int, Int),
    column(
        "has_containers",
        Kind::Bool,
        |row| Cell::Bool(Some(row.has_containers)),
        |row, cell| {
            if let Cell::Bool(Some(it)) = cell {
                row.has_containers = it
            }
        },
    ),
    Column {
        asked: Asked::Judging,
        ..column(
            "statistics",
            Kind::Bytes,
            |row| Cell::Bytes(row.statistics.clone()),
            |row, cell| {
                if let Cell::Bytes(it) = cell {
                    row.statistics = it
                }
            },
        )
    },
];

/// The schema in Parquet's own words. Every column may be empty, so that later versions can leave some out.
pub(super) fn message() -> String {
    let mut message = "message catalog {\n".to_owned();
    for Column { name, kind, .. } in COLUMNS {
        message.push_str(&match kind {
            Kind::Int => format!("  optional int64 {name};\n"),
            Kind::Time => format!("  optional int64 {name} (TIMESTAMP(NANOS,true));\n"),
            Kind::Bool => format!("  optional boolean {name};\n"),
            Kind::Text => format!("  optional binary {name} (STRING);\n"),
            Kind::Bytes => format!("  optional binary {name};\n"),
            Kind::Texts => format!(
                "  required group {name} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}\n"
            ),
        });
    }
    message.push('}');
    message
}
