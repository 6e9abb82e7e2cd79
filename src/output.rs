//! The files that a run writes: none of them is one that it reads, none takes the place of another unasked, and none is
//! there before it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// `-o -`: standard output.
pub const STDOUT: &str = "-";

/// A file that is being written.
///
/// It grows beside its target under a name of its own (`a.trz.1234.partial`) and takes its place in
/// [`OutputFile::finish`]; one that is dropped before that is removed, and the target stays as it was.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    /// Where it grows and what it becomes; `None` for what is no regular file (stdout, `/dev/null`, a FIFO).
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    partial: PathBuf,
    target: PathBuf,
    replaces: bool,
}

/// Begins a file. `inputs` are all files that the run reads: captures, logs, policies, keys, secrets.
pub fn create(path: &Path, force: bool, inputs: &[&Path]) -> Result<OutputFile> {
    let name = path.display();
    // A link to a capture is as good as the capture.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    refuse_inputs(&target, inputs)?;
    let existing = fs::metadata(&target).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        bail!("{name} is a folder; give the name of a file in it");
    }
    if existing.is_some() && !force && !is_stream(&target) {
        bail!("{name} is there already; --force writes over it");
    }
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        let file = OpenOptions::new().write(true).open(&target).with_context(|| format!("opening {name}"))?;
        return Ok(OutputFile { file, place: None });
    }
    let mut partial = target.clone().into_os_string();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    let file = match private(&partial) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{name} is being written already: give each output a file of its own")
        }
        file => file.with_context(|| format!("creating {name}"))?,
    };
    Ok(OutputFile { file, place: Some(Place { partial, target, replaces: force }) })
}

/// Standard output for a capture, which is no text that a terminal could show.
pub fn capture_to_stdout(inputs: &[&Path]) -> Result<OutputFile> {
    if io::stdout().is_terminal() {
        bail!("a capture is no text: send it into a file or a pipe, or name a file with -o");
    }
    Ok(OutputFile { file: stdout(inputs)?, place: None })
}

/// Standard output past the standard library's line buffer. It must not be one of the inputs either: `>> a.trz`.
pub fn stdout(inputs: &[&Path]) -> Result<File> {
    let file = own_stdout().context("opening stdout")?;
    if let Ok(own) = file.metadata()
        && own.is_file()
        && inputs.iter().any(|input| fs::metadata(input).is_ok_and(|input| is_same(&own, &input)))
    {
        bail!("stdout is one of the files that are read: nothing is written");
    }
    Ok(file)
}

/// Refuses a target that is one of the inputs, under whatever name.
pub fn refuse_inputs(target: &Path, inputs: &[&Path]) -> Result<()> {
    let Ok(found) = fs::metadata(target) else { return Ok(()) };
    for input in inputs {
        let is_it = fs::metadata(input).is_ok_and(|input| found.is_file() && is_same(&found, &input))
            || fs::canonicalize(input).is_ok_and(|input| found.is_file() && input == target);
        if is_it {
            bail!(
                "{} is {}, which is read: no output takes the place of an input",
                target.display(),
                input.display()
            );
        }
    }
    Ok(())
}

/// A file that nobody else can read, and that was not there.
fn private(path: &Path) -> io::Result<File> {
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path)
}

#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Other systems are asked by name alone.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}

/// Whether writing to it takes nothing away: a terminal, a pipe, `/dev/null`.
#[cfg(unix)]
fn is_stream(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path)
        .map(|found| found.file_type())
        .is_ok_and(|kind| kind.is_char_device() || kind.is_fifo() || kind.is_socket())
}

#[cfg(not(unix))]
fn is_stream(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn own_stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn own_stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

impl OutputFile {
    /// Where what was written can be read again before the file is in its place; `None` of a stream.
    pub fn partial(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.partial.as_path())
    }

    /// Puts the file in its place, once everything is on the disk.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(place) = self.place.take() else { return self.file.flush() };
        let put = self.file.sync_all().and_then(|()| place.put());
        if put.is_err() {
            let _ = fs::remove_file(&place.partial);
        }
        put
    }
}

impl Place {
    fn put(&self) -> io::Result<()> {
        if self.replaces {
            return fs::rename(&self.partial, &self.target);
        }
        // Unlike a renaming, a link does not take the place of what another program has put there meanwhile.
        match fs::hard_link(&self.partial, &self.target) {
            Ok(()) => fs::remove_file(&self.partial),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // File systems without links.
            Err(_) if !self.target.exists() => fs::rename(&self.partial, &self.target),
            Err(error) => Err(error),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            let _ = fs::remove_file(&place.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let mut file = create(&target, false, &[]).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(file);
        assert_eq!(names(&folder), [""; 0]);
        let mut file = create(&target, false, &[]).unwrap();
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        let mut file = create(&target, true, &[]).unwrap();
        file.write_all(b"ha").unwrap();
        drop(file);
        assert_eq!((names(&folder), fs::read(&target).unwrap()), (vec!["a".to_owned()], b"whole".to_vec()));
    }

    #[test]
    fn what_came_there_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let file = create(&target, false, &[]).unwrap();
        fs::write(&target, "another's").unwrap();
        assert_eq!(file.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            (names(&folder), fs::read(&target).unwrap()),
            (vec!["a".to_owned()], b"another's".to_vec())
        );
    }

    #[test]
    fn an_input_is_refused_under_any_name_and_whatever_is_forced() {
        let folder = tempfile::tempdir().unwrap();
        let [input, hard, soft] = ["input", "hard", "soft"].map(|name| folder.path().join(name));
        fs::write(&input, "evidence").unwrap();
        fs::hard_link(&input, &hard).unwrap();
        std::os::unix::fs::symlink(&input, &soft).unwrap();
        for name in [&input, &hard, &soft] {
            for force in [false, true] {
                let said = create(name, force, &[&input]).unwrap_err().to_string();
                assert!(said.contains("no output takes the place of an input"), "{said}");
            }
        }
        assert_eq!(fs::read(&input).unwrap(), b"evidence");
        let file = create(Path::new("/dev/null"), false, &[Path::new("/dev/null")]).unwrap();
        file.finish().unwrap();
    }
}
