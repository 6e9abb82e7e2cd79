//! The tutorial does what it says: all of its blocks are pasted into one shell, and what is expected below each appears.

use std::path::Path;
use std::process::Command;

const TUTORIAL: &str = include_str!("../docs/tutorial.md");
/// Printed between two blocks.
const BORDER: &str = "=== next block ===";

struct Block {
    commands: String,
    expected: Vec<String>,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = TUTORIAL.lines();
    while let Some(line) = lines.next() {
        let kind = match line {
            "```sh" | "```text" => line,
            _ => continue,
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (kind, blocks.last_mut()) {
            ("```sh", _) => blocks.push(Block { commands: body.join("\n"), expected: Vec::new() }),
            (_, Some(block)) => block.expected = body.into_iter().map(str::to_owned).collect(),
            (_, None) => panic!("expected without a command: {body:?}"),
        }
    }
    blocks
}

/// Whether a line has all pieces that `…` and blanks part, in order.
fn fits(line: &str, expected: &str) -> bool {
    let mut rest = line;
    expected.split(['…', ' ']).filter(|piece| !piece.is_empty()).all(|piece| match rest.find(piece) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}

fn can_record() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/sys/kernel/btf/vmlinux").exists()
}

#[test]
fn the_tutorial_can_be_pasted_and_shows_what_it_says() {
    assert!(blocks().len() > 10);
    if !can_record() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_BIN_EXE_tracer")).parent().unwrap();
    let mut script = String::from("set -e\n");
    // Where there is no sudo, as in containers, its user is root already.
    script.push_str("command -v sudo >/dev/null || sudo() { \"$@\"; }\n");
    for block in blocks() {
        script.push_str(&format!("{}\necho '{BORDER}'\n", block.commands));
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("HOME", home.path())
        .env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default()))
        .env("TRACER_NO_CONFIG", "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    for (block, shown) in blocks().iter().zip(out.split(BORDER)) {
        let mut lines = shown.lines();
        for expected in &block.expected {
            assert!(
                lines.any(|line| fits(line, expected)),
                "{}\nexpected: {expected}\nshown: {shown}\n{err}",
                block.commands
            );
        }
    }
}
