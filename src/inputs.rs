//! What a run reads, as option groups that every reading subcommand flattens.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use clap::Args;
use format::{Capture, Expected, Heads, Identity, OpenOptions, PublicKey, SourceCapture, Verdict};
use interchange::catalog::{self, Captures, Chosen, Told};
use pipeline::Source;

use crate::cataloged::{Asking, CatalogOptions};
use crate::folder;
use crate::follow::STDIN;
use crate::moment::Extent;
use crate::private;
use crate::rotated::{self, Standing};
use crate::spool;
use crate::stderr;

/// Several captures.
#[derive(Args, Debug)]
pub struct Inputs {
    /// Captures, and folders of them; several are read as one, by time; - is standard input
    #[arg(required = true, value_name = "FILE")]
    given: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
    #[arg(skip)]
    files: OnceLock<Vec<PathBuf>>,
}

/// One capture.
#[derive(Args, Debug)]
pub struct Input {
    /// The capture to read; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    pub reading: Reading,
    #[arg(skip)]
    spooled: OnceCell<PathBuf>,
}

/// How captures are read.
#[derive(Args, Debug, Default)]
pub struct Reading {
    #[command(flatten)]
    pub identity: IdentityOption,
    /// Read only captures that verify, as `tracer verify` does; with a public key (a file, or the key's line itself) only
    /// those that it signed
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    verify: Option<String>,
    /// With --verify: the heads that a witness holds, as `tracer record --heads` sent them; the captures must have them
    #[arg(long, value_name = "FILE", requires = "verify")]
    heads: Option<PathBuf>,
}

/// What is done about damage.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Damage {
    /// Stop at the first block that is damaged, instead of answering what the others hold
    #[arg(long)]
    pub strict: bool,
}

#[derive(Args, Debug, Default)]
pub struct IdentityOption {
    /// File with the age identity that encrypted captures were encrypted to
    #[arg(long, value_name = "FILE", env = "TRACER_IDENTITY")]
    identity: Option<PathBuf>,
}

impl Inputs {
    /// Takes the last word away where it is no file and others stand before it: then it says what is looked for in them.
    pub fn take_word(&mut self) -> Option<String> {
        let is_word = |path: &PathBuf| path.as_os_str() != STDIN && !path.exists();
        if self.given.len() < 2 || !self.given.last().is_some_and(is_word) {
            return None;
        }
        self.given.pop()?.into_os_string().into_string().ok()
    }

    /// What was named, as it was named.
    pub fn given(&self) -> &[PathBuf] {
        &self.given
    }

    pub fn source(&self) -> Result<Source> {
        self.reading.source(self.files()?)
    }

    /// The captures that may hold something of what is asked, where folders have catalogues that say so; else all.
    pub fn source_for(&self, options: &CatalogOptions, asking: &Asking<'_>) -> Result<Source> {
        let has_folder = self.given.iter().any(|path| path.is_dir());
        let Some(key) = options.key(self.reading.is_verified())?.filter(|_| has_folder) else {
            return self.source();
        };
        if asking.range.counts_events() {
            return self.source();
        }
        let mut tell = |told| match told {
            Told::PassedOver(text) => stderr::note(text),
            Told::Distrusted(text) => stderr::warn(text),
        };
        let mut captures = Captures::default();
        for path in &self.given {
            if path.is_dir() {
                captures.add_folder(path, key.as_ref(), &mut tell)?;
            } else {
                captures.add(spool::file(path)?);
            }
        }
        let _ = self.files.set(captures.paths().map(Path::to_owned).collect());
        if !captures.are_known() {
            return self.source();
        }
        let extent = captures.extent().map(|(start_ns, end_ns)| Extent { start_ns, end_ns });
        let range = asking.range.known(extent, &asking.zone);
        let conditions = asking.conditions(range);
        if conditions.ask_everything() {
            return self.source();
        }
        let options = self.reading.identity.options()?;
        let boots_of = |path: &Path| catalog::boots_of(path, &options);
        let Chosen { opened, unopened } = captures.choose(&conditions, asking.made_of, &boots_of, &mut tell);
        self.reading.verify(&opened)?;
        let opened: Vec<_> = opened.iter().map(|path| (spool::name(path), path.as_path())).collect();
        Ok(replay::open::open_beside(&opened, unopened, &options)?)
    }

    /// The captures: those that were named, and in place of folders those that lie in them.
    pub fn files(&self) -> Result<&[PathBuf]> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let mut files = Vec::new();
        for path in &self.given {
            if path.is_dir() {
                files.extend(folder::captures(path)?);
            } else {
                files.push(spool::file(path)?);
            }
        }
        Ok(self.files.get_or_init(|| files))
    }

    /// What is known of each capture: the head of its chain and who signed it.
    pub fn provenance(&self) -> Result<Vec<SourceCapture>> {
        self.files()?.iter().map(|file| self.reading.provenance(file)).collect()
    }

    /// Every file that is read.
    pub fn paths(&self) -> Vec<&Path> {
        let files = self.files.get().unwrap_or(&self.given);
        files.iter().map(PathBuf::as_path).chain(self.reading.identity.paths()).collect()
    }
}

impl Input {
    pub fn open(&self) -> Result<Capture> {
        self.reading.open(self.file()?)
    }

    pub fn is_stdin(&self) -> bool {
        self.file == Path::new(STDIN)
    }

    /// The capture, for messages.
    pub fn name(&self) -> String {
        spool::name(&self.file)
    }

    fn file(&self) -> Result<&Path> {
        if self.spooled.get().is_none() {
            let file = spool::file(&self.file)?;
            return Ok(self.spooled.get_or_init(|| file));
        }
        Ok(self.spooled.get().unwrap_or(&self.file))
    }

    /// What verifying the capture came to, for the header of what is made from it. A fault is said on stderr.
    pub fn provenance(&self) -> Result<SourceCapture> {
        self.reading.provenance(self.file()?)
    }

    /// Every file that is read.
    pub fn paths(&self) -> Vec<&Path> {
        std::iter::once(self.file.as_path()).chain(self.reading.identity.paths()).collect()
    }
}

impl Reading {
    pub fn source(&self, files: &[PathBuf]) -> Result<Source> {
        self.verify(files)?;
        let files: Vec<_> = files.iter().map(|path| (spool::name(path), path.as_path())).collect();
        Ok(replay::open::open(&files, &self.identity.options()?)?)
    }

    /// Whether captures must verify before they are read.
    pub fn is_verified(&self) -> bool {
        self.verify.is_some()
    }

    pub fn open(&self, path: &Path) -> Result<Capture> {
        self.verify(&[path.to_owned()])?;
        self.open_verified(path)
    }

    /// Opens a capture that [`Reading::verify`] was asked about, with others of its set.
    pub fn open_verified(&self, path: &Path) -> Result<Capture> {
        Capture::open_with(path, &self.identity.options()?).with_context(|| spool::name(path))
    }

    pub fn provenance(&self, path: &Path) -> Result<SourceCapture> {
        // The folder that it lies in is nobody's business.
        let name = spool::name(path);
        let name = Path::new(&name).file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let verdicts = verdicts(&[path.to_owned()], None, None, &self.identity)?;
        let Some((given, verdict)) = verdicts.first() else {
            return Ok(SourceCapture { name, verdict: "not verified".into(), ..SourceCapture::default() });
        };
        if let Some(fault) = &verdict.fault {
            stderr::warn(format_args!("{given}: does not verify at byte {}: {}", fault.offset, fault.what));
            return Ok(SourceCapture { name, verdict: fault.what.clone(), ..SourceCapture::default() });
        }
        let signed_by = verdict.signed_by.as_ref().map(ToString::to_string);
        Ok(SourceCapture { name, head: Some(verdict.head), signed_by, verdict: "good".into() })
    }

    /// The head of a capture's chain, if the capture verifies. Nothing is said of it.
    pub fn head(&self, path: &Path) -> Option<[u8; 32]> {
        let verdicts = verdicts(&[path.to_owned()], None, None, &self.identity).ok()?;
        let (_, verdict) = verdicts.first()?;
        verdict.fault.is_none().then_some(verdict.head)
    }

    /// With `--verify`: refuses files that are not what was written, and parts that do not follow each other.
    pub fn verify(&self, files: &[PathBuf]) -> Result<()> {
        let Some(key) = &self.verify else { return Ok(()) };
        let key = if key.is_empty() { None } else { Some(public_key(key)?) };
        let heads = self.heads.as_deref().map(heads).transpose()?;
        if heads.as_ref().is_some_and(|heads| heads.contradictions > 0) {
            bail!("--heads: lines of one seal say different heads; `tracer verify --heads` tells more");
        }
        let verdicts = verdicts(files, key.as_ref(), heads.as_ref(), &self.identity)?;
        for ((name, verdict), standing) in verdicts.iter().zip(rotated::standings(&verdicts)) {
            if let Some(fault) = &verdict.fault {
                bail!("{name}: does not verify at byte {}: {}", fault.offset, fault.what);
            }
            if let Standing::Broken(what) = standing {
                bail!("{name}: does not verify among its set: {what}");
            }
            let witnessed = heads.as_ref().map_or(String::new(), |_| {
                let (witnessed, seals) = (verdict.witnessed_seals, verdict.seals);
                format!("; the witness holds the heads of {witnessed} of its {seals} seals")
            });
            stderr::note(format_args!("{name}: verified, {}{witnessed}", signer(verdict)));
        }
        // Which captures are asked is the asker's choice: parts that only the witness knows of are told, and no fault.
        if heads.is_some() {
            rotated::missing(&verdicts, heads.as_ref()).iter().for_each(stderr::warn);
        }
        Ok(())
    }
}

fn signer(verdict: &Verdict) -> String {
    verdict.signed_by.as_ref().map_or("not signed".to_owned(), |signer| format!("signed by {signer}"))
}

/// What verifying each file came to, with its name.
pub fn verdicts(
    files: &[PathBuf],
    key: Option<&PublicKey>,
    heads: Option<&Heads>,
    identity: &IdentityOption,
) -> Result<Vec<(String, Verdict)>> {
    let reading = identity.options()?;
    let expected = Expected { key, identity: reading.identity.as_ref(), heads };
    let verdict = |file: &PathBuf| {
        let name = spool::name(file);
        let verdict = format::verify(file, expected).with_context(|| name.clone())?;
        Ok((name, verdict))
    };
    files.iter().map(verdict).collect()
}

/// Reads what a witness holds.
pub fn heads(path: &Path) -> Result<Heads> {
    let name = || format!("--heads {}", path.display());
    let text = std::fs::read_to_string(path).with_context(name)?;
    let heads: Heads = text.parse().unwrap_or_default();
    if heads.counts().0 == 0 {
        bail!(
            "{}: there is no line `tracer-head-1 ...` in it, as `tracer record --heads` writes them",
            name()
        );
    }
    Ok(heads)
}

/// A public key: the line itself, or a file that holds it.
pub fn public_key(given: &str) -> Result<PublicKey> {
    match PublicKey::from_text(given) {
        Ok(key) => Ok(key),
        Err(_) => {
            let text = std::fs::read_to_string(given).with_context(|| format!("reading the key {given}"))?;
            PublicKey::from_text(&text).with_context(|| given.to_owned())
        }
    }
}

impl IdentityOption {
    pub fn options(&self) -> Result<OpenOptions> {
        let mut options = OpenOptions::default();
        if let Some(path) = &self.identity {
            let name = || format!("--identity {}", path.display());
            let text = private::read("--identity", path)?;
            options.identity = Some(Identity::from_text(&text).with_context(name)?);
        }
        Ok(options)
    }

    pub fn paths(&self) -> Option<&Path> {
        self.identity.as_deref()
    }
}
