//! Connections over time, as `tracer conn` tells them.

use pipeline::{Cancellation, History};
use views::connections::Connections;
use views::state::{Object, Value};
use views::tree::Forest;

use super::rows::text_of;
use super::{Column, Kind, Rows};
use crate::captures::Opened;

pub const COLUMNS: &[Column] = &[
    Column("first", Kind::Time),
    Column("last", Kind::Time),
    Column("begun", Kind::Time),
    Column("ended", Kind::Time),
    Column("host", Kind::Text),
    Column("kind", Kind::Text),
    Column("way", Kind::Text),
    Column("local", Kind::Text),
    Column("peer", Kind::Text),
    Column("names", Kind::Texts),
    Column("sent", Kind::Int),
    Column("received", Kind::Int),
    Column("calls", Kind::Int),
    Column("how", Kind::Text),
    Column("processes", Kind::Texts),
];

pub fn rows(opened: &Opened) -> anyhow::Result<Rows> {
    let source = &opened.source;
    let forest = Forest::of(source, 1)?;
    let names = source.names(1)?;
    let connections = Connections::new((i64::MIN, i64::MAX));
    let reads = connections.reads();
    let history = History {
        source,
        reads: &reads,
        threads: 1,
        strict: opened.how.strict,
        cancellation: Cancellation::default(),
    };
    let (mut objects, mut left_out) = (Vec::new(), 0);
    let gaps = history.at(&[i64::MAX], connections, &mut |_, connections| {
        left_out = connections.left_out;
        objects = connections.objects(None, None, names, &forest);
    })?;
    if left_out > 0 {
        anyhow::bail!(
            "{left_out} events are of more connections than are kept: ask fewer captures at a time"
        );
    }
    opened.how.missing.add(gaps);
    let mut rows = Rows::new(COLUMNS);
    // All captures of a group are of one host, but for those that were merged.
    let mut hosts: Vec<&str> =
        source.files().iter().flat_map(|file| &file.hosts).map(|host| host.name.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let host = hosts.join(",");
    for object in &objects {
        for column in COLUMNS {
            if column.0 == "host" {
                rows.text(&host);
                continue;
            }
            let value = value(object, column.0);
            match column.1 {
                Kind::Time => rows.time(match value {
                    Some(Value::Time(ns)) => Some(*ns),
                    _ => None,
                }),
                Kind::Int => rows.int(match value {
                    Some(Value::Number(number)) => i64::try_from(*number).ok(),
                    _ => None,
                }),
                Kind::Text => rows.text(match value {
                    Some(Value::Text(text)) => text_of(text),
                    _ => String::new(),
                }),
                Kind::Texts => rows.texts(
                    match value {
                        Some(Value::Texts(texts)) => texts.as_slice(),
                        _ => &[],
                    }
                    .iter()
                    .map(|text| text_of(text)),
                ),
            };
        }
    }
    Ok(rows)
}

fn value<'o>(object: &'o Object, name: &str) -> Option<&'o Value> {
    object.fields.iter().find(|field| field.name == name).map(|field| &field.value)
}
