//! 7: what led to the severest findings, and what came of them.

use crate::html::Html;
use crate::page::Page;
use crate::stories::Story;

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup("<section id=\"stories\" aria-labelledby=\"stories-h\"><h2 id=\"stories-h\">Stories</h2>\n");
    let stories = &page.gathered.stories;
    if stories.is_empty() {
        html.markup(
            "<p>Nothing was found that has a story; <code>--story</code> tells one of anything.</p>\n",
        );
    } else {
        html.markup(
            "<p class=\"quiet\">What went from one to another through processes, files, sockets and pipes, in order of time. \
             Numbers are those that <code>tracer story --of '#N'</code> and <code>tracer replay --around '#N'</code> take.</p>\n",
        );
    }
    stories.iter().for_each(|story| one(page, story, html));
    html.markup("</section>\n");
}

fn one(page: &Page<'_>, story: &Story, html: &mut Html) {
    html.markup("<article><h3>").text(&story.title).markup("</h3>\n");
    for (title, lines) in [("What led to it", &story.back), ("What came of it", &story.forward)] {
        html.markup("<h4>").markup(title).markup("</h4>\n");
        if lines.is_empty() {
            html.markup("<p class=\"quiet\">Nothing that was recorded.</p>\n");
            continue;
        }
        html.markup("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"")
            .markup(title)
            .markup(": ")
            .text(&story.title)
            .markup("\"><pre>");
        for line in lines {
            let mut end = 0;
            for (range, place, event) in &line.links {
                let Some(row) = page.gathered.events.place(*place, event) else { continue };
                html.text(line.text.get(end..range.start).unwrap_or_default());
                html.markup("<a href=\"#events\" data-row=\"").plain(&row.to_string()).markup("\">");
                html.text(line.text.get(range.clone()).unwrap_or_default()).markup("</a>");
                end = range.end;
            }
            html.text(line.text.get(end..).unwrap_or_default()).markup("\n");
        }
        html.markup("</pre></div>\n");
    }
    if story.left_out > 0 {
        html.markup("<p class=\"quiet\">").number(story.left_out as u64);
        html.markup(" more lines are left out here: <code>tracer story</code> shows them.</p>\n");
    }
    html.markup("</article>\n");
}
