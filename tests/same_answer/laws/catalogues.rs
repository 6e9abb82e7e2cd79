//! A folder that has a catalogue answers as one without, byte for byte, whatever was not opened for it.

use std::fs;

use crate::case::{Case, with};
use crate::program::synthetic::WALL;
use crate::program::{printed, tracer};
use crate::questions;
use crate::random::Random;
use crate::world::{self, Shape};

const HOSTS: u64 = 6;

/// Commands that ask catalogues, and one that opens all captures in any case.
const COMMANDS: [&str; 13] = [
    "replay -o json",
    "replay --utc -o table",
    "replay --utc --columns time,host,user,comm,duration,args --limit 9",
    "replay --count",
    "replay --losses -o json",
    "top --by comm,host,user,file,errno -o json",
    "tree -o json",
    "export -q --to csv",
    "export -q --to otlp-json",
    "ps -o json --utc",
    "lsof -o json --utc",
    "ss -o json --utc",
    "containers -o json --utc",
];

/// Short recordings, so that few have what is asked for. Some are of one boot; they were recorded otherwise than others, know
/// other users; and there may be files of which a catalogue says nothing.
fn folder(case: &Case, random: &mut Random) -> String {
    let folder = case.path("cataloged");
    fs::create_dir_all(format!("{folder}/below")).expect("a folder");
    let most = *random.of(&[3, 10, 40]);
    let shape = Shape { hosts: HOSTS, rows: 1 + random.below(most), ..case.shape };
    let mut boots: Vec<String> = Vec::new();
    for (number, mut made) in (0..).zip(world::world(random, shape)) {
        let header = &mut made.header;
        if number >= world::HOSTS.len() && random.one_in(2) {
            header.host.boot_id.clone_from(&boots[number - world::HOSTS.len()]);
            header.recording.start_ns += number as u64;
        }
        boots.push(header.host.boot_id.clone());
        if random.one_in(3) {
            header.recording.more.remove(format::recorded::TIMING);
        }
        if random.one_in(4) {
            header.recording.filters = vec!["comm=sh,make".into()];
        }
        if random.one_in(3) {
            made.sides.retain(|side| !matches!(side, format::Side::Users(_)));
        }
        let below = *random.of(&["", "below/"]);
        let path = format!("{folder}/{below}{number}.trz");
        let bytes = made.bytes();
        // One that was not finished.
        let end = bytes.len() - if random.one_in(8) { 40 } else { 0 };
        fs::write(path, &bytes[..end]).expect("a folder");
    }
    if random.one_in(3) {
        printed(&with(&["cut", case.one(), "-o", &format!("{folder}/cut.trz")], &case.filters));
    }
    folder
}

/// A question to the folder, which some of its captures may not be able to answer.
fn question(case: &Case, random: &mut Random) -> Vec<String> {
    let mut asked = match random.below(4) {
        0 => case.filters.clone(),
        1 => vec![format!("pid={}", random.below(40) + 90)],
        _ => questions::scope(random),
    };
    if case.shape.is_timed && random.one_in(2) {
        let bound = questions::bound(random);
        asked.push(format!("duration{}", questions::time(bound, random)));
    }
    let mut arguments: Vec<String> = asked.into_iter().flat_map(|filter| ["-f".into(), filter]).collect();
    if random.one_in(3) {
        arguments.extend(["--from".into(), (WALL + random.below(1_200_000_000)).to_string()]);
    }
    arguments
}

pub fn catalogues(case: &Case, random: &mut Random) {
    let folder = folder(case, random);
    let made = tracer(&["catalog", &folder]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for _ in 0..4 {
        let command: Vec<&str> = random.of(&COMMANDS).split(' ').collect();
        let mut asked = question(case, random);
        if matches!(command[0], "ps" | "lsof" | "ss" | "containers") {
            asked.iter_mut().for_each(|it| *it = it.replace("--from", "--at"));
        }
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let asked = [&command[..], &[&folder], &asked].concat();
        let [with, without] = [tracer(&asked), tracer(&[&asked[..], &["--no-catalog"]].concat())];
        let said = |it: &std::process::Output| {
            format!(
                "{}\n{}{}",
                it.status,
                String::from_utf8_lossy(&it.stderr),
                String::from_utf8_lossy(&it.stdout)
            )
        };
        assert!(
            with.status == without.status && with.stdout == without.stdout,
            "{asked:?}, {:?}:\n{}\nwithout the catalogue:\n{}",
            case.shape,
            said(&with),
            said(&without)
        );
    }
}
