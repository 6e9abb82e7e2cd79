//! 1: what was recorded, and what was not.

use std::collections::BTreeMap;

use format::SourceCapture;

use super::table;
use crate::html::Html;
use crate::page::{OfCapture, Page};

/// Losses of a capture that are told one by one.
const MOST_LOSSES: usize = 20;
/// Captures that are told one by one: those of a rotated set are alike.
const MOST_CAPTURES: usize = 20;

pub fn write(page: &Page<'_>, left_out: &[String], html: &mut Html) {
    html.markup("<section id=\"capture\" aria-labelledby=\"capture-h\"><h2 id=\"capture-h\">Capture</h2>\n");
    let gathered = page.gathered;
    let total = gathered.totals.events();
    html.markup("<dl class=\"facts\">");
    fact(html, "Events asked", |html| {
        html.number(total);
    });
    if (gathered.events.len() as u64) < total {
        fact(html, "Events in this page", |html| {
            html.number(gathered.events.len() as u64)
                .markup(", the first ones: <code>--limit</code> says how many");
        });
    }
    let range = (page.source.start_wall_ns(), page.source.end_wall_ns());
    if let (Some(start), Some(end)) = range {
        fact(html, "Time", |html| {
            html.text(&super::dated(page.clock, start)).markup(" to ").text(&super::dated(page.clock, end));
        });
    }
    fact(html, "Time zone", |html| {
        html.text(&page.about.zone);
    });
    fact(html, "Filters", |html| match page.about.filters.as_slice() {
        [] => {
            html.markup("none: what the recording itself asked for");
        }
        filters => filters.iter().for_each(|filter| {
            html.markup("<code>").text(filter).markup("</code> ");
        }),
    });
    fact(html, "Made by", |html| {
        html.markup("<code>").text(&page.about.command).markup("</code> (tracer ");
        html.markup(env!("CARGO_PKG_VERSION")).markup(")");
    });
    html.markup("</dl>\n");
    for capture in page.captures.iter().take(MOST_CAPTURES) {
        of_capture(capture, html);
    }
    if page.captures.len() > MOST_CAPTURES {
        html.markup("<p class=\"quiet\">").number((page.captures.len() - MOST_CAPTURES) as u64);
        html.markup(" more captures are not told one by one.</p>\n");
    }
    missing(page, left_out, html);
    html.markup("</section>\n");
}

fn fact(html: &mut Html, name: &'static str, value: impl FnOnce(&mut Html)) {
    html.markup("<div><dt>").markup(name).markup("</dt><dd>");
    value(html);
    html.markup("</dd></div>\n");
}

fn of_capture(capture: &OfCapture, html: &mut Html) {
    let OfCapture { info, provenance } = capture;
    html.markup("<h3>").text(&provenance.name).markup("</h3>\n<dl class=\"facts\">");
    let mut text = |name: &'static str, text: &str| {
        if !text.is_empty() {
            fact(html, name, |html| {
                html.text(text);
            });
        }
    };
    text(
        "Host",
        &std::iter::once(info.host.as_str())
            .chain(info.more_hosts.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let processors = format!("{} CPU{}", info.cpus, if info.cpus == 1 { "" } else { "s" });
    // Captures of the first versions do not say which system it was.
    let system: Vec<&str> = [&*info.os, &processors].into_iter().filter(|it| !it.is_empty()).collect();
    text("System", &system.join(", "));
    text("Kernel", &format!("{} {}", info.kernel, info.arch));
    text("Recorded by", &info.program);
    text("Command", &info.command_line.join(" "));
    text("Recorded scopes", &info.filters.join(" "));
    text("Only these events", &info.recorded_events.join(","));
    if info.only_matched {
        text("Only what matched", "was recorded");
    }
    text("Made from", &info.made_from);
    text("Signature", &signature(provenance));
    text(
        "Digest",
        &provenance.head.map(|head| head.map(|byte| format!("{byte:02x}")).concat()).unwrap_or_default(),
    );
    fact(html, "Events", |html| {
        html.number(info.events);
    });
    fact(html, "Lost", |html| {
        html.number(info.lost);
    });
    html.markup("</dl>\n");
    losses(info, html);
}

/// What verifying came to, in words that do not say more than is known.
fn signature(provenance: &SourceCapture) -> String {
    match (&provenance.head, &provenance.signed_by) {
        (None, _) => format!("does not verify: {}", provenance.verdict),
        (Some(_), Some(key)) => format!("whole, signed by {key}"),
        (Some(_), None) => "whole, not signed".to_owned(),
    }
}

fn losses(info: &replay::Info, html: &mut Html) {
    if info.losses.is_empty() {
        return;
    }
    table::begin(html, "Losses", &[">Events", "Event", "From", "To", "Why"]);
    let time = |ns: u64| {
        jiff::Timestamp::from_nanosecond(ns.into())
            .map_or_else(|_| ns.to_string(), |time| format!("{time:.6}"))
    };
    for loss in info.losses.iter().take(MOST_LOSSES) {
        html.markup("<tr><td class=\"n\">")
            .number(loss.count)
            .markup("</td><td>")
            .text(loss.event.unwrap_or("any"));
        html.markup("</td><td>").text(&time(loss.from_ns)).markup("</td><td>").text(&time(loss.to_ns));
        html.markup("</td><td>").text(&loss.cause).markup("</td></tr>\n");
    }
    table::end(html);
    if info.losses.len() > MOST_LOSSES {
        html.markup("<p class=\"quiet\">").number((info.losses.len() - MOST_LOSSES) as u64);
        html.markup(" more stretches with losses: <code>tracer info</code> shows them.</p>\n");
    }
}

/// What is not in the captures, or not in the page.
fn missing(page: &Page<'_>, left_out: &[String], html: &mut Html) {
    let gathered = page.gathered;
    let mut lines: Vec<String> = page.about.caveats.clone();
    lines.extend(gathered.gaps.iter().map(replay::open::missing));
    lines.extend(gathered.left_out.iter().map(|what| format!("left out: {what}")));
    if gathered.processes_left_out > 0 {
        lines.push(format!("left out: {} processes of the tree", gathered.processes_left_out));
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        lines.push(format!("these arguments are not in this page, which would be too large: {names}"));
    }
    let mut by_reason: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for capture in page.captures.iter().take(MOST_CAPTURES) {
        for it in &capture.info.unavailable {
            by_reason.entry((&capture.provenance.name, &it.reason)).or_default().push(&it.event);
        }
    }
    lines.extend(
        by_reason
            .into_iter()
            .map(|((file, reason), events)| format!("{file}: not recorded: {}: {reason}", events.join(", "))),
    );
    html.markup("<h3>What is missing</h3>\n");
    if lines.is_empty() {
        html.markup(
            "<p>Nothing that is known: everything that was asked for was recorded and could be read.</p>\n",
        );
    } else {
        html.markup("<ul>");
        for line in lines {
            html.markup("<li>").text(&line).markup("</li>\n");
        }
        html.markup("</ul>\n");
    }
    html.markup(
        "<p class=\"quiet\">Buffers, structures and addresses of memory are in the capture only; long values are shortened \
         here.</p>\n",
    );
}
