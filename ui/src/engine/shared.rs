//! A source, and what is known of it beside its rows.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use format::Scratch;
use pipeline::Source;
use views::Known;
use views::tree::Forest;

use crate::answer::{Answer, Layout};
use crate::matches::Item;

/// Between two rows of a block whose times are kept.
const KNOT_ROWS: usize = 256;

/// What every thread looks at. A file that grows is opened anew, and becomes another one of these.
#[derive(Debug)]
pub struct Shared {
    pub source: Source,
    pub layout: Arc<Layout>,
    pub known: Known,
    /// By place of the block: wall clock of its first and last row.
    walls: Vec<(i64, i64)>,
    /// The same of some rows between them, once they have been read.
    knots: RwLock<Vec<Option<Box<[i64]>>>>,
    /// Who there was: read when somebody asks.
    forest: Mutex<Option<Arc<Forest>>>,
}

impl Shared {
    /// With `processes` the names of all processes, for columns that show parents.
    pub fn new(source: Source, processes: bool) -> Shared {
        let layout = Arc::new(Layout::of(&source));
        let walls = layout.blocks().iter().map(|block| {
            let file = source.file(*block);
            let info = file.and_then(|file| Some((file, file.capture.block_info(block.block).ok()?)));
            info.map_or((0, 0), |(file, info)| {
                let wall = |boot_ns| file.wall(info.host(), boot_ns);
                (wall(info.statistics.first_ns), wall(info.statistics.last_ns))
            })
        });
        let walls: Vec<_> = walls.collect();
        // Users that cannot be read are shown as numbers.
        let known = Known::of(&source, processes).unwrap_or_default();
        let knots = RwLock::new(vec![None; walls.len()]);
        Shared { source, layout, known, walls, knots, forest: Mutex::default() }
    }

    /// All processes. Whoever comes first reads them; others wait for that.
    pub fn forest(&self, threads: usize) -> format::Result<Arc<Forest>> {
        let mut forest = self.forest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = forest.as_ref() {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Forest::of(&self.source, threads)?);
        *forest = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Wall clock of the first and of the last row, ns.
    pub fn extent(&self) -> (i64, i64) {
        let from = self.walls.iter().map(|(from, _)| *from).min().unwrap_or_default();
        let to = self.walls.iter().map(|(_, to)| *to).max().unwrap_or_default();
        (from, to)
    }

    /// Wall clock of the first and of the last row of a block.
    pub fn wall_of(&self, place: usize) -> (i64, i64) {
        self.walls.get(place).copied().unwrap_or_default()
    }

    pub fn has_times(&self) -> bool {
        let knots = self.knots.read().unwrap_or_else(PoisonError::into_inner);
        knots.iter().all(Option::is_some)
    }

    /// Reads the times of some rows of every block, so that histograms need not guess them. `goes_on` is asked at each block.
    pub fn read_times(&self, goes_on: impl Fn() -> bool) {
        let mut scratch = Scratch::new();
        for (place, reference) in self.layout.blocks().iter().enumerate() {
            if !goes_on() {
                return;
            }
            let Some(file) = self.source.file(*reference) else { continue };
            let Ok(block) = file.capture.block(reference.block, &mut scratch) else { continue };
            let Ok(times) = block.times() else { continue };
            let clock = block.clock();
            let walls = times.iter().step_by(KNOT_ROWS).map(|time| clock.wall(*time) as i64).collect();
            let mut knots = self.knots.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = knots.get_mut(place) {
                *slot = Some(walls);
            }
        }
    }

    /// How many rows of a block come before a time: nearly.
    fn rows_before(&self, place: usize, wall_ns: i64, knots: Option<&[i64]>) -> u32 {
        let rows = self.layout.blocks().get(place).map_or(0, |block| block.rows);
        let (first, last) = self.walls.get(place).copied().unwrap_or_default();
        if wall_ns <= first {
            return 0;
        }
        if wall_ns > last {
            return rows as u32;
        }
        if let Some(knots) = knots.filter(|knots| knots.len() > 1) {
            return ((knots.partition_point(|knot| *knot < wall_ns) * KNOT_ROWS) as u64).min(rows) as u32;
        }
        let part = (wall_ns - first) as f64 / (last - first).max(1) as f64;
        (part * rows as f64) as u32
    }

    /// Events of an answer by stretch of time, `None`: of all rows. Stretches are of one length each.
    pub fn histogram(&self, answer: Option<&Answer>, from_ns: i64, to_ns: i64, buckets: usize) -> Vec<u64> {
        let knots = self.knots.read().unwrap_or_else(PoisonError::into_inner);
        let mut sums = vec![0u64; buckets];
        let length = to_ns.saturating_sub(from_ns).max(1) as f64 / buckets.max(1) as f64;
        let edge = |bucket: usize| from_ns.saturating_add((length * bucket as f64) as i64);
        for (place, (first, last)) in self.walls.iter().enumerate() {
            let matches = match answer {
                Some(answer) => match answer.matches(place) {
                    Some(matches) => Some(matches),
                    None => continue,
                },
                None => None,
            };
            let knots = knots.get(place).and_then(|knots| knots.as_deref());
            let bucket = |wall: i64| ((wall.saturating_sub(from_ns)) as f64 / length).max(0.0) as usize;
            let mut row = self.rows_before(place, from_ns, knots);
            for (at, sum) in sums.iter_mut().enumerate().take(bucket(*last) + 1).skip(bucket(*first)) {
                let end = self.rows_before(place, edge(at + 1), knots).max(row);
                // The last row stands at the very end of the last stretch.
                let end = if at + 1 == buckets && *last <= to_ns { u32::MAX } else { end };
                let rank = |row: u32| match matches {
                    Some(matches) => matches.rank(Item { row, derived: 0 }) as u64,
                    None => u64::from(row).min(self.layout.blocks().get(place).map_or(0, |it| it.rows)),
                };
                *sum += rank(end).saturating_sub(rank(row));
                row = end;
            }
        }
        sums
    }
}
