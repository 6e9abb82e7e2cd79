//! Which atoms of a column hold for its values. Each value is judged once, and equal answers are one, with a number.

use std::rc::Rc;

use hashbrown::HashMap;

/// Atoms that a value makes hold.
pub type Held = Rc<[u32]>;

/// The answer where no atom holds.
pub const NOTHING: u32 = 0;

const UNKNOWN: u32 = u32::MAX;

/// Distinct numbers whose answers are kept for a block.
const MAX_NUMBERS: usize = 1 << 16;

/// The answers of one column of a block.
#[derive(Debug)]
pub struct Answers {
    /// By number of the answer.
    sets: Vec<Held>,
    numbers: HashMap<Held, u32>,
    /// By code of the column's dictionary, or of the block's contexts.
    by_code: Vec<u32>,
    by_number: HashMap<u64, u32>,
    last: Option<(u64, u32)>,
    /// The last answer that was not [`NOTHING`].
    last_judged: u32,
    scratch: Vec<u32>,
}

impl Answers {
    /// Of a column with so many codes.
    pub fn new(codes: usize) -> Answers {
        let nothing: Held = Rc::new([]);
        Answers {
            sets: vec![Rc::clone(&nothing)],
            numbers: HashMap::from_iter([(nothing, NOTHING)]),
            by_code: vec![UNKNOWN; codes],
            by_number: HashMap::new(),
            last: None,
            last_judged: NOTHING,
            scratch: Vec::new(),
        }
    }

    /// All answers so far, by number.
    pub fn sets(&self) -> &[Held] {
        &self.sets
    }

    /// The answer for a code; `judge` adds the atoms that hold for its value.
    pub fn of_code(&mut self, code: usize, judge: impl FnOnce(&mut Vec<u32>)) -> u32 {
        match self.by_code.get(code) {
            None => NOTHING,
            Some(&UNKNOWN) => {
                let answer = self.judge(judge);
                if let Some(slot) = self.by_code.get_mut(code) {
                    *slot = answer;
                }
                answer
            }
            Some(known) => *known,
        }
    }

    /// The same for a number.
    pub fn of_number(&mut self, number: u64, judge: impl FnOnce(&mut Vec<u32>)) -> u32 {
        if let Some((last, answer)) = self.last
            && last == number
        {
            return answer;
        }
        let answer = match self.by_number.get(&number) {
            Some(known) => *known,
            None => {
                let answer = self.judge(judge);
                if self.by_number.len() < MAX_NUMBERS {
                    self.by_number.insert(number, answer);
                }
                answer
            }
        };
        self.last = Some((number, answer));
        answer
    }

    fn judge(&mut self, judge: impl FnOnce(&mut Vec<u32>)) -> u32 {
        self.scratch.clear();
        judge(&mut self.scratch);
        if self.scratch.is_empty() {
            return NOTHING;
        }
        self.scratch.sort_unstable();
        // Values that stand side by side mostly have one answer.
        let is_same =
            |answer: &u32| self.sets.get(*answer as usize).is_some_and(|set| **set == *self.scratch);
        if let Some(answer) = Some(self.last_judged).filter(is_same) {
            return answer;
        }
        if let Some(known) = self.numbers.get(self.scratch.as_slice()) {
            self.last_judged = *known;
            return *known;
        }
        let (set, answer): (Held, u32) = (self.scratch.as_slice().into(), self.sets.len() as u32);
        self.sets.push(Rc::clone(&set));
        self.numbers.insert(set, answer);
        self.last_judged = answer;
        answer
    }
}
