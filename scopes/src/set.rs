//! The scopes of a command line: checked filters by scope.

use std::collections::BTreeMap;
use std::net::IpAddr;

use events::{Event, EventId, catalogue};
use hashbrown::HashMap;

use crate::check::{self, Site};
use crate::contradiction;
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::explain;
use crate::filter::{Declaration, Filter, Target, Value};
use crate::key::Field;
use crate::pattern::Pattern;
use crate::policy;
use crate::syntax::Op;
use crate::thing::peer::Peer;
use crate::vocabulary::Vocabulary;
use crate::words::bit;

/// One scope: its filters are ANDed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// 1 to 64.
    pub number: u8,
    /// A policy's name.
    pub name: Option<String>,
    /// In the order in which they were given.
    pub filters: Vec<Filter>,
}

impl Scope {
    /// As `9`, or `9 (etc-writes)`.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.number),
            None => self.number.to_string(),
        }
    }

    /// Whether its filters say which events there are; without, it has all that are recorded.
    pub fn names_events(&self) -> bool {
        let names = |filter: &Filter| filter.target == Target::Events || filter.target.event().is_some();
        self.filters.iter().any(names)
    }
}

/// Checked scopes; they are ORed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScopeSet {
    scopes: BTreeMap<u8, Scope>,
    warnings: Vec<Diagnostic>,
    /// Events beside those of the catalogue that filters could name.
    declared: Vec<Declaration>,
}

impl ScopeSet {
    /// Checks the values of `-f`. All that is wrong with any of them is returned at once.
    ///
    /// ```
    /// let scopes = scopes::ScopeSet::parse(&["9:comm=ls", "9:event=openat,close", "uid>=1000"]).unwrap();
    /// assert_eq!(scopes.mask(), 0b1_0000_0001);
    /// ```
    pub fn parse<S: AsRef<str>>(filters: &[S]) -> Result<ScopeSet, Vec<Diagnostic>> {
        ScopeSet::with_policies::<S, &str, &str>(filters, &[])
    }

    /// Checks the values of `-f` and policy files, as pairs of name and text. Policies take the free scope numbers in
    /// the order in which they are given.
    pub fn with_policies<S, N, T>(filters: &[S], policies: &[(N, T)]) -> Result<ScopeSet, Vec<Diagnostic>>
    where
        S: AsRef<str>,
        N: AsRef<str>,
        T: AsRef<str>,
    {
        ScopeSet::with_vocabulary(filters, policies, Vocabulary::default())
    }

    /// The same, with events that captures declare beside the catalogue's, and with lists of values.
    pub fn with_vocabulary<S, N, T>(
        filters: &[S],
        policies: &[(N, T)],
        vocabulary: Vocabulary<'_>,
    ) -> Result<ScopeSet, Vec<Diagnostic>>
    where
        S: AsRef<str>,
        N: AsRef<str>,
        T: AsRef<str>,
    {
        let mut set = ScopeSet::with_declared(vocabulary.declared.iter().copied().map(Declaration));
        let mut errors = Vec::new();
        for text in filters {
            let site = Site { flag: "-f", text: text.as_ref(), vocabulary };
            match check::filter(site, &mut set.warnings) {
                Ok(filters) => filters.into_iter().for_each(|filter| set.add(filter)),
                Err(wrong) => errors.extend(wrong),
            }
        }
        // A policy is recorded as it is: it cannot name a file that replay may not have.
        let vocabulary = Vocabulary { lists: None, ..vocabulary };
        for (file, text) in policies {
            policy::read(file.as_ref(), text.as_ref(), vocabulary, &mut set, &mut errors);
        }
        let (refused, suspicious): (Vec<_>, Vec<_>) = set
            .scopes
            .values()
            .flat_map(|scope| contradiction::find(scope, &set))
            .partition(Diagnostic::is_error);
        errors.extend(refused);
        set.warnings.extend(suspicious);
        if errors.is_empty() { Ok(set) } else { Err(errors) }
    }

    /// No scopes, over the catalogue and these events.
    pub(crate) fn with_declared(declared: impl IntoIterator<Item = Declaration>) -> ScopeSet {
        let known = |event: &Declaration| catalogue::by_id(event.id).is_some();
        ScopeSet {
            declared: declared.into_iter().filter(|event| !known(event)).collect(),
            ..ScopeSet::default()
        }
    }

    /// All events that the scopes could choose: those of the catalogue, then those that captures declare beside them.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'static Event> + '_ {
        catalogue::events().chain(self.declared.iter().map(|event| event.0))
    }

    pub(crate) fn declared(&self) -> &[Declaration] {
        &self.declared
    }

    /// The values of `-f` with their lists spelled out, so that they mean the same without the files.
    pub fn without_lists<S: AsRef<str>>(&self, filters: &[S]) -> Vec<String> {
        let filter = |text: &str| {
            let mut known = self.scopes.values().flat_map(|scope| &scope.filters);
            known.find(|filter| filter.text == text && filter.flag == "-f")
        };
        let spelled_out = |text: &str| filter(text).map_or(text, |filter| filter.without_lists()).to_owned();
        filters.iter().map(|text| spelled_out(text.as_ref())).collect()
    }

    /// The same scopes, of which those that name no events ask for these and no others. Derived events come only to scopes
    /// that name them. `None` where all name some.
    pub fn naming(mut self, events: &[EventId]) -> Option<ScopeSet> {
        let mut unnamed = self.scopes.values_mut().filter(|scope| !scope.names_events()).peekable();
        unnamed.peek()?;
        for scope in unnamed {
            scope.filters.push(explain::events_filter(scope.number, vec![Value::Events(events.to_vec())]));
        }
        Some(self)
    }

    /// The same scopes without what these processes do.
    pub fn without_processes(mut self, pids: &[u32]) -> ScopeSet {
        if pids.is_empty() {
            return self;
        }
        let numbers: Vec<String> = pids.iter().map(u32::to_string).collect();
        let text = format!("pid!={}", numbers.join(","));
        for scope in self.scopes.values_mut() {
            scope.filters.push(Filter {
                scope: scope.number,
                flag: "-f".to_owned(),
                span: "pid!=".len()..text.len(),
                text: text.clone(),
                target: Target::Field(Field::Pid),
                op: Op::NotEqual,
                spelled_out: None,
                values: pids.iter().map(|pid| Value::Number((*pid).into())).collect(),
            });
        }
        self
    }

    fn add(&mut self, filter: Filter) {
        let scope = self.scopes.entry(filter.scope);
        let number = *scope.key();
        scope.or_insert_with(|| Scope { number, name: None, filters: Vec::new() }).filters.push(filter);
    }

    /// Adds a scope of another set over the same events, under the lowest number that is free; `None` when all 64 are taken.
    pub fn add_scope(&mut self, scope: &Scope) -> Option<u8> {
        let number = self.free_number()?;
        let mut filters = scope.filters.clone();
        filters.iter_mut().for_each(|filter| filter.scope = number);
        self.scopes.insert(number, Scope { number, name: scope.name.clone(), filters });
        Some(number)
    }

    /// A policy's scope.
    pub(crate) fn insert(&mut self, scope: Scope) {
        self.scopes.insert(scope.number, scope);
    }

    pub(crate) fn warnings_mut(&mut self) -> &mut Vec<Diagnostic> {
        &mut self.warnings
    }

    /// The lowest number that no scope has.
    pub(crate) fn free_number(&self) -> Option<u8> {
        (1..=64).find(|number| !self.scopes.contains_key(number))
    }

    /// What was changed or is suspicious, though it can be run.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The scopes, by number.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.values()
    }

    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// A bit for each scope.
    pub fn mask(&self) -> u64 {
        self.scopes.keys().fold(0, |mask, number| mask | bit(*number))
    }

    /// Numbers and names of the scopes that have a name.
    pub fn names(&self) -> impl Iterator<Item = (u8, &str)> {
        self.scopes.values().filter_map(|scope| Some((scope.number, scope.name.as_deref()?)))
    }

    /// Whether any filter names a user: then [`ScopeSet::resolve_users`] must be called before compiling.
    pub fn names_users(&self) -> bool {
        self.scopes
            .values()
            .flat_map(|scope| &scope.filters)
            .any(|filter| filter.values.iter().any(|value| matches!(value, Value::User(_))))
    }

    /// Whether any filter asks for a peer by a name: then [`ScopeSet::resolve_peers`] must be called before compiling, or no
    /// address has it.
    pub fn names_peers(&self) -> bool {
        let mut values = self.scopes.values().flat_map(|scope| &scope.filters).flat_map(|it| &it.values);
        values.any(|value| matches!(value, Value::Peer(Peer::Name(..))))
    }

    /// The names of peers that are asked for.
    pub fn peer_names(&self) -> Vec<Pattern> {
        let values = self.scopes.values().flat_map(|scope| &scope.filters).flat_map(|it| &it.values);
        let names = values.filter_map(|value| match value {
            Value::Peer(Peer::Name(pattern, _)) => Some(pattern.clone()),
            _ => None,
        });
        names.collect()
    }

    /// What is wrong with names of peers where answers of DNS are still to come: nothing, of patterns that are meant for
    /// addresses as they are written.
    pub fn refuse_peers(&self) -> Vec<Diagnostic> {
        let filters = self.scopes.values().flat_map(|scope| &scope.filters);
        let is_name = |value: &Value| matches!(value, Value::Peer(Peer::Name(..)));
        let named = filters.filter(|filter| filter.values.iter().any(is_name));
        let refused = named.map(|filter| Diagnostic {
            severity: Severity::Error,
            flag: filter.flag.clone(),
            text: filter.text.clone(),
            span: filter.span.clone(),
            message: "names of peers come from all recorded answers of DNS, and these are not all there yet".to_owned(),
            suggestion: None,
            allowed: Some("an address, ADDRESS/BITS, ADDRESS:PORT or :PORT; a name in a question to the finished capture".to_owned()),
        });
        refused.collect()
    }

    /// The filters that ask how long calls took, each refused for `why`; `allowed` is what to do about it.
    pub fn refuse_durations(&self, why: &str, allowed: &str) -> Vec<Diagnostic> {
        let filters = self.scopes.values().flat_map(|scope| &scope.filters);
        let asks = filters.filter(|filter| filter.target.field() == Some(Field::Duration));
        let refused = asks.map(|filter| Diagnostic {
            severity: Severity::Error,
            flag: filter.flag.clone(),
            text: filter.text.clone(),
            span: filter.span.clone(),
            message: why.to_owned(),
            suggestion: None,
            allowed: Some(allowed.to_owned()),
        });
        refused.collect()
    }

    /// Adds the addresses of peers' names, given what each name that DNS answers gave stands for. Returns the names without
    /// wildcards that nothing was known of.
    pub fn resolve_peers<'n>(&mut self, names: impl Iterator<Item = (&'n str, IpAddr)>) -> Vec<String> {
        let names: Vec<(String, IpAddr)> =
            names.map(|(name, address)| (name.trim_end_matches('.').to_ascii_lowercase(), address)).collect();
        let mut by_name: HashMap<&[u8], Vec<IpAddr>> = HashMap::new();
        for (name, address) in &names {
            by_name.entry(name.as_bytes()).or_default().push(*address);
        }
        let mut unknown = Vec::new();
        for filter in self.scopes.values_mut().flat_map(|scope| &mut scope.filters) {
            let mut found = Vec::new();
            for value in &filter.values {
                let Value::Peer(Peer::Name(pattern, port)) = value else { continue };
                let before = found.len();
                let peer = |address: &IpAddr| Value::Peer(Peer::host(*address, *port));
                match pattern {
                    Pattern::Exact(name) => {
                        found.extend(by_name.get(&**name).into_iter().flatten().map(peer))
                    }
                    _ => {
                        let named = names.iter().filter(|(name, _)| pattern.matches(name.as_bytes()));
                        found.extend(named.map(|(_, address)| peer(address)));
                    }
                }
                if found.len() == before && pattern.is_exact() {
                    unknown.push(pattern.to_string());
                }
            }
            filter.values.append(&mut found);
        }
        unknown.sort();
        unknown.dedup();
        unknown
    }

    /// Replaces users' names by their numbers, given the users of the recorded hosts, not of this one. A name that has
    /// several numbers there means each of them.
    pub fn resolve_users(&mut self, users: &[(&str, u32)]) -> Result<(), Vec<Diagnostic>> {
        let mut errors = Vec::new();
        for filter in self.scopes.values_mut().flat_map(|scope| &mut scope.filters) {
            let mut values = Vec::new();
            for value in std::mem::take(&mut filter.values) {
                let Value::User(name) = value else {
                    values.push(value);
                    continue;
                };
                let before = values.len();
                let numbers = users.iter().filter(|(known, _)| *known == name).map(|(_, uid)| *uid);
                values.extend(numbers.map(|uid| Value::Number(uid.into())));
                if values.len() == before {
                    errors.push(unknown_user(filter, &name, users));
                }
            }
            filter.values = values;
        }
        if errors.is_empty() {
            // Warnings were given when the filters were read.
            let found = self.scopes.values().flat_map(|scope| contradiction::find(scope, self));
            errors.extend(found.filter(Diagnostic::is_error));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn unknown_user(filter: &Filter, name: &str, users: &[(&str, u32)]) -> Diagnostic {
    // Names of users hold no commas: the list parts as it is written.
    let written = filter.text.get(filter.span.clone()).unwrap_or_default();
    let mut start = filter.span.start;
    for piece in written.split(',') {
        if piece == name {
            break;
        }
        start += piece.len() + 1;
    }
    let known: Vec<&str> = users.iter().map(|(known, _)| *known).take(12).collect();
    let more = if users.len() > known.len() { "..." } else { "" };
    Diagnostic {
        severity: Severity::Error,
        flag: filter.flag.clone(),
        text: filter.text.clone(),
        span: start..start + name.len(),
        message: format!("no user {name:?} was known when recording"),
        suggestion: nearest(name, users.iter().map(|(known, _)| *known)).map(str::to_owned),
        allowed: Some(format!("a number, or a user of the recorded host: {}{more}", known.join(", "))),
    }
}
