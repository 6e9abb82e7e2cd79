//! 9: what somebody noted, and what the page's words mean.

use super::table;
use crate::html::Html;
use crate::page::Page;

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup("<section id=\"notes\" aria-labelledby=\"notes-h\"><h2 id=\"notes-h\">Notes</h2>\n");
    if page.notes.is_empty() {
        html.markup("<p>No notes were given.</p>\n");
    } else {
        table::begin(html, "Notes on events", &["Mark", "Time", "Event", "Process", "Note"]);
        for note in page.notes {
            let row = note.place.and_then(|at| page.gathered.events.place(at, &note.event));
            html.markup("<tr><td>").text(&note.key.map(String::from).unwrap_or_default()).markup("</td>");
            super::time_cell(page, note.wall_ns, html);
            html.markup("<td>");
            if let Some(row) = row {
                html.markup("<a href=\"#events\" data-row=\"").plain(&row.to_string()).markup("\">");
            }
            html.text(&note.event).markup(if row.is_some() { "</a></td><td>" } else { "</td><td>" });
            html.text(&note.process).markup("</td><td>");
            for line in note.text.lines() {
                html.text(line).markup("<br>");
            }
            html.markup("</td></tr>\n");
        }
        table::end(html);
    }
    html.markup(GLOSSARY);
    html.markup("</section>\n");
}

const GLOSSARY: &str = "<h3>Words</h3>\n<dl class=\"glossary\">\
<div><dt>Event</dt><dd>A system call at its exit, or what a hook of the kernel told. Derived events are computed from others and \
are there only where filters ask for them.</dd></div>\
<div><dt>Result</dt><dd>What a call returned; below zero it failed, and the error's name stands beside it.</dd></div>\
<div><dt>Failed</dt><dd>Calls with a result below zero.</dd></div>\
<div><dt>(cut), (unreadable)</dt><dd>The value was longer than the recorder keeps, or its memory could not be read.</dd></div>\
<div><dt>…</dt><dd>The value is longer in the capture.</dd></div>\
<div><dt>\\xNN</dt><dd>A byte of a name or text that is not shown as it is, since it would change how the text looks.</dd></div>\
<div><dt>?</dt><dd>Nobody saw it.</dd></div>\
<div><dt>Digest</dt><dd>The head of the capture's chain, which changes with every byte of it: <code>tracer verify</code> prints it.\
</dd></div></dl>\n\
<h3>The filter of this page</h3>\n<p>It is the language of <code>-f</code>, filters with a blank between them: those of one scope \
(<code>N:</code> in front) are ANDed, scopes are ORed. It knows <code>event</code>, <code>comm</code>, <code>binary</code>, \
<code>pid</code>, <code>tid</code>, <code>ppid</code>, <code>uid</code>, <code>host</code>, <code>container</code>, \
<code>EVENT.retval</code>, and <code>EVENT.ARGUMENT</code> of texts, numbers and descriptors that are in the page, with \
<code>= != &lt; &gt; &lt;= &gt;=</code> and <code>*</code>. A value with a blank in it stands in double quotes: \
<code>\"openat.pathname=/tmp/a b\"</code>. What it does not know it says, and <code>tracer replay --count -f ...</code> answers. \
The address of this page with <code>#f=comm=ls</code> behind it opens it with a filter.</p>\n";
