//! Rows that something may be derived from, where the value of one argument tells: of all that was written, only what went to a
//! log can be a message. Each distinct value is judged once, and where none passes, nothing of the rows is decoded.

use format::{Block, ColumnView, MISSING, NUMBER};

use crate::matching::{Matcher, Present};
use crate::selection::Candidate;
use events::Raw;

/// The rows of one event that something may come of.
#[derive(Debug)]
pub(crate) struct Bases<'a> {
    column: ColumnView<'a>,
    /// By code of the column's dictionary.
    may_give: Vec<bool>,
    of_number: bool,
}

impl<'a> Bases<'a> {
    fn new(column: ColumnView<'a>, may_give: fn(Raw<'_>) -> bool) -> Bases<'a> {
        let dictionary = match column {
            ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } => Some(dictionary),
            _ => None,
        };
        let codes = 0..dictionary.map_or(0, |it| it.len() as u32);
        let value = |code| dictionary.and_then(|it| it.get(code)).map_or(Raw::Missing, Raw::Bytes);
        // What numbers a column has is not looked at: one stands for all.
        Bases {
            column,
            may_give: codes.map(|code| may_give(value(code))).collect(),
            of_number: may_give(Raw::Number(0)),
        }
    }

    fn any(&self) -> bool {
        match self.column {
            ColumnView::Missing { .. } => false,
            ColumnView::Constant { .. } | ColumnView::Numbers { .. } => self.of_number,
            ColumnView::Bytes { .. } => self.may_give.contains(&true),
            ColumnView::Mixed { .. } => self.of_number || self.may_give.contains(&true),
        }
    }

    fn has(&self, ordinal: usize) -> bool {
        let code = match self.column {
            ColumnView::Missing { .. } => return false,
            ColumnView::Constant { .. } | ColumnView::Numbers { .. } => return self.of_number,
            ColumnView::Bytes { codes: [], .. } => 0,
            ColumnView::Bytes { codes, .. } | ColumnView::Mixed { codes, .. } => {
                codes.get(ordinal).copied().unwrap_or(MISSING)
            }
        };
        match code {
            MISSING => false,
            NUMBER => self.of_number,
            code => self.may_give.get(code as usize).copied().unwrap_or(false),
        }
    }
}

impl Matcher<'_> {
    /// By event code of a block: the rows that something may come of, where that is known. Events of which no row is are no
    /// longer needed.
    pub(crate) fn bases<'b>(
        &self,
        block: &'b Block,
        present: &mut [Present],
    ) -> format::Result<Vec<Option<Bases<'b>>>> {
        let mut all = Vec::new();
        for (code, it) in (0u16..).zip(present) {
            let narrow = if it.needed == 0 { None } else { self.narrow(it.event) };
            let Some((position, narrow)) = narrow else {
                all.push(None);
                continue;
            };
            let bases = Bases::new(block.args(code).column(position)?, narrow.may_give);
            if !bases.any() {
                it.needed = 0;
            }
            all.push(Some(bases));
        }
        Ok(all)
    }
}

/// Leaves out what candidates are wanted for as bases where nothing can come of them.
pub(crate) fn narrow(bases: &[Option<Bases<'_>>], event_codes: &[u16], candidates: &mut Vec<Candidate>) {
    if bases.iter().all(Option::is_none) {
        return;
    }
    candidates.retain_mut(|candidate| {
        let code = event_codes.get(candidate.row as usize).copied().unwrap_or(u16::MAX);
        if candidate.base != 0
            && let Some(Some(bases)) = bases.get(usize::from(code))
            && !bases.has(candidate.ordinal as usize)
        {
            candidate.base = 0;
        }
        candidate.visible | candidate.base != 0
    });
}
