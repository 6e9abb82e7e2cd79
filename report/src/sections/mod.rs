//! The sections of a page, in their order: 1 capture, 2 findings, 3 timeline, 4 processes, 5 files and network, 6 top, 7 stories,
//! 8 events, 9 notes.

pub mod files;
pub mod findings;
pub mod head;
mod network;
pub mod notes;
pub mod processes;
pub mod stories;
mod table;
pub mod top;

use views::clock::{Clock, Hand};

use crate::html::Html;
use crate::page::Page;

/// The title, and ways to the sections.
pub fn banner(page: &Page<'_>, html: &mut Html) {
    html.markup("<header><h1>").text(&page.about.title).markup("</h1>\n<nav aria-label=\"Sections\"><ol>");
    html.markup(
        "<li><a href=\"#capture\">Capture</a></li><li><a href=\"#findings\">Findings</a></li><li><a href=\"#timeline\">\
         Timeline</a></li><li><a href=\"#processes\">Processes</a></li><li><a href=\"#files\">Files and network</a></li>\
         <li><a href=\"#top\">Top</a></li><li><a href=\"#stories\">Stories</a></li><li><a href=\"#events\">Events</a></li>\
         <li><a href=\"#notes\">Notes</a></li></ol></nav>\n<p class=\"tools\" hidden><button type=\"button\" id=\"theme\">Theme: as \
         the system</button> <button type=\"button\" id=\"keys\">Keys</button></p></header>\n",
    );
    html.markup(
        "<noscript><p class=\"warn\">Scripts are off. The timeline, the tree of processes and the events need them; the rest of \
         the page does not.</p></noscript>\n<p class=\"warn\" id=\"failure\" role=\"alert\" hidden></p>\n",
    );
}

pub const TIMELINE: &str = "<section id=\"timeline\" aria-labelledby=\"timeline-h\"><h2 id=\"timeline-h\">Timeline</h2>\n\
<div class=\"scripted\" hidden><div class=\"bar\"><label for=\"filter\">Filter</label>\
<input id=\"filter\" type=\"text\" spellcheck=\"false\" autocomplete=\"off\" autocapitalize=\"off\" aria-describedby=\"filter-said\" \
placeholder=\"comm=ls event=openat,close openat.pathname=/etc/*\"><button type=\"button\" id=\"clear\">Clear</button></div>\n\
<p id=\"filter-said\" role=\"status\"></p>\n\
<canvas id=\"histogram\" height=\"120\" role=\"img\" aria-label=\"Events over time; the table below has the same numbers\"></canvas>\n\
<div class=\"range\"><label>From <input type=\"range\" id=\"from\" min=\"0\" max=\"1000\" value=\"0\"></label>\
<label>To <input type=\"range\" id=\"to\" min=\"0\" max=\"1000\" value=\"1000\"></label>\
<output id=\"range-said\" for=\"from to\"></output><button type=\"button\" id=\"whole\">Whole time</button></div>\n\
<p class=\"quiet\">Drag over the timeline, or move its ends, to choose a stretch of time. The filter and the stretch hold for the \
tree of processes, the top tables and the events.</p>\n\
<details><summary>The same as a table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Events over time\">\
<table id=\"histogram-table\"><caption>Events over time</caption><thead><tr><th scope=\"col\">From</th><th scope=\"col\" \
class=\"n\">Events</th><th scope=\"col\" class=\"n\">Matched</th></tr></thead><tbody></tbody></table></div></details></div>\n\
</section>\n";

pub const EVENTS: &str = "<section id=\"events\" aria-labelledby=\"events-h\"><h2 id=\"events-h\">Events</h2>\n\
<div class=\"scripted\" hidden><p id=\"events-said\" role=\"status\"></p>\n\
<div id=\"rows\" class=\"rows\" tabindex=\"0\" role=\"region\" aria-label=\"Rows of events; arrow keys or j and k move\">\
<div id=\"rows-height\"><table id=\"rows-table\"><caption>Events</caption><thead><tr><th scope=\"col\">Time</th>\
<th scope=\"col\">Process</th><th scope=\"col\" class=\"wide\">User</th><th scope=\"col\">Event</th>\
<th scope=\"col\" class=\"n\">Result</th><th scope=\"col\">Arguments</th></tr></thead><tbody></tbody></table></div></div>\n\
<div id=\"detail\" class=\"detail\" hidden><h3>Chosen event</h3><dl></dl></div></div>\n\
</section>\n";

pub const HELP: &str = "<dialog id=\"help\" aria-labelledby=\"help-h\"><h2 id=\"help-h\">Keys</h2><dl>\
<dt><kbd>1</kbd> to <kbd>9</kbd></dt><dd>go to a section</dd>\
<dt><kbd>/</kbd></dt><dd>edit the filter; <kbd>Esc</kbd> goes back</dd>\
<dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous event</dd>\
<dt><kbd>n</kbd> <kbd>N</kbd></dt><dd>next and previous event that something was found or noted of</dd>\
<dt><kbd>t</kbd></dt><dd>light, dark, or as the system</dd>\
<dt><kbd>?</kbd></dt><dd>these keys</dd></dl>\
<form method=\"dialog\"><button>Close</button></form></dialog>\n";

/// A cell with a time, which is not broken into lines.
pub(crate) fn time_cell(page: &Page<'_>, wall_ns: i64, html: &mut Html) {
    html.markup("<td class=\"t\">").text(&time(page, wall_ns)).markup("</td>");
}

/// A time as tables of the page show it: with its date, but where all events are of one day.
pub(crate) fn time(page: &Page<'_>, wall_ns: i64) -> String {
    let time = dated(page.clock, wall_ns);
    let day = page.day.as_deref().and_then(|day| time.strip_prefix(day));
    day.map_or_else(|| time.clone(), |time| time.trim_start().to_owned())
}

pub(crate) fn dated(clock: &Clock, wall_ns: i64) -> String {
    let mut out = Vec::new();
    Hand::new(clock, true).write(wall_ns, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The day of a time, as [`dated`] has it.
pub(crate) fn day(clock: &Clock, wall_ns: i64) -> String {
    dated(clock, wall_ns).split(' ').next().unwrap_or_default().to_owned()
}
