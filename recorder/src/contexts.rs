//! Contexts that the kernel side has announced, with what has been found out about each.

use events::Context;

/// A context that owns its texts.
#[derive(Clone, Debug)]
pub struct OwnedContext {
    numbers: Context<'static>,
    texts: Box<[u8]>,
    comm_end: u32,
    exe_end: u32,
}

impl OwnedContext {
    pub fn new(context: &Context<'_>) -> OwnedContext {
        let mut texts = Vec::with_capacity(context.comm.len() + context.exe.len() + context.uts.len());
        texts.extend_from_slice(context.comm);
        let comm_end = texts.len() as u32;
        texts.extend_from_slice(context.exe);
        let exe_end = texts.len() as u32;
        texts.extend_from_slice(context.uts);
        let numbers = Context { comm: b"", exe: b"", uts: b"", ..*context };
        OwnedContext { numbers, texts: texts.into_boxed_slice(), comm_end, exe_end }
    }

    pub fn view(&self) -> Context<'_> {
        let text = |from: u32, to: u32| self.texts.get(from as usize..to as usize).unwrap_or_default();
        Context {
            comm: text(0, self.comm_end),
            exe: text(self.comm_end, self.exe_end),
            uts: text(self.exe_end, self.texts.len() as u32),
            ..self.numbers
        }
    }
}

/// One announced context.
#[derive(Debug)]
pub struct Known {
    pub context: OwnedContext,
    /// Its number in the block with this number.
    pub local: Option<(u64, u32)>,
    /// The scopes that it passes, and the version of the facts that this was answered with.
    pub mask: Option<(u64, u64)>,
    /// The same for the filter that triggers a flight recorder.
    pub trigger: Option<(u64, u64)>,
}

impl Known {
    fn new(context: &Context<'_>) -> Known {
        Known { context: OwnedContext::new(context), local: None, mask: None, trigger: None }
    }
}

/// The context of what the recorder says of the time before it, and of whatever was never announced.
pub const NOBODY: u32 = u32::MAX;

/// Announced contexts by id. Ids are low numbers, given again once they are forgotten: a table, since it is asked for
/// each row.
#[derive(Debug)]
pub struct ContextTable {
    known: Vec<Option<Known>>,
    nobody: Known,
}

impl Default for ContextTable {
    fn default() -> ContextTable {
        ContextTable { known: Vec::new(), nobody: Known::new(&Context::default()) }
    }
}

/// Ids beyond this are nobody's: as many tasks cannot be alive (`PID_MAX_LIMIT`), each with all contexts that are kept.
const IDS: usize = 1 << 26;

impl ContextTable {
    pub fn announce(&mut self, id: u32, context: &Context<'_>) {
        let at = id as usize;
        if at >= IDS {
            return;
        }
        if self.known.len() <= at {
            self.known.resize_with(at + 1, || None);
        }
        if let Some(place) = self.known.get_mut(at) {
            *place = Some(Known::new(context));
        }
    }

    pub fn forget(&mut self, id: u32) {
        if let Some(place) = self.known.get_mut(id as usize) {
            *place = None;
        }
    }

    /// A context that was never announced is one of which nothing is known: all its fields are zero or empty.
    #[inline]
    pub fn get(&mut self, id: u32) -> &mut Known {
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
        table.announce(3, &context);
        assert_eq!(table.get(3).context.view(), context);
        assert_eq!(table.get(4).context.view(), Context::default());
        table.forget(3);
        assert_eq!(table.get(3).context.view(), Context::default());
        table.announce(3, &Context { pid: 8, ..Context::default() });
        assert_eq!(table.get(3).context.view().pid, 8);
        assert_eq!(table.get(NOBODY).context.view(), Context::default());
    }
}
