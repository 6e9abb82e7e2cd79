//! No output touches an input, none takes the place of a file unasked, and none is there before it is whole: for every
//! subcommand that writes.

mod program;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use program::{Folder, id_and_ls, text, tracer};

/// Files that commands read.
struct Evidence {
    folder: Folder,
    capture: String,
    other: String,
    torn: String,
    log: String,
    policy: String,
    secret: String,
    key: String,
}

fn evidence() -> Evidence {
    let folder = Folder::new();
    let (capture, other) = (folder.capture("a.trz", id_and_ls()), folder.capture("b.trz", id_and_ls()));
    let file = |name: &str, content: &[u8]| {
        fs::write(folder.path(name), content).unwrap();
        text(&folder.path(name))
    };
    let whole = fs::read(&capture).unwrap();
    let torn = file("torn.trz", &whole[..whole.len() - 40]);
    let log = file("log.json", &tracer(&["replay", &capture, "-o", "json"]).stdout);
    let policy =
        file("policy.yaml", b"type: policy\nname: ids\nscope: [comm=id]\nrules: [{event: openat}]\n");
    let secret = file("secret", b"a secret of the house");
    let key = text(&folder.path("key"));
    assert!(tracer(&["keygen", &key]).status.success());
    Evidence { folder, capture, other, torn, log, policy, secret, key }
}

impl Evidence {
    /// Each command that writes, with the files that it reads; `OUT` stands for what it writes.
    fn commands(&self) -> Vec<(Vec<&str>, Vec<&str>)> {
        let Evidence { capture, other, torn, log, policy, secret, key, .. } = self;
        vec![
            (vec!["replay", capture, other, "-p", policy, "-o", "json:OUT"], vec![capture, other, policy]),
            (vec!["replay", capture, "-o", "table", "-o", "table-verbose:OUT"], vec![capture]),
            (vec!["cut", capture, "-p", policy, "--sign-key", key, "-o", "OUT"], vec![capture, policy, key]),
            (vec!["merge", capture, other, "-o", "OUT"], vec![capture, other]),
            (
                vec!["redact", capture, "--hash", "paths", "--secret", secret, "-o", "OUT"],
                vec![capture, secret],
            ),
            (vec!["recover", torn, "-o", "OUT"], vec![torn]),
            (vec!["import", log, "--sign-key", key, "-o", "OUT"], vec![log, key]),
        ]
    }
}

/// Runs a command that writes to `out`, and says how it ended.
fn run(command: &[&str], out: &str, force: bool) -> (Option<i32>, String) {
    let mut arguments: Vec<String> = command.iter().map(|word| word.replace("OUT", out)).collect();
    arguments.extend(force.then(|| "--force".to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = tracer(&arguments);
    (output.status.code(), format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn partial(folder: &Folder) -> Vec<String> {
    let names =
        fs::read_dir(folder.path("")).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("partial")).collect()
}

#[test]
fn no_output_touches_an_input_under_whatever_name() {
    let evidence = evidence();
    for (command, inputs) in evidence.commands() {
        for input in inputs {
            let before = fs::read(input).unwrap();
            let [hard, soft] = ["hard", "soft"].map(|name| text(&evidence.folder.path(name)));
            fs::hard_link(input, &hard).unwrap();
            symlink(input, &soft).unwrap();
            for out in [input, &hard, &soft] {
                for force in [false, true] {
                    let (code, said) = run(&command, out, force);
                    assert_eq!(code, Some(2), "{said}");
                    assert!(said.contains("no output takes the place of an input"), "{said}");
                    assert_eq!(fs::read(input).unwrap(), before, "{said}");
                }
            }
            fs::remove_file(hard).unwrap();
            fs::remove_file(soft).unwrap();
        }
    }
    assert_eq!(partial(&evidence.folder), [""; 0]);
}

#[test]
fn a_file_that_is_there_is_written_over_when_that_is_asked_for_and_is_then_private() {
    let evidence = evidence();
    let out = text(&evidence.folder.path("out"));
    for (command, _) in evidence.commands() {
        fs::write(&out, "another's").unwrap();
        let (code, said) = run(&command, &out, false);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is there already; --force writes over it"), "{said}");
        assert_eq!(fs::read(&out).unwrap(), b"another's", "{said}");
        let (code, said) = run(&command, &out, true);
        assert_eq!(code, Some(0), "{said}");
        assert_ne!(fs::read(&out).unwrap(), b"another's", "{said}");
        assert_eq!(fs::metadata(&out).unwrap().mode() & 0o777, 0o600, "{said}");
        fs::remove_file(&out).unwrap();
        let (code, said) = run(&command, &out, false);
        assert_eq!(code, Some(0), "{said}");
        fs::remove_file(&out).unwrap();
    }
    assert_eq!(partial(&evidence.folder), [""; 0]);
}

#[test]
fn a_run_that_fails_leaves_what_was_there() {
    let evidence = evidence();
    let out = text(&evidence.folder.path("out"));
    fs::write(&out, "another's").unwrap();
    // A block in the middle is damaged, the header and the index are whole.
    let mut damaged = fs::read(&evidence.capture).unwrap();
    let block = damaged.windows(4).enumerate().filter(|(_, word)| *word == b"TFRM").map(|(at, _)| at);
    let blocks: Vec<usize> = block.filter(|at| damaged[at + 4] == 2).collect();
    damaged[blocks[0] + 200] ^= 0xff;
    let path = text(&evidence.folder.path("damaged.trz"));
    fs::write(&path, damaged).unwrap();
    for command in [
        vec!["cut", &path, "--strict", "-o", "OUT"],
        vec!["redact", &path, "--drop", "paths", "-o", "OUT"],
        vec!["merge", &path, &evidence.other, "-o", "OUT"],
        vec!["import", &path, "-o", "OUT"],
        vec!["recover", "/dev/null", "-o", "OUT"],
    ] {
        let (code, said) = run(&command, &out, true);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(fs::read(&out).unwrap(), b"another's", "{said}");
    }
    assert_eq!(partial(&evidence.folder), [""; 0]);
}

#[test]
fn two_outputs_are_two_files_and_streams_are_written_to_as_they_are() {
    let evidence = evidence();
    let capture = evidence.capture.as_str();
    let out = text(&evidence.folder.path("out"));
    let twice = ["replay", capture, "-o", &format!("json:{out}"), "-o", &format!("table:{out}")];
    let output = tracer(&twice);
    assert_eq!(output.status.code(), Some(2));
    assert!(!Path::new(&out).exists());
    let (code, said) = run(&["replay", capture, "-o", "json:OUT"], "/dev/null", false);
    assert_eq!(code, Some(0), "{said}");
    let piped = tracer(&["cut", capture, "-o", "-"]);
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    fs::write(&out, piped.stdout).unwrap();
    assert!(tracer(&["verify", &out]).status.success());
}

#[test]
fn a_key_pair_is_never_half_another_key() {
    let evidence = evidence();
    let key = text(&evidence.folder.path("new"));
    fs::write(format!("{key}.pub"), "another's").unwrap();
    assert_eq!(tracer(&["keygen", &key]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(format!("{key}.pub")).unwrap(), "another's");
    assert!(!Path::new(&key).exists());
    assert_eq!(fs::metadata(&evidence.key).unwrap().mode() & 0o777, 0o600);
    assert_eq!(partial(&evidence.folder), [""; 0]);
}

#[cfg(feature = "record")]
#[test]
fn a_recording_takes_the_place_of_no_key_and_no_policy_and_mixes_with_no_older_set() {
    let evidence = evidence();
    for (input, flag) in [(&evidence.key, "--sign-key"), (&evidence.policy, "-p")] {
        let before = fs::read(input).unwrap();
        let output = tracer(&["record", flag, input, "-o", input, "--force", "--duration", "1s"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("no output takes the place of an input"), "{said}");
        assert_eq!(fs::read(input).unwrap(), before);
    }
    let (set, third) = (text(&evidence.folder.path("set.trz")), evidence.folder.path("set.0003.trz"));
    fs::write(&third, "a part").unwrap();
    let output = tracer(&["record", "-o", &set, "--rotate", "1s", "--duration", "1s"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("set.0003.trz is there already, a part of an older set"), "{said}");
    assert_eq!(fs::read(&third).unwrap(), b"a part");
}
