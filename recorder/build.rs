//! Refuses to build with kernel programs that are older than their sources.

#[path = "ebpf/digest.rs"]
mod digest;

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=ebpf");
    let root = Path::new("..");
    if !root.join("recorder-ebpf/src").is_dir() {
        return; // the crate alone, without the programs' sources
    }
    for source in digest::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let (now, built) = (digest::of_sources(root), std::fs::read_to_string("ebpf/tracer.bpf.digest"));
    match (now, built) {
        (Ok(now), Ok(built)) if now == built.trim() => {}
        (Ok(_), Ok(_)) => println!(
            "cargo::error=recorder/ebpf/tracer.bpf.o was built from other sources than these: run `cargo xtask ebpf` \
             and commit what it writes"
        ),
        (Err(error), _) => println!("cargo::error=cannot read the sources of the kernel programs: {error}"),
        (_, Err(error)) => println!("cargo::error=cannot read recorder/ebpf/tracer.bpf.digest: {error}"),
    }
}
