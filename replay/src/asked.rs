//! What is asked of captures: the user's scopes, or where there are none, the recorded ones.

use std::collections::HashMap;
use std::sync::Arc;

use format::{Capture, Recording};
use pipeline::{Matcher, Source};
use scopes::{Diagnostic, Plan, ScopeSet};

use crate::import;

/// Plans for the files of a source.
#[derive(Debug)]
pub enum Asked {
    /// The user's scopes, the same for all files.
    Given(Plan),
    /// What each host of each file was recorded with.
    Recorded(Vec<Vec<Arc<Recorded>>>),
}

/// The question that a host's recording itself asks.
#[derive(Debug)]
pub struct Recorded {
    plan: Plan,
    /// Masks are those of the file; otherwise everything is in scope 1.
    has_masks: bool,
    is_imported: bool,
    /// Of the policies of a log.
    names: Vec<(u8, String)>,
}

impl Asked {
    /// Compiles the user's scopes. Names of users are those of the recorded hosts.
    pub fn given(mut set: ScopeSet, source: &Source) -> Result<Asked, Vec<Diagnostic>> {
        resolve(&mut set, source)?;
        if !has_durations(source) {
            let refused = set.refuse_durations(
                "how long calls took was not recorded",
                "another filter; `tracer record --timing` records how long each call takes",
            );
            if !refused.is_empty() {
                return Err(refused);
            }
        }
        Ok(Asked::Given(Plan::compile(&set)))
    }

    pub fn recorded(source: &Source) -> Asked {
        // Parts of a set were recorded alike: one plan is enough for them.
        let mut known: HashMap<Vec<String>, Arc<Recorded>> = HashMap::new();
        let mut of = |capture: &Capture, host: u16| -> Arc<Recorded> {
            let recording = capture.header().recording_of(host);
            let made = || Arc::new(Recorded::of(capture, host));
            let names_users = recording.filters.iter().any(|filter| filter.contains("uid"));
            if names_users || !recording.policies.is_empty() || recording.is_made_from_log() {
                return made();
            }
            Arc::clone(known.entry(recording.filters.clone()).or_insert_with(made))
        };
        let mut hosts = |capture: &Capture| {
            // Where all hosts of a merged capture have one recording, it is asked once.
            let others = (1u16..).zip(&capture.header().more_recordings);
            std::iter::once(0).chain(others.map(|(host, _)| host)).map(|host| of(capture, host)).collect()
        };
        Asked::Recorded(source.files().iter().map(|file| hosts(&file.capture)).collect())
    }

    /// Matchers by file of the source.
    pub fn matchers(&self, source: &Source) -> Vec<Matcher<'_>> {
        match self {
            Asked::Given(plan) => {
                source.files().iter().map(|file| Matcher::of_capture(plan, &file.capture)).collect()
            }
            Asked::Recorded(files) => files.iter().filter_map(|hosts| of_hosts(hosts)).collect(),
        }
    }

    /// The user's scopes, where there are any.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Asked::Given(plan) => Some(plan),
            Asked::Recorded(_) => None,
        }
    }

    /// Numbers and names of scopes that have a name.
    pub fn names(&self) -> Vec<(u8, String)> {
        let mut names = match self {
            Asked::Given(plan) => plan.names().to_vec(),
            Asked::Recorded(files) => {
                let hosts = files.iter().flatten();
                hosts.flat_map(|host| host.plan.names().iter().chain(&host.names).cloned()).collect()
            }
        };
        names.sort();
        names.dedup();
        names
    }
}

impl Recorded {
    fn of(capture: &Capture, host: u16) -> Recorded {
        let recording = capture.header().recording_of(host);
        let is_imported = recording.is_made_from_log();
        let has_masks = !recording.filters.is_empty() || !recording.policies.is_empty() || is_imported;
        let policies: Vec<(String, &String)> =
            (1..).zip(&recording.policies).map(|(number, text)| (format!("policy {number}"), text)).collect();
        let names = import::policies(recording);
        // A later program's filters may not be ours: the recorded masks hold all the same, and only what is derived
        // is not known to be wanted.
        let policies = if is_imported { &[] } else { policies.as_slice() };
        let set = ScopeSet::with_policies(&recording.filters, policies).ok();
        let set = set
            .filter(|set| !set.is_empty())
            .and_then(|mut set| set.resolve_users(&users(std::iter::once(capture))).ok().map(|()| set));
        let plan = set.map_or_else(Plan::everything, |set| Plan::compile(&set));
        Recorded { plan, has_masks, is_imported, names }
    }

    fn matcher(&self) -> Matcher<'_> {
        let matcher = if self.has_masks { Matcher::recorded(&self.plan) } else { Matcher::new(&self.plan) };
        if self.is_imported { matcher.without_derived() } else { matcher }
    }
}

/// Whether any capture knows how long calls took; what is not there yet may.
fn has_durations(source: &Source) -> bool {
    let files = source.files();
    let of_hosts = |capture: &Capture| {
        let header = capture.header();
        header.recording.has_durations() || header.more_recordings.iter().any(Recording::has_durations)
    };
    files.is_empty() || files.iter().any(|file| of_hosts(&file.capture))
}

/// Gives names of users and peers their numbers and addresses: those of the recorded hosts, and those that all recorded
/// answers of DNS gave. Returns the names of peers that no answer gave.
pub fn resolve(set: &mut ScopeSet, source: &Source) -> Result<Vec<String>, Vec<Diagnostic>> {
    if set.names_users() {
        set.resolve_users(&users(source.files().iter().map(|file| &*file.capture)))?;
    }
    if !set.names_peers() {
        return Ok(Vec::new());
    }
    if source.is_growing() {
        return Err(set.refuse_peers());
    }
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    // What cannot be read is told by whoever asks for the rows.
    Ok(match source.names(threads) {
        Ok(names) => set.resolve_peers(names.iter()),
        Err(_) => Vec::new(),
    })
}

/// One matcher for a file, by what each of its hosts was recorded with.
fn of_hosts(hosts: &[Arc<Recorded>]) -> Option<Matcher<'_>> {
    let (first, others) = hosts.split_first()?;
    Some(first.matcher().with_others(others.iter().map(|host| host.matcher()).collect()))
}

/// Names and numbers of the users of some captures' hosts.
pub fn users<'a>(captures: impl Iterator<Item = &'a Capture>) -> Vec<(&'a str, u32)> {
    let users = captures.flat_map(|capture| capture.users());
    let mut users: Vec<(&str, u32)> = users.map(|user| (user.name.as_str(), user.uid)).collect();
    users.sort_unstable();
    users.dedup();
    users
}
