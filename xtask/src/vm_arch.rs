//! What differs between test machines of one architecture and another: the emulator, its consoles, and how programs for
//! them are built on this host.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::shell;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    Aarch64,
}

/// Debian's compiler, whose library is there for other architectures too (`libstd-rust-web-dev:arm64`).
const CROSS_CARGO: &str = "/usr/bin/cargo";
const CROSS_RUSTC: &str = "/usr/bin/rustc";
const CROSS_LINKER: &str = "aarch64-linux-gnu-gcc";

impl Arch {
    /// As Debian names it.
    pub fn debian(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        }
    }

    pub fn target(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-linux-gnu",
            Arch::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The emulator with its machine and processor.
    pub fn emulator(self) -> &'static [&'static str] {
        match self {
            // Without cx16: QEMU 7.2 emulates cmpxchg16b wrongly often enough to crash every third boot.
            Arch::X86_64 => &["qemu-system-x86_64", "-cpu", "max,-cx16"],
            // Pointer authentication takes QEMU longer than all the rest.
            Arch::Aarch64 => &["qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth=off"],
        }
    }

    /// The kernel's name of the first serial line.
    pub fn console(self) -> &'static str {
        match self {
            Arch::X86_64 => "ttyS0",
            Arch::Aarch64 => "ttyAMA0",
        }
    }

    /// Whether the machine has a second serial line, by which it sends files.
    pub fn sends_files(self) -> bool {
        self == Arch::X86_64
    }

    /// Builds `tracer` as one static file that runs on any Linux of this architecture.
    pub fn tracer(self) -> Result<PathBuf> {
        let mut command = match self {
            Arch::X86_64 => Command::new("cargo"),
            Arch::Aarch64 => {
                let mut command = Command::new(CROSS_CARGO);
                command
                    .env("RUSTC", CROSS_RUSTC)
                    .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", CROSS_LINKER)
                    .env("CC_aarch64_unknown_linux_gnu", CROSS_LINKER)
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO");
                command
            }
        };
        shell::run(
            command
                .current_dir(shell::root())
                .args(["build", "--release", "--bin", "tracer", "--target", self.target()])
                // Without debug information it is a tenth of the size, and a machine's memory is small.
                .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
                .env("RUSTFLAGS", "-C target-feature=+crt-static"),
        )?;
        let out = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| shell::root().join("target"), |folder| shell::root().join(folder));
        Ok(out.join(self.target()).join("release/tracer"))
    }

    /// Builds a program of one file: alone and static, for there is nothing else in the machine.
    pub fn program(self, source: &Path, out: &Path) -> Result<()> {
        let mut command = match self {
            Arch::X86_64 => Command::new("rustc"),
            Arch::Aarch64 => {
                let mut command = Command::new(CROSS_RUSTC);
                command.args(["-C", &format!("linker={CROSS_LINKER}")]);
                command
            }
        };
        command
            .args(["--edition", "2024", "-O", "--target", self.target()])
            .args(["-C", "target-feature=+crt-static", "-o"])
            .args([out, source]);
        shell::run(&mut command).with_context(|| match self {
            Arch::X86_64 => format!("cannot build {}", source.display()),
            Arch::Aarch64 => {
                "install gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and libstd-rust-web-dev:arm64"
                    .to_owned()
            }
        })
    }
}
