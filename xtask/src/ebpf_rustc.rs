//! Cargo's wrapper of the compiler for the kernel programs: they build to the same bytes in any folder.
//!
//! Cargo tells crates apart by a hash (`-C metadata`) that depends on where a crate lies that is outside the workspace.
//! It is in the name of every function, and names have an order and, in base 62, a length. Name and version tell these
//! crates apart as well.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    process::Command,
};

/// Set for cargo, which calls this program as `xtask RUSTC ARGUMENTS`.
const WRAPS: &str = "XTASK_WRAPS_RUSTC";

/// Lets this cargo run the compiler by way of this program, for crates of `target`.
pub fn wrap(cargo: &mut Command, target: &str) -> std::io::Result<()> {
    cargo.env("RUSTC_WRAPPER", std::env::current_exe()?).env(WRAPS, target);
    Ok(())
}

/// Whether cargo calls this program as its wrapper; if so it becomes the compiler, and comes back only with an error.
pub fn become_compiler() -> Option<std::io::Error> {
    let target = std::env::var_os(WRAPS)?;
    let mut arguments = std::env::args_os().skip(1);
    let compiler = arguments.next()?;
    let arguments: Vec<_> = arguments.collect();
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let metadata = format!("{}-{}", of("CARGO_PKG_NAME"), of("CARGO_PKG_VERSION"));
    let arguments = if for_target(&arguments, &target) { named(arguments, &metadata) } else { arguments };
    Some(Command::new(compiler).args(arguments).exec())
}

fn for_target(arguments: &[OsString], target: &OsStr) -> bool {
    arguments.windows(2).any(|pair| pair[0] == "--target" && pair[1] == target)
}

fn named(mut arguments: Vec<OsString>, metadata: &str) -> Vec<OsString> {
    for argument in &mut arguments {
        if argument.to_str().is_some_and(|argument| argument.starts_with("metadata=")) {
            *argument = format!("metadata={metadata}").into();
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn crates_for_the_kernel_are_told_apart_by_name_and_version() {
        let line = arguments("--crate-name a --target bpfel -C metadata=0123 -C extra-filename=-4567");
        assert!(for_target(&line, OsStr::new("bpfel")));
        assert!(!for_target(&line, OsStr::new("x86_64")));
        assert_eq!(
            named(line, "a-1.0.0"),
            arguments("--crate-name a --target bpfel -C metadata=a-1.0.0 -C extra-filename=-4567")
        );
    }
}
