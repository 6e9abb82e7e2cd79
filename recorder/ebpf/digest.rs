// Which sources the committed object was built from. Included by recorder's build script and by `cargo xtask ebpf`.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Sources of the object, from the workspace's root; folders with all that is below them.
pub const SOURCES: &[&str] = &[
    "recorder-ebpf/Cargo.toml",
    "recorder-ebpf/Cargo.lock",
    "recorder-ebpf/.cargo/config.toml",
    "recorder-ebpf/src",
    "events/src/abi.rs",
    "events/src/abi",
    "events/src/capture.rs",
];

/// A digest of the sources' names and contents (64-bit FNV-1a: against forgetting, not against forgery).
pub fn of_sources(root: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        add(name.as_bytes());
        add(&[0]);
        add(&std::fs::read(&file)?);
        add(&[0]);
    }
    Ok(format!("{digest:016x}"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
