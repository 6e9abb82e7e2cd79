//! 4: the tree of processes, which the page's script draws.

use serde_json::{Value, json};
use views::tree;

use crate::html::Html;
use crate::page::Page;
use crate::spelled::{shortened, spelled};

pub fn write(page: &Page<'_>, html: &mut Html) {
    html.markup("<section id=\"processes\" aria-labelledby=\"processes-h\"><h2 id=\"processes-h\">Processes</h2>\n<p>");
    html.number(page.gathered.steps.len() as u64);
    html.markup(
        " processes have events that were asked for, or started one that has.</p>\n<div class=\"scripted\" hidden><p>\
         <button type=\"button\" id=\"unfold\">Unfold all</button> <button type=\"button\" id=\"fold\">Fold all</button></p>\n\
         <div class=\"scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"Tree of processes\"><table id=\"tree\">\
         <caption>Processes</caption><thead><tr><th scope=\"col\">Process</th><th scope=\"col\">User</th><th scope=\"col\">Start</th>\
         <th scope=\"col\" class=\"n\">Lasted</th><th scope=\"col\">Exit</th><th scope=\"col\" class=\"n\">Events</th>\
         <th scope=\"col\" class=\"n\">Matched</th><th scope=\"col\" class=\"n\">Failed</th><th scope=\"col\">Container</th></tr></thead>\
         <tbody></tbody></table></div>\n<p id=\"tree-more\" hidden><button type=\"button\">Show more</button></p></div>\n</section>\n",
    );
}

/// For the script, in the order of the tree: depth, pid, name, command, user, start (µs since the epoch), how long it lasted, how it
/// ended, container, host, events, failures.
pub fn rows(page: &Page<'_>) -> Value {
    let gathered = page.gathered;
    let has_hosts = page.source.has_hosts();
    let row = |step: &tree::Step| {
        let process = gathered.forest.processes.get(step.process)?;
        let user = match gathered.known.user(process.boot, process.uid) {
            _ if process.start_wall_ns.is_none() => "?".to_owned(),
            Some(user) => scopes::spelled_out(user),
            None => process.uid.to_string(),
        };
        let host = if has_hosts { spelled(process.host.as_bytes()) } else { String::new() };
        Some(json!([
            step.depth,
            process.pid,
            spelled(&process.comm),
            shortened(String::from_utf8_lossy(&process.command()).into_owned()),
            user,
            process.start_wall_ns.map(|ns| ns.div_euclid(1000)),
            process.duration_ns().map(tree::duration),
            process.exit_text(),
            spelled(process.container.as_bytes()),
            host,
            process.tally.events,
            process.tally.failures,
        ]))
    };
    gathered.steps.iter().filter_map(row).collect()
}
