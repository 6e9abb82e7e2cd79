//! Masks of distinct values, each computed when it is first asked for.

/// Masks by code.
#[derive(Debug, Default)]
pub struct Memo {
    masks: Vec<u64>,
    known: Vec<bool>,
    all_known: bool,
}

impl Memo {
    /// Forgets everything; codes below `codes` can be asked for.
    pub fn reset(&mut self, codes: usize) {
        self.all_known = false;
        self.known.clear();
        self.known.resize(codes, false);
        self.masks.resize(codes, 0);
    }

    /// Takes masks that are all known.
    pub fn fill(&mut self, masks: Vec<u64>) {
        self.known.clear();
        self.known.resize(masks.len(), true);
        self.masks = masks;
        self.all_known = true;
    }

    /// All masks, where they were taken together.
    pub fn all(&self) -> Option<&[u64]> {
        self.all_known.then_some(&self.masks)
    }

    /// The mask of a code; a code beyond the last is computed each time.
    #[inline]
    pub fn get(&mut self, code: usize, compute: impl FnOnce() -> u64) -> u64 {
        match (self.known.get_mut(code), self.masks.get_mut(code)) {
            (Some(known), Some(mask)) => {
                if !*known {
                    *known = true;
                    *mask = compute();
                }
                *mask
            }
            _ => compute(),
        }
    }
}
