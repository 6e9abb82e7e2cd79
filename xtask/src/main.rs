//! Tasks around the project that are more than one command: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a task's output is its report

mod bench;
mod bench_calls;
mod bench_replay;
mod bench_run;
mod bench_table;
mod bench_workload;
mod ebpf;
mod ebpf_rustc;
mod ebpf_stack;
mod fixtures;
mod shell;
mod soak;
mod vm_arch;
mod vm_boot;
mod vm_image;
mod vm_kernel;
mod vm_test;

use clap::Parser;

#[derive(Parser)]
#[command(name = "xtask", about = "Tasks of the tracer project")]
enum Task {
    /// Time whole commands: recording beside other tracers, and replay
    Bench(bench::Options),
    /// Run one of the benchmark's workloads (used by bench itself)
    #[command(hide = true)]
    Workload(bench_workload::Options),
    /// Build the kernel programs into recorder/ebpf (with --check: compare)
    Ebpf(ebpf::Options),
    /// Remake the captures under fixtures/, each in a fresh virtual machine
    Fixtures(fixtures::Options),
    /// Record for a long time under mixed load: memory flat, nothing lost, the file whole
    Soak(soak::Options),
    /// Record and replay on other kernels, in virtual machines
    VmTest(vm_test::Options),
}

fn main() -> anyhow::Result<()> {
    if let Some(error) = ebpf_rustc::become_compiler() {
        return Err(anyhow::Error::new(error).context("cannot run the compiler"));
    }
    match Task::parse() {
        Task::Bench(options) => bench::run(&options),
        Task::Workload(options) => bench_workload::run(&options),
        Task::Ebpf(options) => ebpf::run(&options),
        Task::Fixtures(options) => fixtures::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::VmTest(options) => vm_test::run(&options),
    }
}
