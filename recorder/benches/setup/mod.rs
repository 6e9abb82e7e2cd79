//! A recording to nowhere.

use std::{path::Path, time::Duration};

use format::{Compression, Header};
use recorder::{
    assemble::Choice,
    containers::cgroup_table::CgroupTable,
    file::output::OutputPlace,
    file::retention::Retention,
    file::write::{DEFAULT_FLIGHT_BYTES, Destination},
    label::Judge,
    session::Setup,
};
use scopes::Plan;

/// A recording of everything into this file, which is replaced, by so many drains.
#[allow(dead_code)] // each benchmark uses its part
pub fn setup_to(path: &Path, plan: Plan, drains: usize) -> Setup {
    let setup = setup(plan, false);
    let place = OutputPlace::file(path, true).expect("a file");
    let destination = Destination { place, path: path.to_owned(), ..setup.destination };
    Setup { destination, drains, ..setup }
}

pub fn setup(plan: Plan, only_matched: bool) -> Setup {
    Setup {
        destination: Destination {
            place: OutputPlace::file(Path::new("/dev/null"), false).expect("/dev/null"),
            path: Path::new("/dev/null").to_owned(),
            max_bytes: None,
            rotation: None,
            retention: Retention::default(),
            flight: None,
            flight_bytes: DEFAULT_FLIGHT_BYTES,
            seal: format::WriterOptions::default(),
            witness: None,
        },
        header: Header { schema: format::current_schema(), ..Header::default() },
        compression: Compression::Default,
        choice: Choice {
            labels: Judge::new(plan, scopes::Recording::default(), 0),
            only_matched,
            wanted: None,
            trigger: None,
            early_drop: None,
            followed: format::facts::FactSet::ALL,
        },
        processes: Vec::new(),
        users: Vec::new(),
        cgroups: CgroupTable::new(None),
        names: None,
        hashes: None,
        artifacts: None,
        after: Duration::ZERO,
        viewing: None,
        drains: 1,
        priority_boost: 0,
        is_confined: false,
    }
}
