//! Builds the kernel programs and commits them to `recorder/ebpf`, or checks that what is there is what they build to.

#[path = "../../recorder/ebpf/digest.rs"]
mod digest;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};

use crate::{ebpf_rustc, ebpf_stack};

/// An object for each architecture: where it is committed, and the feature that builds it.
struct Variant {
    object: &'static str,
    feature: Option<&'static str>,
    /// Where it is built, from the programs' own workspace.
    target_folder: &'static str,
}

const VARIANTS: [Variant; 2] = [
    Variant { object: "recorder/ebpf/tracer.bpf.o", feature: None, target_folder: "target" },
    Variant {
        object: "recorder/ebpf/tracer.aarch64.bpf.o",
        feature: Some("aarch64"),
        target_folder: "target/aarch64",
    },
];

const DIGEST: &str = "recorder/ebpf/tracer.bpf.digest";
const TARGET: &str = "bpfel-unknown-none";

#[derive(clap::Args)]
pub struct Options {
    /// Compare with the committed object instead of replacing it
    #[arg(long)]
    check: bool,
    /// A cargo whose compiler has the source of `core` beside it
    #[arg(long, env = "EBPF_CARGO", default_value = "/usr/bin/cargo")]
    cargo: PathBuf,
    /// The compiler that goes with it
    #[arg(long, env = "EBPF_RUSTC", default_value = "/usr/bin/rustc")]
    rustc: PathBuf,
    /// Where the tools of the compiler's LLVM are
    #[arg(long, env = "EBPF_LLVM", default_value = "/usr/lib/llvm-22/bin")]
    llvm: PathBuf,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let root = workspace_root()?;
    check_tools(options)?;
    let digest = digest::of_sources(&root)?;
    if options.check {
        let noted =
            std::fs::read_to_string(root.join(DIGEST)).with_context(|| format!("cannot read {DIGEST}"))?;
        ensure!(
            noted.trim() == digest,
            "{DIGEST} says {}, the sources give {digest}: run `cargo xtask ebpf`",
            noted.trim()
        );
    }
    for variant in &VARIANTS {
        build(&root, options, variant)?;
        let built = strip(&root, options, variant)?;
        let bytes = std::fs::read(&built)?;
        ebpf_stack::check(&bytes)?;
        let Variant { object, .. } = variant;
        if options.check {
            let committed =
                std::fs::read(root.join(object)).with_context(|| format!("cannot read {object}"))?;
            ensure!(
                committed == bytes,
                "{object} ({} bytes) is not what its sources build to ({} bytes, {}): run `cargo xtask ebpf`",
                committed.len(),
                bytes.len(),
                built.display()
            );
            println!("{object} is what its sources build to ({} bytes, digest {digest})", bytes.len());
        } else {
            std::fs::write(root.join(object), &bytes)?;
            println!("{object}: {} bytes, digest {digest}", bytes.len());
        }
    }
    if !options.check {
        std::fs::write(root.join(DIGEST), format!("{digest}\n"))?;
    }
    Ok(())
}

fn workspace_root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in no workspace")?;
    Ok(root.to_owned())
}

fn check_tools(options: &Options) -> anyhow::Result<()> {
    let version = Command::new(&options.rustc).arg("-vV").output().with_context(|| {
        format!(
            "{} is missing: on Debian, install rustc-web, cargo-web and rust-web-src, or name a compiler with --rustc",
            options.rustc.display()
        )
    })?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: ")).unwrap_or("?");
    let major = llvm.split('.').next().unwrap_or("?");
    if !options.llvm.to_string_lossy().contains(&format!("llvm-{major}")) {
        bail!(
            "the compiler is built on LLVM {llvm}, the tools are {}: the majors must be the same",
            options.llvm.display()
        );
    }
    ensure!(
        options.llvm.join("llvm-objcopy").exists(),
        "{} has no llvm-objcopy: install llvm-{major}",
        options.llvm.display()
    );
    Command::new("bpf-linker").arg("--version").env("PATH", path(options)).output().with_context(|| {
        format!("bpf-linker is missing: cargo install bpf-linker@0.13.0 --no-default-features --features llvm-{major}")
    })?;
    Ok(())
}

/// The search path with LLVM's tools and cargo's first.
fn path(options: &Options) -> String {
    let old = std::env::var("PATH").unwrap_or_default();
    let home = cargo_home().join("bin");
    format!("{}:{}:{old}", options.llvm.display(), home.display())
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

fn build(root: &Path, options: &Options, variant: &Variant) -> anyhow::Result<()> {
    // The same object wherever it is built: no path of this machine in it.
    let mut prefixes = vec![(root.to_owned(), "tracer")];
    for registry in std::fs::read_dir(cargo_home().join("registry/src")).into_iter().flatten() {
        prefixes.push((registry?.path(), "registry"));
    }
    let flags: Vec<String> = prefixes
        .iter()
        .map(|(from, to)| format!("\"--remap-path-prefix={}={to}\"", from.display()))
        .collect();
    let mut cargo = Command::new(&options.cargo);
    ebpf_rustc::wrap(&mut cargo, TARGET)?;
    let status = cargo
        // Its output is looked for in its own workspace.
        .env_remove("CARGO_TARGET_DIR")
        .args(["build", "--release", "--locked", "--config"])
        .arg(format!("target.{TARGET}.rustflags=[{}]", flags.join(",")))
        .args(["--target-dir", variant.target_folder])
        .args(variant.feature.map(|feature| format!("--features={feature}")))
        .current_dir(root.join("recorder-ebpf"))
        .env("RUSTC", &options.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PATH", path(options))
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTFLAGS")
        .status()
        .with_context(|| format!("cannot run {}", options.cargo.display()))?;
    ensure!(status.success(), "building the kernel programs failed");
    Ok(())
}

/// Drops the debug sections, and of BTF what lines of the sources there are: they are the most of it. Which functions
/// there are stays, for the kernel looks at global ones once and at others for each call.
fn strip(root: &Path, options: &Options, variant: &Variant) -> anyhow::Result<PathBuf> {
    let folder = root.join("recorder-ebpf").join(variant.target_folder).join(TARGET).join("release");
    let (from, to, extension) =
        (folder.join("tracer-ebpf"), folder.join("tracer.bpf.o"), folder.join("btf-ext"));
    let objcopy = |arguments: &[&std::ffi::OsStr]| -> anyhow::Result<()> {
        let status = Command::new(options.llvm.join("llvm-objcopy")).args(arguments).status()?;
        ensure!(status.success(), "stripping {} failed", from.display());
        Ok(())
    };
    let section = |option: &str| format!("{option}=.BTF.ext={}", extension.display());
    objcopy(&[section("--dump-section").as_ref(), from.as_ref(), to.as_ref()])?;
    std::fs::write(&extension, without_lines(std::fs::read(&extension)?).context(".BTF.ext is cut short")?)?;
    objcopy(&[
        "--strip-debug".as_ref(),
        "--remove-section=.rel.BTF.ext".as_ref(),
        section("--update-section").as_ref(),
        from.as_ref(),
        to.as_ref(),
    ])?;
    Ok(to)
}

/// `.BTF.ext` without its table of lines, which comes after that of functions.
fn without_lines(mut extension: Vec<u8>) -> Option<Vec<u8>> {
    /// Offsets in the header: length of the lines, place of what follows them.
    const LINES_LENGTH: usize = 20;
    const RELOCATIONS: usize = 24;
    let word = |at: usize| Some(u32::from_le_bytes(extension.get(at..at + 4)?.try_into().ok()?) as usize);
    let (header, lines_offset) = (word(4)?, word(16)?);
    let end = header + lines_offset;
    extension.get_mut(LINES_LENGTH..LINES_LENGTH + 4)?.fill(0);
    // There are none, of CO-RE.
    extension.get_mut(RELOCATIONS..RELOCATIONS + 4)?.copy_from_slice(&(lines_offset as u32).to_le_bytes());
    extension.truncate(end);
    Some(extension)
}
