//! What a recording does before its first event: the processes and cgroups of this machine.

use std::path::Path;

use recorder::{containers::cgroup_table::CgroupTable, host::snapshot::Snapshot};

fn main() {
    divan::main();
}

#[divan::bench]
fn the_first_pass_over_proc(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| Snapshot::take(Path::new("/proc")));
}

#[divan::bench]
fn the_second_pass_over_proc(bencher: divan::Bencher<'_, '_>) {
    let mut snapshot = Snapshot::take(Path::new("/proc")).unwrap_or_default();
    bencher.bench_local(|| snapshot.refresh(Path::new("/proc")));
}

#[divan::bench]
fn the_walk_over_the_cgroups(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(CgroupTable::of_host);
}
