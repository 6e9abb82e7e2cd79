//! A world to which all laws are held: captures, and what is asked of them.

use std::cell::OnceCell;

use crate::laws;
use crate::program::{Folder, printed, text, tracer};
use crate::questions;
use crate::random::Random;
use crate::rows::assert_same;
use crate::world::{self, Shape};

/// How many times a capture is cut into parts; laws about parts take one of these.
const SPLITS: usize = 2;

/// Captures, and what is asked of them.
pub struct Case {
    folder: Folder,
    parts: [OnceCell<Vec<String>>; SPLITS],
    pub shape: Shape,
    /// A capture of each host.
    pub files: Vec<String>,
    /// A scope that the program takes.
    pub filters: Vec<String>,
    /// Another one.
    pub others: Vec<String>,
    /// What the files answer to the filters.
    pub rows: String,
}

pub fn as_strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub fn with<'a>(arguments: &[&'a str], filters: &'a [String]) -> Vec<&'a str> {
    arguments.iter().copied().chain(filters.iter().flat_map(|filter| ["-f", filter.as_str()])).collect()
}

pub fn ask(files: &[&str], filters: &[String], more: &[&str]) -> String {
    let files = [&["replay", "-q", "-o", "json"][..], files, more].concat();
    printed(&with(&files, filters))
}

impl Case {
    pub fn new(seed: u64) -> Case {
        let mut random = Random::new(seed);
        // By itself, so that worlds stay what they were.
        let mut timing = Random::new(!seed);
        let folder = Folder::new();
        let mut shape = Shape {
            hosts: 1 + random.below(3),
            rows: 20 + random.below(500),
            steps: random.one_in(4),
            is_unordered: random.one_in(5),
            is_timed: timing.one_in(2),
        };
        let mut files: Vec<String> = Vec::new();
        if random.one_in(6) {
            let name =
                *random.of(&["tree.trz", "ls.trz", "scopes.trz", "ptrace.trz", "threads.trz", "id-ls.trz"]);
            files.push(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
            shape.is_timed = false;
        } else {
            for (number, made) in world::world(&mut random, shape).into_iter().enumerate() {
                files.push(folder.capture(&format!("host{number}.trz"), made));
            }
        }
        // What can match nothing, or asks for what no file says, is refused: that is not tested here.
        let is_taken = |filters: &[String]| {
            tracer(&with(&["replay", "-q", "--count", &files[0]], filters)).status.success()
        };
        let mut scope = || {
            let mut filters = questions::scope(&mut random);
            while !is_taken(&filters) {
                filters = questions::scope(&mut random);
            }
            if shape.is_timed && timing.one_in(2) {
                let bound = questions::bound(&mut timing);
                filters.push(format!("duration{}", questions::time(bound, &mut timing)));
                // Some of these scopes could match nothing then.
                if !is_taken(&filters) {
                    filters.pop();
                }
            }
            filters
        };
        let (filters, others) = (scope(), scope());
        let mut case =
            Case { folder, parts: Default::default(), shape, files, filters, others, rows: String::new() };
        case.rows = ask(&case.files(), &case.filters, &[]);
        case
    }

    pub fn files(&self) -> Vec<&str> {
        as_strs(&self.files)
    }

    pub fn path(&self, name: &str) -> String {
        text(&self.folder.path(name))
    }

    /// The first host's file; those of a fixture are the same.
    pub fn one(&self) -> &str {
        &self.files[0]
    }

    /// The first host's file cut into three parts, by time.
    pub fn parts(&self, random: &mut Random) -> &[String] {
        let number = random.below(SPLITS as u64) as usize;
        self.parts[number].get_or_init(|| laws::in_parts(self, number, random))
    }

    /// Every file that is written verifies.
    pub fn verify(&self, file: &str) {
        assert!(printed(&["verify", file]).contains(": good"), "{file}");
    }

    /// Whether peers are asked for by names, which the answers of the whole capture give.
    pub fn asks_names(&self) -> bool {
        self.filters.iter().any(|filter| asks_names(filter))
    }

    pub fn told(&self) -> String {
        format!("{:?}, {:?}", self.filters, self.shape)
    }

    /// What was read as it came. Rows that came late, and much later than others, are out of order; of lineage and streams the
    /// same is known then only where rows are in order.
    pub fn assert_arrived(&self, rows: &str, expected: &str, how: &str) {
        let what = format!("{how}, {}", self.told());
        if !self.shape.is_unordered {
            assert_same(rows, expected, &what);
        } else if self.is_of_rows() {
            let sorted = |rows: &str| {
                let mut lines: Vec<String> = rows.lines().map(|line| format!("{line}\n")).collect();
                lines.sort_unstable();
                lines.concat()
            };
            assert_same(&sorted(rows), &sorted(expected), &what);
        }
    }

    /// The answer depends on nothing but the row itself.
    pub fn is_of_rows(&self) -> bool {
        let is_lineage = |filter: &String| filter.starts_with("tree") || filter == "follow";
        !self
            .filters
            .iter()
            .any(|filter| is_lineage(filter) || asks_streams(filter) || self::asks_names(filter))
    }
}

/// Whether a filter asks for peers by names, which answers of DNS give.
pub fn asks_names(filter: &str) -> bool {
    scopes::ScopeSet::parse(&[filter]).is_ok_and(|set| set.names_peers())
}

/// Whether a filter may choose messages that are read from streams.
fn asks_streams(filter: &String) -> bool {
    filter.contains("net_") || filter.starts_with("set=") || filter == "event=*"
}
