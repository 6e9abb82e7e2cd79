//! The whole of a comparison: which calls are equal, which are not, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use crate::calls;
use crate::compare::Bounds;
use crate::exceptions::{self, EXCEPTIONS};
use crate::held::Row;
use crate::lines::{Call, Outcome};

/// Different system calls that must be equal in every argument, every time.
pub const WANTED: usize = 150;

#[derive(Debug, Default)]
pub struct Verdict {
    pub calls: usize,
    /// Names of calls, with how often each was compared.
    pub compared: BTreeMap<String, usize>,
    /// Names with a difference that no exception names.
    pub different: BTreeMap<String, Vec<String>>,
    /// By exception: the calls that fell under it.
    pub excepted: BTreeMap<usize, BTreeSet<String>>,
    /// Calls that strace saw and the capture does not have.
    pub absent: Vec<String>,
    /// Arguments that could be wrong in the capture without being found.
    pub unnoticed: BTreeSet<String>,
    /// Rows of the capture, between calls that strace saw, that strace did not see.
    pub surplus: Vec<String>,
}

/// How far ahead a call is looked for among the rows.
const AHEAD: usize = 40;

impl Verdict {
    /// Compares what strace saw with the rows of the capture, thread by thread.
    pub fn of(calls: &[Call], rows: &HashMap<u32, Vec<Row>>, bounds: Bounds) -> Verdict {
        let mut verdict = Verdict { calls: calls.len(), ..Verdict::default() };
        let mut threads: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
        for call in calls {
            threads.entry(call.tid).or_default().push(call);
        }
        for (tid, calls) in threads {
            verdict.thread(&calls, rows.get(&tid).map_or(&[], Vec::as_slice), bounds);
        }
        verdict
    }

    fn thread(&mut self, calls: &[&Call], rows: &[Row], bounds: Bounds) {
        let mut next = 0;
        let mut is_first = true;
        for call in calls {
            let Some(name) = calls::name(call) else {
                self.absent.push(format!("no event for {}", call.line));
                continue;
            };
            // Before the first call, the thread may have been strace's own child.
            let ahead = if is_first { usize::MAX } else { AHEAD };
            let found =
                rows.iter().enumerate().skip(next).take(ahead).find(|(_, row)| is_same(call, name, row));
            let Some((at, row)) = found else {
                self.absent.push(call.line.clone());
                continue;
            };
            if !is_first {
                self.surplus
                    .extend(rows[next..at].iter().map(|row| format!("{} = {}", row.name, row.result)));
            }
            is_first = false;
            next = at + 1;
            self.call(call, row, bounds);
        }
    }

    fn call(&mut self, call: &Call, row: &Row, bounds: Bounds) {
        *self.compared.entry(row.name.clone()).or_default() += 1;
        let findings = calls::compare(call, row, bounds);
        if findings.is_empty() {
            let unnoticed = calls::unnoticed(call, row, bounds);
            self.unnoticed.extend(unnoticed.iter().map(|name| format!("{name}: {}", call.line)));
        }
        for finding in findings {
            let exception = exceptions::of(&row.name, &finding)
                .and_then(|found| EXCEPTIONS.iter().position(|exception| std::ptr::eq(exception, found)));
            match exception {
                Some(exception) => {
                    self.excepted.entry(exception).or_default().insert(row.name.clone());
                }
                None => {
                    let line: String = call.line.chars().take(300).collect();
                    let text = format!("{finding}\n        {line}");
                    self.different.entry(row.name.clone()).or_default().push(text);
                }
            }
        }
    }

    /// Calls that were equal in everything, every time.
    pub fn equal(&self) -> Vec<&str> {
        let excepted: BTreeSet<&String> = self.excepted.values().flatten().collect();
        let absent: BTreeSet<&str> = self.absent.iter().filter_map(|line| line.split('(').next()).collect();
        let is_equal = |name: &&String| {
            !self.different.contains_key(*name) && !excepted.contains(name) && !absent.contains(name.as_str())
        };
        self.compared.keys().filter(is_equal).map(String::as_str).collect()
    }

    pub fn is_good(&self) -> bool {
        self.different.is_empty()
            && self.absent.is_empty()
            && self.surplus.is_empty()
            && self.unnoticed.is_empty()
            && self.equal().len() >= WANTED
    }

    /// The figures, the exceptions, and every difference.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let equal = self.equal();
        let compared: usize = self.compared.values().sum();
        let _ = writeln!(
            text,
            "{} calls seen by strace, {compared} compared; of {} different system calls {} are equal in everything",
            self.calls,
            self.compared.len(),
            equal.len(),
        );
        for (exception, names) in &self.excepted {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Some(exception) = EXCEPTIONS.get(*exception) {
                let _ = writeln!(text, "exception: {}: {}", exception.why, names.join(" "));
            }
        }
        for (name, differences) in &self.different {
            let _ = writeln!(text, "{name} differs:");
            for difference in differences {
                let _ = writeln!(text, "    {difference}");
            }
        }
        for argument in &self.unnoticed {
            let _ = writeln!(text, "would not be missed: {argument}");
        }
        for line in &self.absent {
            let _ = writeln!(text, "not in the capture: {line}");
        }
        for row in &self.surplus {
            let _ = writeln!(text, "not seen by strace: {row}");
        }
        text
    }
}

/// Whether a row may be the call: of its name, with its result.
fn is_same(call: &Call, name: &str, row: &Row) -> bool {
    let result = i128::from(row.result);
    row.name == name
        && match call.result {
            Outcome::Value(number) => (number - result).rem_euclid(1 << 32) == 0,
            Outcome::Error(number) => i128::from(number) == result,
            Outcome::Unknown => true,
        }
}
