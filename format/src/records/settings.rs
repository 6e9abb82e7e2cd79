//! How a container was made, as columns of the table of cgroups.
//!
//! `privileged` is 0 where it is not known, 1 for no, 2 for yes. `mounts` and `added_capabilities` are texts, each followed by
//! a NUL, behind one byte: they are empty where nothing is known. Of a mount these are `rw` or `ro`, the source, and the
//! destination.

use crate::{ContainerMount, Settings};

/// What stands before the texts that are known, however few.
const KNOWN: u8 = b'+';

/// The values of a row.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub privileged: u64,
    pub mounts: Vec<u8>,
    pub capabilities: Vec<u8>,
}

pub(super) fn texts(settings: &Settings) -> Texts {
    let list = |all: Option<Vec<&str>>| match all {
        None => Vec::new(),
        Some(all) => all.iter().fold(vec![KNOWN], |mut out, text| {
            // No path has a NUL, and a name that has one is none.
            out.extend(text.bytes().filter(|byte| *byte != 0));
            out.push(0);
            out
        }),
    };
    let of_mount = |mount: &ContainerMount| {
        let word = if mount.is_writable { "rw" } else { "ro" };
        [word.to_owned(), mount.source.clone(), mount.destination.clone()]
    };
    let mounts: Option<Vec<String>> =
        settings.mounts.as_ref().map(|mounts| mounts.iter().flat_map(of_mount).collect());
    let strs =
        |all: &Option<Vec<String>>| list(all.as_ref().map(|all| all.iter().map(String::as_str).collect()));
    Texts {
        privileged: settings.privileged.map_or(0, |is| 1 + u64::from(is)),
        mounts: strs(&mounts),
        capabilities: strs(&settings.added_capabilities),
    }
}

pub(super) fn read(privileged: u64, mounts: &[u8], capabilities: &[u8]) -> Settings {
    let list = |bytes: &[u8]| -> Option<Vec<String>> {
        let all = bytes.strip_prefix(&[KNOWN])?;
        let texts =
            all.split_inclusive(|byte| *byte == 0).map(|text| text.strip_suffix(&[0]).unwrap_or(text));
        Some(texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    };
    let mount = |three: &[String]| match three {
        [word, source, destination] => Some(ContainerMount {
            source: source.clone(),
            destination: destination.clone(),
            is_writable: word == "rw",
        }),
        _ => None,
    };
    Settings {
        privileged: match privileged {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        },
        mounts: list(mounts).map(|all| all.chunks(3).filter_map(mount).collect()),
        added_capabilities: list(capabilities),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_what_is_not_known_stays_so() {
        let mount = |source: &str, is_writable| ContainerMount {
            source: source.into(),
            destination: "/in".into(),
            is_writable,
        };
        for settings in [
            Settings::default(),
            Settings {
                privileged: Some(false),
                mounts: Some(Vec::new()),
                added_capabilities: Some(Vec::new()),
            },
            Settings {
                privileged: Some(true),
                mounts: Some(vec![mount("/", true), mount("", false)]),
                added_capabilities: Some(vec!["CAP_SYS_ADMIN".into()]),
            },
        ] {
            let Texts { privileged, mounts, capabilities } = texts(&settings);
            assert_eq!(read(privileged, &mounts, &capabilities), settings);
        }
        assert_eq!(read(7, b"+rw\0/a", b"x"), Settings { mounts: Some(Vec::new()), ..Settings::default() });
    }
}
