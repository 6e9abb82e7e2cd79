//! The controlling terminal of processes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use events::terminal::DeviceName;
pub use events::terminal::named_device;

/// The terminal of a process: that of its session, which all have in common that had it of the same leader. A clone is the same
/// terminal: when it is hung up, all lose it.
#[derive(Clone, Default)]
pub struct Terminal(Arc<AtomicU64>);

const UNKNOWN: u64 = 0;
const NONE: u64 = 1;
/// There is one, and nobody knows which.
const UNNAMED: u64 = 2;
/// Numbers of devices are from here on.
const DEVICES: u64 = 3;

impl Terminal {
    pub fn none() -> Terminal {
        Terminal::of_stored(NONE)
    }

    pub fn unnamed() -> Terminal {
        Terminal::of_stored(UNNAMED)
    }

    /// A device by its number, as `tty_nr` of /proc/PID/stat has it; 0 for none.
    pub fn device(number: u32) -> Terminal {
        if number == 0 { Terminal::none() } else { Terminal::of_stored(DEVICES + u64::from(number)) }
    }

    /// One of a device that is known or not.
    pub(super) fn of(device: Option<u32>) -> Terminal {
        device.map_or_else(Terminal::unnamed, Terminal::device)
    }

    /// As files have it: 0 not known, 1 none, 2 one that is not known, others a device's number and 3.
    pub(crate) fn stored(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn of_stored(stored: u64) -> Terminal {
        let is_device =
            |stored: u64| u32::try_from(stored.wrapping_sub(DEVICES)).is_ok_and(|number| number > 0);
        let is_one = stored < DEVICES || is_device(stored);
        Terminal(Arc::new(AtomicU64::new(if is_one { stored } else { UNKNOWN })))
    }

    /// Whether it is one that both have in common.
    pub fn is_shared_with(&self, other: &Terminal) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The same, and no longer that of those who share it.
    pub fn apart(&self) -> Terminal {
        Terminal::of_stored(self.stored())
    }

    pub fn is_known(&self) -> bool {
        self.stored() != UNKNOWN
    }

    /// Whether there is one; `None` where nobody knows.
    pub fn is_there(&self) -> Option<bool> {
        match self.stored() {
            UNKNOWN => None,
            stored => Some(stored != NONE),
        }
    }

    /// The device's number, 0 for none; `None` where it is not known.
    pub fn number(&self) -> Option<u32> {
        match self.stored() {
            NONE => Some(0),
            stored => u32::try_from(stored.checked_sub(DEVICES)?).ok(),
        }
    }

    /// `pts/0`; `None` where there is none, or nobody knows which.
    pub fn name(&self) -> Option<String> {
        self.number().filter(|number| *number != 0).map(device_name)
    }

    /// All that have it have none from now on.
    pub(super) fn hang_up(&self) {
        self.0.store(NONE, Ordering::Relaxed);
    }

    /// It was seen to be this one. What was not known of all that share it is known now.
    pub(super) fn learn(&mut self, seen: &Terminal) {
        match self.stored() {
            UNKNOWN | UNNAMED => self.0.store(seen.stored(), Ordering::Relaxed),
            known if known != seen.stored() => *self = seen.clone(),
            _ => {}
        }
    }
}

impl PartialEq for Terminal {
    fn eq(&self, other: &Terminal) -> bool {
        self.stored() == other.stored()
    }
}

impl Eq for Terminal {}

impl fmt::Debug for Terminal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_there(), self.name()) {
            (None, _) => out.write_str("Terminal(?)"),
            (Some(false), _) => out.write_str("Terminal(none)"),
            (Some(true), name) => write!(out, "Terminal({})", name.as_deref().unwrap_or("some")),
        }
    }
}

/// The name of a terminal by the number of its device, as `ps` has it: `pts/0`, `tty1`, `ttyS0`; others by both numbers.
pub fn device_name(number: u32) -> String {
    DeviceName(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_the_names_that_ps_gives_them() {
        for (number, name) in [
            (0x8800, "pts/0"),
            (0x8803, "pts/3"),
            (0x8900, "pts/256"),
            (0x108800 | 0x2c, "pts/300"),
            (0x401, "tty1"),
            (0x440, "ttyS0"),
            (0x501, "console"),
            (0xcc40, "204:64"),
        ] {
            assert_eq!(device_name(number), name, "{number:#x}");
        }
    }

    #[test]
    fn paths_of_terminals_name_their_devices_and_others_none() {
        for name in ["pts/0", "pts/300", "tty1", "tty63", "ttyS0"] {
            let device = named_device(format!("/dev/{name}").as_bytes()).unwrap();
            assert_eq!(device_name(device), name);
        }
        for path in [
            "/dev/tty",
            "/dev/tty0",
            "/dev/ptmx",
            "/dev/pts/ptmx",
            "/dev/pts/07",
            "/dev/pts/9999999",
            "pts/0",
            "/dev/null",
        ] {
            assert_eq!(named_device(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn what_files_say_of_terminals_comes_back_and_nonsense_is_not_known() {
        for terminal in [Terminal::default(), Terminal::none(), Terminal::unnamed(), Terminal::device(0x8800)]
        {
            assert_eq!(Terminal::of_stored(terminal.stored()), terminal);
        }
        assert_eq!(Terminal::of_stored(3), Terminal::default());
        assert_eq!(Terminal::of_stored(u64::MAX), Terminal::default());
        assert_eq!(Terminal::unnamed().is_there(), Some(true));
        assert_eq!((Terminal::none().is_there(), Terminal::default().is_there()), (Some(false), None));
    }
}
