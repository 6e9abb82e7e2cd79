//! 2: what rules found, the severest first.

use rules::Level;

use super::table;
use crate::findings::Group;
use crate::gather;
use crate::html::Html;
use crate::page::Page;

/// Groups that the page tells.
const MOST_GROUPS: usize = 500;
/// Values of a finding that are told.
const MOST_VALUES: usize = 6;
/// Events of a finding that the page leads to.
const MOST_EVENTS: usize = 8;

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup(
        "<section id=\"findings\" aria-labelledby=\"findings-h\"><h2 id=\"findings-h\">Findings</h2>\n",
    );
    let found = &page.gathered.findings;
    if page.rules.is_empty() {
        html.markup("<p>No rules were asked.</p>\n</section>\n");
        return;
    }
    html.markup("<p>").number(found.asked as u64).markup(" rules were asked");
    if found.unanswerable > 0 {
        html.markup("; ").number(found.unanswerable as u64);
        html.markup(" cannot be answered by these captures (<code>tracer scan --coverage</code> says why)");
    }
    html.markup(".</p>\n");
    table::begin_small(html, "Findings by severity", &["Severity", ">All", ">By rule and program"]);
    for level in Level::ALL.into_iter().rev() {
        let (all, unique) = found.of_level(level);
        html.markup("<tr><th scope=\"row\">")
            .markup(badge(level))
            .markup("</th><td class=\"n\">")
            .number(all);
        html.markup("</td><td class=\"n\">").number(unique).markup("</td></tr>\n");
    }
    table::end(html);
    if found.of_others > 0 {
        html.markup("<p class=\"quiet\">").number(found.of_others);
        html.markup(
            " findings are of processes that have no event here, and are left out: a report without filters shows them.</p>\n",
        );
    }
    if found.forgotten > 0 {
        html.markup("<p class=\"warn\">").number(found.forgotten);
        html.markup(" states of rules were given up for want of room: findings may be missing.</p>\n");
    }
    if found.groups.is_empty() {
        html.markup("<p>Nothing was found.</p>\n</section>\n");
        return;
    }
    table::begin(
        html,
        "What was found",
        &["Severity", "Rule", ">Times", "First", "Last", "Process", "Why", "Events"],
    );
    for group in found.groups.iter().take(MOST_GROUPS) {
        one(page, group, html);
    }
    table::end(html);
    let more = found.groups.len().saturating_sub(MOST_GROUPS) as u64 + found.left_out;
    if more > 0 {
        html.markup("<p class=\"quiet\">").number(more);
        html.markup(" more are left out here: <code>tracer scan</code> shows them.</p>\n");
    }
    html.markup("</section>\n");
}

/// The level in words and a sign, so that it is not told by its colour alone.
fn badge(level: Level) -> &'static str {
    match level {
        Level::Critical => "<span class=\"level critical\">critical</span>",
        Level::High => "<span class=\"level high\">high</span>",
        Level::Medium => "<span class=\"level medium\">medium</span>",
        Level::Low => "<span class=\"level low\">low</span>",
        Level::Info => "<span class=\"level info\">info</span>",
    }
}

fn one(page: &Page<'_>, group: &Group, html: &mut Html) {
    let finding = &group.finding;
    let Some(rule) = page.rules.get(finding.rule) else { return };
    html.markup("<tr><td>").markup(badge(rule.level)).markup("</td><th scope=\"row\">").text(&rule.title);
    let techniques: Vec<String> = rule.techniques().collect();
    html.markup("<br><span class=\"quiet\">").text(&rule.id).markup(" ").text(&techniques.join(" "));
    html.markup("</span></th><td class=\"n\">").number(group.count).markup("</td>");
    super::time_cell(page, finding.wall_ns, html);
    if group.count > 1 {
        super::time_cell(page, group.last_ns, html);
    } else {
        html.markup("<td></td>");
    }
    html.markup("<td>").text(&finding.process.name).markup(" ").text(&finding.process.pid.to_string());
    for ancestor in finding.ancestry.iter().take(4) {
        html.markup(" &lt; ").text(&ancestor.name).markup(" ").text(&ancestor.pid.to_string());
    }
    if let Some(user) = &finding.process.user {
        html.markup("<br><span class=\"quiet\">user ").text(user).markup("</span>");
    }
    if let Some(container) = &finding.container {
        html.markup("<br><span class=\"quiet\">in ")
            .text(&container.name)
            .markup(" (")
            .text(&container.image);
        html.markup(")</span>");
    }
    html.markup("</td><td>");
    let mut told: Vec<(&str, &str)> = Vec::new();
    for deciding in finding.events.iter().flat_map(|seen| &seen.deciding) {
        if !told.contains(&(&deciding.field, &deciding.value)) && told.len() < MOST_VALUES {
            told.push((&deciding.field, &deciding.value));
        }
    }
    for (field, value) in told {
        let short: String = value.chars().take(120).collect();
        html.markup("<div><span class=\"quiet\">").text(field).markup("</span> ").text(&short);
        html.markup(if short.len() < value.len() { "…</div>" } else { "</div>" });
    }
    html.markup("</td><td>");
    for seen in finding.events.iter().take(MOST_EVENTS) {
        let row = gather::place(page.source, seen).and_then(|at| page.gathered.events.place(at, seen.name));
        html.markup("<div>");
        if let Some(row) = row {
            html.markup("<a href=\"#events\" data-row=\"").plain(&row.to_string()).markup("\">");
        }
        html.text(seen.name);
        if let Some(number) = seen.number {
            html.markup(" #").text(&number.to_string());
        }
        html.markup(if row.is_some() { "</a></div>" } else { "</div>" });
    }
    html.markup("</td></tr>\n");
}
