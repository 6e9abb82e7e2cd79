//! The page: what is at its top, its sections in their order, its data and its one script.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::consts::errno;
use format::SourceCapture;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pipeline::Source;
use replay::Info;
use rules::Rule;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use views::clock::Clock;
use views::known::Who;

use crate::Gathered;
use crate::events::{MOST_BYTES, Packed, Task, pack};
use crate::html::Html;
use crate::packed::Parts;
use crate::sections;

const STYLE: &str = include_str!("../page/page.css");
/// In the order in which they are read, as one script.
const SCRIPTS: [&str; 9] = [
    include_str!("../page/data.js"),
    include_str!("../page/show.js"),
    include_str!("../page/filter.js"),
    include_str!("../page/judge.js"),
    include_str!("../page/timeline.js"),
    include_str!("../page/processes.js"),
    include_str!("../page/top.js"),
    include_str!("../page/events.js"),
    include_str!("../page/main.js"),
];

/// A page without events is below this, whatever the capture; see [`Page::write`] for what is added.
const ZONES: usize = 64;

/// What is said of the page itself.
#[derive(Debug, Default)]
pub struct About {
    pub title: String,
    /// The command line, in words that may be given away.
    pub command: String,
    pub filters: Vec<String>,
    /// Sentences: what the captures were never told, and the like.
    pub caveats: Vec<String>,
    /// The name of the time zone.
    pub zone: String,
}

/// A capture that the page is made from.
#[derive(Debug)]
pub struct OfCapture {
    pub info: Info,
    pub provenance: SourceCapture,
}

/// What somebody wrote about an event.
#[derive(Clone, Debug, Default)]
pub struct Note {
    pub key: Option<char>,
    /// File of the source, block, row.
    pub place: Option<(u32, u32, u32)>,
    pub wall_ns: i64,
    pub event: String,
    pub process: String,
    pub text: String,
}

#[derive(Debug)]
pub struct Page<'a> {
    pub about: &'a About,
    pub captures: &'a [OfCapture],
    pub source: &'a Source,
    pub rules: &'a [Rule],
    pub gathered: &'a Gathered,
    /// Filters leave some events out.
    pub is_narrowed: bool,
    pub notes: &'a [Note],
    pub clock: &'a Clock,
    /// The day of all events, where they are of one.
    pub day: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Written {
    pub bytes: u64,
    pub events: u64,
    /// Columns that would have made it too large.
    pub left_out: Vec<String>,
}

impl Page<'_> {
    pub fn write(&self, out: &mut impl Write) -> io::Result<Written> {
        let mut parts = Parts::default();
        let Packed { meta, left_out } = self.pack(&mut parts);
        parts.add("meta", meta.to_string().as_bytes());
        let script = script();
        let mut html = Html::default();
        html.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.markup("<meta name=\"color-scheme\" content=\"light dark\">\n");
        html.markup(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-",
        );
        html.plain(&hash(&script)).markup("'; style-src 'sha256-").plain(&hash(STYLE));
        html.markup("'; base-uri 'none'; form-action 'none'\">\n");
        html.markup("<meta name=\"referrer\" content=\"no-referrer\">\n<title>").text(&self.about.title);
        html.markup("</title>\n<style>").markup(STYLE).markup("</style>\n</head>\n<body>\n");
        sections::banner(self, &mut html);
        html.markup("<main>\n");
        sections::head::write(self, &left_out, &mut html);
        sections::findings::write(self, &mut html);
        html.markup(sections::TIMELINE);
        sections::processes::write(self, &mut html);
        sections::files::write(self, &mut html);
        sections::top::write(self, &mut html);
        sections::stories::write(self, &mut html);
        html.markup(sections::EVENTS);
        sections::notes::write(self, &mut html);
        html.markup("</main>\n").markup(sections::HELP);
        html.markup("<script type=\"application/octet-stream\" id=\"parts\">").plain(&parts.list());
        html.markup("</script>\n<script type=\"application/octet-stream\" id=\"data\">")
            .plain(&parts.base64());
        html.markup("</script>\n<script>");
        let front = html.into_string();
        let mut bytes = 0;
        for text in [front.as_str(), &script, "</script>\n</body>\n</html>\n"] {
            out.write_all(text.as_bytes())?;
            bytes += text.len() as u64;
        }
        Ok(Written { bytes, events: self.gathered.events.len() as u64, left_out })
    }

    fn pack(&self, parts: &mut Parts) -> Packed {
        let Gathered { forest, steps, events, .. } = self.gathered;
        let rows: hashbrown::HashMap<usize, usize> =
            steps.iter().enumerate().map(|(row, step)| (step.process, row)).collect();
        let process =
            |task: &Task| rows.get(&forest.place(&Who::new(task.boot, task.pid, task.start_ns))?).copied();
        // Pages of more events may be larger.
        let most = MOST_BYTES.max(MOST_BYTES * (events.len() / 1000) / 1000);
        let mut packed = pack(events, &process, most, parts);
        if let Some(meta) = packed.meta.as_object_mut() {
            meta.insert("processes".into(), sections::processes::rows(self));
            meta.insert("users".into(), self.users());
            meta.insert("zone".into(), self.zone());
            meta.insert("errors".into(), errors());
            meta.insert("total".into(), json!(self.gathered.totals.events()));
            meta.insert("filters".into(), json!(self.about.filters));
        }
        packed
    }

    /// Names of users of the recorded hosts: boot, number, name.
    fn users(&self) -> Value {
        let mut users: Vec<(usize, u32, String)> = Vec::new();
        for file in self.source.files() {
            for user in file.capture.users() {
                let boot = file.host(user.host).map_or(0, |host| host.boot);
                users.push((boot, user.uid, scopes::spelled_out(&user.name)));
            }
        }
        users.sort();
        users.dedup_by(|a, b| (a.0, a.1) == (b.0, b.1));
        json!(users)
    }

    /// From when on (s since the epoch) how many seconds east of Greenwich it is.
    fn zone(&self) -> Value {
        let Clock::Zone(zone) = self.clock else { return json!([[0, 0]]) };
        let times = &self.gathered.events.times;
        let (first, last) =
            (times.iter().min().copied().unwrap_or(0), times.iter().max().copied().unwrap_or(0));
        let offsets = |first: Timestamp| {
            let mut offsets = vec![(first.as_second(), zone.to_offset(first).seconds())];
            let end = last.div_euclid(1_000_000);
            offsets.extend(
                zone.following(first)
                    .take_while(|change| change.timestamp().as_second() <= end)
                    .take(ZONES)
                    .map(|change| (change.timestamp().as_second(), change.offset().seconds())),
            );
            offsets
        };
        json!(Timestamp::from_microsecond(first).map(offsets).unwrap_or_else(|_| vec![(0, 0)]))
    }

    /// The day of all events of a source, where they are of one.
    pub fn day_of(source: &Source, clock: &Clock) -> Option<String> {
        let (start, end) = source.start_wall_ns().zip(source.end_wall_ns())?;
        (!clock.parts_days(start, end)).then(|| sections::day(clock, start))
    }

    /// The zone of a clock, for people.
    pub fn zone_name(zone: &TimeZone, wall_ns: i64) -> String {
        let offset = Timestamp::from_nanosecond(wall_ns.into()).map(|time| zone.to_offset(time).to_string());
        match (zone.iana_name(), offset) {
            _ if *zone == TimeZone::UTC => "UTC".to_owned(),
            (Some(name), Ok(offset)) => format!("{name} (UTC{offset})"),
            (None, Ok(offset)) => format!("UTC{offset}"),
            (name, Err(_)) => name.unwrap_or("UTC").to_owned(),
        }
    }
}

/// Names of errors by their numbers.
fn errors() -> Value {
    let named = (1..4096i64).filter_map(|error| Some((error.to_string(), json!(errno::of_result(-error)?))));
    Value::Object(named.collect())
}

fn script() -> String {
    format!("'use strict';(()=>{{\n{}\n}})();", SCRIPTS.join("\n"))
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What would end the element that it stands in, or leave the page.
    #[test]
    fn script_and_style_hold_nothing_that_ends_them_or_leaves_the_page() {
        let script = script().to_ascii_lowercase();
        for word in [
            "</script",
            "<!--",
            "<script",
            "innerhtml",
            "outerhtml",
            "insertadjacenthtml",
            "document.write",
            "eval(",
            "new function",
            "fetch(",
            "xmlhttprequest",
            "websocket",
            "http:",
            "https:",
            "import(",
            "localstorage",
            "setattribute('style",
            ".src=",
            "createobjecturl",
        ] {
            assert!(!script.contains(word), "the page's script has {word:?}");
        }
        let style = STYLE.to_ascii_lowercase();
        for word in ["</style", "url(", "@import", "http"] {
            assert!(!style.contains(word), "the page's style has {word:?}");
        }
    }
}
