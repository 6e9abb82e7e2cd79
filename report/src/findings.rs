//! What rules found, put together by rule and program, as `tracer scan` tells it.

use std::cmp::Reverse;

use hashbrown::HashMap;
use pipeline::{Gap, Source};
use rules::finding::Finding;
use rules::scan::{Asking, Scan};
use rules::{Level, Rule};

/// Groups that are kept: a hostile capture may have as many programs as it likes.
const MOST_GROUPS: usize = 10_000;

/// What one rule found of one program.
#[derive(Debug)]
pub struct Group {
    /// The first of them.
    pub finding: Finding,
    pub count: u64,
    /// Of the last one: wall clock, ns since the epoch.
    pub last_ns: i64,
}

#[derive(Debug, Default)]
pub struct Findings {
    /// The severest first, and those of a level by time.
    pub groups: Vec<Group>,
    pub total: u64,
    /// By level: all, and groups of them.
    pub by_level: [(u64, u64); 5],
    pub asked: usize,
    pub unanswerable: usize,
    /// Findings of groups that there was no room for.
    pub left_out: u64,
    /// States that were given up for want of room: findings may be missing.
    pub forgotten: u64,
    /// Findings of processes that the page is not about.
    pub of_others: u64,
}

impl Findings {
    /// `is_asked`: whether the page is about a finding's process.
    pub fn find(
        rules: &[Rule],
        source: &Source,
        asking: Asking,
        is_asked: &dyn Fn(&Finding) -> bool,
    ) -> pipeline::Result<(Findings, Vec<Gap>)> {
        let mut found = Findings::default();
        if rules.is_empty() {
            return Ok((found, Vec::new()));
        }
        let scan = Scan::new(rules, source);
        let mut groups: HashMap<(usize, String, String), usize> = HashMap::new();
        let report = scan.run(asking, &mut |finding| match is_asked(&finding) {
            true => found.add(finding, rules, &mut groups),
            false => found.of_others += 1,
        })?;
        found.unanswerable = scan.unanswerable().len();
        found.asked = rules.len().saturating_sub(found.unanswerable);
        found.forgotten = report.forgotten;
        let level = |group: &Group| rules.get(group.finding.rule).map(|rule| rule.level);
        found.groups.sort_by_key(|group| (Reverse(level(group)), group.finding.wall_ns, group.finding.rule));
        Ok((found, report.stats.gaps))
    }

    fn add(
        &mut self,
        finding: Finding,
        rules: &[Rule],
        groups: &mut HashMap<(usize, String, String), usize>,
    ) {
        let Some(rule) = rules.get(finding.rule) else { return };
        self.total += 1;
        let level = self.by_level.get_mut(rule.level as usize);
        let key = (finding.rule, finding.host.clone(), finding.process.exe.clone());
        if let Some(group) = groups.get(&key).and_then(|at| self.groups.get_mut(*at)) {
            group.count += 1;
            group.last_ns = finding.wall_ns;
            level.into_iter().for_each(|(all, _)| *all += 1);
            return;
        }
        level.into_iter().for_each(|(all, unique)| (*all, *unique) = (*all + 1, *unique + 1));
        if self.groups.len() >= MOST_GROUPS {
            self.left_out += 1;
            return;
        }
        groups.insert(key, self.groups.len());
        self.groups.push(Group { count: 1, last_ns: finding.wall_ns, finding });
    }

    /// How many findings of a level there are, and of how many rules and programs.
    pub fn of_level(&self, level: Level) -> (u64, u64) {
        self.by_level.get(level as usize).copied().unwrap_or_default()
    }
}
