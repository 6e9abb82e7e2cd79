//! What rules found of each process of a tree.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use anyhow::Result;
use pipeline::{Gap, Source};
use rules::Rule;
use rules::scan::{Asking, Scan};
use scopes::spelled_out;
use serde_json::{Value, json};
use views::known::Who;
use views::tree::Forest;

use crate::asking::AskOptions;
use crate::rule_files::RuleOptions;

/// Characters of a detection in a line of the tree.
const WIDTH: usize = 24;

/// By place in the forest: how often each rule found something of the process.
#[derive(Debug, Default)]
pub struct Detections {
    rules: Vec<Rule>,
    of: HashMap<usize, BTreeMap<usize, u64>>,
}

/// One rule's findings of a process.
pub struct Detection<'d> {
    pub rule: &'d Rule,
    pub times: u64,
}

impl Detections {
    /// Asks the rules. Findings are those of `tracer scan`.
    pub fn find(
        options: &RuleOptions,
        ask: &AskOptions,
        source: &Source,
        range: Option<Range<i64>>,
        forest: &Forest,
    ) -> Result<(Detections, Vec<Gap>)> {
        if options.is_off() {
            return Ok((Detections::default(), Vec::new()));
        }
        let rules = options.read()?.rules;
        let mut of: HashMap<usize, BTreeMap<usize, u64>> = HashMap::new();
        let boots: Vec<(&str, usize)> = source
            .files()
            .iter()
            .flat_map(|file| file.hosts.iter().map(|host| (host.name.as_str(), host.boot)))
            .collect();
        let asking =
            Asking { range, strict: ask.damage.strict, threads: ask.threads.count(), ..Asking::default() };
        let report = Scan::new(&rules, source).run(asking, &mut |finding| {
            let process = &finding.process;
            let of_host = boots.iter().filter(|(host, _)| *host == finding.host);
            let places =
                of_host.filter_map(|(_, boot)| forest.place(&Who::new(*boot, process.pid, process.start_ns)));
            if let Some(place) = places.min() {
                *of.entry(place).or_default().entry(finding.rule).or_default() += 1;
            }
        })?;
        Ok((Detections { rules, of }, report.stats.gaps))
    }

    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Of a process, the severest first.
    pub fn of(&self, place: usize) -> Vec<Detection<'_>> {
        let found = self.of.get(&place).into_iter().flatten();
        let mut all: Vec<Detection<'_>> = found
            .filter_map(|(rule, times)| Some(Detection { rule: self.rules.get(*rule)?, times: *times }))
            .collect();
        all.sort_by_key(|it| Reverse(it.rule.level));
        all
    }

    /// The severest of a process, and how many more rules found something: `Standard streams over… +2`.
    pub fn short(&self, place: usize) -> String {
        let all = self.of(place);
        let Some(first) = all.first() else { return "-".to_owned() };
        let more = if all.len() > 1 { format!(" +{}", all.len() - 1) } else { String::new() };
        let title = spelled_out(&first.rule.title);
        let room = WIDTH.saturating_sub(more.len());
        if title.chars().count() <= room {
            return title + &more;
        }
        let cut: String = title.chars().take(room.saturating_sub(1)).collect();
        format!("{}…{more}", cut.trim_end())
    }

    pub fn json(&self, place: usize) -> Value {
        let all = self.of(place);
        all.iter()
            .map(|Detection { rule, times }| {
                json!({"rule": rule.id, "title": rule.title, "level": rule.level.name(), "times": times})
            })
            .collect()
    }
}
