//! 6: what there is the most of. The page's script makes these tables anew for what a filter leaves.

use std::cmp::Reverse;

use views::sums::{By, Sum};

use super::table;
use crate::html::Html;
use crate::page::Page;

/// Rows of a table.
const ROWS: usize = 15;

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup("<section id=\"top\" aria-labelledby=\"top-h\"><h2 id=\"top-h\">Top</h2>\n");
    html.markup("<p class=\"quiet\" id=\"top-said\">Over all events that were asked for.</p>\n<div class=\"columns\">\n");
    let totals = &page.gathered.totals;
    let by = |by| totals.by(by).iter().take(ROWS);
    list(
        html,
        "Events by name",
        "<div id=\"top-events\">",
        "Event",
        by(By::Event).map(|(name, sum)| (&**name, sum.count)),
    );
    list(
        html,
        "System calls",
        "<div id=\"top-calls\">",
        "Call",
        by(By::Syscall).map(|(name, sum)| (&**name, sum.count)),
    );
    list(
        html,
        "Errors",
        "<div id=\"top-errors\">",
        "Error",
        by(By::Errno).map(|(name, sum)| (&**name, sum.count)),
    );
    let mut failing: Vec<&(Box<[u8]>, Sum)> =
        totals.by(By::Binary).iter().filter(|(_, sum)| sum.failures > 0).collect();
    failing.sort_by_key(|(_, sum)| Reverse(sum.failures));
    let failing = failing.into_iter().take(ROWS).map(|(name, sum)| (&**name, sum.failures));
    list(html, "Programs by errors", "<div id=\"top-failing\">", "Program", failing);
    html.markup("</div>\n</section>\n");
}

fn list<'g>(
    html: &mut Html,
    caption: &'static str,
    opening: &'static str,
    what: &'static str,
    rows: impl Iterator<Item = (&'g [u8], u64)>,
) {
    html.markup(opening);
    table::begin(html, caption, &[what, ">Times"]);
    for (name, count) in rows {
        html.markup("<tr><th scope=\"row\">").shown(name).markup("</th><td class=\"n\">").number(count);
        html.markup("</td></tr>\n");
    }
    table::end(html);
    html.markup("</div>\n");
}

/// Groups with all that is known of each.
pub fn groups(
    page: &Page<'_>,
    html: &mut Html,
    caption: &'static str,
    what: &'static str,
    groups: &[(Box<[u8]>, Sum)],
) {
    table::begin(html, caption, &[what, ">Events", ">Failed", ">Bytes", "First", "Last"]);
    for (name, sum) in groups.iter().take(table::MOST_ROWS) {
        html.markup("<tr><th scope=\"row\">").shown(name).markup("</th><td class=\"n\">").number(sum.count);
        html.markup("</td><td class=\"n\">")
            .number(sum.failures)
            .markup("</td><td class=\"n\">")
            .number(sum.bytes);
        html.markup("</td>");
        super::time_cell(page, sum.first_ns, html);
        super::time_cell(page, sum.last_ns, html);
        html.markup("</tr>\n");
    }
    table::end(html);
    table::more(html, groups.len(), "tracer top FILE --by ...");
}
