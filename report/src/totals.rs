//! Sums over all that matches, also over what does not fit into the page.

use pipeline::{Matcher, Question, Stats};
use views::Known;
use views::sums::{By, Sum, Sums};
use views::tree::{Forest, Tally};

/// What the page has tables of.
pub const BY: [By; 7] = [By::Syscall, By::Errno, By::Binary, By::Event, By::Container, By::User, By::Domain];

/// Groups, the largest first.
pub type Groups = Vec<(Box<[u8]>, Sum)>;

#[derive(Debug)]
pub struct Totals {
    /// By what [`BY`] says.
    groups: Vec<Groups>,
    /// By place in the forest.
    pub tallies: Vec<Tally>,
    pub stats: Stats,
}

impl Totals {
    pub fn of(question: &Question<'_>, known: &Known, forest: &Forest) -> pipeline::Result<Totals> {
        let mut sums: Vec<Sums<'_>> = BY.iter().map(|by| Sums::new(*by, known)).collect();
        let mut tallies = vec![Tally::default(); forest.processes.len()];
        // Both read contexts and results.
        let projection = Sums::projection();
        let stats = question.batches_in_parallel(
            projection,
            &|batch| {
                let sums = BY.iter().map(|by| Sums::of(*by, known, batch));
                Ok((sums.collect::<Result<Vec<_>, _>>()?, forest.tally(batch)?))
            },
            &mut |batch, made| {
                let made: Result<_, _> = made;
                let file = || batch.file().name.clone();
                let (more, of_processes) =
                    made.map_err(|source| pipeline::Error::Capture { file: file(), source })?;
                sums.iter_mut().zip(more).for_each(|(sums, more)| sums.merge(more));
                for (at, tally) in of_processes {
                    tallies.get_mut(at).into_iter().for_each(|known: &mut Tally| known.add(tally));
                }
                Ok(())
            },
        )?;
        let groups = sums.iter().map(Sums::sorted).collect();
        Ok(Totals { groups, tallies, stats })
    }

    /// Names of DNS are in derived events, which come only to who names them: they are asked for by themselves.
    pub fn ask_names(
        &mut self,
        question: &Question<'_>,
        matchers: Vec<Matcher<'_>>,
        known: &Known,
    ) -> pipeline::Result<()> {
        let question = Question { matchers, ..question.clone() };
        let mut sums = Sums::new(By::Domain, known);
        question.batches_in_parallel(
            Sums::projection(),
            &|batch| Sums::of(By::Domain, known, batch),
            &mut |batch, made| {
                let file = || batch.file().name.clone();
                sums.merge(made.map_err(|source| pipeline::Error::Capture { file: file(), source })?);
                Ok(())
            },
        )?;
        let at = BY.iter().position(|known| *known == By::Domain);
        if let Some(groups) = at.and_then(|at| self.groups.get_mut(at)) {
            *groups = sums.sorted();
        }
        Ok(())
    }

    pub fn by(&self, by: By) -> &[(Box<[u8]>, Sum)] {
        let at = BY.iter().position(|known| *known == by);
        at.and_then(|at| self.groups.get(at)).map_or(&[], Vec::as_slice)
    }

    pub fn events(&self) -> u64 {
        self.by(By::Event).iter().map(|(_, sum)| sum.count).sum()
    }
}
