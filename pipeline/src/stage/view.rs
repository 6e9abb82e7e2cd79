//! The columns of a block whose rows are told one after the other: each is looked up once, and not for every row.

use std::cell::{Cell, OnceCell, RefCell};

use events::{Context, Raw};
use format::{Block, Clock, ColumnView};

/// Columns that were looked up so far.
#[derive(Debug)]
pub(crate) struct View<'a> {
    block: &'a Block,
    clock: Clock,
    times: OnceCell<&'a [u64]>,
    rets: OnceCell<&'a [i64]>,
    marks: OnceCell<&'a [u32]>,
    context_codes: OnceCell<&'a [u16]>,
    /// Rows that follow each other are of one context as often as not.
    last_context: Cell<Option<(u16, Context<'a>)>>,
    /// By code of the event and position of the argument.
    arguments: RefCell<Vec<Vec<Option<ColumnView<'a>>>>>,
}

impl<'a> View<'a> {
    pub fn new(block: &'a Block) -> View<'a> {
        View {
            block,
            clock: block.clock(),
            times: OnceCell::new(),
            rets: OnceCell::new(),
            marks: OnceCell::new(),
            context_codes: OnceCell::new(),
            last_context: Cell::new(None),
            arguments: RefCell::default(),
        }
    }

    pub fn time(&self, row: u32) -> u64 {
        let times = self.times.get_or_init(|| self.block.times().unwrap_or_default());
        times.get(row as usize).copied().unwrap_or_default()
    }

    /// Wall clock, ns since the epoch.
    pub fn wall_ns(&self, row: u32) -> i64 {
        self.clock.wall(self.time(row)) as i64
    }

    pub fn ret(&self, row: u32) -> i64 {
        let rets = self.rets.get_or_init(|| self.block.rets().unwrap_or_default());
        rets.get(row as usize).copied().unwrap_or_default()
    }

    pub fn marks(&self, row: u32) -> u32 {
        let marks = self.marks.get_or_init(|| self.block.marks().unwrap_or_default());
        marks.get(row as usize).copied().unwrap_or_default()
    }

    pub fn context_code(&self, row: u32) -> Option<u16> {
        let codes = self.context_codes.get_or_init(|| self.block.context_codes().unwrap_or_default());
        codes.get(row as usize).copied()
    }

    pub fn context(&self, row: u32) -> Option<Context<'a>> {
        let code = self.context_code(row)?;
        if let Some((known, context)) = self.last_context.get()
            && known == code
        {
            return Some(context);
        }
        let context = self.block.contexts().ok()?.get(code)?;
        self.last_context.set(Some((code, context)));
        Some(context)
    }

    pub fn argument(&self, code: u16, position: usize, ordinal: u32) -> Raw<'a> {
        let known = self.known(code, position);
        let column = known.or_else(|| self.look_up(code, position));
        column.map_or(Raw::Missing, |column| column.get(ordinal as usize))
    }

    fn known(&self, code: u16, position: usize) -> Option<ColumnView<'a>> {
        *self.arguments.borrow().get(usize::from(code))?.get(position)?
    }

    #[cold]
    fn look_up(&self, code: u16, position: usize) -> Option<ColumnView<'a>> {
        let column = self.block.args(code).column(position).ok()?;
        // Events have some ten arguments; who asks for more asks each time.
        const MOST: usize = 64;
        if position < MOST {
            let mut all = self.arguments.borrow_mut();
            if all.len() <= usize::from(code) {
                all.resize_with(usize::from(code) + 1, Vec::new);
            }
            if let Some(of_event) = all.get_mut(usize::from(code)) {
                if of_event.len() <= position {
                    of_event.resize(position + 1, None);
                }
                if let Some(slot) = of_event.get_mut(position) {
                    *slot = Some(column);
                }
            }
        }
        Some(column)
    }
}
