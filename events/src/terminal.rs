//! Names of terminals, by the numbers of their devices.

use core::fmt;

/// The name of a terminal by the number of its device, as `ps` has it: `pts/0`, `tty1`, `ttyS0`; others by both numbers. 0 is
/// no terminal: `none`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceName(pub u32);

/// What a process without a terminal has in place of its name.
pub const NO_TERMINAL: &str = "none";

/// Numbers of the kernel's drivers of terminals.
const TTY: u32 = 4;
const CONSOLE: u32 = 5;
const SLAVES: core::ops::RangeInclusive<u32> = 136..=143;
/// Of driver 4: lines of consoles are before it, serial ones from it on.
const SERIAL: u32 = 64;

impl fmt::Display for DeviceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeviceName(number) = *self;
        let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00));
        match major {
            _ if number == 0 => out.write_str(NO_TERMINAL),
            TTY if minor < SERIAL => write!(out, "tty{minor}"),
            TTY => write!(out, "ttyS{}", minor - SERIAL),
            CONSOLE if minor == 0 => out.write_str("tty"),
            CONSOLE if minor == 1 => out.write_str("console"),
            major if SLAVES.contains(&major) => {
                write!(out, "pts/{}", minor + (major - SLAVES.start()) * 256)
            }
            major => write!(out, "{major}:{minor}"),
        }
    }
}

/// The number of the device that has this name, as [`DeviceName`] writes it.
pub fn by_name(name: &str) -> Option<u32> {
    match name {
        NO_TERMINAL => Some(0),
        "tty" => Some(CONSOLE << 8),
        "console" => Some(CONSOLE << 8 | 1),
        _ => match name.split_once(':') {
            Some((major, minor)) => {
                let (major, minor) = (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
                (major < 1 << 12 && minor < 1 << 20).then(|| device(major, minor))
            }
            None => of_name(name),
        },
    }
}

const fn device(major: u32, minor: u32) -> u32 {
    major << 8 | minor & 0xff | (minor & !0xff) << 12
}

/// The number of the device of a path that names a terminal; `None` for other paths, and for names that mean another terminal
/// (`/dev/tty`, `/dev/console`).
pub fn named_device(path: &[u8]) -> Option<u32> {
    of_name(core::str::from_utf8(path.strip_prefix(b"/dev/")?).ok()?)
}

fn of_name(name: &str) -> Option<u32> {
    let number = |digits: &str| {
        let is_written_so =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        digits.parse::<u32>().ok().filter(|_| is_written_so)
    };
    if let Some(digits) = name.strip_prefix("pts/") {
        return number(digits).filter(|minor| *minor < 1 << 20).map(|minor| device(*SLAVES.start(), minor));
    }
    if let Some(digits) = name.strip_prefix("ttyS") {
        return number(digits).filter(|minor| *minor < 192).map(|minor| device(TTY, minor + SERIAL));
    }
    let minor = number(name.strip_prefix("tty")?).filter(|minor| (1..SERIAL).contains(minor))?;
    Some(device(TTY, minor))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn names_of_devices_come_back() {
        for number in [0, 0x8800, 0x8803, 0x108800 | 0x2c, 0x401, 0x43f, 0x440, 0x500, 0x501, 0xcc40, 0x400] {
            let name = DeviceName(number).to_string();
            assert_eq!(by_name(&name), (number != 0x400).then_some(number), "{number:#x} {name}");
        }
    }
}
