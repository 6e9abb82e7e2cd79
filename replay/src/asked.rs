//! What is asked of captures: the user's scopes, or where there are none, the recorded ones.

use format::Capture;
use pipeline::{Matcher, Source};
use scopes::{Diagnostic, Plan, ScopeSet};

use crate::import;

/// Plans for the files of a source.
#[derive(Debug)]
pub enum Asked {
    /// The user's scopes, the same for all files.
    Given(Plan),
    /// What each file was recorded with.
    Recorded(Vec<Recorded>),
}

/// The question that a file itself asks.
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
        if set.names_users() {
            set.resolve_users(&users(source.files().iter().map(|file| &file.capture)))?;
        }
        Ok(Asked::Given(Plan::compile(&set)))
    }

    pub fn recorded(source: &Source) -> Asked {
        Asked::Recorded(source.files().iter().map(|file| Recorded::of(&file.capture)).collect())
    }

    /// Matchers by file of the source.
    pub fn matchers(&self, source: &Source) -> Vec<Matcher<'_>> {
        match self {
            Asked::Given(plan) => {
                let matcher = |file: &pipeline::source::File| {
                    let matcher = Matcher::new(plan);
                    if is_imported(&file.capture) { matcher.without_derived() } else { matcher }
                };
                source.files().iter().map(matcher).collect()
            }
            Asked::Recorded(files) => files.iter().map(Recorded::matcher).collect(),
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
                files.iter().flat_map(|file| file.plan.names().iter().chain(&file.names).cloned()).collect()
            }
        };
        names.sort();
        names.dedup();
        names
    }
}

impl Recorded {
    fn of(capture: &Capture) -> Recorded {
        let recording = &capture.header().recording;
        let has_masks =
            !recording.filters.is_empty() || !recording.policies.is_empty() || is_imported(capture);
        let policies: Vec<(String, &String)> =
            (1..).zip(&recording.policies).map(|(number, text)| (format!("policy {number}"), text)).collect();
        let names = import::policies(recording);
        // A later program's filters may not be ours: the recorded masks hold all the same, and only what is derived
        // is not known to be wanted.
        let policies = if is_imported(capture) { &[] } else { policies.as_slice() };
        let set = ScopeSet::with_policies(&recording.filters, policies).ok();
        let set = set
            .filter(|set| !set.is_empty())
            .and_then(|mut set| set.resolve_users(&users(std::iter::once(capture))).ok().map(|()| set));
        let plan = set.map_or_else(Plan::everything, |set| Plan::compile(&set));
        Recorded { plan, has_masks, is_imported: is_imported(capture), names }
    }

    fn matcher(&self) -> Matcher<'_> {
        let matcher = if self.has_masks { Matcher::recorded(&self.plan) } else { Matcher::new(&self.plan) };
        if self.is_imported { matcher.without_derived() } else { matcher }
    }
}

/// Names and numbers of the users of some captures' hosts.
pub fn users<'a>(captures: impl Iterator<Item = &'a Capture>) -> Vec<(&'a str, u32)> {
    let users = captures.flat_map(|capture| capture.users());
    let mut users: Vec<(&str, u32)> = users.map(|user| (user.name.as_str(), user.uid)).collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// A log that held derived events still holds them: they are not derived a second time.
pub fn is_imported(capture: &Capture) -> bool {
    import::is_made_from_log(&capture.header().recording)
}
