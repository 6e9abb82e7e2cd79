//! Tables of the page: real ones, that a keyboard scrolls and a screen reader walks through.

use views::clock::Hand;
use views::state::{Object, Value};

use crate::html::Html;
use crate::page::Page;

/// Rows of a table that stand in the page, so that a page without events stays small.
pub const MOST_ROWS: usize = 100;

/// Begins a table of these columns; a name with `>` in front of it is one of numbers.
pub fn begin(html: &mut Html, caption: &'static str, columns: &[&'static str]) {
    begin_as(html, "\"><table><caption>", caption, columns);
}

/// The same, of one that is no wider than it has to be.
pub fn begin_small(html: &mut Html, caption: &'static str, columns: &[&'static str]) {
    begin_as(html, "\"><table class=\"small\"><caption>", caption, columns);
}

fn begin_as(html: &mut Html, opening: &'static str, caption: &'static str, columns: &[&'static str]) {
    html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").markup(caption);
    html.markup(opening).markup(caption).markup("</caption><thead><tr>");
    for column in columns {
        match column.strip_prefix('>') {
            Some(name) => html.markup("<th scope=\"col\" class=\"n\">").markup(name),
            None => html.markup("<th scope=\"col\">").markup(column),
        };
        html.markup("</th>");
    }
    html.markup("</tr></thead><tbody>\n");
}

pub fn end(html: &mut Html) {
    html.markup("</tbody></table></div>\n");
}

/// Says how many rows are not there, and what shows them.
pub fn more(html: &mut Html, all: usize, how: &'static str) {
    if all > MOST_ROWS {
        html.markup("<p class=\"quiet\">").number((all - MOST_ROWS) as u64);
        html.markup(" more are left out here: <code>").markup(how).markup("</code> shows them.</p>\n");
    }
}

/// A heading of a terminal's table as this page writes headings: `Begun` for `BEGUN`. Abbreviations stay.
fn heading(name: &str) -> String {
    if matches!(name, "PID" | "FD" | "TTY" | "ID" | "NETID") {
        return name.to_owned();
    }
    let mut letters = name.chars();
    letters.next().into_iter().chain(letters.flat_map(char::to_lowercase)).collect()
}

/// Objects of views, as their commands print them.
pub fn objects(page: &Page<'_>, html: &mut Html, caption: &'static str, all: &[Object], how: &'static str) {
    let Some(first) = all.first() else { return };
    html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").markup(caption);
    html.markup("\"><table><caption>").markup(caption).markup("</caption><thead><tr>");
    for field in first.fields.iter().filter(|field| field.header.is_some()) {
        html.markup(if field.is_right { "<th scope=\"col\" class=\"n\">" } else { "<th scope=\"col\">" });
        html.text(&heading(field.header.unwrap_or_default())).markup("</th>");
    }
    html.markup("</tr></thead><tbody>\n");
    let mut hand = Hand::new(page.clock, page.day.is_none());
    for object in all.iter().take(MOST_ROWS) {
        html.markup("<tr>");
        for field in object.fields.iter().filter(|field| field.header.is_some()) {
            let mut text = Vec::new();
            field.value.write(&mut hand, &mut text);
            html.markup(match &field.value {
                _ if field.is_right => "<td class=\"n\">",
                Value::Time(_) | Value::Since(..) => "<td class=\"t\">",
                _ => "<td>",
            });
            html.text(&String::from_utf8_lossy(&text)).markup("</td>");
        }
        html.markup("</tr>\n");
    }
    end(html);
    more(html, all.len(), how);
}
