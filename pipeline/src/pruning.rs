//! Which blocks a question can skip: what the index knows of them is enough to say that nothing in them matches.

use format::{Numbers, Statistics};
use scopes::summary::{NumberOf, TextOf};

use crate::matching::Matcher;
use crate::source::File;

/// Judges the blocks of one file.
#[derive(Debug)]
pub struct Selector<'a> {
    matcher: &'a Matcher<'a>,
    file: &'a File,
    texts: Vec<TextOf>,
    numbers: Vec<NumberOf>,
}

const TEXTS: [TextOf; 3] = [TextOf::Comm, TextOf::Exe, TextOf::Uts];
const NUMBERS: [NumberOf; 6] =
    [NumberOf::Pid, NumberOf::Tid, NumberOf::Ppid, NumberOf::Uid, NumberOf::MntNs, NumberOf::PidNs];

impl<'a> Selector<'a> {
    pub fn new(matcher: &'a Matcher<'a>, file: &'a File) -> Selector<'a> {
        let plan = matcher.plan();
        // Recorded masks are the file's: its contexts say nothing of them.
        let asked = !matcher.is_recorded();
        let texts = TEXTS.into_iter().filter(|of| asked && plan.asks_text(*of));
        let numbers = NUMBERS.into_iter().filter(|of| asked && plan.asks_number(*of));
        Selector { matcher, file, texts: texts.collect(), numbers: numbers.collect() }
    }

    /// Whether any row of the block may match; `false` is certain.
    pub fn may_match(&self, info: &Statistics) -> bool {
        let schema = self.file.capture.schema();
        let wants = |count: &format::EventCount| match schema.event(count.event) {
            Some(event) => self.matcher.wants(event),
            None => u64::MAX,
        };
        let mut scopes = info.events.iter().fold(0, |all, count| all | wants(count));
        let plan = self.matcher.plan();
        for of in &self.texts {
            let texts = match of {
                TextOf::Comm => &info.comms,
                TextOf::Exe => &info.exes,
                TextOf::Uts => &info.utses,
            };
            if let (Some(texts), true) = (texts.exact(), scopes != 0) {
                scopes &= texts.iter().fold(0, |mask, text| mask | plan.may_text(*of, text));
            }
        }
        for of in &self.numbers {
            let lists: &[&Numbers] = match of {
                NumberOf::Pid => &[&info.pids, &info.tids],
                NumberOf::Tid => &[&info.tids],
                NumberOf::Ppid => &[&info.ppids],
                NumberOf::Uid => &[&info.uids],
                NumberOf::MntNs => &[&info.mnt_nss],
                NumberOf::PidNs => &[&info.pid_nss],
            };
            if scopes != 0 {
                let mask = |numbers: &&Numbers| match numbers {
                    Numbers::Exact(all) => {
                        all.iter().fold(0, |mask, number| mask | plan.may_number(*of, *number))
                    }
                    _ => u64::MAX,
                };
                scopes &= lists.iter().map(mask).fold(0, |all, mask| all | mask);
            }
        }
        scopes != 0
    }
}
