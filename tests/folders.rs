//! Folders of captures: many files are asked as one, and only so many of them are open at a time.

mod program;

use std::fs;
use std::process::Command;

use program::{Folder, id_and_ls, printed, said, text, tracer};

fn lines(arguments: &[&str]) -> usize {
    printed(arguments).lines().count()
}

#[test]
fn a_folder_is_read_as_the_captures_in_it_and_what_is_none_is_told() {
    let folder = Folder::new();
    let one = folder.capture("a.trz", id_and_ls());
    let rows: usize = printed(&["replay", &one, "--count"]).trim().parse().expect("a number");
    fs::create_dir(folder.path("below")).unwrap();
    fs::copy(&one, folder.path("below/b.trz")).unwrap();
    fs::write(folder.path("notes.txt"), "not a capture").unwrap();
    let all = text(&folder.path(""));
    assert_eq!(printed(&["replay", &all, "--count"]).trim(), (2 * rows).to_string());
    assert_eq!(
        lines(&["replay", &all, "-o", "json", "-f", "comm=ls"]),
        2 * lines(&["replay", &one, "-o", "json", "-f", "comm=ls"])
    );
    let notes = said(&["replay", &all, "--count"]);
    assert!(notes.contains("1 file is no capture and not read") && notes.contains("notes.txt"), "{notes}");
    assert_eq!(printed(&["info", &all, "-o", "json"]).matches("\"boot_id\"").count(), 2);
    // What lies in the folder is an input: it is not written over.
    let output = tracer(&["replay", &all, "-o", &format!("json:{one}"), "--force"]);
    assert_eq!(output.status.code(), Some(2));
    fs::remove_file(&one).unwrap();
    fs::remove_dir_all(folder.path("below")).unwrap();
    let error = said(&["replay", &all]);
    assert!(error.contains("there is no capture in this folder (1 other files)"), "{error}");
}

#[test]
fn more_captures_are_asked_than_files_may_be_open() {
    const FILES: usize = 400;
    let folder = Folder::new();
    let one = folder.capture("0000.trz", id_and_ls());
    for number in 1..FILES {
        fs::copy(&one, folder.path(&format!("{number:04}.trz"))).unwrap();
    }
    let rows = lines(&["replay", &one, "-o", "json", "-f", "comm=ls"]);
    let all = text(&folder.path(""));
    for (threads, filter) in [("1", "comm=ls"), ("2", "comm=ls"), ("2", "tree=500")] {
        let command = format!(
            "ulimit -n 200; exec {} replay {all} -o json -f {filter} --threads {threads}",
            env!("CARGO_BIN_EXE_tracer")
        );
        let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{filter}: {}\n{error}", output.status);
        let found = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        let expected =
            if filter == "comm=ls" { rows } else { lines(&["replay", &one, "-o", "json", "-f", filter]) };
        assert_eq!(found, FILES * expected, "{filter}");
    }
    let stats = said(&["replay", &all, "--count", "-f", "comm=nobody", "--stats"]);
    assert!(stats.contains("0 rows in 0 blocks read"), "{stats}");
}

#[test]
fn thousands_of_captures_need_few_descriptors() {
    const FILES: usize = 4000;
    let folder = Folder::new();
    let one = folder.capture("0000.trz", id_and_ls());
    for number in 1..FILES {
        fs::hard_link(&one, folder.path(&format!("{number:04}.trz"))).unwrap();
    }
    let command = format!(
        "ulimit -n 160; exec {} replay {} --count -f comm=ls",
        env!("CARGO_BIN_EXE_tracer"),
        text(&folder.path(""))
    );
    let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: usize =
        printed(&["replay", &one, "--count", "-f", "comm=ls"]).trim().parse().expect("a number");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), (FILES * rows).to_string());
}
