//! Tasks around the project that are more than one command: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a task's output is its report

mod fixtures;
mod shell;
mod vm_boot;
mod vm_image;
mod vm_kernel;
mod vm_test;

use clap::Parser;

#[derive(Parser)]
#[command(name = "xtask", about = "Tasks of the tracer project")]
enum Task {
    /// Remake the captures under fixtures/, each in a fresh virtual machine
    Fixtures(fixtures::Options),
    /// Record and replay on other kernels, in virtual machines
    VmTest(vm_test::Options),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Fixtures(options) => fixtures::run(&options),
        Task::VmTest(options) => vm_test::run(&options),
    }
}
