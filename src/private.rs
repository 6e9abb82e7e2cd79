//! Files that hold secrets: read only when nobody else can read them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};

/// The text of a file that holds a secret. `flag` is the option that named it, such as `--sign-key`.
pub fn read(flag: &str, path: &Path) -> Result<String> {
    let name = || format!("{flag} {}", path.display());
    let mut file = File::open(path).with_context(name)?;
    refuse_readable(&file, path).with_context(name)?;
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(name)?;
    Ok(text)
}

/// Refuses a secret that others than its owner can read or write, as ssh does: it may be known already, and who believes
/// what it signed should not have to wonder. Pipes, as the shell's `<(...)`, are nobody else's.
#[cfg(unix)]
pub fn refuse_readable(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let found = file.metadata()?;
    let mode = found.permissions().mode() & 0o777;
    if found.is_file() && mode & 0o077 != 0 {
        anyhow::bail!("others can read or write it (mode {mode:04o}): chmod 600 {}", path.display());
    }
    Ok(())
}

/// Other systems have other ways to say who reads a file.
#[cfg(not(unix))]
pub fn refuse_readable(_: &File, _: &Path) -> Result<()> {
    Ok(())
}

/// Whether a file could not be read since it is not there.
pub fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_refused_with_the_way_to_mend_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "secret").unwrap();
        for mode in [0o644, 0o640, 0o620, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = format!("{:#}", read("--sign-key", &path).unwrap_err());
            assert!(error.contains("--sign-key") && error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read("--sign-key", &path).unwrap(), "secret");
        assert!(is_missing(&read("--sign-key", &dir.path().join("other")).unwrap_err()));
    }
}
