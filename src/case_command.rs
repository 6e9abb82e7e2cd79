//! `tracer case`: what a case says, and who vouches for it.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use case::Case;
use case::signature::{self, Verdict};
use clap::{Args, Subcommand};
use format::{ForwardKey, SigningKey};
use scopes::spelled_out;

use crate::inputs::public_key;
use crate::outcome::Outcome;
use crate::private;

#[derive(Args, Debug)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Say what is in a case: captures, marks and notes, queries
    Show(ShowOptions),
    /// Sign a case: the signature goes into CASE.toml.sig beside it
    Sign(SignOptions),
    /// Say whether a case is what was signed; exit code 1 when it is not
    Verify(VerifyOptions),
}

#[derive(Args, Debug)]
struct ShowOptions {
    #[arg(value_name = "CASE", default_value = case::FILE_NAME)]
    case: PathBuf,
}

#[derive(Args, Debug)]
struct SignOptions {
    #[arg(value_name = "CASE", default_value = case::FILE_NAME)]
    case: PathBuf,
    /// The key that signs (ed25519, made by `tracer keygen`), as it signs captures
    #[arg(long, value_name = "FILE", visible_alias = "key")]
    sign_key: PathBuf,
}

#[derive(Args, Debug)]
struct VerifyOptions {
    #[arg(value_name = "CASE", default_value = case::FILE_NAME)]
    case: PathBuf,
    /// The public key that must have signed: a file, or the key's line itself
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    match &options.command {
        Command::Show(options) => show(options),
        Command::Sign(options) => sign(options),
        Command::Verify(options) => verify(options),
    }
}

fn show(options: &ShowOptions) -> Result<Outcome> {
    let case = Case::load(&options.case)?;
    let mut out = io::stdout().lock();
    if !case.title.is_empty() {
        writeln!(out, "{}", spelled_out(&case.title))?;
    }
    writeln!(out, "{}", signed(&signature::verify(&options.case, None)?))?;
    for capture in &case.captures {
        let head = capture.head.map_or("its head is not known".to_owned(), |head| format!("head {head}"));
        writeln!(out, "capture  {}  {head}", spelled_out(&capture.file))?;
    }
    for mark in &case.marks {
        let file = case.captures.get(mark.capture.wrapping_sub(1)).map_or("", |it| it.file.as_str());
        let key = mark.key.unwrap_or('*');
        let text = format!("{key}  {} of {}  {file}  {}", mark.event, mark.process, mark.note);
        writeln!(out, "mark     {}", spelled_out(text.trim_end()))?;
    }
    for query in &case.queries {
        let filters: Vec<String> =
            query.filters.iter().map(|filter| format!("-f {}", ui::shell(filter))).collect();
        writeln!(out, "query    {}  {}", spelled_out(&query.name), spelled_out(&filters.join(" ")))?;
    }
    Ok(Outcome::Done)
}

fn sign(options: &SignOptions) -> Result<Outcome> {
    // What nobody can read later is not to be vouched for.
    Case::load(&options.case)?;
    let name = || format!("--sign-key {}", options.sign_key.display());
    let text = private::read("--sign-key", &options.sign_key)?;
    if ForwardKey::is_text(&text) {
        bail!(
            "{}: a key that evolves signs captures alone: `tracer keygen` without --forward makes one for cases",
            name()
        );
    }
    let key = SigningKey::from_text(&text).with_context(name)?;
    let path = signature::sign(&options.case, &key)?;
    writeln!(io::stdout().lock(), "{}: signed by {}", path.display(), key.public())?;
    Ok(Outcome::Done)
}

fn verify(options: &VerifyOptions) -> Result<Outcome> {
    let key = options.key.as_deref().map(public_key).transpose()?;
    Case::load(&options.case)?;
    let verdict = signature::verify(&options.case, key.as_ref())?;
    let (name, mut out) = (options.case.display(), io::stdout().lock());
    match (&verdict, &key) {
        (Verdict::Good(signer), Some(_)) => writeln!(out, "{name}: good, signed by {signer}")?,
        (Verdict::Good(signer), None) => {
            writeln!(out, "{name}: good, signed by {signer}, which nobody vouches for without --key")?;
        }
        (Verdict::Changed(signer), Some(key)) if signer != key => {
            writeln!(out, "{name}: BAD: it is signed by {signer}, and not by the key that was given")?;
        }
        (Verdict::Changed(signer), _) => {
            writeln!(out, "{name}: BAD: it is not what {signer} signed: it was changed since")?;
        }
        (Verdict::Unsigned, _) => {
            let path = signature::beside(&options.case);
            writeln!(out, "{name}: not signed: there is no {}", path.display())?;
        }
    }
    let is_good = matches!(verdict, Verdict::Good(_)) || (verdict == Verdict::Unsigned && key.is_none());
    Ok(if is_good { Outcome::Done } else { Outcome::Found })
}

/// The same in a few words.
fn signed(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Unsigned => "not signed".to_owned(),
        Verdict::Good(signer) => format!("signed by {signer}"),
        Verdict::Changed(signer) => format!("changed since {signer} signed it"),
    }
}
