//! 5: files that were written, moved and executed from unusual places; network; containers; users.

use std::cmp::Reverse;

use views::changes::{Change, Changes, is_unusual};
use views::sums::By;
use views::tree::Forest;

use super::table::{self, MOST_ROWS};
use super::{network, top};
use crate::html::Html;
use crate::page::Page;

/// A file, with what was done and by whom in texts.
#[derive(Debug)]
pub struct File {
    pub path: Vec<u8>,
    pub change: Change,
    /// `bash 510`, each.
    pub by: Vec<Vec<u8>>,
    /// There are others.
    pub more: bool,
    pub kind: Kind,
    /// All of this kind, also those that are not among the files.
    pub of: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Executed,
    Written,
    Moved,
}

/// As many files of each kind as stand in the page: those that matter the most.
pub fn chosen(changes: &Changes<'_>, forest: &Forest) -> Vec<File> {
    let mut files = Vec::new();
    let all = changes.files();
    for kind in [Kind::Executed, Kind::Written, Kind::Moved] {
        let is_it = |change: &Change, path: &[u8]| match kind {
            Kind::Executed => change.executions > 0 && is_unusual(path),
            Kind::Written => change.is_written(),
            Kind::Moved => change.is_moved(),
        };
        let mut own: Vec<_> = all.iter().filter(|(thing, change)| is_it(change, thing.name())).collect();
        match kind {
            Kind::Written => own.sort_by_key(|(_, change)| Reverse((change.bytes, change.writes))),
            Kind::Executed | Kind::Moved => {}
        }
        let of = own.len();
        files.extend(own.into_iter().take(MOST_ROWS).map(|(thing, change)| {
            let by = match kind {
                Kind::Executed => &change.runners,
                Kind::Written => &change.writers,
                Kind::Moved => &change.movers,
            };
            let more = by.more;
            let by = by.some.iter().map(|who| match forest.find(who) {
                Some(process) => [&*process.comm, format!(" {}", who.pid).as_bytes()].concat(),
                None => who.pid.to_string().into_bytes(),
            });
            File { path: thing.name().to_vec(), by: by.collect(), more, change: (*change).clone(), kind, of }
        }));
    }
    files
}

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup("<section id=\"files\" aria-labelledby=\"files-h\"><h2 id=\"files-h\">Files and network</h2>\n<h3>Files</h3>\n");
    if page.gathered.files.is_empty() {
        html.markup("<p>No file was written, moved, or executed from an unusual place, as far as it was recorded.</p>\n");
    }
    let kinds = [
        (Kind::Executed, "Executed from unusual places"),
        (Kind::Written, "Written"),
        (Kind::Moved, "Removed, renamed, linked, or given another mode or owner"),
    ];
    for (kind, caption) in kinds {
        let files: Vec<&File> = page.gathered.files.iter().filter(|file| file.kind == kind).collect();
        let Some(first) = files.first() else { continue };
        let columns: &[&str] = match kind {
            Kind::Executed => &["File", ">Times", "By", "First", "Last"],
            Kind::Written => &["File", ">Bytes", ">Writes", "By", "First", "Last"],
            Kind::Moved => &["File", "What", "By", "First", "Last"],
        };
        table::begin(html, caption, columns);
        files.iter().for_each(|file| row(page, file, html));
        table::end(html);
        table::more(html, first.of, "tracer file FILE '*'");
    }
    network::write(page, html);
    let sums = &page.gathered.totals;
    html.markup("<h3>Containers</h3>\n");
    match sums.by(By::Container) {
        [] => {
            html.markup("<p>No event is of a container.</p>\n");
        }
        groups => top::groups(page, html, "Containers", "Container", groups),
    }
    html.markup("<h3>Users</h3>\n");
    top::groups(page, html, "Users", "User", sums.by(By::User));
    html.markup("</section>\n");
}

fn row(page: &Page<'_>, file: &File, html: &mut Html) {
    let File { path, change, by, .. } = file;
    html.markup("<tr><th scope=\"row\">").shown(path);
    if let Some(before) = &change.before {
        html.markup("<br><span class=\"quiet\">was ").shown(before).markup("</span>");
    }
    html.markup("</th>");
    match file.kind {
        Kind::Executed => {
            html.markup("<td class=\"n\">").number(change.executions).markup("</td>");
        }
        Kind::Written => {
            html.markup("<td class=\"n\">")
                .number(change.bytes)
                .markup("</td><td class=\"n\">")
                .number(change.writes);
            html.markup("</td>");
        }
        Kind::Moved => {
            html.markup("<td>").text(&deeds(change)).markup("</td>");
        }
    }
    html.markup("<td>");
    for (at, who) in by.iter().enumerate() {
        html.markup(if at > 0 { ", " } else { "" }).shown(who);
    }
    if file.more {
        html.markup(" and others");
    }
    html.markup("</td>");
    super::time_cell(page, change.first_ns, html);
    super::time_cell(page, change.last_ns, html);
    html.markup("</tr>\n");
}

/// `removed 2 times, renamed`.
fn deeds(change: &Change) -> String {
    let deeds = [(change.removals, "removed"), (change.names, "named"), (change.modes, "mode or owner")];
    let told = deeds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| match count {
        1 => (*what).to_owned(),
        count => format!("{what} {count} times"),
    });
    told.collect::<Vec<_>>().join(", ")
}
