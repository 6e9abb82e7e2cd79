//! What the wall clock was at a time of a boot of which a source has several parts.

use std::collections::BTreeMap;

use super::Source;

/// The parts of each boot, in order of when they began. The wall clock may have been set between two of them, so that a time
/// is told by the part that it lies in: the last that had begun by then, or the first one where it was before all of them.
#[derive(Debug)]
pub struct BootClocks<'s> {
    source: &'s Source,
    /// By [`super::Host::boot`]: boot clock of the beginning, file, number of the host in it.
    parts: BTreeMap<usize, Vec<(u64, usize, u16)>>,
}

impl BootClocks<'_> {
    pub fn of(source: &Source) -> BootClocks<'_> {
        let mut parts: BTreeMap<usize, Vec<(u64, usize, u16)>> = BTreeMap::new();
        for (number, file) in source.files().iter().enumerate() {
            for (of_file, host) in (0u16..).zip(&file.hosts) {
                parts.entry(host.boot).or_default().push((file.first(of_file), number, of_file));
            }
        }
        parts.values_mut().for_each(|parts| parts.sort_unstable());
        BootClocks { source, parts }
    }

    /// Wall clock of a boot-clock time, ns since the epoch; `None` of a boot that the source does not have.
    pub fn wall(&self, boot: usize, boot_ns: u64) -> Option<i64> {
        let parts = self.parts.get(&boot)?;
        let begun = parts.partition_point(|(first, ..)| *first <= boot_ns);
        let (_, file, host) = parts.get(begun.saturating_sub(1))?;
        Some(self.source.files().get(*file)?.wall(*host, boot_ns))
    }
}
