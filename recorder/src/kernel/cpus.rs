//! Which CPUs get a buffer: those that are online, and some that may come online while it records.
//!
//! A virtual machine with 4 CPUs may say that 240 are possible, and a buffer for each would take the memory of those that
//! never come.

use std::ops::RangeInclusive;

use super::Error;

/// So many CPUs may come online, and be recorded, in any case; and one for so many that are there.
const LEAST_SPARE: usize = 2;
const ONE_SPARE_OF: usize = 4;

/// How large a CPU's buffer may be. Above, verifiers do not believe any more that a place in it is within it.
pub const BUFFER_BYTES: RangeInclusive<usize> = 256 << 10..=256 << 20;

/// CPUs with buffers: numbers from 0 up to this one.
pub fn with_buffers(asked: Option<usize>) -> Result<usize, Error> {
    let failed = |source| Error::Io { what: "cannot count the CPUs", source };
    let possible = aya::util::nr_cpus().map_err(|(_, source)| failed(source))?;
    let online = aya::util::online_cpus().map_err(|(_, source)| failed(source))?;
    let highest = online.iter().max().map_or(possible, |cpu| *cpu as usize + 1);
    Ok(match asked {
        Some(cpus) => cpus.clamp(1, possible),
        None => with_spare(highest, possible),
    })
}

/// Numbers are given from 0 on, and so it is the next ones that come online.
fn with_spare(online: usize, possible: usize) -> usize {
    (online + LEAST_SPARE.max(online / ONE_SPARE_OF)).min(possible).max(1)
}

/// Each gets from 1 to 16 MiB, and all of them together at most 256, as long as there are no more than 256.
pub fn default_buffer_bytes(cpus: usize) -> usize {
    let share = (256 << 20) / cpus.max(1);
    (1 << share.max(1).ilog2()).clamp(1 << 20, 16 << 20)
}

/// The ring buffer that hooks of all CPUs write into where they must not use the regions: a mebibyte for each CPU, from 4 to
/// 64 together.
pub fn hook_buffer_bytes(cpus: usize) -> usize {
    (cpus << 20).next_power_of_two().clamp(4 << 20, 64 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_that_cannot_come_soon_have_no_buffer() {
        assert_eq!(with_spare(4, 240), 6);
        assert_eq!((with_spare(2, 2), with_spare(1, 1)), (2, 1));
        assert_eq!((with_spare(64, 128), with_spare(128, 128)), (80, 128));
        assert_eq!(default_buffer_bytes(with_spare(4, 240)), 16 << 20);
        assert_eq!((default_buffer_bytes(80), default_buffer_bytes(512)), (2 << 20, 1 << 20));
        let hooks = [2, 5, 512].map(hook_buffer_bytes);
        assert_eq!(hooks, [4 << 20, 8 << 20, 64 << 20]);
    }
}
