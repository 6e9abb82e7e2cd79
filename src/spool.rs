//! Standard input for those who go back and forth in a capture: what comes is written to a file without a name first, so that
//! memory stays bounded. What can be answered on the way is read by [`crate::follow`] instead.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::follow::STDIN;

/// Where standard input went.
static SPOOLED: OnceLock<(File, PathBuf)> = OnceLock::new();

/// The file to read in place of one that was named: itself, unless it stands for standard input.
pub fn file(path: &Path) -> Result<PathBuf> {
    if path != Path::new(STDIN) {
        return Ok(path.to_owned());
    }
    if let Some((_, path)) = SPOOLED.get() {
        return Ok(path.clone());
    }
    let spooled = spool()?;
    Ok(SPOOLED.get_or_init(|| spooled).1.clone())
}

/// A file's name for messages.
pub fn name(path: &Path) -> String {
    let is_spooled = path == Path::new(STDIN) || SPOOLED.get().is_some_and(|(_, spooled)| spooled == path);
    if is_spooled { "standard input".to_owned() } else { path.display().to_string() }
}

#[cfg(target_os = "linux")]
fn spool() -> Result<(File, PathBuf)> {
    use std::io;
    use std::os::fd::AsRawFd;

    use anyhow::Context;

    let what = || format!("keeping standard input in {}", std::env::temp_dir().display());
    let mut file = tempfile::tempfile().with_context(what)?;
    io::copy(&mut io::stdin().lock(), &mut file).with_context(what)?;
    if file.metadata().with_context(what)?.len() == 0 {
        bail!("nothing came on standard input");
    }
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok((file, path))
}

#[cfg(not(target_os = "linux"))]
fn spool() -> Result<(File, PathBuf)> {
    bail!(
        "on this system standard input is read by replay and by cut of a whole capture: write it to a file first"
    )
}
