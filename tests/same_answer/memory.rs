//! How much memory a run may take.

use std::process::{Command, Output};

/// Runs the program with so much memory for what it writes to, as the kernel bounds it.
pub fn within(bytes: u64, arguments: &[&str]) -> Output {
    let script = format!("ulimit -d {} && exec \"$0\" \"$@\"", bytes / 1024);
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_tracer")])
        .args(arguments)
        .output()
        .expect("a shell")
}
