//! The folder that is written into: new files in it, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use format::Content;

use super::manifest::{MANIFEST, Manifest};

#[derive(Debug)]
pub struct Folder {
    /// Without links, so that a link which takes its place meanwhile leads nowhere else.
    path: PathBuf,
}

/// Longest part of a name that is kept.
const NAME_BYTES: usize = 64;

/// The last part of a path as part of a file's name: letters, digits and `._-`, whatever else was there; it begins with none
/// of these, so that no name is hidden, an option or a folder.
pub fn safe_name(path: &[u8]) -> String {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let last = path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let safe = |byte: &u8| {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        char::from(if is_plain { *byte } else { b'_' })
    };
    let name: String = last.iter().take(NAME_BYTES).map(safe).collect();
    name.trim_start_matches(['.', '_', '-']).trim_end_matches('.').to_owned()
}

impl Folder {
    /// Makes the folder, or takes one that has no manifest.
    pub fn open(path: &Path) -> Result<Folder> {
        let name = path.display();
        match fs::create_dir(path) {
            Ok(()) => private(path).with_context(|| format!("{name}: making it private"))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("making the folder {name}")),
        }
        let path = fs::canonicalize(path).with_context(|| format!("opening {name}"))?;
        if !path.is_dir() {
            bail!("{name} is no folder: the bytes of artifacts are written into one");
        }
        if fs::symlink_metadata(path.join(MANIFEST)).is_ok() {
            bail!("{name} has a {MANIFEST} already: nothing is written over; give a folder of its own");
        }
        Ok(Folder { path })
    }

    /// A file that was not there: not even a link of that name is followed.
    fn create(&self, name: &str) -> Result<(File, PathBuf)> {
        let path = self.path.join(name);
        let mut open = OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        match open.open(&path) {
            Ok(file) => Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!(
                    "{} is there already: nothing is written over; give a folder of its own",
                    path.display()
                )
            }
            Err(error) => Err(error).with_context(|| format!("creating {}", path.display())),
        }
    }

    /// Writes the bytes of an artifact; what is wrong with them, where they are not what they should be: then there is no file.
    pub fn write(&mut self, name: &str, content: &Content) -> Result<Result<(), String>> {
        let (mut file, path) = self.create(name)?;
        let outcome = content.read(&mut |some: &[u8]| file.write_all(some));
        if outcome.is_err() {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        match outcome {
            Ok(()) => Ok(Ok(())),
            Err(error @ format::Error::Io { .. }) => {
                Err(error).with_context(|| format!("writing {}", path.display()))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    pub fn write_manifest(&mut self, manifest: &Manifest) -> Result<()> {
        let (mut file, path) = self.create(MANIFEST)?;
        file.write_all(&manifest.to_json()).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
fn private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use format::Compression;

    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder_or_is_hidden() {
        for (path, name) in [
            (&b"/usr/bin/id"[..], "id"),
            (b"/tmp/../../etc/passwd", "passwd"),
            (b"..", ""),
            (b"/tmp/..", ""),
            (b"/tmp/.hidden", "hidden"),
            (b"a\\..\\b", "b"),
            (b"/tmp/x (deleted)", "x"),
            (b"/tmp/-rf", "rf"),
            (b"/tmp/a b\n\x1b[31m\xff\0c", "a_b___31m__c"),
            (b"memfd:loader", "memfd_loader"),
            (b"", ""),
        ] {
            assert_eq!(safe_name(path), name, "{path:?}");
        }
        assert_eq!(safe_name(&[b'x'; 4096]).len(), NAME_BYTES);
    }

    #[test]
    #[cfg(unix)]
    fn files_are_private_and_nothing_is_written_over_or_through_a_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let outside = tempfile::tempdir().unwrap();
        let within = outside.path().join("kept");
        let mut folder = Folder::open(&within).unwrap();
        let content = Content::new(b"bytes", Compression::Default).unwrap();
        folder.write("a", &content).unwrap().unwrap();
        assert_eq!(fs::read(within.join("a")).unwrap(), b"bytes");
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&within.join("a")), mode(&within)), (0o600, 0o700));
        assert!(folder.write("a", &content).unwrap_err().to_string().contains("is there already"));
        // A link, whether it leads to something or not.
        let target = outside.path().join("target");
        std::os::unix::fs::symlink(&target, within.join("b")).unwrap();
        assert!(folder.write("b", &content).is_err() && !target.exists());
        fs::write(&target, "precious").unwrap();
        assert!(folder.write("b", &content).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        std::os::unix::fs::symlink(&target, within.join(MANIFEST)).unwrap();
        assert!(Folder::open(&within).unwrap_err().to_string().contains(MANIFEST));
        assert!(Folder::open(&target).unwrap_err().to_string().contains("no folder"));
    }
}
