//! The page's own script without a browser: Node runs the parts of it that read data and judge filters.

use std::process::{Command, Stdio};

const SOURCES: [&str; 4] = [
    include_str!("../../report/page/data.js"),
    include_str!("../../report/page/show.js"),
    include_str!("../../report/page/filter.js"),
    include_str!("../../report/page/judge.js"),
];

const HARNESS: &str = "
(async () => {
  readParts();
  await readEvents();
  await readArguments();
  const answers = asked.map(text => {
    try { return String(judge(text, 0, Infinity).length); } catch (error) {
      if (error instanceof Wrong) return 'wrong: ' + error.message;
      throw error;
    }
  });
  console.log(answers.join('\\n'));
})().catch(error => { console.error(error); process.exit(1); });
";

fn has(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// A browser that runs without a screen; `None`, and a word on it, where there is none.
#[expect(clippy::print_stderr, reason = "who reads a test's output is told what did not run")]
pub fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| has(name));
    if found.is_none() {
        eprintln!("skipped: there is no Chromium here to draw the page");
    }
    found
}

/// What the page's filter says to each of these; `None`, and a word on why, where there is no Node.
#[expect(clippy::print_stderr, reason = "who reads a test's output is told what did not run")]
pub fn judged(page: &str, asked: &[&str]) -> Option<Vec<String>> {
    if !has("node") {
        eprintln!("skipped: there is no node here to run the page's script");
        return None;
    }
    let of = |id: &str| {
        let opening = format!("id=\"{id}\">");
        let start = page.find(&opening).expect("data") + opening.len();
        let length = page[start..].find('<').expect("an end");
        serde_json::to_string(&page[start..start + length]).expect("JSON")
    };
    let fake = format!(
        "'use strict'; const asked = {}; const elements = {{ parts: {{ textContent: {} }}, data: {{ textContent: {} }} }};\n\
         globalThis.document = {{ getElementById: id => elements[id] }};\n",
        serde_json::to_string(asked).expect("JSON"),
        of("parts"),
        of("data")
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.cjs");
    std::fs::write(&file, [&fake, SOURCES.join("\n").as_str(), HARNESS].concat()).expect("a script");
    let output = Command::new("node").arg(&file).output().expect("node runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    Some(out.lines().map(str::to_owned).collect())
}

/// Filters are parted by blanks, and what stands in double quotes is together.
pub fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}
