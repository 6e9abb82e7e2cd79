//! Contexts that the kernel side has announced, with what has been found out about each.

use std::sync::Arc;

use events::Context;
use events::context::Standing;
use format::facts::Facts;
use hashbrown::HashSet;

use crate::host::standings::Standings;

/// Texts that many contexts have, each kept once: a path is up to 4 KiB, and thousands of tasks run the same program.
#[derive(Debug, Default)]
pub struct SharedTexts {
    texts: HashSet<Arc<[u8]>>,
    /// How many there were when those that nobody has any more went last.
    swept: usize,
}

impl SharedTexts {
    pub fn share(&mut self, text: &[u8]) -> Arc<[u8]> {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        if self.texts.len() > 2 * self.swept + 64 {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.swept = self.texts.len();
        }
        let shared: Arc<[u8]> = text.into();
        self.texts.insert(Arc::clone(&shared));
        shared
    }
}

/// A context that owns its texts, or shares them.
#[derive(Clone, Debug)]
pub struct OwnedContext {
    numbers: Context<'static>,
    comm: Box<[u8]>,
    exe: Arc<[u8]>,
    uts: Arc<[u8]>,
    /// Its working directory, where somebody knows it.
    cwd: Option<Arc<[u8]>>,
}

impl OwnedContext {
    pub fn new(context: &Context<'_>, texts: &mut SharedTexts) -> OwnedContext {
        OwnedContext {
            numbers: context.without_texts(),
            cwd: context.standing.cwd.map(|cwd| texts.share(cwd)),
            comm: context.comm.into(),
            exe: texts.share(context.exe),
            uts: texts.share(context.uts),
        }
    }

    pub fn view(&self) -> Context<'_> {
        let standing = Standing { cwd: self.cwd.as_deref(), ..self.numbers.standing };
        Context { comm: &self.comm, exe: &self.exe, uts: &self.uts, standing, ..self.numbers }
    }

    /// Takes what is known of where its process stands; whether that is something else than before.
    pub fn stand(&mut self, facts: Option<&Facts>) -> bool {
        let is_main_thread = self.numbers.pid == self.numbers.tid;
        let standing = facts.map(|facts| facts.standing(is_main_thread)).unwrap_or_default();
        let cwd = facts.and_then(|facts| facts.cwd.as_ref()).filter(|_| standing.cwd.is_some());
        let standing = Standing { cwd: None, ..standing };
        if self.numbers.standing == standing && self.cwd.as_ref() == cwd {
            return false;
        }
        self.numbers.standing = standing;
        self.cwd = cwd.cloned();
        true
    }

    /// The program's path, to be kept without a copy.
    pub fn exe(&self) -> &Arc<[u8]> {
        &self.exe
    }
}

/// One announced context.
#[derive(Clone, Debug)]
pub struct ContextFacts {
    /// Which announcement it came by: ids are given again.
    pub announcement: u64,
    pub context: OwnedContext,
    /// Its number in the block with this number.
    pub local: Option<(u64, u32)>,
    /// The scopes that it passes, and the version of the facts that this was answered with.
    pub mask: Option<(u64, u64)>,
    /// The same for the filter that triggers a flight recorder.
    pub trigger: Option<(u64, u64)>,
    /// The version of [`Standings`] that the context was last brought up to.
    pub standing: u64,
}

impl ContextFacts {
    fn new(announcement: u64, context: OwnedContext) -> ContextFacts {
        ContextFacts { announcement, context, local: None, mask: None, trigger: None, standing: 0 }
    }

    /// The same as it was then, for one of several who look at the same time.
    #[inline]
    pub fn stand_at(&mut self, standings: &Standings, time_ns: u64) {
        if self.standing == standings.version() {
            return;
        }
        let (facts, is_past) = standings.at(&self.context.numbers, time_ns);
        if self.context.stand(facts.as_deref()) {
            (self.local, self.mask, self.trigger) = (None, None, None);
        }
        self.standing = if is_past { 0 } else { standings.version() };
    }

    /// Brings the context up to where its process stands now. What was answered with another is forgotten.
    #[inline]
    pub fn stand(&mut self, standings: &mut Standings) {
        if self.standing == standings.version() {
            return;
        }
        let facts = standings.of(&self.context.numbers);
        if self.context.stand(facts) {
            (self.local, self.mask, self.trigger) = (None, None, None);
        }
        self.standing = standings.version();
    }
}

/// The context of what the recorder says of the time before it, and of whatever was never announced.
pub const NOBODY: u32 = u32::MAX;

/// Announced contexts by id. Ids are low numbers, given again once they are forgotten: a table, since it is asked for
/// each row.
#[derive(Debug)]
pub struct ContextTable {
    known: Vec<Option<ContextFacts>>,
    nobody: ContextFacts,
    announcements: u64,
    texts: SharedTexts,
}

impl Default for ContextTable {
    fn default() -> ContextTable {
        let mut texts = SharedTexts::default();
        let nobody = ContextFacts::new(0, OwnedContext::new(&Context::default(), &mut texts));
        ContextTable { known: Vec::new(), nobody, announcements: 0, texts }
    }
}

/// Ids beyond this are nobody's: as many tasks cannot be alive (`PID_MAX_LIMIT`), each with all contexts that are kept.
const IDS: usize = 1 << 26;

impl ContextTable {
    /// The context with texts of its own, shared with those that are here.
    pub fn own(&mut self, context: &Context<'_>) -> OwnedContext {
        OwnedContext::new(context, &mut self.texts)
    }

    pub fn announce(&mut self, id: u32, context: OwnedContext) {
        let at = id as usize;
        if at >= IDS {
            return;
        }
        if self.known.len() <= at {
            self.known.resize_with(at + 1, || None);
        }
        self.announcements += 1;
        if let Some(place) = self.known.get_mut(at) {
            *place = Some(ContextFacts::new(self.announcements, context));
        }
    }

    pub fn forget(&mut self, id: u32) {
        if let Some(place) = self.known.get_mut(id as usize) {
            *place = None;
        }
    }

    /// The same for one of several who look at the same time.
    #[inline]
    pub fn find(&self, id: u32) -> &ContextFacts {
        match self.known.get(id as usize) {
            Some(Some(known)) => known,
            _ => &self.nobody,
        }
    }

    /// A context that was never announced is one of which nothing is known: all its fields are zero or empty.
    #[inline]
    pub fn get(&mut self, id: u32) -> &mut ContextFacts {
        match self.known.get_mut(id as usize) {
            Some(Some(known)) => known,
            _ => &mut self.nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_comes_back_as_it_went_in() {
        let context = Context {
            pid: 7,
            uid: 1000,
            cgroup_id: u64::MAX,
            comm: b"ls",
            exe: b"/usr/bin/ls",
            uts: b"host",
            ..Context::default()
        };
        let mut table = ContextTable::default();
        let owned = table.own(&context);
        table.announce(3, owned);
        assert_eq!(table.get(3).context.view(), context);
        assert_eq!(table.get(4).context.view(), Context::default());
        table.forget(3);
        assert_eq!(table.get(3).context.view(), Context::default());
        let owned = table.own(&Context { pid: 8, ..Context::default() });
        table.announce(3, owned);
        assert_eq!(table.get(3).context.view().pid, 8);
        assert_eq!(table.get(NOBODY).context.view(), Context::default());
    }

    #[test]
    fn contexts_of_one_program_share_its_path_and_nothing_is_kept_that_nobody_has() {
        let mut texts = SharedTexts::default();
        let of = |path: &str, texts: &mut SharedTexts| {
            OwnedContext::new(&Context { exe: path.as_bytes(), ..Context::default() }, texts)
        };
        let (first, second) = (of("/bin/ls", &mut texts), of("/bin/ls", &mut texts));
        assert!(Arc::ptr_eq(first.exe(), second.exe()));
        for number in 0..100_000 {
            of(&format!("/bin/{number}"), &mut texts);
        }
        assert!(texts.texts.len() < 1_000, "{}", texts.texts.len());
        assert!(Arc::ptr_eq(first.exe(), of("/bin/ls", &mut texts).exe()));
    }
}
