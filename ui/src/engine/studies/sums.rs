//! What the answer has, summed by process, file, peer and others.

use views::sums::{By, Sum, Sums};

use super::{Desk, Made, table};
use crate::page::{Field, Line, Order, Target, shown};
use crate::screen::grouped;
use crate::study::Group;

/// Groups that are listed, the largest first.
const MOST: usize = 50_000;

pub fn page(desk: &Desk<'_>, group: Group) -> Made {
    let (by, key) = match group {
        Group::Processes => (By::Comm, Some("comm")),
        Group::Files => (By::File, Some("file")),
        Group::Directories => (By::Directory, None),
        Group::Connections => (By::Peer, Some("peer")),
        Group::Names => (By::Domain, Some("peer")),
        Group::Containers => (By::Container, Some("container")),
        Group::Events => (By::Event, Some("event")),
        Group::Errors => (By::Errno, None),
        Group::Users => (By::User, Some("uid")),
        Group::Hosts => (By::Host, Some("host")),
    };
    let shared = &desk.query.shared;
    let question = pipeline::Question {
        cancellation: desk.cancellation.clone(),
        ..desk.query.question(desk.state.threads)
    };
    let mut sums = Sums::new(by, &shared.known);
    let stats = question.batches_in_parallel(
        Sums::projection(),
        &|batch| Sums::of(by, &shared.known, batch),
        &mut |batch, made| {
            let file = || batch.file().name.clone();
            sums.merge(made.map_err(|source| pipeline::Error::Capture { file: file(), source })?);
            Ok(())
        },
    );
    stats.map_err(|error| error.to_string())?;
    let all = sums.sorted();
    let count = all.len();
    let rows =
        all.into_iter().take(MOST).map(|(name, sum)| (cells(&name, &sum), line(&name, &sum, key))).collect();
    let title = format!("{} by {}", grouped(count as u64), by.name());
    let mut page = table::page(title, &["EVENTS", "FAILED", "BYTES", &by.name().to_uppercase()], rows);
    page.sorts = vec!["events", "failures", "bytes", "name"];
    page.note = "> sorts by the next column".into();
    if count > MOST {
        page.lines.push(Line::quiet(format!("... and {} more", count - MOST)));
    }
    if page.lines.is_empty() {
        page.lines.push(Line::quiet("no event that is shown has any"));
    }
    Ok(page)
}

fn cells(name: &[u8], sum: &Sum) -> Vec<table::Cell> {
    let number = |number: u64| (grouped(number), true);
    let name = if name.is_empty() { "(none)".to_owned() } else { shown(name) };
    vec![number(sum.count), number(sum.failures), number(sum.bytes), (name, false)]
}

fn line(name: &[u8], sum: &Sum, key: Option<&'static str>) -> Line {
    // A path that is relative to nobody knows what is no file that could be asked for; unix sockets are files.
    let is_path = name.starts_with(b"/");
    let key = match key {
        Some("file") if !is_path && !name.starts_with(b"memfd:") => None,
        Some("peer") if is_path => Some("file"),
        Some("peer") if name.starts_with(b"@") => None,
        key => key,
    };
    let field = key.filter(|_| !name.is_empty()).map(|key| Field::of_bytes(key, name));
    let number = |number: u64| Order::Number(number.into());
    let target = field.as_ref().map_or(Target::Time(sum.first_ns), |it| Target::Filter(it.filter(false)));
    Line {
        target,
        field,
        order: vec![number(sum.count), number(sum.failures), number(sum.bytes), Order::Text(shown(name))],
        ..Line::default()
    }
}
